"""Stage guards: stages are written when the MIS or the clock moves on, not held."""

from kreslo.connectors.model import Card, Semantic, StageRef
from kreslo.decisions.case import Base, Role
from kreslo.decisions.desired import Cause, DesiredCard, StageWish
from kreslo.mapping.model import CLOCK_PHASES, ENDED_PHASES, Bridge, Phase

_WAY = (Phase.UPCOMING, Phase.TOMORROW, Phase.TODAY, Phase.CONFIRMED, Phase.ARRIVED)
END = len(_WAY)
RANK = {phase: number for number, phase in enumerate(_WAY)} | dict.fromkeys(ENDED_PHASES, END)


def wants_stage(card: DesiredCard, base: Base | None) -> bool:
    """Whether the decided stage is another than the one decided last: if not, whatever a human or a robot did since
    stays. A reschedule arms the stage again, since the confirmation was of the old time.
    """
    wish = card.stage
    if wish is None or wish.stage is None:
        return False
    return base is None or base.stage != wish.stage or wish.cause is Cause.RESCHEDULE


def held_back(card: DesiredCard, wish: StageWish, base: Base | None, actual: Card, bridge: Bridge) -> str:
    """Why a stage that the card does not stand on is not written, in words for `explain`, or "" if it is."""
    if wish.stage is None or actual.stage is None:
        return ""
    if base is not None and wish.occasion in base.markers:
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
    if _backwards(wish.phase, wish.stage, base, actual, actual.stage, bridge):
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


def _backwards(
    phase: Phase | None, goal: StageRef, base: Base | None, actual: Card, stage: StageRef, bridge: Bridge
) -> bool:
    """Whether from `stage`, where the card stands, to `goal` would be back."""
    if phase is None:
        return False
    stands = rank_of(stage, bridge)
    if stands is None and (actual.semantic is not Semantic.OPEN or stage in bridge.terminal):
        stands = END
    if stands == END and base is None:
        return True  # from one end to another is not forward
    if stands is not None:
        return RANK[phase] < stands
    # A stage of staff's own: with a base, the MIS moved on since; without one, only forward in the CRM's own order.
    order = bridge.stage_order
    return base is None and order.get(goal, 0) < order.get(stage, 0)


def rank_of(stage: StageRef, bridge: Bridge) -> int | None:
    """How far a visit is that stands on this stage, by the mapping; None for a stage the mapping does not name."""
    rules = bridge.appointment.stages if bridge.appointment else {}
    return max((RANK[phase] for phase, rule in rules.items() if rule.stage == stage), default=None)
