"""Visit cards: algorithms 1 to 4. One chain of appointments is one card."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from kreslo.connectors.model import Card, Entity, StageRef
from kreslo.decisions.case import Base, Case, OwnCard, Role
from kreslo.decisions.chains import Chain
from kreslo.decisions.claims import Claim
from kreslo.decisions.desired import (
    CardRef,
    Cause,
    DesiredCard,
    FieldWish,
    NoteWish,
    StageWish,
    TaskWish,
)
from kreslo.decisions.fields import wishes
from kreslo.decisions.scope import appointment_scope, local, zone_of
from kreslo.decisions.status import next_wake, phase_of, status_of
from kreslo.decisions.texts import moment, phase_name, text
from kreslo.mapping.model import (
    CLOCK_PHASES,
    ENDED_PHASES,
    AppointmentPlan,
    Bridge,
    FieldMode,
    Phase,
    StageRule,
)
from kreslo.records import Appointment, RecordKind, RecordRef
from kreslo.records.codec import encode


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One chain with what the clock and the journal say of it. `own`: its card, the older one where it has two;
    `twins`: its other cards. `scope`: `appointment.…` for expressions.
    """

    chain: Chain
    status: Phase
    phase: Phase
    own: OwnCard | None
    twins: tuple[OwnCard, ...]
    scope: dict[str, Any]
    wake_at: datetime | None

    @property
    def last(self) -> Appointment:
        return self.chain.last

    @property
    def ahead(self) -> bool:
        """Whether the patient is still awaited."""
        return self.phase in CLOCK_PHASES or self.phase is Phase.CONFIRMED


def key_of(appointment: Appointment, bridge: Bridge) -> str:
    return RecordRef(RecordKind.APPOINTMENT, appointment.id).key(bridge.source_id)


def visit_of(
    chain: Chain,
    case: Case,
    completed: Sequence[Appointment],
    bridge: Bridge,
    plan: AppointmentPlan,
    now: datetime,
) -> Visit:
    """`completed`: the patient's visits that took place, in order of time."""
    last = chain.last
    keys = [key_of(member, bridge) for member in chain.members]
    own = sorted(
        (
            c
            for c in case.cards
            if c.role is Role.VISIT and not c.closed and (c.key in keys or set(c.members) & set(keys))
        ),
        key=lambda card: keys.index(card.key) if card.key in keys else -1,
    )
    before = [each for each in completed if each.starts_at < last.starts_at and each.id != last.id]
    primary = not before or last.starts_at - before[-1].starts_at > plan.primary_after
    vanished = last.id in case.vanished
    if vanished:
        last = msgspec.structs.replace(last, cancel_reason=text(bridge.language, "vanished"))
    moves = _moves(chain, own[0].base if own else None)

    def scope(phase: Phase, *, insured: bool | None) -> dict[str, Any]:
        return appointment_scope(last, phase, bridge, primary=primary, insured=insured, moves=moves)

    rough = {"appointment": scope(Phase.UPCOMING, insured=bool(last.insured)), "patient": _insurance(case)}
    confirmed = bool(plan.status.confirmed and plan.status.confirmed.evaluate(rough))
    status = status_of(last, plan.status, now=now, vanished=vanished, confirmed=confirmed)
    zone = zone_of(last, bridge)
    phase = phase_of(status, last.starts_at, plan, now=now, zone=zone)
    insured: bool | None = bool(plan.insured.evaluate(rough)) if plan.insured else last.insured
    return Visit(
        chain=chain,
        status=status,
        phase=phase,
        own=own[0] if own else None,
        twins=tuple(own[1:]),
        scope=scope(phase, insured=insured),
        wake_at=next_wake(last, status, plan, now=now, zone=zone),
    )


def why_no_card(visit: Visit, case: Case, bridge: Bridge, plan: AppointmentPlan, now: datetime) -> str:
    """The reason for which a chain without a card rightly stays without one, or ""."""
    last = visit.last
    if last.starts_at < now - bridge.horizon.past and plan.history is None:
        return "older than the horizon"
    if last.starts_at > now + bridge.horizon.future:
        return "beyond the horizon"
    if last.id in case.vanished:
        return "vanished from the MIS before it had a card"
    if last.cancelled_at and last.id in case.unseen and not plan.cancelled_unseen:
        return "was cancelled before Kreslo first saw it"
    return ""


def enters_horizon_at(visit: Visit, bridge: Bridge, now: datetime) -> datetime | None:
    if visit.own is None and visit.last.starts_at > now + bridge.horizon.future:
        return visit.last.starts_at - bridge.horizon.future + timedelta(minutes=1)
    return None


