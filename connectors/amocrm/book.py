"""What the account holds, remembered: whose key, whose phone, who hangs on whom. One walk over the account instead of a
question a card; kept true by our own writes and by what has changed since.

It names candidates only. Each is read again, as it is now, before it is answered with.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connectors.amocrm.cards import key_of, leads_of, linked, name_of, phone_texts, phones_of
from connectors.amocrm.entities import CONTACT, Kind
from connectors.amocrm.schema import Schema
from kreslo.connectors.model import Entity
from kreslo.connectors.numbers import comparable, phones_in
from kreslo.records import Phone


class _Line(msgspec.Struct, frozen=True):
    key: str = ""
    ends: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()
    others: tuple[str, ...] = ()
    name: str = ""


class Book:
    """`complete`: it knows every card there was at the last walk. `until`: the instant (unix seconds, the account's
    clock) up to which changes have been read. `read_at`: when that was, by our monotonic clock. `own_writes`: cards that
    we have written since. `asked`: searches that have been wanted so far, which a walk would spare; `too_many`: pages
    that a walk has been given up for.
    """

    def __init__(self) -> None:
        self.complete = False
        self.until = 0.0
        self.read_at = 0.0
        self.own_writes = 0
        self.asked = 0
        self.too_many = 0
        self._lines: dict[Entity, dict[str, _Line]] = {Entity.CONTACT: {}, Entity.DEAL: {}}
        self._keys: dict[Entity, dict[str, set[str]]] = {Entity.CONTACT: {}, Entity.DEAL: {}}
        self._ends: dict[str, set[str]] = {}
        self._deals: dict[str, set[str]] = {}

    def read(self, kind: Kind, row: Mapping[str, Any], schema: Schema) -> None:
        """Take in a card as the account gives it (with what hangs on it)."""
        if kind is CONTACT:
            ends = tuple(end for text in phone_texts(row, schema) if (end := comparable(text)))
            line = _Line(key_of(row, kind, schema), ends, phones_of(row, schema), leads_of(row), name_of(row))
        else:
            line = _Line(key_of(row, kind, schema), others=linked(row))
        self._put(kind.entity, str(row["id"]), line)

    def wrote(
        self,
        entity: Entity,
        card: str,
        *,
        key: str = "",
        phones: Iterable[str] | None = None,
        contacts: tuple[str, ...] | None = None,
        name: str = "",
    ) -> None:
        """Take in what we have just written; None and "" leave what was known."""
        self.own_writes += 1
        known = self._lines[entity].get(card, _Line())
        others = known.others if contacts is None else contacts
        line = _Line(key or known.key, known.ends, known.phones, others, name or known.name)
        if phones is not None:
            texts = tuple(phones)
            ends = tuple(end for text in texts if (end := comparable(text)))
            found = {phone.e164: phone for text in texts for phone in phones_in(text)}
            line = msgspec.structs.replace(line, ends=ends, phones=tuple(found.values()))
        self._put(entity, card, line)

    def forget(self, entity: Entity, card: str) -> None:
        line = self._lines[entity].pop(card, None)
        if line is not None:
            self._drop(entity, card, line)

    def by_key(self, entity: Entity, key: str) -> frozenset[str]:
        return frozenset(self._keys[entity].get(key, ()))

    def by_phone(self, phones: Iterable[str]) -> frozenset[str]:
        """Contacts that may hold one of the numbers."""
        ends = {comparable(phone) for phone in phones} - {""}
        return frozenset(card for end in ends for card in self._ends.get(end, ()))

    def deals_of(self, contact: str) -> frozenset[str]:
        return frozenset(self._deals.get(contact, ()))

    def phones(self, contact: str) -> tuple[Phone, ...] | None:
        """None: the contact is not known."""
        line = self._lines[Entity.CONTACT].get(contact)
        return None if line is None else line.phones

    def name(self, contact: str) -> str:
        return self._lines[Entity.CONTACT].get(contact, _Line()).name

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._lines.values())

    def _put(self, entity: Entity, card: str, line: _Line) -> None:
        before = self._lines[entity].get(card)
        if before == line:
            return
        if before is not None:
            self._drop(entity, card, before)
        self._lines[entity][card] = line
        if line.key:
            self._keys[entity].setdefault(line.key, set()).add(card)
        for end in line.ends:
            self._ends.setdefault(end, set()).add(card)
        for contact, deal in _pairs(entity, card, line):
            self._deals.setdefault(contact, set()).add(deal)

    def _drop(self, entity: Entity, card: str, line: _Line) -> None:
        self._keys[entity].get(line.key, set()).discard(card)
        for end in line.ends:
            self._ends.get(end, set()).discard(card)
        for contact, deal in _pairs(entity, card, line):
            self._deals.get(contact, set()).discard(deal)


def _pairs(entity: Entity, card: str, line: _Line) -> list[tuple[str, str]]:
    if entity is Entity.CONTACT:
        return [(card, other) for other in line.others]
    return [(other, card) for other in line.others]
