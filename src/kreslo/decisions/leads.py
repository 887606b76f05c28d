"""Leads that come after the visit: a late one is taken as its source, any later one is "already booked"."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from kreslo.connectors.model import ByPhone, Card
from kreslo.decisions.asking import Asker, newest
from kreslo.decisions.case import Case, Role
from kreslo.decisions.claims import Claim, entered_at, is_ours
from kreslo.decisions.desired import DesiredCard, NoteWish, StageWish
from kreslo.decisions.texts import text
from kreslo.decisions.visit import Visit
from kreslo.decisions.visits import when_of
from kreslo.mapping.model import Bridge, ClaimPlan, EnquiryPlan, Phase
from kreslo.records import Patient


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """`late`: claims by chains that have a card but no lead, by id of the chain's first; `cards`: leads set aside."""

    late: dict[str, Claim] = {}
    cards: tuple[DesiredCard, ...] = ()


LEADS = "leads"
"""In `Case.look_again`: the CRM's own leads of the case's phones."""


def later_leads(
    case: Case,
    patient: Patient,
    carded: Sequence[Visit],
    claims: dict[str, Claim],
    bridge: Bridge,
    asker: Asker,
    now: datetime,
) -> Later:
    """Looked for when an event says that a lead with this phone came or changed, or while one that was set aside has not
    been written yet, when a visit that was given up is awaited again, and beside each new claim. Enquiry cards of our own are set aside by their phone's case.
    """
    plan = bridge.appointment.claim if bridge.appointment else None
    phones = tuple(phone.e164 for phone in patient.phones)
    ahead = sorted(
        (visit for visit in carded if visit.ahead and visit.last.starts_at > now),
        key=lambda visit: visit.last.starts_at,
    )
    set_aside = [_second(card, bridge) for claim in claims.values() for card in claim.others]
    mine = [card for card in case.cards if plan and card.entity is plan.entity and card.target_id]
    unwritten = {card.target_id for card in mine if card.role is Role.WATCHED and card.base is None}
    back = any(_comes_back(visit) for visit in ahead)
    if plan is None or not phones or not (LEADS in case.look_again or unwritten or back):
        return Later(cards=tuple(set_aside))
    used = {claim.card.id for claim in claims.values()} | {
        card.id for claim in claims.values() for card in claim.others
    }
    used |= {card.target_id for card in mine} - unwritten
    late: dict[str, Claim] = {}
    for card in newest(asker.ask(ByPhone(plan.entity, phones, open_only=True))):
        ours = is_ours(card, asker)
        if card.id in used or (asker.owner(plan.entity, card.id) and not ours):
            continue
        taker = _taker(card, carded, late, plan)
        if taker and plan.mode == "link":
            late[taker.chain.first.id] = Claim(card=card, booked_at=entered_at(taker.chain), ours=ours)
            continue
        about = ahead[0] if ahead else taker
        enquiry = bridge.enquiry
        if enquiry and card.stage and card.stage.funnel == enquiry.funnel and about and not ours:
            set_aside.append(_already_booked(card, about, enquiry, bridge))
    return Later(late=late, cards=tuple(set_aside))


def _comes_back(visit: Visit) -> bool:
    """What was given up claims nothing, though it may have a card; booked again, it is a new appointment for a lead."""
    base = visit.own.base if visit.own else None
    return base is not None and base.phase in {Phase.CANCELLED, Phase.RESCHEDULED}


def _taker(card: Card, carded: Sequence[Visit], late: dict[str, Claim], plan: ClaimPlan) -> Visit | None:
    """The visit, entered at most `late` before the lead, that has a card and no lead yet. A lead that was there before
    the visit must stand where claims are made from.
    """
    for visit in carded:
        own = visit.own
        free = own is not None and not own.gone and not own.claimed_lead and own.claimed_from is None
        if not free or visit.last.cancelled_at or visit.chain.first.id in late or card.created_at is None:
            continue
        gap = card.created_at - entered_at(visit.chain)
        here = gap >= timedelta(0) or card.stage in plan.stages
        if here and -plan.within <= gap <= plan.late:
            return visit
    return None


def _second(card: Card, bridge: Bridge) -> DesiredCard:
    """Another open lead on the phone of a lead that was claimed: it gets a note, and staff see to the rest."""
    note = NoteWish(marker=f"second:{card.id}", text=text(bridge.language, "second_lead"))
    return _watched(card, note, None)


def _already_booked(card: Card, visit: Visit, enquiry: EnquiryPlan, bridge: Bridge) -> DesiredCard:
    rule = enquiry.already_booked
    note = NoteWish(
        marker=f"late:{card.id}", text=text(bridge.language, "late_lead", when=when_of(visit, bridge))
    )
    return _watched(card, note, StageWish(stage=rule.stage, initial=rule.stage) if rule else None)


def _watched(card: Card, note: NoteWish, stage: StageWish | None) -> DesiredCard:
    """`transfer`: its phone's case may have watched it so far."""
    return DesiredCard(
        key=card.key or f"{card.entity}:{card.id}",
        role=Role.WATCHED,
        entity=card.entity,
        take=card.id,
        stage=stage,
        notes=(note,),
        transfer=True,
    )
