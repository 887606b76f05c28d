"""Claims: which open lead or deal a new appointment takes over. The phone alone decides; the newest lead wins."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kreslo.connectors.model import ByPhone, Card
from kreslo.decisions.asking import Asker, newest
from kreslo.decisions.case import Case
from kreslo.decisions.chains import Chain
from kreslo.mapping.model import ClaimPlan
from kreslo.records import Patient


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """`card`: the lead that the chain takes over; `others`: open leads of the same phone that get a note, those of the
    CRM's own (an enquiry card of ours is told by its phone's case). `ours`: it was made by Kreslo for an enquiry, so it
    carries a key of ours already.
    """

    card: Card
    booked_at: datetime
    ours: bool
    others: tuple[Card, ...] = ()


def claims_of(
    chains: Sequence[Chain], case: Case, patient: Patient, plan: ClaimPlan | None, asker: Asker
) -> dict[str, Claim]:
    """By id of the chain's first member. `chains`: those without a card, by entry time: the visit that was entered
    first has the lead.
    """
    phones = tuple(phone.e164 for phone in patient.phones)
    if plan is None or not phones or not chains:
        return {}
    cards = newest(asker.ask(ByPhone(plan.entity, phones, open_only=True)))
    used = {card.target_id for card in case.cards if card.entity is plan.entity}
    claims = {}
    for chain in chains:
        booked_at = entered_at(chain)
        fits = [card for card in cards if card.id not in used and _fits(card, booked_at, plan, asker)]
        if fits:
            used.update(card.id for card in fits)
            claims[chain.first.id] = Claim(
                card=fits[0],
                booked_at=booked_at,
                ours=is_ours(fits[0], asker),
                others=tuple(card for card in fits[1:] if not is_ours(card, asker)),
            )
    return claims


def entered_at(chain: Chain) -> datetime:
    """When the clinic entered the booking."""
    return chain.first.created_at or chain.first.starts_at


def is_ours(card: Card, asker: Asker) -> bool:
    """Whether Kreslo made it for an enquiry, or took it for one."""
    return asker.owner(card.entity, card.id).startswith("phone:")


def _fits(card: Card, booked_at: datetime, plan: ClaimPlan, asker: Asker) -> bool:
    made = card.created_at
    if made is not None and made > booked_at + plan.late:
        return False  # it came after the visit: another story
    if is_ours(card, asker):
        return True  # whatever its stage and age
    if asker.owner(plan.entity, card.id) or card.stage not in plan.stages:
        return False
    return made is None or booked_at - plan.within <= made
