"""DESIGN 7, algorithm 4: rescheduled; and messages as far as a reschedule touches them."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import FieldType
from kreslo.decisions.desired import Cause
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import Bridge, FieldRule, Phase, StatusPlan
from kreslo.records import Appointment
from tests.unit.decisions.builders import (
    NOW,
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage,
    stage_of,
)
from tests.unit.decisions.world import World

KEY = "ident/appointment/10"
OPEN: dict[str, Any] = {"cancelled_at": NOW, "cancel_reason": "Перенос"}


def moved(starts: str, **changes: Any) -> tuple[Appointment, Appointment]:
    """The MIS's own way: a new appointment that names the old one."""
    new = make_appointment("11", starts, predecessor_id="10", created_at=NOW, **changes)
    return make_appointment(cancelled_at=NOW), new


def speaking(*phases: Phase) -> Bridge:
    plan = make_plan()
    stages = {
        phase: msgspec.structs.replace(rule, message=phase in phases) for phase, rule in plan.stages.items()
    }
    return make_bridge(appointment=make_plan(stages=stages))


@pytest.mark.parametrize("told", [True, False], ids=["by a successor", "in place"])
def test_the_same_card_has_the_new_date_a_counter_and_a_note(told: bool) -> None:
    """The same card: new date, counter, a note "moved from … to …"."""
    rule = FieldRule(
        code="UF_N", title="Переносы", type=FieldType.NUMBER, value=Expression("appointment.moves")
    )
    world = World(bridge=make_bridge(appointment=make_plan(fields=(rule,))))
    world.step(make_case(make_appointment()), NOW)
    new = moved("25.11 12:00") if told else (make_appointment(starts="25.11 12:00"),)
    world.step(make_case(*new), NOW)
    card = world.card(KEY)
    assert (card.fields["UF_N"], card.fields["TITLE"]) == (1, "Приём 25.11 12:00, Петров П. П.")
    assert world.notes == [(KEY, "Визит перенесён с 20.11.2026 10:00 на 25.11.2026 12:00")]
    world.step(make_case(*new), NOW)
    assert world.planned == []
    again = msgspec.structs.replace(new[-1], starts_at=at("26.11 12:00"))
    world.step(make_case(*new[:-1], again), NOW)
    assert (world.card(KEY).fields["UF_N"], len(world.notes)) == (2, 2)


STAGES_OF_THE_NEW_TIME = [
    (Phase.CONFIRMED, "25.11 10:00", "UPCOMING"),
    (Phase.CONFIRMED, "17.11 10:00", "TOMORROW"),
    (Phase.TOMORROW, "25.11 10:00", "UPCOMING"),
    (Phase.ARRIVED, "25.11 10:00", "UPCOMING"),
    (Phase.UPCOMING, "17.11 10:00", "TOMORROW"),
    (Phase.CONFIRMED, "16.11 18:00", "UPCOMING"),  # today, which has no stage of its own
]


@pytest.mark.parametrize(("before", "starts", "code"), STAGES_OF_THE_NEW_TIME)
def test_the_stage_is_that_of_the_new_times_phase(before: Phase, starts: str, code: str) -> None:
    """The stage is that of the new time's phase, even from confirmed. Read so: where that phase has no stage of its own,
    `upcoming` stands in, since the stage that the card stands on is of the old time.
    """
    cards = (own_contact(), own_visit(base=phase_base(before)))
    card = only_visit(Crm().decide(make_case(*moved(starts), cards=cards), at("16.11 15:00")))
    assert card.stage is not None
    assert (stage_of(card), card.stage.cause) == (code, Cause.RESCHEDULE)


def test_a_patient_who_was_moved_and_is_here_is_not_put_back() -> None:
    """An unmapped `arrived` moves nothing: not to `upcoming` either."""
    stages = {phase: rule for phase, rule in make_plan().stages.items() if phase is not Phase.ARRIVED}
    bridge = make_bridge(appointment=make_plan(stages=stages))
    cards = (own_contact(), own_visit(base=phase_base(Phase.CONFIRMED)))
    case = make_case(*moved("16.11 09:30", appeared_at=NOW), cards=cards)
    assert stage_of(only_visit(Crm().decide(case, NOW, bridge))) is None


