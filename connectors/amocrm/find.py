"""Answers to lookups: few requests, and every card re-checked against its condition."""

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.amocrm.book import Book
from connectors.amocrm.cards import (
    card_of,
    cells_of,
    instant,
    key_of,
    leads_of,
    name_of,
    phone_texts,
    phones_of,
)
from connectors.amocrm.client import PAGE, Client
from connectors.amocrm.entities import CONTACT, DEAL, KINDS, Kind, kind_of
from connectors.amocrm.fields import Field
from connectors.amocrm.listing import Row, by_ids, changed, listed
from connectors.amocrm.options import AmocrmOptions
from connectors.amocrm.schema import Schema
from connectors.amocrm.wire import chunks
from kreslo.connectors.errors import ConfigurationError, DataError
from kreslo.connectors.model import (
    ByContact,
    ByField,
    ById,
    ByKey,
    ByMarker,
    ByPhone,
    Card,
    CreatedSince,
    Entity,
    Found,
    Lookup,
    Semantic,
)
from kreslo.connectors.numbers import comparable
from kreslo.connectors.seams import Clock
from kreslo.records import Phone

_SLACK = 5.0  # seconds: the account's clock is known to one or two, and a wider listing is safe, a narrower one is not
_FRESH = 20.0  # seconds for which the book is taken as true without asking what has changed
_WALK_FROM = 40  # questions, since the start, from which one walk over the account is cheaper
_FEWEST_PAGES = 100
_VALUES = 50  # of one filter by a custom field


