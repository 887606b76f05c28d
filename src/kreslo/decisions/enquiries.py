"""Algorithm 5: enquiries without an appointment. One open card a phone."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from kreslo.connectors.model import ById, ByKey, ByPhone, Card, Semantic
from kreslo.decisions.asking import Asker, answer_to, deleted_question, newest
from kreslo.decisions.case import Caller, Case, OwnCard, Role
from kreslo.decisions.desired import (
    Cause,
    Decision,
    Desired,
    DesiredCard,
    FieldWish,
    Needs,
    ReviewWish,
    StageWish,
    TaskWish,
)
from kreslo.decisions.fields import wishes
from kreslo.decisions.scope import enquiry_scope
from kreslo.decisions.texts import text
from kreslo.mapping.model import Bridge, EnquiryPlan, StageRule
from kreslo.records import Enquiry, RecordKind, RecordRef


def decide_phone(case: Case, bridge: Bridge, asker: Asker, now: datetime) -> Decision:
    """The decision of a phone case: its enquiry card, and the CRM's own open leads of that phone, which age too."""
    plan = bridge.enquiry
    if plan is None:
        return Desired(filtered={each.id: "the mapping has no enquiry section" for each in case.enquiries})
    fresh, filtered = _in_sight(case, bridge, now)
    cards = [card for lead in case.observed if (card := _watch(lead, case, plan, bridge, now))]
    reviews: list[ReviewWish] = []
    wakes = [lead.created_at + plan.stale_after for lead in case.observed if lead.created_at]
    for caller in case.callers:
        wakes += [each for each in (caller.next_visit_at, _settled_at(caller, plan, bridge)) if each]
    own = _own(case, fresh, bridge, asker) if fresh else None
    mine = _unanswered(case, own, fresh, bridge)
    for gone, review in _deleted(case, fresh, mine, bridge):
        filtered.update(gone)
        reviews += [review] if review else []
    if mine:
        card, wake = _card(case, own, mine, plan, bridge, asker, now)
        cards.append(card)
        wakes.append(wake)
    if asker.missing:
        return Needs(tuple(asker.missing))
    return Desired(
        cards=tuple(cards),
        reviews=tuple(reviews),
        wake_at=min((wake for wake in wakes if wake > now), default=None),
        filtered=filtered,
        rules=("enquiry",) if mine else (),
    )


def key_of(enquiry: Enquiry, bridge: Bridge) -> str:
    return RecordRef(RecordKind.ENQUIRY, enquiry.id).key(bridge.source_id)


def _ahead(case: Case, now: datetime) -> list[Caller]:
    """Those with this phone who have a visit ahead."""
    return [
        caller for caller in case.callers if caller.next_visit_at is not None and caller.next_visit_at > now
    ]


def _already_booked(case: Case, asked_at: datetime, plan: EnquiryPlan, bridge: Bridge, now: datetime) -> bool:
    """Whether a caller was booked before they asked. A visit that was entered after the enquiry claims its card; only
    if it has not within the time for late leads, the enquiry is set aside like any other.
    """
    for caller in _ahead(case, now):
        entered, settled = caller.next_visit_created_at, _settled_at(caller, plan, bridge)
        if entered is None or entered <= asked_at or settled is None or settled <= now:
            return True
    return False


def _settled_at(caller: Caller, plan: EnquiryPlan, bridge: Bridge) -> datetime | None:
    """Until when the caller's visit may still claim an enquiry card; None where it never does."""
    claim = bridge.appointment.claim if bridge.appointment else None
    if claim is None or claim.entity is not plan.entity:
        return None
    return caller.next_visit_created_at + claim.late if caller.next_visit_created_at else None


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
    cards = [card for card in case.cards if card.role is Role.ENQUIRY and not card.gone]
    if not cards:
        return None
    own = cards[-1]
    newer = key_of(fresh[-1], bridge) not in own.members
    if newer and own.target_id:
        actual = asker.ask(ById(own.entity, own.target_id))
        if not asker.missing and (not actual or actual[0].semantic in {Semantic.WON, Semantic.LOST}):
            return None
    return own


def _unanswered(case: Case, own: OwnCard | None, fresh: Sequence[Enquiry], bridge: Bridge) -> list[Enquiry]:
    """The enquiries that the open card is for: those that no other card of this phone had, closed or deleted."""
    others = {
        member
        for card in case.cards
        if card.role is Role.ENQUIRY and card is not own and not _again(case, card)
        for member in card.members
    }
    return [each for each in fresh if key_of(each, bridge) not in others]


def _again(case: Case, card: OwnCard) -> bool:
    """Whether a person wants a deleted card made again."""
    answer = answer_to(case, deleted_question(card)) if card.gone else None
    return answer is not None and answer.choice == "new"