def test_a_confirmation_that_stays_in_the_record_is_of_the_old_time() -> None:
    """Even from confirmed, since the confirmation was of the old time: also where the MIS moves a visit in place and
    leaves the mark standing. Confirmed anew, it counts.
    """
    world = World()
    world.step(make_case(make_appointment(confirmed_at=at("15.11 10:00"))), NOW)
    assert world.card(KEY).stage == stage("CONFIRMED")
    in_place = make_appointment(starts="25.11 10:00", confirmed_at=at("15.11 10:00"))
    world.step(make_case(in_place), NOW)
    assert world.card(KEY).stage == stage("UPCOMING")
    world.step(make_case(in_place), at("24.11 15:00"))
    assert world.card(KEY).stage == stage("TOMORROW")
    anew = msgspec.structs.replace(in_place, confirmed_at=at("24.11 16:00"))
    world.step(make_case(anew), at("24.11 16:01"))
    assert world.card(KEY).stage == stage("CONFIRMED")


def test_a_flag_without_a_time_is_of_the_old_time_until_it_is_taken_back() -> None:
    """The same for a mapped column that only says yes."""
    status = StatusPlan(confirmed=Expression('appointment.comment == "да"'))
    world = World(bridge=make_bridge(appointment=make_plan(status=status)))
    steps = [("20.11 10:00", "да"), ("25.11 10:00", "да"), ("25.11 10:00", ""), ("25.11 10:00", "да")]
    codes = []
    for starts, said in steps:
        world.step(make_case(make_appointment(starts=starts, comment=said)), NOW)
        there = world.card(KEY).stage
        codes.append(there.stage if there else "")
    assert codes == ["CONFIRMED", "UPCOMING", "UPCOMING", "CONFIRMED"]


def test_a_successor_that_is_confirmed_is_confirmed() -> None:
    """The new appointment's own confirmation is of the new time."""
    cards = (own_contact(), own_visit(base=phase_base(Phase.CONFIRMED, confirmation="10:x")))
    case = make_case(*moved("25.11 10:00", confirmed_at=NOW), cards=cards)
    assert stage_of(only_visit(Crm().decide(case))) == "CONFIRMED"


def test_a_confirmation_that_is_withdrawn_takes_the_card_back() -> None:
    """A reversal of facts may go backwards."""
    world = World()
    world.step(make_case(make_appointment(confirmed_at=NOW)), NOW)
    world.step(make_case(make_appointment()), NOW)
    assert world.card(KEY).stage == stage("UPCOMING")


def test_reminders_are_armed_again_for_the_new_time() -> None:
    """Reminders are armed again for the new time, and a time whose message has gone out already gets none again."""
    world = World(bridge=speaking(Phase.TOMORROW))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 15:00"))
    world.step(make_case(make_appointment(starts="18.11 10:00")), at("16.11 16:00"))
    world.step(make_case(make_appointment(starts="18.11 10:00")), at("17.11 15:00"))
    assert [code for _, code in world.stages] == ["TOMORROW", "UPCOMING", "TOMORROW"]
    assert [each.occasion for each in world.planned] == ["10:20261118T0700:TOMORROW"]


def test_a_time_whose_message_went_out_gets_none_again() -> None:
    """Moved away and back on one day: the card waits on a quiet stage, and nobody is told twice."""
    world = World(bridge=speaking(Phase.TOMORROW))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 15:00"))
    world.step(make_case(make_appointment(starts="18.11 10:00")), at("16.11 15:10"))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 15:20"))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 18:00"))
    assert [code for _, code in world.stages] == ["TOMORROW", "UPCOMING"]
    assert world.card(KEY).stage == stage("UPCOMING")


@pytest.mark.parametrize("linked_first", [True, False])
def test_what_was_said_stays_said_when_links_come_and_go(linked_first: bool) -> None:
    """Never a second time for one visit at one time, on whichever card its chain stands."""
    world = World(bridge=speaking(Phase.TOMORROW))
    old = make_appointment(starts="30.11 10:00")
    alone = make_appointment("11", "17.11 10:00", created_at=at("16.11 08:00"))
    linked = msgspec.structs.replace(alone, predecessor_id="10")
    for visit in (linked, alone, linked) if linked_first else (alone, linked, alone):
        world.step(make_case(old, visit), at("16.11 15:00"))
    assert [code for _, code in world.stages].count("TOMORROW") == 1


