"""Answers that are lost, processes that die, portals that refuse: delayed, never doubled, never lost."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import Change, Entity, Outcome, OutcomeKind
from kreslo.journal.model import IntentState
from tests.scenario.world import World, visit


async def _clinic_of(world: World, patients: int) -> None:
    for number in range(patients):
        patient = world.clinic.add_patient(CardNumber=f"A-{number}")
        world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=2 + number % 5))


async def _one_of_each(world: World, patients: int) -> None:
    state = await world.state()
    for section in ("contacts", "deals"):
        keys = sorted(row["fields"]["UF_CRM_KRESLO_KEY"] for row in state[section])
        assert len(keys) == len(set(keys)) == patients, (section, keys)


@pytest.mark.parametrize("kind", ["lose", "timeout", "502html", "504html", "500"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("match", ["crm.contact.add", "crm.item.add", "crm.deal.add"])
async def test_a_create_without_an_answer_is_looked_for_before_it_is_sent_again(
    world: World, kind: str, when: str, match: str
) -> None:
    await _clinic_of(world, 4)
    await world.fault(kind=kind, match=match, when=when, times=2)
    await world.start()
    await world.settle()
    await _one_of_each(world, 4)


async def test_a_batch_that_broke_in_the_middle_is_told_item_by_item(world: World) -> None:
    await _clinic_of(world, 6)
    await world.fault(kind="timeout", match="crm.contact.add", when="before", commands=3)
    await world.start()
    await world.settle()
    await _one_of_each(world, 6)


async def test_after_a_death_in_the_send_nothing_is_sent_again_before_it_was_looked_for(world: World) -> None:
    """What was `sending` when the process died has an unknown outcome: here it had been applied."""
    await _clinic_of(world, 3)
    await world.start()
    assert world.run
    journal = world.run.journal
    await world.fault(kind="lose", match="crm.contact.add")
    settle = journal.settle
    journal.settle = lambda *_args, **_kwargs: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await world.turn(20)
    journal.settle = settle  # type: ignore[method-assign]
    assert journal.counts().intents[IntentState.SENDING] == 3
    await world.stop()
    await world.start()
    await world.settle()
    await _one_of_each(world, 3)


async def test_a_note_whose_answer_was_lost_stands_once(world: World) -> None:
    await _clinic_of(world, 1)
    await world.start()
    await world.settle()
    await world.fault(kind="lose", match="crm.timeline.comment.add")
    later = world.clinic.local(world.clock.now() + timedelta(days=7))
    world.clinic.set(visit("1"), PlanStart=later, DateTimeChanged=world.clinic.local())
    await world.settle()
    notes = [row["comment"] for row in (await world.state())["comments"]]
    assert sum("перенесён" in note for note in notes) == 1, notes


async def test_a_portal_that_asks_to_slow_down_is_obeyed_and_the_work_goes_on(world: World) -> None:
    await _clinic_of(world, 2)
    await world.start()
    assert world.run
    await world.settle()
    await world.fault(kind="503", match="*", times=30)
    world.clinic.set(visit("1"), ReceptionCanceled=world.clinic.local())
    await world.pass_time(6)
    await world.turn(3)
    await world.settle()
    stages = sorted(deal["stage"] for deal in await world.deals())
    assert stages == ["Визит отменён", "Записан на приём"]


async def test_a_clinic_that_cannot_be_reached_is_waited_for(world: World) -> None:
    await _clinic_of(world, 1)
    await world.start()
    assert world.run
    await world.settle()
    hidden = world.clinic.path.rename(world.folder / "hidden.db")
    await world.pass_time(6)
    await world.turn()
    status = world.run.status()
    assert status.paused
    assert status.last_error
    assert not status.last_error.over
    hidden.rename(world.clinic.path)
    await world.pass_time(120)
    world.clinic.set(visit("1"), ReceptionCanceled=world.clinic.local())
    await world.settle()
    assert (await world.deal())["stage"] == "Визит отменён"
    assert not world.run.status().paused


async def test_while_the_crm_refuses_writes_and_lets_itself_be_read_the_bridge_pauses_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _clinic_of(world, 1)
    await world.start()
    assert world.run
    await world.settle()
    asked: list[Change] = []

    async def refuse(changes: Sequence[Change]) -> list[Outcome]:
        asked.extend(changes)
        return [
            Outcome(
                intent=each.intent,
                kind=OutcomeKind.TRANSIENT,
                error=ErrorKind.PERMISSION,
                message="Аккаунт не оплачен",
                retry_after=180.0,
            )
            for each in changes
        ]

    with monkeypatch.context() as patch:
        patch.setattr(world.run.target, "apply", refuse)
        world.clinic.set(visit("1"), ReceptionCanceled=world.clinic.local())
        await world.pass_time(6)
        await world.turn(3)
        assert {each.action.entity for each in asked} == {Entity.CONTACT, Entity.DEAL}
        status = world.run.status()
        assert status.paused == "Аккаунт не оплачен"
        assert status.last_error
        assert not status.last_error.over
    await world.pass_time(200)
    await world.settle()
    assert (await world.deal())["stage"] == "Визит отменён"
    assert not world.run.status().paused


async def test_a_value_that_its_field_cannot_hold_parks_that_case_alone(world: World) -> None:
    text = world.mapping.read_text(encoding="utf-8")
    world.mapping.write_text(
        text.replace(
            '    OPPORTUNITY: {value: appointment.amount, when: appointment.status == "completed"}',
            "    OPPORTUNITY: {value: int(patient.card_number)}",
        ),
        encoding="utf-8",
    )
    world.clinic.add_appointment(world.clinic.add_patient(CardNumber="17"))
    bad = world.clinic.add_patient(CardNumber="не число")
    world.clinic.add_appointment(bad)
    await world.start()
    await world.settle()
    assert world.run
    assert len(await world.deals()) == 1
    (item,) = world.run.journal.parked()
    assert item.about == f"patient:{bad}"
    assert "не число" not in item.reason
    assert item.reason.startswith("Выражение из файла сопоставления")
    world.clinic.update("Patients", "ID_Persons", bad, CardNumber="18", DateTimeChanged=world.clinic.local())
    await world.settle()
    assert len(await world.deals()) == 2
    assert world.run.journal.parked() == []


async def test_a_live_booking_is_told_before_the_rest_of_an_import(world: World) -> None:
    await _clinic_of(world, 450)
    await world.start()
    assert world.run
    await world.turn(1)
    assert 0 < len((await world.state())["contacts"]) < 450
    fresh = world.clinic.add_appointment(world.clinic.add_patient(CardNumber="LIVE"))
    await world.pass_time(6)
    asked = world.clock.now()
    for _ in range(40):
        await world.turn()
        keys = {deal["fields"]["UF_CRM_KRESLO_KEY"] for deal in await world.deals()}
        if f"ident/appointment/{fresh}" in keys:
            break
    assert f"ident/appointment/{fresh}" in keys
    assert (world.clock.now() - asked).total_seconds() < 60
    await world.settle()
    await _one_of_each(world, 451)
