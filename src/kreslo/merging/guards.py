"""Stage guards: stages are written when the MIS or the clock moves on, not held."""

from kreslo.connectors.model import Card, Semantic, StageRef
from kreslo.decisions.case import Base, Role
from kreslo.decisions.desired import Cause, DesiredCard, StageWish
from kreslo.mapping.model import CLOCK_PHASES, ENDED_PHASES, Bridge, Phase

RANK = {
    Phase.UPCOMING: 0,
    Phase.TOMORROW: 1,
    Phase.TODAY: 2,
    Phase.CONFIRMED: 3,
    Phase.ARRIVED: 4,
} | dict.fromkeys(ENDED_PHASES, 5)

UNRANKED = -1


def wants_stage(card: DesiredCard, base: Base | None) -> bool:
    """Whether the decided stage is another than the one decided last: if not, whatever a human or a robot did since
    stays. A reschedule arms the stage again, since the confirmation was of the old time.
    """
    wish = card.stage
    if wish is None or wish.stage is None:
        return False
    return base is None or base.stage != wish.stage or wish.cause is Cause.RESCHEDULE


def held_back(card: DesiredCard, wish: StageWish, base: Base | None, actual: Card, bridge: Bridge) -> str:
    """Why the stage is not written, in words for `explain`, or "" if it is."""
    if wish.stage is None or actual.stage is None or actual.stage == wish.stage:
        return ""
    if wish.occasion and base is not None and wish.occasion in base.markers:
        return "its message for this time went out already"
    taken = base is None and card.overrule
    # Where we put it ourselves is ours: a claimed card that went back to its funnel comes again.
    ours = {wish.stage.funnel, *([base.stage.funnel] if base and base.stage else [])}
    if actual.stage.funnel not in ours and not taken:
        return "staff moved the card out of our funnels"
    if card.role is not Role.VISIT:
        return _held_lead(card, wish, base, actual)
    plan = bridge.appointment
    reopened = base is not None and base.phase in ENDED_PHASES and wish.phase not in ENDED_PHASES
    if plan and actual.stage in plan.final and wish.cause is not Cause.REVERSAL and not reopened:
        return "the card stands on a final stage"
    # A confirmation that is withdrawn leaves the clock's phase: the patient's own reply holds against that too.
    by_clock = wish.phase in CLOCK_PHASES and wish.cause is not Cause.RESCHEDULE and not reopened
    if plan and actual.stage in plan.protect and by_clock:
        return "the card stands on a protected stage"
    if wish.cause in {Cause.RESCHEDULE, Cause.REVERSAL} or taken:
        return ""
    if _backwards(wish, base, actual, bridge):
        return "that would be a step backwards"
    return ""


def _held_lead(card: DesiredCard, wish: StageWish, base: Base | None, actual: Card) -> str:
    """Enquiries and leads: a closed one stays closed, and the clock moves only what nobody has touched."""
    if actual.semantic in {Semantic.WON, Semantic.LOST} and wish.cause is not Cause.REVERSAL:
        return "the card is closed"
    touched = base is not None and base.stage is not None and actual.stage != base.stage
    if wish.cause in {Cause.CLOCK, Cause.REVERSAL} and touched and actual.semantic is Semantic.OPEN:
        return "staff moved the card on"
    if wish.cause is Cause.CLOCK and base is None and card.role is Role.ENQUIRY:
        return "the card stood in the CRM before"
    return ""


def _backwards(wish: StageWish, base: Base | None, actual: Card, bridge: Bridge) -> bool:
    if wish.stage is None or wish.phase is None or actual.stage is None:
        return False
    stands = rank_of(actual.stage, bridge)
    if stands == UNRANKED and (actual.semantic is not Semantic.OPEN or actual.stage in bridge.terminal):
        stands = RANK[Phase.COMPLETED]
    if stands == RANK[Phase.COMPLETED] and base is None:
        return True  # from one end to another is not forward
    if stands != UNRANKED:
        return RANK[wish.phase] < stands
    # A stage of staff's own: with a base, the MIS moved on since; without one, only forward in the CRM's own order.
    order = bridge.stage_order
    return base is None and order.get(wish.stage, 0) < order.get(actual.stage, 0)


def rank_of(stage: StageRef, bridge: Bridge) -> int:
    """How far a visit is that stands on this stage, by the mapping; UNRANKED for a stage the mapping does not name."""
    rules = bridge.appointment.stages if bridge.appointment else {}
    return max((RANK[phase] for phase, rule in rules.items() if rule.stage == stage), default=UNRANKED)