class Finder:
    """One round of lookups: rows are read once, whichever lookups want them."""

    def __init__(
        self, client: Client, clock: Clock, schema: Schema, options: AmocrmOptions, book: Book
    ) -> None:
        self._client = client
        self._clock = clock
        self._schema = schema
        self._options = options
        self._book = book
        self._rows: dict[Entity, dict[str, Row]] = {kind.entity: {} for kind in KINDS}
        self._asked: dict[Entity, set[str]] = {kind.entity: set() for kind in KINDS}
        # Many lookups want the same cards: what a probe asks after an outage overlaps.
        self._built: dict[tuple[Entity, str], Card] = {}

    async def find(self, lookups: Sequence[Lookup]) -> list[Found]:
        """Answers in the order of the lookups."""
        self._check_keys(lookups)
        await self._since(lookups)
        await self._search(lookups)
        await self._fetch(CONTACT, self._contact_ids(lookups))
        await self._fetch(DEAL, self._deal_ids(lookups))
        await self._people_of_deals(lookups)
        self._built.clear()  # what was built before the contacts were read lacks their phones
        notes = {one: await self._marked(one) for one in lookups if isinstance(one, ByMarker)}
        at = self._clock.now()
        return [
            Found(one, notes[one] if isinstance(one, ByMarker) else tuple(self._matching(one)), at)
            for one in lookups
        ]

    def _check_keys(self, lookups: Sequence[Lookup]) -> None:
        for entity in {one.entity for one in lookups if isinstance(one, ByKey)}:
            if self._schema.key_field(entity) is None:
                raise ConfigurationError(
                    f"В amoCRM нет поля {self._options.key_field} в {kind_of(entity).russian}: выполните kreslo setup"
                )

    # --- rows by time --------------------------------------------------------------------------------------------

    async def _since(self, lookups: Sequence[Lookup]) -> None:
        for kind in KINDS:
            asked = [
                one.since for one in lookups if isinstance(one, CreatedSince) and one.entity is kind.entity
            ]
            if not asked:
                continue
            # The border may or may not belong to the window. What stands on it is no sign of a filter that was ignored:
            # an import makes fifty cards a second, and all that came may be of that second.
            border = int(min(asked).timestamp() - _SLACK) - 1

            def fits(row: Row, border: int = border) -> bool:
                return int(row.get("created_at") or 0) >= border

            rows = await listed(
                self._client, self._clock, kind, {"filter": {"created_at": {"from": border}}}, fits
            )
            self._take(kind, rows or ())

    # --- candidates by key, field and phone -------------------------------------------------------------------------

    async def _search(self, lookups: Sequence[Lookup]) -> None:
        keys = {one for one in lookups if isinstance(one, ByKey)}
        phones = {
            phone for one in lookups if isinstance(one, ByPhone) for phone in one.phones if comparable(phone)
        }
        for one in dict.fromkeys(one for one in lookups if isinstance(one, ByField)):
            field = self._schema.field(one.entity, one.code)
            if field is None or not field.id:
                raise ConfigurationError(f"В amoCRM нет поля {one.code} в {kind_of(one.entity).russian}")
            await self._by_value(kind_of(one.entity), field, [one.value])
        if not keys and not phones:
            return
        filtered = self._schema.filters and not phones
        self._book.asked += 0 if filtered else len(keys) + len(phones)
        if not self._book.complete and self._book.asked >= _WALK_FROM:
            await walk(self._client, self._clock, self._schema, self._book)
        if self._book.complete:
            if self._clock.monotonic() - self._book.read_at > _FRESH:
                await refresh(self._client, self._clock, self._schema, self._book)
            return
        await self._recent(keys, phones)
        for kind in KINDS:
            field = self._schema.key_field(kind.entity)
            asked = sorted({one.key for one in keys if one.entity is kind.entity})
            if field is not None:
                await self._by_value(kind, field, asked)
        for end in sorted({comparable(phone) for phone in phones}):
            await self._query(CONTACT, end)

    async def _recent(self, keys: Iterable[ByKey], phones: Iterable[str]) -> None:
        """What the search may not know of yet: it learns of a write some seconds later."""
        since = self._client.now().timestamp() - self._options.index_lag - _SLACK
        asked = {one.entity for one in keys} | ({Entity.CONTACT} if phones else set())
        for kind in (each for each in KINDS if each.entity in asked):
            self._take(kind, await changed(self._client, self._clock, kind, self._schema, since))

    async def _by_value(self, kind: Kind, field: Field, values: Sequence[str]) -> None:
        """By the exact filter, where the account has it; else by the search, which gives more than was asked for."""
        if not self._schema.filters:
            for value in values:
                await self._query(kind, value)
            return
        for part in chunks(list(values), _VALUES):
            wanted = frozenset(part)

            def fits(row: Row, wanted: frozenset[str] = wanted) -> bool:
                return any(str(cell.get("value")) in wanted for cell in cells_of(row).get(field.id, ()))

            condition = {"custom_fields_values": {str(field.id): part}}
            self._take(kind, await listed(self._client, self._clock, kind, {"filter": condition}, fits) or ())

    async def _query(self, kind: Kind, text: str) -> None:
        rows = await self._client.pages(kind.path, kind.path, {"query": text, "with": kind.others})
        self._book.asked += len(rows) // PAGE
        self._take(kind, rows)

    def _take(self, kind: Kind, rows: Iterable[Row]) -> None:
        for row in rows:
            self._rows[kind.entity][str(row["id"])] = row
            self._book.read(kind, row, self._schema)

    # --- rows by id -------------------------------------------------------------------------------------------------

    def _contact_ids(self, lookups: Sequence[Lookup]) -> set[str]:
        wanted: set[str] = set()
        for one in lookups:
            match one:
                case ById(Entity.CONTACT, card):
                    wanted.add(card)
                case ByKey(Entity.CONTACT, key):
                    wanted |= self._book.by_key(Entity.CONTACT, key)
                case ByPhone(_, phones):
                    wanted |= self._book.by_phone(phones)
                case ByContact(_, contact):
                    wanted.add(contact)
                case _:
                    pass
        return wanted

    def _deal_ids(self, lookups: Sequence[Lookup]) -> set[str]:
        wanted: set[str] = set()
        for one in lookups:
            match one:
                case ById(Entity.DEAL, card):
                    wanted.add(card)
                case ByKey(Entity.DEAL, key):
                    wanted |= self._book.by_key(Entity.DEAL, key)
                case ByPhone(Entity.DEAL, phones):
                    for contact in self._holders(phones):
                        wanted |= self._deals_of(contact)
                case ByContact(Entity.DEAL, contact):
                    wanted |= self._deals_of(contact)
                case _:
                    pass
        return wanted

    def _holders(self, phones: Iterable[str]) -> set[str]:
        """Contacts with one of the numbers, of those that were read."""
        ends = {comparable(phone) for phone in phones} - {""}
        return {
            card
            for card in self._candidates(phones)
            if ends
            & {comparable(text) for text in phone_texts(self._rows[Entity.CONTACT][card], self._schema)}
        }

    def _candidates(self, phones: Iterable[str]) -> set[str]:
        return {card for card in self._book.by_phone(phones) if card in self._rows[Entity.CONTACT]}

    def _deals_of(self, contact: str) -> set[str]:
        row = self._rows[Entity.CONTACT].get(contact)
        return {*self._book.deals_of(contact), *(leads_of(row) if row else ())}

    async def _fetch(self, kind: Kind, wanted: Iterable[str]) -> None:
        """Read them as they are now. What is not there any more is forgotten."""
        known = self._asked[kind.entity] | self._rows[kind.entity].keys()
        missing = sorted({one for one in wanted if one.isdecimal()} - known, key=int)
        self._asked[kind.entity].update(missing)
        self._take(kind, await by_ids(self._client, kind, missing))
        for one in missing:
            if one not in self._rows[kind.entity]:
                self._book.forget(kind.entity, one)

    async def _people_of_deals(self, lookups: Sequence[Lookup]) -> None:
        """The phones of a deal are those of its contacts; the book has them, where it is complete."""
        wanted: set[str] = set()
        for one in lookups:
            if not isinstance(one, ByMarker) and one.entity is Entity.DEAL:
                wanted.update(contact for card in self._matching(one) for contact in card.contacts)
        if self._book.complete:
            wanted = {one for one in wanted if self._book.phones(one) is None}
        await self._fetch(CONTACT, wanted)

    # --- answers ----------------------------------------------------------------------------------------------------

    def _matching(self, lookup: Lookup) -> list[Card]:
        match lookup:
            case ById(entity, one):
                found = [self._card(entity, one)] if one in self._rows[entity] else []
            case ByKey(entity, key):
                cards = (
                    self._card(entity, one) for one in self._known(entity, self._book.by_key(entity, key))
                )
                found = [card for card in cards if card.key == key]
            case ByField(entity, code, value):
                cards = (self._card(entity, one) for one in self._rows[entity])
                found = [card for card in cards if str(card.fields.get(code) or "") == value]
            case ByPhone(Entity.CONTACT, phones):
                found = [self._card(Entity.CONTACT, one) for one in self._holders(phones)]
            case ByPhone(entity, phones, open_only):
                found = [
                    card for one in self._holders(phones) for card in self._hanging(entity, one, open_only)
                ]
            case ByContact(entity, contact, open_only):
                found = self._hanging(entity, contact, open_only)
            case CreatedSince(entity, since):
                least = int(since.timestamp() - _SLACK)
                found = [
                    self._card(entity, one)
                    for one, row in self._rows[entity].items()
                    if int(row.get("created_at") or 0) >= least
                ]
            case _:
                found = []
        unique = {card.id: card for card in found}
        return sorted(unique.values(), key=lambda card: int(card.id))

    def _hanging(self, entity: Entity, contact: str, open_only: bool) -> list[Card]:
        if entity is not Entity.DEAL:
            return []
        cards = (self._card(entity, one) for one in self._known(entity, self._deals_of(contact)))
        return [card for card in cards if contact in card.contacts and _wanted(card, open_only)]

    def _known(self, entity: Entity, ids: Iterable[str]) -> list[str]:
        return [one for one in ids if one in self._rows[entity]]

    def _card(self, entity: Entity, one: str) -> Card:
        known = self._built.get((entity, one))
        if known is None:
            known = self._built[entity, one] = self._build(entity, one)
        return known

    def _build(self, entity: Entity, one: str) -> Card:
        row = self._rows[entity][one]
        card = card_of(kind_of(entity), row, self._schema)
        if entity is not Entity.DEAL or not card.contacts:
            return card
        phones = {phone.e164: phone for contact in card.contacts for phone in self._phones(contact)}
        return card_of(DEAL, row, self._schema, tuple(phones.values()), self._name(card.contacts[0]))

    def _name(self, contact: str) -> str:
        row = self._rows[Entity.CONTACT].get(contact)
        return name_of(row) if row is not None else self._book.name(contact)

    def _phones(self, contact: str) -> tuple[Phone, ...]:
        row = self._rows[Entity.CONTACT].get(contact)
        return phones_of(row, self._schema) if row is not None else self._book.phones(contact) or ()

    # --- notes and tasks --------------------------------------------------------------------------------------------

    async def _marked(self, lookup: ByMarker) -> tuple[Card, ...]:
        if not lookup.id.isdecimal():
            return ()
        kind = kind_of(lookup.entity)
        if lookup.task:
            path, name = "tasks", "tasks"
            condition: dict[str, Any] = {"entity_type": kind.path, "entity_id": [lookup.id]}
        else:
            path, name = f"{kind.path}/{lookup.id}/notes", "notes"
            condition = {"note_type": ["common"]}
        try:
            rows = await self._client.pages(path, name, {"filter": condition, "order": {"id": "desc"}})
        except DataError:
            return ()  # the card is gone, and its notes with it
        return tuple(
            Card(entity=lookup.entity, id=str(row["id"]), created_at=instant(row.get("created_at")))
            for row in rows
            if _is_note(lookup, kind, row)
        )


