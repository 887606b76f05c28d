"""Cards of another system are found by its key field, exactly, and never by a field that is not there."""

from collections.abc import AsyncIterator

import pytest

from connectors.bitrix24 import connector as bitrix24
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import ByField, Entity, Needed
from kreslo.connectors.testing import TargetRig, open_rig


@pytest.fixture
async def rig() -> AsyncIterator[TargetRig]:
    async with open_rig(bitrix24) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        yield rig


async def test_a_card_is_found_by_another_systems_key(rig: TargetRig) -> None:
    for key in ("V-10", "v-10", "V-1", ""):
        await rig.staff("create", entity="deal", fields={"TITLE": "Визит", "ORIGIN_ID": key})
    found = await rig.find(ByField(Entity.DEAL, "ORIGIN_ID", "V-10"))
    assert [card.title for card in found] == ["Визит"]
    assert await rig.find(ByField(Entity.DEAL, "ORIGIN_ID", "V-2")) == ()
    assert await rig.find(ByField(Entity.CONTACT, "ORIGIN_ID", "V-10")) == ()


async def test_an_empty_key_finds_nobody(rig: TargetRig) -> None:
    await rig.staff("create", entity="deal", fields={"TITLE": "Чужая", "ORIGIN_ID": ""})
    assert await rig.find(ByField(Entity.DEAL, "ORIGIN_ID", "")) == ()


async def test_a_field_that_is_not_there_stops_the_search_instead_of_finding_strangers(
    rig: TargetRig,
) -> None:
    await rig.staff("create", entity="deal", fields={"TITLE": "Чужая"})
    with pytest.raises(ConfigurationError, match="UF_CRM_OLD"):
        await rig.find(ByField(Entity.DEAL, "UF_CRM_OLD", "V-10"))
