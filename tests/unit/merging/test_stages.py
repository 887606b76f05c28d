"""DESIGN 7: stages are written when the MIS or the clock moves on, not held. Guards."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Semantic, StageRef
from kreslo.decisions.case import Base, Role
from kreslo.decisions.desired import Cause, DesiredCard, StageWish
from kreslo.mapping.model import Phase
from kreslo.merging.guards import held_back, wants_stage
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    at,
    lead_stage,
    make_appointment,
    make_bridge,
    make_case,
    make_deal,
    make_lead,
    make_plan,
    phase_base,
    stage,
)
from tests.unit.decisions.world import World

KEY = "ident/appointment/10"
MIS, CLOCK, AGAIN, BACK = Cause.MIS, Cause.CLOCK, Cause.RESCHEDULE, Cause.REVERSAL
U, T, C, A, W, L, R, N = (
    Phase.UPCOMING,
    Phase.TOMORROW,
    Phase.CONFIRMED,
    Phase.ARRIVED,
    Phase.COMPLETED,
    Phase.CANCELLED,
    Phase.RESCHEDULED,
    Phase.NO_SHOW,
)
PROTECTED, FINAL, STAFFS = "protected", "final", ""
BACKWARDS = "that would be a step backwards"
ON_PROTECTED = "the card stands on a protected stage"
ON_FINAL = "the card stands on a final stage"
OUT = "staff moved the card out of our funnels"


def wish(phase: Phase, cause: Cause = MIS, **changes: Any) -> StageWish:
    there = stage(STAGES[phase])
    return StageWish(stage=there, initial=there, phase=phase, cause=cause, **changes)


def visit(stage_wish: StageWish, **changes: Any) -> DesiredCard:
    return DesiredCard(key=KEY, role=Role.VISIT, entity=make_deal().entity, stage=stage_wish, **changes)


def held(wished: StageWish, stands: str, base: Base | None, **plan: Any) -> str:
    bridge = make_bridge(appointment=make_plan(**plan))
    return held_back(visit(wished), wished, base, make_deal(code=stands), bridge)


WANTS: list[tuple[StageWish, Base | None, bool]] = [
    (wish(T, CLOCK), phase_base(U), True),
    (wish(T, CLOCK), phase_base(T), False),  # decided already, whatever happened to it since
    (wish(T, AGAIN), phase_base(T), True),
    (wish(T), None, True),
    (StageWish(stage=None, initial=stage("UPCOMING"), phase=Phase.TODAY), phase_base(T), False),
]


@pytest.mark.parametrize(("wished", "base", "wanted"), WANTS)
def test_a_stage_is_wanted_when_it_is_decided_anew(
    wished: StageWish, base: Base | None, wanted: bool
) -> None:
    """If the desired stage equals the base's decided stage, whatever a human or a robot did since stays. A reschedule
    arms it again.
    """
    assert wants_stage(visit(wished), base) is wanted


GUARDS: list[tuple[str, StageWish, str, Base, str]] = [
    ("the clock goes on", wish(T, CLOCK), "UPCOMING", phase_base(U), ""),
    ("the clock on a protected stage", wish(T, CLOCK), "YES", phase_base(U), ON_PROTECTED),
    ("completed on a protected stage", wish(W), "YES", phase_base(T), ""),
    ("cancelled on a protected stage", wish(L), "YES", phase_base(T), ""),
    ("moved on a protected stage", wish(T, AGAIN), "YES", phase_base(U), ""),
    ("rescheduled on a protected stage", wish(R), "NO", phase_base(T), ""),
    ("confirmed on a protected stage", wish(C), "YES", phase_base(T), ""),
    ("withdrawn on a protected stage", wish(T, BACK), "YES", phase_base(C), ON_PROTECTED),
    ("alive again on a protected stage", wish(T, BACK), "NO", phase_base(L), ""),
    ("a final stage holds the MIS", wish(L), "WON", phase_base(U), ON_FINAL),
    ("a final stage holds a move", wish(U, AGAIN), "WON", phase_base(U), ON_FINAL),
    ("a final stage lets a reversal through", wish(L, BACK), "WON", phase_base(W), ""),
    ("a final stage lets a rebooked visit through", wish(U, AGAIN), "WON", phase_base(L), ""),
    ("the clock does not go back", wish(T, CLOCK), "CONFIRMED", phase_base(U), BACKWARDS),
    ("arrived after staff closed it", wish(A), "LOSE", phase_base(T), BACKWARDS),
    ("completed after staff cancelled it", wish(W), "LOSE", phase_base(T), ""),
    ("a move goes back", wish(U, AGAIN), "CONFIRMED", phase_base(C), ""),
    ("a reversal goes back", wish(U, BACK), "CONFIRMED", phase_base(C), ""),
    ("from a stage of staff's own the MIS goes on", wish(C), "STAFFS", phase_base(T), ""),
    ("from a stage of staff's own the clock goes on", wish(T, CLOCK), "STAFFS", phase_base(U), ""),
]


@pytest.mark.parametrize(
    ("wished", "stands", "base", "why"), [r[1:] for r in GUARDS], ids=[r[0] for r in GUARDS]
)
def test_the_guards(wished: StageWish, stands: str, base: Base, why: str) -> None:
    """Guards: `protect` holds a card against the clock's phases only; `final` holds against all but a reversal of facts;
    no step backwards except for algorithm 4 and a reversal of facts. Read so: a confirmation that is withdrawn is a step
    into a clock's phase, against which a protected stage holds; a visit that lives again after its end is a reversal.
    """
    assert held(wished, stands, base, final=frozenset({stage("WON")})) == why


def test_nothing_is_final_by_default() -> None:
    """`final` (stages the mapping lists, none by default)."""
    assert make_plan().final == frozenset()
    assert held(wish(L), "WON", phase_base(T)) == ""


FUNNELS: list[tuple[str, StageRef, Base, str]] = [
    ("another funnel", StageRef("77", "X"), phase_base(U), OUT),
    ("another funnel, and moved", StageRef("77", "X"), phase_base(U), OUT),
    ("where we put it ourselves", StageRef("9", "BOOKED"), phase_base(L, stage=StageRef("9", "BOOKED")), ""),
]


@pytest.mark.parametrize(("stands", "base", "why"), [r[1:] for r in FUNNELS], ids=[r[0] for r in FUNNELS])
def test_a_card_outside_of_our_funnels_keeps_its_stage(stands: StageRef, base: Base, why: str) -> None:
    """Moved out of our funnels: fields yes, stage no. A claimed card that we sent back to its own funnel comes again."""
    wished = wish(U, BACK)
    assert held_back(visit(wished), wished, base, make_deal(stage=stands), make_bridge()) == why


def test_a_claimed_card_leaves_its_funnel() -> None:
    """`mode: move` makes that card the visit card: taken over, it is moved from wherever it was claimed."""
    wished = wish(U)
    card = visit(wished, overrule=True)
    lead = make_deal(stage=StageRef("9", "BOOKED"))
    assert held_back(card, wished, None, lead, make_bridge()) == ""
    assert held_back(visit(wished), wished, None, lead, make_bridge()) == OUT


def test_a_message_goes_out_once_for_a_time() -> None:
    """Never enter one a second time."""
    wished = wish(T, CLOCK, message=True, occasion="10:x:TOMORROW")
    went = phase_base(U, markers=("10:x:TOMORROW",))
    assert (
        held_back(visit(wished), wished, went, make_deal(), make_bridge())
        == "its message for this time went out already"
    )
    assert held_back(visit(wished), wished, phase_base(U), make_deal(), make_bridge()) == ""


LEADS: list[tuple[str, Role, Cause, str, Semantic, str, str]] = [
    ("the clock on what nobody touched", Role.ENQUIRY, CLOCK, "NEW", Semantic.OPEN, "NEW", ""),
    (
        "the clock on what staff took up",
        Role.ENQUIRY,
        CLOCK,
        "WORK",
        Semantic.OPEN,
        "NEW",
        "staff moved the card on",
    ),
    ("already booked, though staff took it up", Role.ENQUIRY, MIS, "WORK", Semantic.OPEN, "NEW", ""),
    ("a closed one stays closed", Role.WATCHED, MIS, "JUNK", Semantic.LOST, "NEW", "the card is closed"),
    ("a closed one is not converted", Role.CLAIM, MIS, "JUNK", Semantic.LOST, "", "the card is closed"),
    ("the linked lead is converted", Role.CLAIM, MIS, "BOOKED", Semantic.OPEN, "", ""),
]


@pytest.mark.parametrize(
    ("role", "cause", "stands", "semantic", "decided", "why"),
    [r[1:] for r in LEADS],
    ids=[r[0] for r in LEADS],
)
def test_enquiries_and_leads(
    role: Role, cause: Cause, stands: str, semantic: Semantic, decided: str, why: str
) -> None:
    """One open card per phone: what staff closed or took up is theirs, as far as the clock is concerned."""
    wished = StageWish(stage=lead_stage("STALE"), initial=lead_stage("STALE"), cause=cause)
    card = DesiredCard(key="k", role=role, entity=make_lead().entity, stage=wished)
    base = Base(stage=lead_stage(decided)) if decided else None
    assert held_back(card, wished, base, make_lead(code=stands, semantic=semantic), make_bridge()) == why


# --- through several decisions ----------------------------------------------------------------------------------------


def test_whatever_staff_did_since_stays_until_the_mis_moves_on() -> None:
    """Stages are written when the MIS or the clock moves on, not held. When the MIS moves on, the stage follows."""
    world = World()
    case = make_case(make_appointment())
    world.step(case, NOW)
    world.edit(KEY, stage=stage("ARRIVED"))
    world.step(case, NOW, look=True)
    assert world.card(KEY).stage == stage("ARRIVED")
    world.step(make_case(make_appointment(ended_at=at("20.11 11:00"))), at("20.11 11:00"))
    assert world.card(KEY).stage == stage("WON")


def test_a_decision_that_a_guard_suppressed_is_not_sent_later_by_itself() -> None:
    """The card leaves the protected stage, and tomorrow's stage is not caught up on."""
    world = World()
    case = make_case(make_appointment())
    world.step(case, NOW)
    world.edit(KEY, stage=stage("YES"))
    world.step(case, at("19.11 14:00"))
    assert world.suppressed == (f"{KEY}: {ON_PROTECTED}",)
    assert world.base(KEY).stage == stage("TOMORROW")
    world.edit(KEY, stage=stage("UPCOMING"))
    world.step(case, at("19.11 15:00"), look=True)
    assert world.card(KEY).stage == stage("UPCOMING")
    world.step(make_case(make_appointment(ended_at=at("20.11 11:00"))), at("20.11 11:00"))
    assert world.card(KEY).stage == stage("WON")