def _is_note(lookup: ByMarker, kind: Kind, row: Row) -> bool:
    if str(row.get("entity_id")) != lookup.id:
        return False
    if lookup.task:
        return row.get("entity_type") == kind.path and lookup.marker in str(row.get("text") or "")
    params = row.get("params")
    return isinstance(params, dict) and lookup.marker in str(params.get("text") or "")


def _wanted(card: Card, open_only: bool) -> bool:
    return not open_only or card.semantic in (Semantic.OPEN, Semantic.UNSORTED)


async def walk(client: Client, clock: Clock, schema: Schema, book: Book) -> None:
    """Read the whole account into the book, unless that takes many more requests than have been asked for so far."""
    most = max(_FEWEST_PAGES, 2 * book.asked)
    if most <= book.too_many:
        return
    started = client.now().timestamp()
    for kind in KINDS:

        def take(row: Row, kind: Kind = kind) -> bool:
            book.read(kind, row, schema)
            return False  # the book keeps what it needs; the rows of a large account need not stay in memory

        if await listed(client, clock, kind, {}, take, most=most) is None:
            book.too_many = 2 * most
            return
    book.complete = True
    book.until = started
    book.read_at = clock.monotonic()
    book.own_writes = 0


async def keys_of(
    client: Client, clock: Clock, kind: Kind, schema: Schema, book: Book, prefix: str
) -> dict[str, str]:
    """The key by id of every card whose key begins with `prefix`."""
    found: dict[str, str] = {}

    def take(row: Row) -> bool:
        book.read(kind, row, schema)
        if (key := key_of(row, kind, schema)).startswith(prefix):
            found[str(row["id"])] = key
        return False

    await listed(client, clock, kind, {}, take)
    return found


async def refresh(client: Client, clock: Clock, schema: Schema, book: Book) -> None:
    """Take in what has changed since the book was last read."""
    started, moment = client.now().timestamp(), clock.monotonic()
    for kind in KINDS:
        rows = await changed(client, clock, kind, schema, book.until, others_only=book.own_writes > PAGE)
        for row in rows:
            book.read(kind, row, schema)
    book.until, book.read_at, book.own_writes = started, moment, 0
