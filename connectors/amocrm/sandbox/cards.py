"""Leads, contacts and companies, and the order in which lists give them."""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import msgspec

WON, LOST = 142, 143


class Kind(Enum):
    """Of cards, by the word in addresses."""

    LEAD = "leads"
    CONTACT = "contacts"
    COMPANY = "companies"

    @property
    def one(self) -> str:
        """The singular, as events and webhook settings have it."""
        return {"leads": "lead", "contacts": "contact", "companies": "company"}[self.value]

    @property
    def element_type(self) -> int:
        """The number of the kind in webhooks."""
        return {"contacts": 1, "leads": 2, "companies": 3}[self.value]


class Cell(msgspec.Struct, frozen=True):
    """One value of a custom field."""

    value: Any
    enum_id: int | None = None
    enum_code: str | None = None


class Tag(msgspec.Struct, frozen=True):
    id: int
    name: str


class ContactLink(msgspec.Struct, frozen=True):
    contact_id: int
    is_main: bool


class Card(msgspec.Struct, kw_only=True, eq=False):
    """Times in unix seconds. `contacts` are a lead's; `company_id` is that of a lead or a contact."""

    kind: Kind
    id: int
    name: str
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    custom: dict[int, list[Cell]]
    tags: list[Tag]
    price: int = 0
    pipeline_id: int = 0
    status_id: int = 0
    loss_reason_id: int | None = None
    closed_at: int | None = None
    contacts: list[ContactLink] = []
    company_id: int | None = None
    first_name: str = ""
    last_name: str = ""
    is_unsorted: bool = False
    deleted_at: int | None = None

    @property
    def closed(self) -> bool:
        return self.status_id in {WON, LOST}


class Store:
    """Cards of one kind. Those in the trash stand apart; a merged one stands nowhere."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.trash: dict[int, Card] = {}
        self._cards: dict[int, Card] = {}
        self._recent: dict[int, Card] = {}  # by updated_at; who is written last goes to the end
        self._disordered = False
        self._places: dict[tuple[int, int], set[int]] = {}
        self._leads_of: dict[tuple[Kind, int], set[int]] = {}

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[Card]:
        """By id."""
        return iter(self._cards.values())

    def get(self, card_id: int) -> Card | None:
        return self._cards.get(card_id)

    def recent(self) -> dict[int, Card]:
        """By updated_at, the oldest first."""
        if self._disordered:
            in_order = sorted(self._cards.values(), key=lambda card: (card.updated_at, card.id))
            self._recent = {card.id: card for card in in_order}
            self._disordered = False
        return self._recent

    def put(self, card: Card) -> None:
        """Add a card, or note that it was written."""
        self._cards[card.id] = card
        last = next(reversed(self._recent.values()), None)
        self._disordered = self._disordered or (last is not None and card.updated_at < last.updated_at)
        self._recent.pop(card.id, None)
        self._recent[card.id] = card

    def remove(self, card: Card, *, to_trash: bool) -> None:
        del self._cards[card.id]
        self._recent.pop(card.id, None)
        self.leave(card)
        self.unlink(card)
        if to_trash:
            self.trash[card.id] = card

    def stand(self, card: Card) -> None:
        """A lead has come to its stage."""
        self._places.setdefault((card.pipeline_id, card.status_id), set()).add(card.id)

    def leave(self, card: Card) -> None:
        self._places.get((card.pipeline_id, card.status_id), set()).discard(card.id)

    def on_stage(self, pipeline_id: int, status_id: int) -> set[int]:
        return self._places.get((pipeline_id, status_id), set())

    def link(self, card: Card) -> None:
        """Note whom the card hangs on."""
        for key in _links(card):
            self._leads_of.setdefault(key, set()).add(card.id)

    def unlink(self, card: Card) -> None:
        for key in _links(card):
            self._leads_of.get(key, set()).discard(card.id)

    def of(self, kind: Kind, card_id: int) -> list[Card]:
        """Cards of this store that hang on that one, by id."""
        ids = sorted(self._leads_of.get((kind, card_id), ()))
        return [card for one in ids if (card := self._cards.get(one))]


def _links(card: Card) -> Iterable[tuple[Kind, int]]:
    for link in card.contacts:
        yield Kind.CONTACT, link.contact_id
    if card.company_id is not None:
        yield Kind.COMPANY, card.company_id
