"""Algorithm 5: enquiries without an appointment. One open card a phone."""

from collections.abc import Sequence
from datetime import datetime

from kreslo.connectors.model import ById, ByKey, ByPhone, Card, Semantic
from kreslo.decisions.asking import Asker, newest
from kreslo.decisions.case import Case, OwnCard, Role
from kreslo.decisions.desired import (
    Cause,
    Decision,
    Desired,
    DesiredCard,
    FieldWish,
    Needs,
    StageWish,
    TaskWish,
)
from kreslo.decisions.fields import wishes
from kreslo.decisions.scope import enquiry_scope
from kreslo.mapping.model import Bridge, EnquiryPlan, StageRule
from kreslo.records import Enquiry, RecordKind, RecordRef


def decide_phone(case: Case, bridge: Bridge, asker: Asker, now: datetime) -> Decision:
    """The decision of a phone case: its enquiry card, and the CRM's own open leads of that phone, which age too."""
    plan = bridge.enquiry
    if plan is None:
        return Desired(filtered={each.id: "the mapping has no enquiry section" for each in case.enquiries})
    fresh, filtered = _in_sight(case, bridge, now)
    watched = [card for lead in case.observed if (card := _watch(lead, case, plan, now))]
    wakes = [lead.created_at + plan.stale_after for lead in case.observed if lead.created_at]
    cards: list[DesiredCard] = list(watched)
    if fresh:
        own = _own(case, fresh, bridge, asker)
        card, wake = _card(case, own, fresh, plan, bridge, asker, now)
        if asker.missing:
            return Needs(tuple(asker.missing))
        cards.append(card)
        wakes.append(wake)
    return Desired(
        cards=tuple(cards),
        wake_at=min((wake for wake in wakes if wake > now), default=None),
        filtered=filtered,
        rules=("enquiry",) if fresh else (),
    )


def key_of(enquiry: Enquiry, bridge: Bridge) -> str:
    return RecordRef(RecordKind.ENQUIRY, enquiry.id).key(bridge.source_id)


def booked(case: Case, now: datetime) -> bool:
    """Whether somebody with this phone has a visit ahead."""
    return any(caller.next_visit_at is not None and caller.next_visit_at > now for caller in case.callers)


def _in_sight(case: Case, bridge: Bridge, now: datetime) -> tuple[list[Enquiry], dict[str, str]]:
    filtered = {}
    fresh = []
    linked = {member for card in case.cards for member in card.members}
    for each in sorted(case.enquiries, key=lambda e: (e.created_at, e.id)):
        if key_of(each, bridge) in case.served:
            filtered[each.id] = "its card became a visit's"
        elif each.created_at < now - bridge.horizon.past and key_of(each, bridge) not in linked:
            filtered[each.id] = "older than the horizon"
        else:
            fresh.append(each)
    return fresh, filtered


def _own(case: Case, fresh: Sequence[Enquiry], bridge: Bridge, asker: Asker) -> OwnCard | None:
    """The case's open enquiry card. Whether staff closed it matters only when a newer enquiry wants a card."""
    cards = [card for card in case.cards if card.role is Role.ENQUIRY and not card.closed and not card.gone]
    if not cards:
        return None
    own = cards[-1]
    newer = key_of(fresh[-1], bridge) not in own.members
    if newer and own.target_id:
        actual = asker.ask(ById(own.entity, own.target_id))
        if not asker.missing and (not actual or actual[0].semantic in {Semantic.WON, Semantic.LOST}):
            return None
    return own


