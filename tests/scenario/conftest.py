"""Scenarios run the real engine and the real connectors in one process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenario.crms import CRMS, CrmWorld, crm_world
from tests.scenario.world import World, world_of


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(tmp_path) as made:
        yield made


@pytest.fixture(params=list(CRMS))
async def crm(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CrmWorld]:
    """The same clinic before each CRM."""
    async with crm_world(tmp_path, request.param) as made:
        yield made
