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
from kreslo.decisions.scope import appointment_scope, zone_of
from kreslo.decisions.stages import speaks, stage_wish
from kreslo.decisions.status import next_wake, phase_of, status_of
from kreslo.decisions.texts import moment, phase_name, text
from kreslo.decisions.visit import Visit, key_of, minute
from kreslo.mapping.model import (
    ENDED_PHASES,
    AppointmentPlan,
    Bridge,
    FieldMode,
    Phase,
)
from kreslo.records import Appointment
from kreslo.records.codec import encode


def visit_of(
    chain: Chain,
    cards: Sequence[OwnCard],
    case: Case,
    completed: Sequence[Appointment],
    bridge: Bridge,
    plan: AppointmentPlan,
    now: datetime,
) -> Visit:
    """`cards`: the chain's, the one that lives on first. `completed`: the patient's visits that took place, in order of
    time.
    """
    last = chain.last
    own = cards[0] if cards else None
    base = own.base if own else None
    before = [each for each in completed if each.starts_at < last.starts_at]
    primary = not before or last.starts_at - before[-1].starts_at > plan.primary_after
    vanished = last.id in case.vanished
    if vanished:
        last = msgspec.structs.replace(last, cancel_reason=text(bridge.language, "vanished"))
    moves = _moves(chain, base)

    def scope(phase: Phase, *, insured: bool | None) -> dict[str, Any]:
        return appointment_scope(last, phase, bridge, primary=primary, insured=insured, moves=moves)

    rough = {"appointment": scope(Phase.UPCOMING, insured=bool(last.insured)), "patient": _insurance(case)}
    said = bool(plan.status.confirmed and plan.status.confirmed.evaluate(rough))
    confirmation, void = _confirmation(last, base, said=said)
    if void:
        last = msgspec.structs.replace(last, confirmed_at=None)
    status = status_of(last, plan.status, now=now, vanished=vanished, confirmed=said and not void)
    zone = zone_of(last, bridge)
    phase = phase_of(status, last.starts_at, plan, now=now, zone=zone)
    insured: bool | None = bool(plan.insured.evaluate(rough)) if plan.insured else last.insured
    return Visit(
        chain=chain,
        status=status,
        phase=phase,
        own=own,
        twins=tuple(cards[1:]),
        scope=scope(phase, insured=insured),
        wake_at=next_wake(last, status, plan, now=now, zone=zone),
        vanished=vanished,
        confirmation=confirmation,
        void=void,
        said=_said(chain, case),
    )


def _said(chain: Chain, case: Case) -> frozenset[str]:
    """Occasions of the chain's time, by its members or by visits that are at another time now; another visit of the very
    same time has a message of its own.
    """
    at = {each.id: each.starts_at for each in case.appointments}
    mine = {member.id for member in chain.members}
    said = set()
    for card in case.cards:
        for marker in card.base.markers if card.base else ():
            about, _, rest = marker.partition(":")
            if rest.startswith(f"{minute(chain.last)}:") and (
                about in mine or at.get(about) != chain.last.starts_at
            ):
                said.add(marker)
    return frozenset(said)


def _confirmation(last: Appointment, base: Base | None, *, said: bool) -> tuple[str, str]:
    """Which confirmation the visit has, and again if it is of an earlier time: one that stood before the move says
    nothing of the new time, until the clinic confirms anew (or takes it back first, where it is a plain flag).
    """
    token = ""
    if last.confirmed_at or said:
        moment_ = last.confirmed_at.isoformat() if last.confirmed_at else "said"
        token = f"{last.id}:{moment_}"
    if base is None:
        return token, ""
    moved = base.starts_at is not None and base.starts_at != last.starts_at
    stale = token == base.confirmation if moved else token == base.void
    return token, token if stale else ""


def why_no_card(visit: Visit, case: Case, bridge: Bridge, plan: AppointmentPlan, now: datetime) -> str:
    """The reason for which a chain without a card rightly stays without one, or ""."""
    last = visit.last
    if last.starts_at < now - bridge.horizon.past and plan.history is None:
        return "older than the horizon"
    if last.starts_at > now + bridge.horizon.future:
        return "beyond the horizon"
    if visit.vanished:
        return "vanished from the MIS before it had a card"
    if last.cancelled_at and last.id in case.unseen and not plan.cancelled_unseen:
        return "was cancelled before Kreslo first saw it"
    return ""