def _card(
    case: Case,
    own: OwnCard | None,
    fresh: list[Enquiry],
    plan: EnquiryPlan,
    bridge: Bridge,
    asker: Asker,
    now: datetime,
) -> tuple[DesiredCard, datetime]:
    closed = {m for c in case.cards if c.role is Role.ENQUIRY and c is not own for m in c.members}
    mine = [each for each in fresh if key_of(each, bridge) not in closed] or fresh[-1:]
    take = "" if own else _open_card(mine, case, plan, bridge, asker)
    scope = {"enquiry": enquiry_scope(mine, case.phone, bridge)}
    fields = wishes(plan.fields, scope)
    fields["TITLE"] = FieldWish(value=plan.title.render(scope))
    stale_at = mine[-1].created_at + plan.stale_after
    stage, task = _stage(case, own, mine, plan, bridge, now, stale_at)
    tasks: tuple[TaskWish, ...] = ()
    if task and plan.stale_task:
        tasks = (
            TaskWish(
                marker=f"task:stale:{mine[-1].id}",
                text=plan.stale_task.text.render(scope),
                due_at=now + plan.stale_task.after,
                user=plan.stale_task.user,
            ),
        )
    card = DesiredCard(
        key=own.key if own else key_of(mine[0], bridge),
        role=Role.ENQUIRY,
        entity=plan.entity,
        take=take,
        members=tuple(key_of(each, bridge) for each in mine),
        fields=fields,
        stage=stage,
        tasks=tasks,
    )
    return card, stale_at


def _open_card(mine: Sequence[Enquiry], case: Case, plan: EnquiryPlan, bridge: Bridge, asker: Asker) -> str:
    """The id of a card that stands in the CRM for this: one with our key, or the phone's open one."""
    for each in mine:
        for card in asker.ask(ByKey(plan.entity, key_of(each, bridge))):
            if not asker.owner(plan.entity, card.id):
                return card.id
    for card in newest(asker.ask(ByPhone(plan.entity, (case.phone,), open_only=True))):
        in_funnel = card.stage is not None and card.stage.funnel == plan.funnel
        if in_funnel and not card.key and not asker.owner(plan.entity, card.id):
            return card.id
    return ""


def _stage(
    case: Case,
    own: OwnCard | None,
    mine: Sequence[Enquiry],
    plan: EnquiryPlan,
    bridge: Bridge,
    now: datetime,
    stale_at: datetime,
) -> tuple[StageWish, bool]:
    newer = own is None or key_of(mine[-1], bridge) not in own.members
    base = own.base if own else None
    already = plan.already_booked
    if booked(case, now) and already:
        return _wish(already, Cause.MIS), False
    if base and already and base.stage == already.stage and not newer:
        return StageWish(
            stage=None, initial=already.stage
        ), False  # the visit is over; the enquiry was answered
    if plan.stale and now >= stale_at:
        went = base is None or base.stage != plan.stale.stage
        return _wish(plan.stale, Cause.CLOCK), went
    if newer and base and base.stage != plan.new.stage:
        return _wish(plan.new, Cause.REVERSAL), False  # they asked again
    return _wish(plan.new, Cause.CLOCK), False


def _wish(rule: StageRule, cause: Cause) -> StageWish:
    return StageWish(stage=rule.stage, initial=rule.stage, cause=cause)


def _watch(lead: Card, case: Case, plan: EnquiryPlan, now: datetime) -> DesiredCard | None:
    """An open lead of the CRM's own: nobody was booked for it, so it ages."""
    if lead.entity is not plan.entity or lead.stage != plan.new.stage or lead.created_at is None:
        return None
    if any(
        card.target_id == lead.id and card.entity is lead.entity and card.role is not Role.WATCHED
        for card in case.cards
    ):
        return None
    if not plan.stale or now < lead.created_at + plan.stale_after or booked(case, now):
        return None
    tasks: tuple[TaskWish, ...] = ()
    if plan.stale_task:
        scope = {
            "enquiry": {
                "id": lead.id,
                "created_at": lead.created_at,
                "name": lead.name,
                "phone": case.phone,
                "result": "",
                "source": "",
                "count": 1,
            }
        }
        text = plan.stale_task.text.render(scope)
        tasks = (
            TaskWish(
                marker=f"task:stale:{lead.id}",
                text=text,
                due_at=now + plan.stale_task.after,
                user=plan.stale_task.user,
            ),
        )
    return DesiredCard(
        key=f"{lead.entity}:{lead.id}",
        role=Role.WATCHED,
        entity=lead.entity,
        take=lead.id,
        stage=_wish(plan.stale, Cause.CLOCK),
        tasks=tasks,
    )