def _deleted(
    case: Case, fresh: Sequence[Enquiry], mine: Sequence[Enquiry], bridge: Bridge
) -> Iterator[tuple[dict[str, str], ReviewWish | None]]:
    """Enquiries whose card was deleted: they stay without one unless a person says otherwise. A newer enquiry has a card
    of its own, so nothing is asked then.
    """
    for card in case.cards:
        if card.role is not Role.ENQUIRY or not card.gone or _again(case, card):
            continue
        lost = [each.id for each in fresh if key_of(each, bridge) in card.members]
        if not lost:
            continue
        question = deleted_question(card)
        review = ReviewWish(
            question=question, rule="deleted_enquiry", text=text(bridge.language, "deleted_enquiry")
        )
        asked = bool(mine) or answer_to(case, question) is not None
        yield dict.fromkeys(lost, "its card was deleted in the CRM"), None if asked else review


def _card(
    case: Case,
    own: OwnCard | None,
    mine: list[Enquiry],
    plan: EnquiryPlan,
    bridge: Bridge,
    asker: Asker,
    now: datetime,
) -> tuple[DesiredCard, datetime]:
    taken, mine = (None, mine) if own else _open_card(mine, case, plan, bridge, asker)
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
                with_stage=True,
            ),
        )
    prefix = f"{bridge.source_id}/{RecordKind.ENQUIRY}/"
    key = taken.key if taken and taken.key.startswith(prefix) else key_of(mine[0], bridge)
    card = DesiredCard(
        key=own.key if own else key,
        role=Role.ENQUIRY,
        entity=plan.entity,
        take=taken.id if taken else "",
        members=tuple(key_of(each, bridge) for each in mine),
        fields=fields,
        stage=stage,
        tasks=tasks,
    )
    return card, stale_at


def _open_card(
    mine: list[Enquiry], case: Case, plan: EnquiryPlan, bridge: Bridge, asker: Asker
) -> tuple[Card | None, list[Enquiry]]:
    """A card that stands in the CRM for this, with the enquiries that it is for: one with our key, or the phone's open
    one, unless it is a visit's. What came after a card of ours that is closed wants another.
    """
    for number, each in enumerate(mine):
        for card in asker.ask(ByKey(plan.entity, key_of(each, bridge))):
            if asker.owner(plan.entity, card.id):
                continue
            if card.semantic in {Semantic.WON, Semantic.LOST} and mine[number + 1 :]:
                return _open_card(mine[number + 1 :], case, plan, bridge, asker)
            return card, mine
    prefix = f"{bridge.source_id}/{RecordKind.ENQUIRY}/"
    for card in newest(asker.ask(ByPhone(plan.entity, (case.phone,), open_only=True))):
        in_funnel = card.stage is not None and card.stage.funnel == plan.funnel
        keyed = not card.key or card.key.startswith(prefix)
        if in_funnel and keyed and not asker.owner(plan.entity, card.id):
            return card, mine
    return None, mine


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
    if already and _already_booked(case, mine[-1].created_at, plan, bridge, now):
        return _wish(already, Cause.MIS), False
    if base and already and base.stage == already.stage and not newer:
        return _no_opinion(already), False  # the visit is over; the enquiry was answered
    if _ahead(case, now):
        return _no_opinion(plan.new), False  # the visit is about to claim it
    if plan.stale and now >= stale_at:
        went = base is None or base.stage != plan.stale.stage
        return _wish(plan.stale, Cause.CLOCK), went
    if newer and base and base.stage != plan.new.stage:
        return _wish(plan.new, Cause.REVERSAL), False  # they asked again
    return _wish(plan.new, Cause.CLOCK), False


def _no_opinion(rule: StageRule) -> StageWish:
    return StageWish(stage=None, initial=rule.stage)


def _wish(rule: StageRule, cause: Cause) -> StageWish:
    return StageWish(stage=rule.stage, initial=rule.stage, cause=cause)


def _watch(lead: Card, case: Case, plan: EnquiryPlan, bridge: Bridge, now: datetime) -> DesiredCard | None:
    """An open lead of the CRM's own: nobody was booked for it, so it ages."""
    if lead.entity is not plan.entity or lead.stage != plan.new.stage or lead.created_at is None:
        return None
    if any(
        card.target_id == lead.id and card.entity is lead.entity and card.role is not Role.WATCHED
        for card in case.cards
    ):
        return None
    if not plan.stale or now < lead.created_at + plan.stale_after or _ahead(case, now):
        return None
    tasks: tuple[TaskWish, ...] = ()
    if plan.stale_task:
        asked = Enquiry(id=lead.id, created_at=lead.created_at, name=lead.name)
        said = plan.stale_task.text.render({"enquiry": enquiry_scope([asked], case.phone, bridge)})
        tasks = (
            TaskWish(
                marker=f"task:stale:{lead.id}",
                text=said,
                due_at=now + plan.stale_task.after,
                user=plan.stale_task.user,
                with_stage=True,
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
