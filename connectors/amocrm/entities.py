"""The two kinds of cards in amoCRM's words. What amoCRM calls a lead is a deal to us; it has no other leads."""

import msgspec

from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import Entity

WON, LOST = "142", "143"
"""Statuses that every pipeline has, under the same ids."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """`path`: in addresses. `others`: the kind that hangs on it, as `with` asks for it. `russian`: for a person."""

    entity: Entity
    path: str
    others: str
    russian: str


CONTACT = Kind(entity=Entity.CONTACT, path="contacts", others="leads", russian="контактах")
DEAL = Kind(entity=Entity.DEAL, path="leads", others="contacts", russian="сделках")

KINDS = (CONTACT, DEAL)
_BY_ENTITY = {kind.entity: kind for kind in KINDS}


def kind_of(entity: Entity) -> Kind:
    """Raises ConfigurationError for an entity that amoCRM has no cards of."""
    if entity not in _BY_ENTITY:
        raise ConfigurationError(f'В amoCRM нет карточек вида "{entity}": лиды там — сделки (deal)')
    return _BY_ENTITY[entity]
