"""DESIGN 7: stages are written when the MIS or the clock moves on, not held. Guards."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Semantic, StageRef
from kreslo.decisions.case import Base, Role
from kreslo.decisions.desired import Cause, DesiredCard, StageWish
from kreslo.mapping.model import Phase, StageRule
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
STOOD = "the card stood in the CRM before"
TOUCHED = "staff moved the card on"
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
    ("a final stage holds one end against another", wish(L), "WON", phase_base(N), ON_FINAL),
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


WAY = [U, T, Phase.TODAY, C, A, W]


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(WAY)))
def test_no_step_backwards_on_the_way_of_a_visit(earlier: Phase, later: Phase) -> None:
    """Phases of 7.1 and 7.2, in their order: upcoming, tomorrow, today, confirmed, arrived, and the ends."""
    stages = {phase: StageRule(stage=stage(phase.value), name=phase.value) for phase in WAY}
    forward = StageWish(stage=stage(later.value), initial=stage(later.value), phase=later)
    back = StageWish(stage=stage(earlier.value), initial=stage(earlier.value), phase=earlier)
    assert held(forward, earlier.value, phase_base(U), stages=stages) == ""
    assert held(back, later.value, phase_base(U), stages=stages) == BACKWARDS


def test_a_stage_that_two_phases_share_counts_as_the_later_one() -> None:
    """No step backwards: where the mapping gives two phases one stage, the card may be at the later of them."""
    stages = {**make_plan().stages, C: make_plan().stages[U]}
    assert held(wish(T, CLOCK), "UPCOMING", phase_base(U), stages=stages) == BACKWARDS


def test_a_stage_of_the_mappings_is_no_end_because_the_crm_calls_it_closed() -> None:
    """The mapping's word comes first: a clinic may confirm on a stage that the CRM counts as won."""
    card = make_deal(code="CONFIRMED", semantic=Semantic.WON)
    assert held_back(visit(wish(A)), wish(A), phase_base(C), card, make_bridge()) == ""


ENDS = [("ARCHIVE", Semantic.LOST, ()), ("ARCHIVE", Semantic.OPEN, ("ARCHIVE",))]


@pytest.mark.parametrize(("code", "semantic", "terminal"), ENDS)
def test_a_closed_stage_of_staffs_own_is_an_end(
    code: str, semantic: Semantic, terminal: tuple[str, ...]
) -> None:
    """No step backwards out of what staff closed, whether the card says so or the funnel."""
    bridge = make_bridge(terminal=frozenset(map(stage, terminal)))
    card = make_deal(code=code, semantic=semantic)
    assert held_back(visit(wish(A)), wish(A), phase_base(T), card, bridge) == BACKWARDS
    assert held_back(visit(wish(W)), wish(W), phase_base(T), card, bridge) == ""


ORDERS: list[tuple[str, dict[str, int], Base | None, str]] = [
    ("the goal lies before", {"UPCOMING": 0, "YES": 1}, None, BACKWARDS),
    ("the goal lies before, and the MIS moved on", {"UPCOMING": 0, "YES": 1}, phase_base(T), ""),
    ("the goal lies behind", {"UPCOMING": 2, "YES": 1}, None, ""),
    ("the CRM gave no order", {}, None, ""),
    ("the goal is not in the order", {"YES": 1}, None, BACKWARDS),
    ("where it stands is not in the order", {"UPCOMING": 0}, None, ""),
]


@pytest.mark.parametrize(("order", "base", "why"), [r[1:] for r in ORDERS], ids=[r[0] for r in ORDERS])
def test_from_a_stage_of_staffs_own_the_crms_order_counts_without_a_base(
    order: dict[str, int], base: Base | None, why: str
) -> None:
    """Without a base: stages move forward only. With one, the MIS or the clock moved on since."""
    plan = make_plan(protect=frozenset())
    bridge = make_bridge(appointment=plan, stage_order={stage(code): n for code, n in order.items()})
    wished = wish(U, MIS)
    assert held_back(visit(wished), wished, base, make_deal(code="YES"), bridge) == why


