"""Visit cards that the CRM holds already: by our key, by another system's key, by contact and time."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from kreslo.connectors.model import ByContact, ByField, ById, ByKey, Card
from kreslo.decisions.asking import Asker, answer_to, deleted_question, newest
from kreslo.decisions.case import Case
from kreslo.decisions.contacts import Identity
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.decisions.fields import text_of
from kreslo.decisions.texts import text
from kreslo.decisions.visit import Visit, key_of
from kreslo.mapping.model import AdoptPlan, AppointmentPlan, Bridge


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """All by id of the chain's first member. `taken`: the card that becomes the chain's; `spare`: further cards with keys
    of the chain, to be closed; `doubtful`: chains that get no card until a person has said; `declined`: chains for which
    a person wants none.
    """

    taken: dict[str, Card] = {}
    spare: dict[str, tuple[Card, ...]] = {}
    doubtful: dict[str, ReviewWish] = {}
    declined: frozenset[str] = frozenset()


def adoption_of(
    carded: Sequence[Visit], case: Case, bridge: Bridge, plan: AppointmentPlan, asker: Asker
) -> Adoption:
    """For chains without a living card: what stands in the CRM under our key. Of several, the oldest is taken and the
    others are closed, as with two cards in the journal.
    """
    taken: dict[str, Card] = {}
    spare: dict[str, tuple[Card, ...]] = {}
    declined: set[str] = set()
    # A card that the case holds already (one that was superseded) is not to be found anew.
    held = {card.target_id for card in case.cards if card.entity is plan.entity and not card.gone}
    for visit in carded:
        if visit.own and not visit.own.gone:
            continue
        first = visit.chain.first.id
        found: dict[str, Card] = {}
        for member in visit.chain.members:
            for card in reversed(newest(asker.ask(ByKey(plan.entity, key_of(member, bridge))))):
                if card.id not in held and not asker.owner(plan.entity, card.id):
                    found.setdefault(card.id, card)
        answer = answer_to(case, deleted_question(visit.own) if visit.own else _doubt(visit, bridge))
        if answer and answer.choice == "link" and not found:
            for card in asker.ask(ById(plan.entity, answer.target_id)):
                if card.id not in held and not asker.owner(plan.entity, card.id):
                    found[card.id] = card
        if answer and answer.choice == "never" and not found and visit.own is None:
            declined.add(first)
        cards = list(found.values())
        if cards:
            taken[first] = cards[0]
            # A key stands on one card of the journal only: a double of the very same key is left to staff.
            spare[first] = tuple(card for card in cards[1:] if card.key != cards[0].key)
    return Adoption(taken=taken, spare=spare, declined=frozenset(declined))


def adopted_besides(
    adoption: Adoption,
    carded: Sequence[Visit],
    case: Case,
    identity: Identity | None,
    bridge: Bridge,
    plan: AppointmentPlan,
    scope: dict[str, Any],
    asker: Asker,
) -> Adoption:
    """`adopt:` of the mapping, for chains that have no card of ours at all. What is doubtful waits for a person without a
    card, since a card made meanwhile would be the visit's second.
    """
    adopt = plan.adopt
    if adopt is None:
        return adoption
    sure = identity is not None and identity.review is None
    taken, doubtful = dict(adoption.taken), dict(adoption.doubtful)
    used = {card.id for card in taken.values()} | {card.target_id for card in case.cards}
    new = [
        visit
        for visit in carded
        if visit.own is None and visit.chain.first.id not in taken and not _settled(case, visit, bridge)
    ]
    at_once = Counter(visit.last.starts_at for visit in new)
    for visit in new:
        first = visit.chain.first.id
        by_key = _free(_by_other_key(visit, plan, adopt, scope, asker), used, asker)
        by_time = _free(_by_time(visit, identity, plan, adopt, asker), used, asker)
        alone = at_once[visit.last.starts_at] == 1
        if len(by_key) == 1 or (not by_key and len(by_time) == 1 and sure and alone):
            taken[first] = (by_key or by_time)[0]
            used.add(taken[first].id)
        elif by_key or by_time:
            doubtful[first] = ReviewWish(
                question=_doubt(visit, bridge),
                rule="doubtful_visit",
                text=text(bridge.language, "doubtful_visit"),
                candidates=tuple(
                    Candidate(target_id=card.id, name=card.title, evidence=f"{card.entity} {card.id}")
                    for card in by_key or by_time
                ),
            )
        elif answer_to(case, _doubt(visit, bridge)):
            # The card that a person chose is gone since.
            doubtful[first] = ReviewWish(
                question=_doubt(visit, bridge),
                rule="deleted_visit",
                text=text(bridge.language, "deleted_visit"),
            )
    return msgspec.structs.replace(adoption, taken=taken, doubtful=doubtful)


def _settled(case: Case, visit: Visit, bridge: Bridge) -> bool:
    """Whether a person's answer holds. A link to a card that is there was taken by then; one that is gone is no answer."""
    answer = answer_to(case, _doubt(visit, bridge))
    return answer is not None and answer.choice != "link"


def _doubt(visit: Visit, bridge: Bridge) -> str:
    return f"visit:{key_of(visit.chain.first, bridge)}"


def _free(cards: Sequence[Card], used: set[str], asker: Asker) -> list[Card]:
    return [
        card
        for card in reversed(newest(tuple(cards)))
        if not card.key and card.id not in used and not asker.owner(card.entity, card.id)
    ]


def _by_other_key(
    visit: Visit, plan: AppointmentPlan, adopt: AdoptPlan, scope: dict[str, Any], asker: Asker
) -> tuple[Card, ...]:
    if not adopt.key_field or adopt.key is None:
        return ()
    value = text_of(adopt.key, {**scope, "appointment": visit.scope})
    return asker.ask(ByField(plan.entity, adopt.key_field, value)) if value else ()


def _by_time(
    visit: Visit, identity: Identity | None, plan: AppointmentPlan, adopt: AdoptPlan, asker: Asker
) -> list[Card]:
    """Deals of the patient's contact in our funnel at the visit's time; where a person must still say which contact it
    is, those of every candidate.
    """
    if identity is None or not adopt.time_field:
        return []
    contacts = [identity.target_id] if identity.target_id else []
    if identity.review:
        contacts = [each.target_id for each in identity.review.candidates]
    found: dict[str, Card] = {}
    for contact in contacts:
        for card in asker.ask(ByContact(plan.entity, contact)):
            in_funnel = card.stage is not None and card.stage.funnel == plan.funnel
            # An instant without a zone, or a bare date, is never equal to the visit's.
            if in_funnel and card.fields.get(adopt.time_field) == visit.last.starts_at:
                found[card.id] = card
    return list(found.values())