def test_a_card_that_reached_its_stage_by_itself_is_not_written() -> None:
    """By our own unanswered write or by staff: its message has gone out with it."""
    plan = make_plan()
    stages = {each: msgspec.structs.replace(rule, message=each is T) for each, rule in plan.stages.items()}
    world = World(bridge=make_bridge(appointment=make_plan(stages=stages)))
    case = make_case(make_appointment())
    world.step(case, NOW)
    world.edit(KEY, stage=stage("TOMORROW"))
    world.step(case, at("19.11 15:00"))
    assert [each for each in world.planned if each.card == KEY] == []
    assert world.base(KEY).markers == ("10:20261120T0700:TOMORROW",)


def test_a_card_starts_where_no_opinion_says_and_stays_there_for_a_reversal() -> None:
    """A new card that would have no stage starts at `upcoming`; that is remembered as decided."""
    stages = {each: rule for each, rule in make_plan().stages.items() if each is not A}
    world = World(bridge=make_bridge(appointment=make_plan(stages=stages)))
    here = make_appointment(appeared_at=NOW)
    world.step(make_case(here), NOW)
    assert (world.card(KEY).stage, world.base(KEY).stage) == (stage("UPCOMING"), stage("UPCOMING"))
    world.edit(KEY, stage=stage("YES"))
    world.step(make_case(make_appointment()), NOW)
    assert world.card(KEY).stage == stage("YES")