def test_nothing_holds_where_there_is_no_stage_or_no_rule() -> None:
    """A status or phase without a stage of its own has no opinion; nor has a mapping without appointments."""
    nowhere = StageWish(stage=None, initial=stage("UPCOMING"), phase=Phase.TODAY)
    assert held_back(visit(nowhere), nowhere, phase_base(A), make_deal(code="ARRIVED"), make_bridge()) == ""
    assert held_back(visit(wish(T)), wish(T), phase_base(U), make_deal(stage=None), make_bridge()) == ""
    without_phase = msgspec.structs.replace(wish(U), phase=None)
    assert held(without_phase, "CONFIRMED", phase_base(U)) == ""
    bare = make_bridge(appointment=None)
    assert held_back(visit(wish(T)), wish(T), phase_base(U), make_deal(code="YES"), bare) == ""


def test_nothing_is_final_by_default() -> None:
    """`final` (stages the mapping lists, none by default)."""
    assert make_plan().final == frozenset()
    assert held(wish(L), "WON", phase_base(T)) == ""


FUNNELS: list[tuple[str, StageRef, Base, str]] = [
    ("another funnel", StageRef("77", "X"), phase_base(U), OUT),
    ("another funnel, and moved", StageRef("77", "X"), phase_base(U), OUT),
    ("another funnel, nothing decided yet", StageRef("77", "X"), phase_base(U, stage=None), OUT),
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
    assert (
        held_back(card, wished, phase_base(U), lead, make_bridge()) == OUT
    )  # once written, it is as any other
    further = make_deal(code="CONFIRMED")
    assert held_back(card, wished, None, further, make_bridge()) == ""
    assert held_back(visit(wished), wished, None, further, make_bridge()) == BACKWARDS


def test_a_message_goes_out_once_for_a_time() -> None:
    """Never enter one a second time."""
    wished = wish(T, CLOCK, occasion="10:x:TOMORROW")
    went = phase_base(U, markers=("10:x:TOMORROW",))
    assert (
        held_back(visit(wished), wished, went, make_deal(), make_bridge())
        == "its message for this time went out already"
    )
    for base in (phase_base(U), None):
        assert held_back(visit(wished), wished, base, make_deal(), make_bridge()) == ""


LEADS: list[tuple[str, Role, Cause, str, Semantic, str, str]] = [
    ("the clock on what nobody touched", Role.ENQUIRY, CLOCK, "NEW", Semantic.OPEN, "NEW", ""),
    (
        "the clock on what staff took up",
        Role.ENQUIRY,
        CLOCK,
        "WORK",
        Semantic.OPEN,
        "NEW",
        TOUCHED,
    ),
    ("the clock on what waits unsorted", Role.ENQUIRY, CLOCK, "WORK", Semantic.UNSORTED, "NEW", ""),
    ("a card that stood before", Role.ENQUIRY, CLOCK, "NEW", Semantic.OPEN, "", STOOD),
    ("a card that stood before, already booked", Role.ENQUIRY, MIS, "NEW", Semantic.OPEN, "", ""),
    ("a lead of the CRM's own ages", Role.WATCHED, CLOCK, "NEW", Semantic.OPEN, "", ""),
    ("they asked again, and staff took it up", Role.ENQUIRY, BACK, "WORK", Semantic.OPEN, "NEW", TOUCHED),
    ("they asked again, and it is closed", Role.ENQUIRY, BACK, "JUNK", Semantic.LOST, "NEW", ""),
    ("a won one stays won", Role.WATCHED, MIS, "DONE", Semantic.WON, "NEW", "the card is closed"),
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


def test_an_enquiry_card_on_which_no_stage_was_decided_is_not_touched() -> None:
    """Touched is what staff moved from where we put it; where we put it nowhere, the clock goes on."""
    wished = StageWish(stage=lead_stage("STALE"), initial=lead_stage("STALE"), cause=CLOCK)
    card = DesiredCard(key="k", role=Role.ENQUIRY, entity=make_lead().entity, stage=wished)
    assert held_back(card, wished, Base(), make_lead(code="WORK"), make_bridge()) == ""


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