def at_rest(visit: Visit, bridge: Bridge, now: datetime) -> bool:
    """A visit that left the horizon keeps its card as it is while its facts stay what they were."""
    if visit.own is None or visit.own.base is None:
        return False
    outside = visit.last.starts_at < now - bridge.horizon.past
    return outside and visit.own.base.facts == facts_of(visit)


def facts_of(visit: Visit) -> str:
    digest = hashlib.sha256()
    for member in visit.chain.members:
        digest.update(encode(member))
    return digest.hexdigest()[:16]


def visit_card(
    visit: Visit,
    bridge: Bridge,
    plan: AppointmentPlan,
    scope: dict[str, Any],
    contacts: tuple[CardRef, ...] | None,
    *,
    claim: Claim | None,
    adopted: Card | None,
    may_message: bool,
    now: datetime,
) -> DesiredCard:
    """The card of a chain. `scope`: everything that expressions may name. `contacts`: main first. `adopted`: a card of
    the CRM's with our key, or by the mapping's `adopt:`. `may_message` False keeps it out of message stages.
    """
    own, base = visit.own, visit.own.base if visit.own else None
    moved = _moved(visit, base)
    stage = _stage(visit, plan, base, moved=moved, may_message=may_message)
    if own is None and plan.history is not None and visit.last.starts_at < now - bridge.horizon.past:
        stage = StageWish(stage=plan.history.stage, initial=plan.history.stage, phase=visit.phase)
    fields = wishes(plan.fields, scope)
    fields["TITLE"] = FieldWish(value=plan.title.render(scope))
    lead = own.claimed_lead if own else ""
    take = adopted.id if adopted else ""
    claimed_from: StageRef | None = None
    if claim and plan.claim:
        for code in plan.claim.copy:
            if claim.card.fields.get(code) not in {None, ""}:
                fields[code] = FieldWish(value=claim.card.fields[code], mode=FieldMode.FILL)
        if plan.claim.mode == "link":
            lead = claim.card.id
        else:
            take, claimed_from = claim.card.id, claim.card.stage
    if own and own.claimed_from and plan.claim and plan.claim.back and visit.phase is Phase.CANCELLED:
        stage = StageWish(
            stage=own.claimed_from, initial=own.claimed_from, phase=visit.phase, cause=Cause.REVERSAL
        )
    key = own.key if own else key_of(visit.chain.first, bridge)
    if claim and claim.ours and plan.claim and plan.claim.mode == "move" and claim.card.key:
        key = claim.card.key
    return DesiredCard(
        key=key,
        role=Role.VISIT,
        entity=plan.entity,
        take=take,
        members=tuple(key_of(member, bridge) for member in visit.chain.members),
        fields=fields,
        stage=stage,
        contacts=contacts,
        lead=lead,
        notes=_notes(visit, bridge, base, moved=moved) if plan.notes else (),
        tasks=_tasks(visit, plan, scope, base, now),
        starts_at=visit.last.starts_at,
        moves=_moves(visit.chain, base),
        quiet=visit.last.starts_at < now,
        overrule=claim is not None,
        transfer=bool(claim and claim.ours),
        claimed_from=claimed_from,
        claimed_lead=lead,
        facts=facts_of(visit),
    )


def superseded(twin: OwnCard, visit: Visit, bridge: Bridge, plan: AppointmentPlan) -> DesiredCard:
    """The younger card of a chain that turned out to have two: closed, with a note."""
    rule = plan.stages.get(Phase.RESCHEDULED) or plan.stages.get(Phase.CANCELLED)
    stage = None
    if rule:
        stage = StageWish(
            stage=rule.stage, initial=rule.stage, phase=Phase.RESCHEDULED, cause=Cause.RESCHEDULE
        )
    note = NoteWish(marker=f"superseded:{visit.last.id}", text=text(bridge.language, "superseded"))
    return DesiredCard(
        key=twin.key,
        role=Role.VISIT,
        entity=twin.entity,
        members=twin.members,
        stage=stage,
        notes=(note,),
        close=True,
    )


def claimed_card(
    entity: Entity, card_id: str, key: str, converted: StageRef, when: str, bridge: Bridge
) -> DesiredCard:
    """A lead that a visit card is linked to: set to converted, owned so that nobody else claims it."""
    return DesiredCard(
        key=key or f"{entity}:{card_id}",
        role=Role.CLAIM,
        entity=entity,
        take=card_id,
        stage=StageWish(stage=converted, initial=converted),
        notes=(NoteWish(marker=f"linked:{card_id}", text=text(bridge.language, "linked_lead", when=when)),),
        transfer=True,
    )


