"""A portal of its own for each test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from b24_portal import Build, Rest, opened


@pytest.fixture(params=["in process", "socket"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def rest(transport: str) -> AsyncIterator[Rest]:
    async with opened(transport, {"burst": 10_000}) as client:
        yield client


@pytest.fixture
def portal(transport: str) -> Build:
    def build(**switches: Any) -> AbstractAsyncContextManager[Rest]:
        return opened(transport, {"burst": 10_000, **switches})

    return build