def enters_horizon_at(visit: Visit, bridge: Bridge) -> datetime | None:
    """When a chain without a card comes into the horizon; long past for most."""
    if visit.own is not None:
        return None
    return visit.last.starts_at - bridge.horizon.future + timedelta(minutes=1)


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
    digest.update(b"vanished" if visit.vanished else b"")
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
    stage = stage_wish(visit, plan, base, moved=moved, may_message=may_message, now=now)
    if own is None and plan.history is not None and visit.last.starts_at < now - bridge.horizon.past:
        stage = StageWish(stage=plan.history.stage, initial=plan.history.stage, phase=visit.phase)
    fields = wishes(plan.fields, scope)
    fields["TITLE"] = FieldWish(value=plan.title.render(scope))
    take = adopted.id if adopted else ""
    stands = bool(own and own.target_id)
    lead, claimed_lead = _lead_before(own, plan)
    claimed_from: StageRef | None = None
    if claim and plan.claim:
        for code in plan.claim.copy:
            if claim.card.fields.get(code) not in {None, ""}:
                fields[code] = FieldWish(value=claim.card.fields[code], mode=FieldMode.FILL)
        if plan.claim.mode == "move":
            take, claimed_from = claim.card.id, claim.card.stage
        elif stands and plan.claim.relation_field:
            claimed_lead = claim.card.id
            fields[plan.claim.relation_field] = FieldWish(value=claim.card.id)
        else:
            lead = claimed_lead = claim.card.id
    if own and own.claimed_from and plan.claim and plan.claim.back and visit.phase is Phase.CANCELLED:
        stage = StageWish(
            stage=own.claimed_from, initial=own.claimed_from, phase=visit.phase, cause=Cause.REVERSAL
        )
    key = own.key if own else key_of(visit.chain.first, bridge)
    if own is None and claim and claim.ours and plan.claim and plan.claim.mode == "move" and claim.card.key:
        key = claim.card.key
    elif own is None and adopted and adopted.key in {key_of(each, bridge) for each in visit.chain.members}:
        key = adopted.key
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
        quiet=visit.last.starts_at < now or (stage.stage is None and speaks(stage.initial, plan)),
        overrule=claim is not None and own is None,
        transfer=claim is not None,
        claimed_from=claimed_from,
        claimed_lead=claimed_lead,
        facts=facts_of(visit),
        confirmation=visit.confirmation,
        void=visit.void,
    )


def lead_is_written(own: OwnCard, plan: AppointmentPlan) -> bool:
    """Whether the lead of a visit card stands on it, by our last confirmed write."""
    if not own.claimed_lead:
        return True
    return (own.base or Base()).lead == own.claimed_lead or _is_related(own, plan)


def _is_related(own: OwnCard, plan: AppointmentPlan) -> bool:
    """Whether it stands in the relation field."""
    return bool(
        own.base and plan.claim and own.base.decided.get(plan.claim.relation_field) == own.claimed_lead
    )


def _lead_before(own: OwnCard | None, plan: AppointmentPlan) -> tuple[str, str]:
    """The lead to write and the lead to remember, as they were before this decision."""
    if own is None:
        return "", ""
    return ("" if _is_related(own, plan) else own.claimed_lead), own.claimed_lead


def superseded(twin: OwnCard, bridge: Bridge, plan: AppointmentPlan) -> DesiredCard:
    """The younger card of a chain that turned out to have two: closed, with a note. It has no members: the chain's
    records are the older card's. Wished as long as the chain stands, so that a write that failed is made good.
    """
    return _closing(twin.key, "", bridge, plan)


def superseded_found(card: Card, bridge: Bridge, plan: AppointmentPlan) -> DesiredCard:
    """The same for a card of the CRM's that bears a key of the chain's and is not in the journal."""
    return _closing(card.key, card.id, bridge, plan)


def _closing(key: str, take: str, bridge: Bridge, plan: AppointmentPlan) -> DesiredCard:
    # Closed means closed to the CRM, and a patient is told nothing about it.
    rules = [plan.stages.get(Phase.RESCHEDULED), plan.stages.get(Phase.CANCELLED)]
    silent = [rule for rule in rules if rule and not rule.message]
    rule = next((each for each in silent if each.stage in bridge.terminal), silent[0] if silent else None)
    stage = None
    if rule:
        stage = StageWish(stage=rule.stage, initial=rule.stage, phase=Phase.RESCHEDULED, cause=Cause.REVERSAL)
    note = NoteWish(marker=f"superseded:{key}", text=text(bridge.language, "superseded"))
    return DesiredCard(
        key=key, role=Role.VISIT, entity=plan.entity, take=take, stage=stage, notes=(note,), close=True
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


def _notes(visit: Visit, bridge: Bridge, base: Base | None, *, moved: bool) -> tuple[NoteWish, ...]:
    if base is None:
        return ()
    notes = []
    zone = zone_of(visit.last, bridge)
    if moved and base.starts_at:
        name = "moved_inferred" if visit.last.id in visit.chain.inferred else "moved"
        notes.append(
            NoteWish(
                marker=f"moved:{visit.last.id}:{visit.last.starts_at:%Y%m%dT%H%M}:{_moves(visit.chain, base)}",
                text=text(
                    bridge.language,
                    name,
                    old=moment(base.starts_at.astimezone(zone)),
                    new=moment(visit.last.starts_at.astimezone(zone)),
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
    # A card that is only now made for a time long gone is history, and calls nobody to the telephone.
    first_time = visit.last.starts_at >= now if base is None else base.phase is not Phase.RESCHEDULED
    if task is None or visit.phase is not Phase.RESCHEDULED or not first_time:
        return ()
    return (
        TaskWish(
            marker=f"task:moved-open:{visit.last.id}",
            text=task.text.render(scope),
            due_at=now + task.after,
            user=task.user,
        ),
    )
