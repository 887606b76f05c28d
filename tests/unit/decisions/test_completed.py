"""DESIGN 7, algorithm 2: completed."""

from decimal import Decimal
from typing import Any

import pytest

from kreslo.connectors.model import FieldType
from kreslo.decisions.desired import Cause
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import Bridge, FieldRule, Phase
from tests.unit.decisions.builders import (
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_patient,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage_of,
)
from tests.unit.decisions.world import World

ENDED = at("20.11 11:00")
LATER = at("20.11 12:00")
KEY = "ident/appointment/10"


def bridge_with(code: str, type_: FieldType, value: str, **plan: Any) -> Bridge:
    rule = FieldRule(code=code, title=code, type=type_, value=Expression(value))
    return make_bridge(appointment=make_plan(fields=(rule,), **plan))


FIELDS: list[tuple[str, FieldType, dict[str, Any], Any]] = [
    ("appointment.amount", FieldType.MONEY, {"amount": Decimal("4500.00")}, Decimal("4500.00")),
    ("appointment.started_at", FieldType.DATETIME, {"started_at": at("20.11 10:07")}, at("20.11 10:07")),
    ("appointment.ended_at", FieldType.DATETIME, {}, ENDED),
    ("appointment.services", FieldType.TEXT, {"services": ("Осмотр", "Снимок")}, "Осмотр, Снимок"),
    ("appointment.status", FieldType.TEXT, {}, "completed"),
]


@pytest.mark.parametrize(("value", "type_", "facts", "expected"), FIELDS, ids=[row[0] for row in FIELDS])
def test_a_completed_visit_shows_amount_real_times_and_services(
    value: str, type_: FieldType, facts: dict[str, Any], expected: Any
) -> None:
    """Stage, amount, real times, services."""
    visit = make_appointment(ended_at=ENDED, **facts)
    desired = Crm().decide(make_case(visit, cards=(own_contact(),)), LATER, bridge_with("UF", type_, value))
    assert only_visit(desired).fields["UF"].value == expected
    assert stage_of(only_visit(desired)) == "WON"


def test_a_field_whose_condition_does_not_hold_is_left_alone() -> None:
    """The amount is written when the visit is completed, and not before."""
    before = only_visit(Crm().decide(make_case(make_appointment(amount=Decimal(1)), cards=(own_contact(),))))
    assert "OPPORTUNITY" not in before.fields


ZERO_AND_POLICY = 'appointment.insured || (appointment.amount == 0 && patient.policy != "")'
INSURED: list[tuple[str, dict[str, Any], str, bool | None]] = [
    ("", {"insured": True}, "", True),
    ("", {"insured": None}, "777", None),
    (ZERO_AND_POLICY, {"insured": True, "amount": Decimal(900)}, "", True),
    (ZERO_AND_POLICY, {"insured": None, "amount": Decimal(0)}, "777", True),
    (ZERO_AND_POLICY, {"insured": None, "amount": Decimal(0)}, "", False),
    (ZERO_AND_POLICY, {"insured": False, "amount": Decimal(900)}, "777", False),
]


@pytest.mark.parametrize(("rule", "facts", "policy", "expected"), INSURED)
def test_insured_by_the_miss_own_flag_else_zero_sum_and_a_policy(
    rule: str, facts: dict[str, Any], policy: str, expected: bool | None
) -> None:
    """Insured or not (the MIS's own flag; else zero sum and a policy)."""
    insured = Expression(rule) if rule else None
    bridge = bridge_with("UF", FieldType.BOOLEAN, "appointment.insured", insured=insured)
    case = make_case(
        make_appointment(ended_at=ENDED, **facts), patient=make_patient(policy=policy), cards=(own_contact(),)
    )
    assert only_visit(Crm().decide(case, LATER, bridge)).fields["UF"].value is expected


def test_walk_ins_get_a_card_straight_at_completed() -> None:
    """Walk-ins get a card straight here, at `completed`; it is made without starting robots, as its time is past."""
    visit = make_appointment(starts="20.11 10:00", created_at=at("20.11 10:00"), ended_at=ENDED)
    card = only_visit(Crm().decide(make_case(visit), LATER))
    assert (stage_of(card), card.quiet, card.take) == ("WON", True, "")


def test_the_amount_may_still_change_and_the_stage_does_not_move_again() -> None:
    """The amount may still change later; the stage does not move again for it: staff's own stage stays."""
    world = World()
    world.step(make_case(make_appointment()), at("16.11 09:00"))
    world.step(make_case(make_appointment(ended_at=ENDED, amount=Decimal(100))), LATER)
    world.edit(KEY, stage=world.bridge.appointment.stages[Phase.ARRIVED].stage)  # type: ignore[union-attr]
    world.stages.clear()
    world.step(make_case(make_appointment(ended_at=ENDED, amount=Decimal(150))), LATER)
    assert world.card(KEY).fields["OPPORTUNITY"] == Decimal(150)
    assert world.stages == []


REVERSALS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "completed → cancelled",
        {"ended_at": ENDED, "cancelled_at": LATER},
        "LOSE",
        "было «завершён», стало «отменён»",
    ),
    ("completed → arrived", {"started_at": ENDED}, "ARRIVED", "было «завершён», стало «пациент в клинике»"),
    ("completed → nobody came", {}, "NOSHOW", "было «завершён», стало «не пришёл»"),
]


@pytest.mark.parametrize(("facts", "code", "note"), [r[1:] for r in REVERSALS], ids=[r[0] for r in REVERSALS])
def test_late_corrections_by_the_mis_are_followed_with_a_note(
    facts: dict[str, Any], code: str, note: str
) -> None:
    """Late corrections by the MIS (completed → cancelled) are followed, with a note."""
    world = World()
    world.step(make_case(make_appointment(ended_at=ENDED)), LATER)
    world.step(make_case(make_appointment(**facts)), at("20.11 14:00"))
    assert world.stages == [(KEY, "WON"), (KEY, code)]
    assert world.notes == [(KEY, f"МИС исправила статус визита: {note}")]
    world.step(make_case(make_appointment(**facts)), at("20.11 14:00"))
    assert world.planned == []


def test_a_no_show_who_came_after_all_is_followed() -> None:
    """A fact that comes late takes back what the clock said: arrived, then completed."""
    world = World()
    world.step(make_case(make_appointment()), at("16.11 09:00"))
    world.step(make_case(make_appointment()), at("20.11 13:30"))
    world.step(make_case(make_appointment(appeared_at=at("20.11 13:40"))), at("20.11 13:45"))
    world.step(make_case(make_appointment(ended_at=at("20.11 14:30"))), at("20.11 14:30"))
    assert [code for _, code in world.stages] == ["UPCOMING", "NOSHOW", "ARRIVED", "WON"]


def test_a_reversal_is_told_apart_from_a_step_of_the_mis() -> None:
    """No step backwards except for algorithm 4 and a reversal of facts."""
    cards = (own_contact(), own_visit(base=phase_base(Phase.COMPLETED)))
    card = only_visit(Crm().decide(make_case(make_appointment(cancelled_at=LATER), cards=cards), LATER))
    assert card.stage is not None
    assert card.stage.cause is Cause.REVERSAL
