"""An account of its own for each test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from amo_account import FAST, Api, Build, opened


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with opened(FAST) as client:
        yield client


@pytest.fixture
def account() -> Build:
    def build(**switches: Any) -> AbstractAsyncContextManager[Api]:
        return opened({**FAST, **switches})

    return build
