"""Which of a case's visit cards belongs to which chain. A card belongs to one chain only, whatever links come and go."""

from collections.abc import Sequence

from kreslo.connectors.model import ById
from kreslo.decisions.asking import Asker
from kreslo.decisions.case import Case, OwnCard, Role
from kreslo.decisions.chains import Chain
from kreslo.decisions.visit import key_of
from kreslo.mapping.model import Bridge


def holdings(
    chains: Sequence[Chain], case: Case, bridge: Bridge, asker: Asker
) -> dict[str, tuple[OwnCard, ...]]:
    """By id of the chain's first member: its cards, the one that lives on first.

    A card goes with the record that it was made for; where that is in no chain (an enquiry, a predecessor out of
    sight), with the earliest of its members. Of several cards of a chain a living one lives on before a deleted one,
    an open one before one that was superseded, and then the older one: that of the earlier member. Before the others
    are closed for it the CRM is asked whether it stands: staff may have deleted it unseen (simulated seed 1007).
    """
    places = {
        key_of(member, bridge): (number, position)
        for number, chain in enumerate(chains)
        for position, member in enumerate(chain.members)
    }
    held: dict[str, list[tuple[tuple[bool, bool, int], OwnCard]]] = {}
    for card in case.cards:  # the older first
        if card.role is not Role.VISIT:
            continue
        linked = [places[key] for key in card.members if key in places]
        home = places.get(card.key) or min(linked, default=None)
        if home is None:
            continue
        number = home[0]
        position = min(place for chain, place in (*linked, home) if chain == number)
        rank = (card.closed, card.gone, position)
        held.setdefault(chains[number].first.id, []).append((rank, card))
    return {
        first: _standing_first([card for _, card in sorted(cards, key=lambda each: each[0])], asker)
        for first, cards in held.items()
    }


def _standing_first(cards: Sequence[OwnCard], asker: Asker) -> tuple[OwnCard, ...]:
    rivals = [card for card in cards if card.target_id and not (card.gone or card.closed)]
    if len(rivals) < 2:
        return tuple(cards)
    lost = [card for card in rivals if not asker.ask(ById(card.entity, card.target_id))]
    return (*(card for card in cards if card not in lost), *lost)