def test_another_visit_of_the_same_time_has_a_message_of_its_own() -> None:
    """Two visits at one hour are two occasions."""
    world = World(bridge=speaking(Phase.TOMORROW))
    visits = make_appointment(starts="17.11 10:00"), make_appointment("11", "17.11 10:00")
    world.step(make_case(visits[0]), at("16.11 15:00"))
    world.step(make_case(*visits), at("16.11 15:05"))
    assert [code for _, code in world.stages] == ["TOMORROW", "TOMORROW"]


def test_a_cancellation_taken_back_leaves_the_end_even_if_the_message_went_out() -> None:
    """The card may not stay on "cancelled" because its message stage is spent."""
    world = World(bridge=speaking(Phase.TOMORROW))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 15:00"))
    world.step(make_case(make_appointment(starts="17.11 10:00", cancelled_at=NOW)), at("16.11 15:10"))
    world.step(make_case(make_appointment(starts="17.11 10:00")), at("16.11 15:20"))
    assert [code for _, code in world.stages] == ["TOMORROW", "LOSE", "UPCOMING"]


def test_a_message_stage_is_not_entered_for_what_is_past() -> None:
    """Never for what is past: after an outage, "your visit is today" is not said when the visit has begun."""
    plan = make_plan()
    today = msgspec.structs.replace(plan.stages[Phase.UPCOMING], stage=stage("TODAY"), message=True)
    bridge = make_bridge(appointment=make_plan(stages={**plan.stages, Phase.TODAY: today}))
    cards = (own_contact(), own_visit(base=phase_base(Phase.TOMORROW)))
    case = make_case(make_appointment(), cards=cards)
    assert stage_of(only_visit(Crm().decide(case, at("20.11 14:00"), bridge))) == "NOSHOW"
    assert stage_of(only_visit(Crm().decide(case, at("20.11 10:01"), bridge))) is None


def test_without_a_new_date_the_stage_is_rescheduled_with_a_task() -> None:
    """Without a new date: the stage `rescheduled` and a task. Once, also when it was said after the hour."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    late = at("20.11 10:30")
    for _ in range(2):
        world.step(make_case(make_appointment(**OPEN)), late)
    assert world.card(KEY).stage == stage("RESCHEDULED")
    assert world.tasks == [(KEY, "Перезаписать: Иванова М. П.")]
    assert world.notes == [(KEY, "Визит перенесён, новая дата не назначена")]


def test_an_import_of_old_moves_calls_nobody_to_the_telephone() -> None:
    """A card that is only now made for a time that is past gets no task."""
    old = make_appointment(starts="10.11 10:00", **OPEN)
    assert only_visit(Crm().decide(make_case(old, cards=(own_contact(),)))).tasks == ()
    ahead = make_appointment(**OPEN)
    assert len(only_visit(Crm().decide(make_case(ahead, cards=(own_contact(),)))).tasks) == 1


def test_a_task_that_was_not_written_is_still_owed() -> None:
    """A crash or a timeout never loses it: the stage went through, the task did not, and the case is decided again."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    before = dict(world.own)
    world.step(make_case(make_appointment(**OPEN)), NOW, lose=True)
    update = world.planned[0]
    world.own = before
    world._apply(update)
    world.step(make_case(make_appointment(**OPEN)), NOW)
    assert world.tasks == [(KEY, "Перезаписать: Иванова М. П.")]
    assert world.notes == [(KEY, "Визит перенесён, новая дата не назначена")]
    world.step(make_case(make_appointment(**OPEN)), NOW)
    assert world.planned == []


def test_a_new_date_after_all_opens_the_card_again() -> None:
    """From `rescheduled` the card goes on with the new time."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    world.step(make_case(make_appointment(**OPEN)), NOW)
    old, new = moved("25.11 10:00")
    world.step(make_case(msgspec.structs.replace(old, cancel_reason="Перенос"), new), NOW)
    assert world.card(KEY).stage == stage("UPCOMING")
    assert world.notes[-1][1] == "Визит перенесён с 20.11.2026 10:00 на 25.11.2026 10:00"
