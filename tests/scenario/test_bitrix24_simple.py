"""A portal in the simple mode of its CRM has no leads: enquiries are deals, and a booking takes over the deal."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from kreslo.connectors.errors import ConfigurationError
from kreslo.mapping.load import load
from kreslo.sync.opening import build_target
from tests.scenario.world import World

_CLAIM_OF_A_LEAD = "mode: link\n    copy: [SOURCE_ID, UTM_SOURCE]"
_PHONE = "PHONE: {value: enquiry.phone, mode: add}"
_WITH_LEADS = ('from: {leads: ["Записан на консультацию"]}', "into: leads", _CLAIM_OF_A_LEAD, _PHONE)
_WITH_DEALS = (
    'from: {funnel: "Обращения", stages: ["Новый"]}',
    'into: {funnel: "Обращения"}',
    "mode: move",
    "UF_CRM_KRESLO_PHONE: enquiry.phone",
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    thrown = await made.http.post("/_control/switches", json={"crm_mode": 2})
    assert thrown.is_success
    yield made
    await made.stop()
    await made.http.aclose()


async def test_a_mapping_that_makes_leads_is_refused_before_anything_is_made(world: World) -> None:
    mapping = load(world.mapping)
    target = build_target(mapping, world.seams)
    with pytest.raises(ConfigurationError, match="без лидов"):
        await target.setup(mapping.needed(), dry_run=False)
    assert any("без лидов" in problem.message for problem in await target.check())
    await target.close()


async def test_an_enquiry_is_a_deal_and_the_booking_claims_it(world: World) -> None:
    text = world.mapping.read_text(encoding="utf-8")
    for old, new in zip(_WITH_LEADS, _WITH_DEALS, strict=True):
        assert old in text
        text = text.replace(old, new)
    world.mapping.write_text(text, encoding="utf-8")
    await world.setup()
    world.clinic.add(
        "KresloDemoEnquiries",
        DateTimeAdded=world.clinic.local(),
        Phone="+7 900 111-22-33",
        Name="Мария",
        Result="думает",
        Source="звонок",
    )
    await world.start()
    await world.settle()
    assert (await world.state())["leads"] == []
    enquiry = await world.deal()
    assert (enquiry["funnel"], enquiry["stage"]) == ("Обращения", "Новый")
    patient = world.clinic.add_patient(MobilePhone="8 900 111-22-33")
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=3))
    await world.settle()
    visit = await world.deal()
    assert (visit["id"], visit["funnel"], visit["stage"]) == (enquiry["id"], "Приёмы", "Записан на приём")
    assert (await world.state())["leads"] == []