def when_of(visit: Visit, bridge: Bridge) -> str:
    return moment(visit.last.starts_at.astimezone(zone_of(visit.last, bridge)))


def _insurance(case: Case) -> dict[str, Any]:
    return {"policy": case.patient.policy if case.patient else ""}


def _moves(chain: Chain, base: Base | None) -> int:
    if base is None or base.starts_at is None:
        return len(chain.members) - 1
    return base.moves + (1 if chain.last.starts_at != base.starts_at else 0)


def _moved(visit: Visit, base: Base | None) -> bool:
    return base is not None and base.starts_at is not None and base.starts_at != visit.last.starts_at


def _stage(
    visit: Visit, plan: AppointmentPlan, base: Base | None, *, moved: bool, may_message: bool
) -> StageWish:
    rule = plan.stages.get(visit.phase)
    upcoming = plan.stages[Phase.UPCOMING]
    cause = _cause(visit.phase, base.phase if base else None, moved=moved)
    if rule is None and cause is Cause.RESCHEDULE:
        rule = upcoming  # the confirmation was of the old time: the card may not stay where that put it
    if rule and rule.message and not may_message:
        rule = None
    initial = rule or upcoming
    if initial.message and not may_message:
        initial = next((each for each in plan.stages.values() if not each.message), initial)
    return StageWish(
        stage=rule.stage if rule else None,
        initial=initial.stage,
        phase=visit.phase,
        cause=cause,
        message=bool(rule and rule.message),
        occasion=_occasion(visit, rule),
    )


def _occasion(visit: Visit, rule: StageRule | None) -> str:
    if rule is None or not rule.message:
        return ""
    return f"{visit.chain.first.id}:{visit.last.starts_at:%Y%m%dT%H%M}:{rule.stage.stage}"


def _cause(phase: Phase, before: Phase | None, *, moved: bool) -> Cause:
    if moved and phase not in ENDED_PHASES:
        return Cause.RESCHEDULE
    if before is None:
        return Cause.MIS
    if phase in CLOCK_PHASES and before in CLOCK_PHASES:
        return Cause.CLOCK
    if before in ENDED_PHASES and phase is not before:
        return Cause.REVERSAL
    if before in {Phase.CONFIRMED, Phase.ARRIVED} and (phase in CLOCK_PHASES or phase is Phase.CONFIRMED):
        return Cause.REVERSAL if phase is not before else Cause.MIS
    return Cause.MIS


def _notes(visit: Visit, bridge: Bridge, base: Base | None, *, moved: bool) -> tuple[NoteWish, ...]:
    if base is None:
        return ()
    notes = []
    zone = zone_of(visit.last, bridge)
    if moved and base.starts_at:
        name = "moved_inferred" if visit.last.id in visit.chain.inferred else "moved"
        old, new = local(base.starts_at, zone), local(visit.last.starts_at, zone)
        notes.append(
            NoteWish(
                marker=f"moved:{visit.last.id}:{visit.last.starts_at:%Y%m%dT%H%M}:{_moves(visit.chain, base)}",
                text=text(
                    bridge.language, name, old=moment(old) if old else "", new=moment(new) if new else ""
                ),
            )
        )
    if visit.phase is Phase.RESCHEDULED and base.phase is not Phase.RESCHEDULED:
        notes.append(NoteWish(marker=f"moved-open:{visit.last.id}", text=text(bridge.language, "moved_open")))
    if base.phase in ENDED_PHASES and visit.phase is not base.phase and base.phase is not None and not moved:
        old_name, new_name = phase_name(bridge.language, base.phase), phase_name(bridge.language, visit.phase)
        notes.append(
            NoteWish(
                marker=f"corrected:{visit.last.id}:{base.phase}:{visit.phase}",
                text=text(bridge.language, "corrected", old=old_name, new=new_name),
            )
        )
    return tuple(notes)


def _tasks(
    visit: Visit, plan: AppointmentPlan, scope: dict[str, Any], base: Base | None, now: datetime
) -> tuple[TaskWish, ...]:
    task = plan.rescheduled_task
    first_time = base is None or base.phase is not Phase.RESCHEDULED
    if task is None or visit.phase is not Phase.RESCHEDULED or not first_time or visit.last.starts_at < now:
        return ()
    return (
        TaskWish(
            marker=f"task:moved-open:{visit.last.id}",
            text=task.text.render(scope),
            due_at=now + task.after,
            user=task.user,
        ),
    )
