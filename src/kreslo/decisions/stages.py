"""Which stage a visit card is wished on, and why: phase, reversals, message occasions."""

from datetime import datetime

from kreslo.connectors.model import StageRef
from kreslo.decisions.case import Base
from kreslo.decisions.desired import Cause, StageWish
from kreslo.decisions.visit import Visit, minute
from kreslo.mapping.model import CLOCK_PHASES, ENDED_PHASES, AppointmentPlan, Phase, StageRule


def stage_wish(
    visit: Visit,
    plan: AppointmentPlan,
    base: Base | None,
    *,
    moved: bool,
    may_message: bool,
    now: datetime,
) -> StageWish:
    before = base.phase if base else None
    cause = _cause(visit.phase, before, moved=moved)
    reopened = before in ENDED_PHASES and visit.phase not in ENDED_PHASES
    rule = plan.stages.get(visit.phase)
    if rule is None and (reopened or (cause is Cause.RESCHEDULE and visit.phase is not Phase.ARRIVED)):
        # The stage it stands on is known to be false: an end that did not come, or the confirmation of the old time.
        rule = plan.stages[Phase.UPCOMING]
    silent = not may_message or (visit.ahead and visit.last.starts_at < now)
    if rule and rule.message:
        occasion = _occasion(visit, rule)
        anew = visit.own is None or visit.own.gone
        here = base is not None and base.stage == rule.stage and occasion in base.markers
        if occasion in visit.said and (anew or not here):
            # Told already; a new card, or one that must leave where it stands, waits where nothing is said.
            rule = _quiet(plan) if anew or reopened or moved else None
        elif silent:
            rule = _quiet(plan) if reopened or cause is Cause.RESCHEDULE else None
    initial = rule or plan.stages[Phase.UPCOMING]
    if initial.message and silent:
        initial = _quiet(plan) or initial
    return StageWish(
        stage=rule.stage if rule else None,
        initial=initial.stage,
        phase=visit.phase,
        cause=cause,
        occasion=_occasion(visit, rule),
    )


def speaks(stage: StageRef, plan: AppointmentPlan) -> bool:
    return any(rule.message and rule.stage == stage for rule in plan.stages.values())


def _quiet(plan: AppointmentPlan) -> StageRule | None:
    """Where a card stands whose visit is to come and that may not be on a message stage."""
    rules = [plan.stages.get(phase) for phase in (Phase.UPCOMING, Phase.TODAY, Phase.TOMORROW)]
    return next((rule for rule in rules if rule and not rule.message), None)


def _occasion(visit: Visit, rule: StageRule | None) -> str:
    if rule is None or not rule.message:
        return ""
    end = f":{minute(visit.last)}:{rule.stage.stage}"
    new = f"{visit.chain.first.id}{end}"
    return next((said for said in sorted(visit.said) if said.endswith(end)), new)


def _cause(phase: Phase, before: Phase | None, *, moved: bool) -> Cause:
    if moved and phase not in ENDED_PHASES:
        return Cause.RESCHEDULE
    if phase in CLOCK_PHASES and before in CLOCK_PHASES:
        return Cause.CLOCK
    if before in ENDED_PHASES and phase is not before:
        return Cause.REVERSAL
    if before in {Phase.CONFIRMED, Phase.ARRIVED} and (phase in CLOCK_PHASES or phase is Phase.CONFIRMED):
        return Cause.REVERSAL if phase is not before else Cause.MIS
    return Cause.MIS
