"""DESIGN 7, algorithm 3: cancelled."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import FieldType, StageRef
from kreslo.decisions.desired import Cause
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import FieldRule, Phase
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
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
    visits_of,
)
from tests.unit.decisions.world import World

KEY = "ident/appointment/10"
REASON = FieldRule(
    code="UF_WHY", title="Причина", type=FieldType.TEXT, value=Expression("appointment.cancel_reason")
)


def test_a_cancelled_visit_shows_stage_and_reason() -> None:
    """Stage, reason."""
    world = World(bridge=make_bridge(appointment=make_plan(fields=(REASON,))))
    world.step(make_case(make_appointment()), NOW)
    world.step(make_case(make_appointment(cancelled_at=NOW, cancel_reason="Заболел")), NOW)
    card = world.card(KEY)
    assert (card.stage, card.fields["UF_WHY"]) == (stage("LOSE"), "Заболел")


@pytest.mark.parametrize("phase", [Phase.UPCOMING, Phase.TOMORROW, Phase.CONFIRMED, Phase.ARRIVED])
def test_it_is_followed_from_every_phase(phase: Phase) -> None:
    """When the MIS moves on, the stage follows: cancelled is forward from all that is not an end."""
    visit = make_appointment(cancelled_at=NOW)
    card = only_visit(
        Crm().decide(make_case(visit, cards=(own_contact(), own_visit(base=phase_base(phase)))))
    )
    assert card.stage is not None
    assert (stage_of(card), card.stage.cause) == ("LOSE", Cause.MIS)


def test_booked_again_the_card_goes_on_and_says_that_it_was_inferred() -> None:
    """If booked again within `rebook_window` it is a reschedule inferred, and says so. Read so: the card that stood on
    "cancelled" comes back, even from a stage that the mapping calls final, since its visit lives.
    """
    world = World(bridge=make_bridge(appointment=make_plan(final=frozenset({stage("LOSE")}))))
    old = make_appointment()
    world.step(make_case(old), NOW)
    gone = msgspec.structs.replace(old, cancelled_at=NOW)
    world.step(make_case(gone), NOW)
    assert world.card(KEY).stage == stage("LOSE")
    new = make_appointment("11", "25.11 10:00", created_at=at("16.11 10:00"))
    desired = world.step(make_case(gone, new), at("16.11 10:01"))
    assert only_visit(desired).members == (KEY, "ident/appointment/11")
    assert world.card(KEY).stage == stage("UPCOMING")
    [(key, note)] = world.notes
    assert key == KEY
    assert note.startswith(
        "Визит перенесён с 20.11.2026 10:00 на 25.11.2026 10:00 (отмена и новая запись подряд"
    )


UNSEEN: list[tuple[str, dict[str, Any], bool, bool]] = [
    ("cancelled before we saw it", {"unseen": frozenset({"10"})}, False, False),
    ("the mapping asks for it", {"unseen": frozenset({"10"})}, True, True),
    ("seen alive before", {}, False, True),
]


@pytest.mark.parametrize(("given", "asked", "carded"), [r[1:] for r in UNSEEN], ids=[r[0] for r in UNSEEN])
def test_an_appointment_cancelled_before_we_saw_it_makes_no_card(
    given: dict[str, Any], asked: bool, carded: bool
) -> None:
    """An appointment cancelled before we ever saw it makes no card unless asked."""
    bridge = make_bridge(appointment=make_plan(cancelled_unseen=asked))
    desired = Crm().decide(
        make_case(make_appointment(cancelled_at=NOW), cards=(own_contact(),), **given), bridge=bridge
    )
    assert bool(visits_of(desired)) is carded
    assert desired.filtered == ({} if carded else {"10": "was cancelled before Kreslo first saw it"})


def test_one_that_vanished_is_cancelled_with_that_reason() -> None:
    """One that vanished from the MIS is cancelled with that reason."""
    world = World(bridge=make_bridge(appointment=make_plan(fields=(REASON,))))
    world.step(make_case(make_appointment()), NOW)
    world.step(make_case(make_appointment(), vanished=frozenset({"10"})), NOW)
    card = world.card(KEY)
    assert (card.stage, card.fields["UF_WHY"]) == (stage("LOSE"), "Запись исчезла из МИС")
    world.step(make_case(make_appointment()), NOW)  # it was there after all
    assert (world.card(KEY).stage, world.card(KEY).fields["UF_WHY"]) == (stage("UPCOMING"), None)


def test_one_that_vanished_before_it_had_a_card_has_none() -> None:
    """Nothing is made for what is not there; the reason is kept."""
    desired = Crm().decide(make_case(make_appointment(), vanished=frozenset({"10"})))
    assert (visits_of(desired), desired.filtered) == (
        [],
        {"10": "vanished from the MIS before it had a card"},
    )


BACK = [("16.11 09:00", "UPCOMING"), ("19.11 15:00", "TOMORROW"), ("20.11 08:00", "UPCOMING")]


@pytest.mark.parametrize(("now", "code"), BACK)
def test_a_cancellation_that_is_taken_back_brings_the_card_back(now: str, code: str) -> None:
    """A reversal of facts: also where the phase of the hour (today) has no stage, since "cancelled" is known to be false."""
    world = World()
    world.step(make_case(make_appointment()), at("16.11 08:00"))
    world.step(make_case(make_appointment(cancelled_at=NOW)), at("16.11 08:30"))
    world.step(make_case(make_appointment()), at(now))
    assert world.card(KEY).stage == stage(code)
    assert [text for _, text in world.notes] == [
        "МИС исправила статус визита: было «отменён», стало «будущий приём»"
    ]


def test_what_staff_cancelled_by_hand_is_not_opened_by_the_clock() -> None:
    """No step backwards except for algorithm 4 and a reversal of facts."""
    world = World()
    world.step(make_case(make_appointment()), at("16.11 08:00"))
    world.edit(KEY, stage=StageRef("1", STAGES[Phase.CANCELLED]))
    world.step(make_case(make_appointment()), at("19.11 15:00"))
    assert world.card(KEY).stage == stage("LOSE")
    assert world.suppressed == (f"{KEY}: that would be a step backwards",)
