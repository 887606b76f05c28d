"""Leads that come after the visit: a late one is taken as its source, any later one is "already booked"."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kreslo.connectors.model import ByPhone, Card
from kreslo.decisions.asking import Asker, newest
from kreslo.decisions.case import Case, Role
from kreslo.decisions.claims import Claim, entered_at
from kreslo.decisions.desired import DesiredCard, NoteWish, StageWish
from kreslo.decisions.texts import text
from kreslo.decisions.visits import Visit, when_of
from kreslo.mapping.model import Bridge, ClaimPlan
from kreslo.records import Patient


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """`late`: claims by chains that have a card but no lead, by id of the chain's first; `cards`: leads set aside."""

    late: dict[str, Claim] = {}
    cards: tuple[DesiredCard, ...] = ()


def later_leads(
    case: Case,
    patient: Patient,
    carded: Sequence[Visit],
    claims: dict[str, Claim],
    bridge: Bridge,
    asker: Asker,
    now: datetime,
) -> Later:
    """Looked for when an event says that a lead with this phone came or changed, and beside each new claim."""
    plan = bridge.appointment.claim if bridge.appointment else None
    phones = tuple(phone.e164 for phone in patient.phones)
    ahead = [visit for visit in carded if visit.ahead and visit.last.starts_at >= now]
    set_aside = [_second(card, ahead, bridge) for claim in claims.values() for card in claim.others]
    if plan is None or not phones or "leads" not in case.look_again:
        return Later(cards=tuple(set_aside))
    used = {claim.card.id for claim in claims.values()} | {
        c.id for claim in claims.values() for c in claim.others
    }
    used |= {card.target_id for card in case.cards if card.entity is plan.entity and card.target_id}
    late: dict[str, Claim] = {}
    for card in newest(asker.ask(ByPhone(plan.entity, phones, open_only=True))):
        owner = asker.owner(plan.entity, card.id)
        if card.id in used or (owner and not owner.startswith("phone:")):
            continue
        taker = _taker(card, ahead, late, plan)
        if taker and (plan.mode == "link"):
            late[taker.chain.first.id] = Claim(card=card, booked_at=entered_at(taker.chain), ours=bool(owner))
        elif ahead and bridge.enquiry and card.stage and card.stage.funnel == bridge.enquiry.funnel:
            set_aside.append(_already_booked(card, ahead[0], bridge, transfer=bool(owner)))
    return Later(late=late, cards=tuple(card for card in set_aside if card))


def _taker(card: Card, ahead: Sequence[Visit], late: dict[str, Claim], plan: ClaimPlan) -> Visit | None:
    """The visit ahead, entered at most `late` before the lead, that has no lead yet."""
    for visit in ahead:
        own = visit.own
        free = own is not None and not own.claimed_lead and own.claimed_from is None
        if not free or visit.chain.first.id in late or card.created_at is None:
            continue
        gap = card.created_at - entered_at(visit.chain)
        if -plan.within <= gap <= plan.late:
            return visit
    return None


def _second(card: Card, ahead: Sequence[Visit], bridge: Bridge) -> DesiredCard:
    """Another open lead on the phone of a lead that was claimed: it gets a note, and is set aside."""
    aside = _already_booked(card, ahead[0], bridge, transfer=False) if ahead else None
    note = NoteWish(marker=f"second:{card.id}", text=text(bridge.language, "second_lead"))
    return DesiredCard(
        key=card.key or f"{card.entity}:{card.id}",
        role=Role.WATCHED,
        entity=card.entity,
        take=card.id,
        stage=aside.stage if aside else None,
        notes=(note,),
        transfer=True,
    )


def _already_booked(card: Card, visit: Visit, bridge: Bridge, *, transfer: bool) -> DesiredCard:
    rule = bridge.enquiry.already_booked if bridge.enquiry else None
    note = NoteWish(
        marker=f"late:{card.id}", text=text(bridge.language, "late_lead", when=when_of(visit, bridge))
    )
    return DesiredCard(
        key=card.key or f"{card.entity}:{card.id}",
        role=Role.WATCHED,
        entity=card.entity,
        take=card.id,
        stage=StageWish(stage=rule.stage, initial=rule.stage) if rule else None,
        notes=(note,),
        transfer=transfer,
    )
