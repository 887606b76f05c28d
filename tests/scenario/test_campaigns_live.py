"""iDent → each CRM: what follows a visit. The robots of the sandbox count what patients are told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kreslo.connectors.model import Change, CreateCard, Entity
from kreslo.sync.drift import DriftKind
from tests.scenario.crms import CRMS, CrmWorld
from tests.scenario.world import visit

CAMPAIGNS = """\
campaigns:
  nps:
    on: completed
    after: 3h
    quiet: "21:00-09:00"
    funnel: "NPS"
    stages:
      - {stage: "Нет ответа", after: 7d, semantic: lost}
      - {stage: "Отправить опрос", message: true}
  checkup:
    on: recall
    after: 150d
    late: 30d
    unless: next_visit != null
    funnel: "Профосмотр"
    stages:
      - {stage: "Записался", when: next_visit != null, semantic: won}
      - {stage: "Пригласить", message: true}
"""


class Live(CrmWorld):
    async def began(self) -> None:
        await self.setup()
        for stage in ("Отправить опрос", "Пригласить"):
            answer = await self.http.post("/_control/robots", json={"stage": stage})
            assert answer.is_success, answer.text
        await self.start()
        await self.settle()

    async def again(self) -> None:
        """A new process, and everything looked at anew."""
        await self.stop()
        await self.start()
        await self.settle()

    def treated(self, patient: str, ago: timedelta = timedelta(0), **more: Any) -> str:
        """A visit that took place and ended `ago`."""
        ended = self.clock.now() - ago
        usual = {"ReceptionEnded": self.clinic.local(ended), "DateTimeChanged": self.clinic.local(ended)}
        return self.clinic.add_appointment(patient, starts_at=ended - timedelta(hours=1), **{**usual, **more})

    async def told(self) -> list[str]:
        """Stages on which robots wrote, in the order of the messages."""
        return [row["stage"] for row in (await self.state())["messages"]]

    async def of_campaign(self, name: str) -> list[dict[str, Any]]:
        return [card for key, card in (await self.cards()).items() if key.startswith(f"ident/{name}/")]


@pytest.fixture(params=sorted(CRMS))
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Live]:
    made = Live(tmp_path, request.param)
    with made.mapping.open("a", encoding="utf-8") as file:
        file.write(CAMPAIGNS)
    try:
        yield made
    finally:
        await made.stop()
        await made.http.aclose()


async def test_a_poll_goes_out_once_three_hours_after_the_visit_and_ends_by_the_clock(world: Live) -> None:
    await world.began()
    done = world.treated(world.clinic.add_patient())
    await world.settle()
    assert await world.of_campaign("nps") == []
    await world.pass_time(3 * 3600)
    await world.settle()
    (card,) = await world.of_campaign("nps")
    assert (card["fields"][world.crm.key], card["stage"]) == (f"ident/nps/{done}", "Отправить опрос")
    (contact,) = (await world.state())["contacts"]
    assert card["contact_ids"] == [contact["id"]]
    world.clinic.set(visit(done), Comment="x", DateTimeChanged=world.clinic.local())
    await world.again()
    await world.pass_time(7 * 86400)
    await world.settle()
    (card,) = await world.of_campaign("nps")
    assert card["stage"] == "Нет ответа"
    assert await world.told() == ["Отправить опрос"]


async def test_an_import_of_old_visits_polls_nobody(world: Live) -> None:
    """Never for what is past; and who was treated this morning is asked like anybody."""
    patient = world.clinic.add_patient()
    for days in (2, 10, 200, 2900):
        world.treated(patient, timedelta(days=days))
    today = world.treated(patient, timedelta(hours=4))
    await world.began()
    assert [card["fields"][world.crm.key] for card in await world.of_campaign("nps")] == [
        f"ident/nps/{today}"
    ]
    assert await world.told() == ["Отправить опрос"]


async def test_at_night_nobody_is_asked_and_who_refused_never(world: Live) -> None:
    await world.began()
    await world.pass_time(9 * 3600)  # 21:00
    world.treated(world.clinic.add_patient(), timedelta(hours=4))
    world.treated(world.clinic.add_patient(SMSRejection=1), timedelta(hours=4))
    await world.settle()
    assert await world.of_campaign("nps") == []
    await world.pass_time(12 * 3600)
    await world.settle()
    assert len(await world.of_campaign("nps")) == 1
    assert await world.told() == ["Отправить опрос"]
    assert world.run
    rules = [line for key in ("patient:2", "patient:3") for line in _explained(world, key)]
    assert any(line.endswith("no card, the patient refused messages") for line in rules), rules


async def test_an_invitation_of_five_months_ago_ends_when_the_patient_is_booked(world: Live) -> None:
    patient = world.clinic.add_patient()
    planned = world.clock.now() - timedelta(days=151)
    world.clinic.add_recall(patient, DateTimeAdded=world.clinic.local(planned))
    closed = world.clinic.add_patient()
    world.clinic.add_recall(closed, DateTimeAdded=world.clinic.local(planned), ID_ReceptionsClose=1)
    await world.began()
    (card,) = await world.of_campaign("checkup")
    assert card["stage"] == "Пригласить"
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=3))
    await world.settle()
    (card,) = await world.of_campaign("checkup")
    assert card["stage"] == "Записался"
    await world.pass_time(5 * 86400)
    await world.settle()
    (card,) = await world.of_campaign("checkup")
    assert card["stage"] == "Записался"
    assert await world.told() == ["Пригласить"]


async def test_after_the_journal_is_lost_nobody_is_asked_again(world: Live) -> None:
    await world.began()
    world.treated(world.clinic.add_patient(), timedelta(hours=4))
    await world.settle()
    assert await world.told() == ["Отправить опрос"]
    await world.stop()
    for file in world.folder.glob("state.db*"):
        file.unlink()
    await world.pass_time(60)
    await world.again()
    assert len(await world.of_campaign("nps")) == 1
    assert await world.told() == ["Отправить опрос"]


async def test_a_create_whose_answer_is_lost_makes_one_card(world: Live) -> None:
    await world.began()
    world.treated(world.clinic.add_patient())
    await world.settle()
    await world.fault(
        kind="lose", when="after", times=2, match="crm.item.add" if world.crm.name == "bitrix24" else "leads"
    )
    await world.pass_time(3 * 3600)
    await world.settle()
    assert len(await world.of_campaign("nps")) == 1
    assert await world.told() == ["Отправить опрос"]


def _explained(world: Live, key: str) -> tuple[str, ...]:
    assert world.run
    said = world.run.journal.explain(key)
    return said.rules if said else ()


async def test_where_only_campaigns_make_deals_a_deal_that_nobody_wanted_is_found(world: Live) -> None:
    """Cards of campaigns bear keys of ours too: the comparison walks them."""
    before, _, after = world.mapping.read_text(encoding="utf-8").partition("appointment:\n")
    checkup = "  checkup:\n" + after.partition("  checkup:\n")[2]
    checkup = checkup.replace("    unless: next_visit != null\n", "").replace(
        '      - {stage: "Записался", when: next_visit != null, semantic: won}\n', ""
    )
    world.mapping.write_text(f"{before}campaigns:\n{checkup}", encoding="utf-8")
    await world.began()
    assert world.run
    foreign = CreateCard(entity=Entity.DEAL, key="ident/checkup/777", fields={"TITLE": "Чужой"})
    await world.run.target.apply([Change("other", foreign)])
    world.clock.advance(60)
    compared = await world.run.compare_now(heal=False, sure=False)
    assert [(drift.kind, drift.card) for drift in compared.drift] == [(DriftKind.EXTRA, "ident/checkup/777")]
