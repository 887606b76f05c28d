"""Contacts, deals and leads in memory, with indexes that are made when a filter first asks for them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import Any

from connectors.bitrix24.sandbox.fields import MULTI_FIELDS
from connectors.bitrix24.sandbox.filters import Condition, Group, compiled
from connectors.bitrix24.sandbox.phones import email_code, phone_code


class Kind(Enum):
    """The value is the portal's entityTypeId."""

    LEAD = 1
    DEAL = 2
    CONTACT = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def stage_field(self) -> str:
        return {"LEAD": "STATUS_ID", "DEAL": "STAGE_ID"}.get(self.name, "")

    @property
    def semantic_field(self) -> str:
        return {"LEAD": "STATUS_SEMANTIC_ID", "DEAL": "STAGE_SEMANTIC_ID"}.get(self.name, "")


class MultiValue:
    """One phone, e-mail or such of a card; the id is the portal's own and unique in it."""

    __slots__ = ("id", "type", "value", "value_type")

    def __init__(self, id: int, type: str, value_type: str, value: str) -> None:  # noqa: A002
        self.id = id
        self.type = type
        self.value_type = value_type
        self.value = value


class ContactLink:
    __slots__ = ("contact_id", "primary", "role", "sort")

    def __init__(self, contact_id: int, sort: int, *, primary: bool, role: int = 0) -> None:
        self.contact_id = contact_id
        self.sort = sort
        self.primary = primary
        self.role = role


class Card:
    """One contact, deal or lead. `fields` by legacy code; CONTACT_ID follows the primary link."""

    __slots__ = ("contacts", "fields", "id", "kind", "multi")

    def __init__(self, kind: Kind, id: int, fields: dict[str, Any]) -> None:  # noqa: A002
        self.kind = kind
        self.id = id
        self.fields = fields
        self.multi: list[MultiValue] = []
        self.contacts: list[ContactLink] = []
        fields["ID"] = id

    def read(self, code: str) -> Any:
        """A field's value for filters and orders; multi-fields as a list of their values."""
        if code in MULTI_FIELDS:
            return [row.value for row in self.multi if row.type == code]
        if code == "CONTACT_IDS":
            return [link.contact_id for link in self.contacts]
        return self.fields.get(code)


class CardStore:
    """All cards of one kind. Ids only grow."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._cards: dict[int, Card] = {}
        self._ids: list[int] = []
        self._indexes: dict[str, dict[Any, set[int]]] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def get(self, card_id: int) -> Card | None:
        return self._cards.get(card_id)

    def put(self, card: Card) -> None:
        """Take in a new card."""
        self._cards[card.id] = card
        self._ids.append(card.id)
        for code in self._indexes:
            self._index(card, code)

    def remove(self, card: Card) -> None:
        for code in self._indexes:
            self._unindex(card, code)
        del self._cards[card.id]
        del self._ids[bisect_left(self._ids, card.id)]

    def changing(self, card: Card) -> "_Change":
        """A context in which a card's fields, phones and links may change: indexes follow."""
        return _Change(self, card)

    def holding(self, code: str, value: Any) -> set[int]:
        """Ids of the cards whose field equals the value (for lists: holds it)."""
        return self._index_of(code).get(value, set())

    def select(self, group: Group, limit: int | None = None) -> list[Card]:
        """The cards that pass, by id; the first `limit` of them."""
        test = compiled(group)
        candidates = map(self._cards.__getitem__, self._candidates(group))
        return list(islice((card for card in candidates if test is None or test(card.read)), limit))

    def _candidates(self, group: Group) -> list[int]:
        narrowest: Iterable[int] | None = None
        size = 0
        low, high = 0, len(self._ids)
        for part in () if group.any_of else group.parts:
            if not isinstance(part, Condition):
                continue
            if part.field.code == "ID" and part.op in {">", ">=", "<", "<="} and part.value is not None:
                if part.op[0] == ">":
                    low = max(low, (bisect_right if part.op == ">" else bisect_left)(self._ids, part.value))
                else:
                    high = min(high, (bisect_left if part.op == "<" else bisect_right)(self._ids, part.value))
            elif part.op == "=" and None not in part.value:
                found = self._equal(part)
                if narrowest is None or len(found) < size:
                    narrowest, size = found, len(found)
        if narrowest is not None:
            return sorted(narrowest)
        return self._ids[low:high]

    def _equal(self, part: Condition) -> set[int]:
        if part.field.code == "ID":
            return {card_id for card_id in part.value if card_id in self._cards}
        index = self._index_of(part.field.code)
        found: set[int] = set()
        for value in part.value:
            found |= index.get(value, set())
        return found

    def _index_of(self, code: str) -> dict[Any, set[int]]:
        if code not in self._indexes:
            self._indexes[code] = {}
            for card in self._cards.values():
                self._index(card, code)
        return self._indexes[code]

    def _index(self, card: Card, code: str) -> None:
        for value in _keys(card, code):
            self._indexes[code].setdefault(value, set()).add(card.id)

    def _unindex(self, card: Card, code: str) -> None:
        for value in _keys(card, code):
            holders = self._indexes[code].get(value)
            if holders is not None:
                holders.discard(card.id)
                if not holders:
                    del self._indexes[code][value]

    def unindex_all(self, card: Card) -> None:
        for code in self._indexes:
            self._unindex(card, code)

    def index_all(self, card: Card) -> None:
        for code in self._indexes:
            self._index(card, code)


class _Change:
    def __init__(self, store: CardStore, card: Card) -> None:
        self._store = store
        self._card = card

    def __enter__(self) -> None:
        self._store.unindex_all(self._card)

    def __exit__(self, *raised: object) -> None:
        self._store.index_all(self._card)


def _keys(card: Card, code: str) -> list[Any]:
    if code.startswith("CODE:"):
        return _match_codes(card, code.removeprefix("CODE:"))
    value = card.read(code)
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def _match_codes(card: Card, kind: str) -> list[str]:
    code = phone_code if kind == "PHONE" else email_code
    return [code(row.value) for row in card.multi if row.type == kind]
