"""Answers to lookups: few requests, and every card re-checked against its condition."""

import asyncio
import html
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.bitrix24.answers import Refusal
from connectors.bitrix24.cards import card_of, instant, linked, selection
from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import CONTACT, DEAL, KINDS, LEAD, Kind, kind_of
from connectors.bitrix24.listing import PAGE, Query, chunks, item_query, one_of, read_all
from connectors.bitrix24.phonebook import Phonebook, row_ends
from connectors.bitrix24.schema import Schema
from connectors.bitrix24.wire import Call, rows
from kreslo.connectors.errors import ConfigurationError
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

_SLACK = timedelta(seconds=5)
"""A wider listing is safe, a narrower one is not, and the portal's clock is known as of its last answer."""

Row = dict[str, Any]


class Finder:
    """One round of lookups: rows are read once, whichever lookups want them."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        schema: Schema,
        key_field: str,
        phonebooks: Mapping[Entity, Phonebook],
    ) -> None:
        self._phonebooks = phonebooks
        self._client = client
        self._clock = clock
        self._schema = schema
        self._key_field = key_field
        self._rows: dict[Entity, dict[str, Row]] = {kind.entity: {} for kind in KINDS}
        self._asked: dict[Entity, set[str]] = {kind.entity: set() for kind in KINDS}
        self._links: dict[Entity, dict[str, tuple[str, ...]]] = {kind.entity: {} for kind in KINDS}

    async def find(self, lookups: Sequence[Lookup]) -> list[Found]:
        """Answers in the order of the lookups."""
        await together(self._by_query(lookups), self._by_phone(lookups))
        await self._by_contact(lookups)
        await self._link()
        notes = await self._notes([lookup for lookup in lookups if isinstance(lookup, ByMarker)])
        at = self._clock.now()
        return [
            Found(
                lookup, notes[lookup] if isinstance(lookup, ByMarker) else tuple(self._matching(lookup)), at
            )
            for lookup in lookups
        ]

    # --- rows by id, key, time ------------------------------------------------------------------------------------

    async def _by_query(self, lookups: Sequence[Lookup]) -> None:
        queries: list[tuple[Kind, Query]] = []
        for kind in KINDS:
            ids = {
                one.id
                for one in lookups
                if isinstance(one, ById) and one.entity is kind.entity and one.id.isdecimal()
            }
            queries += [(kind, query) for query in self._id_queries(kind, ids)]
            keys = sorted(
                {one.key for one in lookups if isinstance(one, ByKey) and one.entity is kind.entity}
            )
            if keys and kind.entity not in self._schema.catalog.key_fields:
                raise ConfigurationError(
                    f"В портале нет поля {self._key_field} для карточек «{kind.word}»: выполните kreslo setup"
                )
            queries += [(kind, self._text_query(kind, self._key_field, part)) for part in chunks(keys)]
            queries += [(kind, query) for query in self._field_queries(kind, lookups)]
            since = [
                one.since for one in lookups if isinstance(one, CreatedSince) and one.entity is kind.entity
            ]
            if since:
                queries.append((kind, self._since_query(kind, _early(min(since)))))
        await self._pool(queries)

    async def _pool(self, queries: Sequence[tuple[Kind, Query]]) -> None:
        found = await read_all(self._client, [query for _, query in queries])
        for (kind, _), page in zip(queries, found, strict=True):
            self._rows[kind.entity].update({str(row["ID"]): row for row in page})

    def _id_queries(self, kind: Kind, ids: Iterable[str]) -> list[Query]:
        missing = sorted(set(ids) - self._asked[kind.entity])
        self._asked[kind.entity].update(missing)
        return [self._query(kind, {"@ID": part}, one_of("ID", part), len(part)) for part in chunks(missing)]

    def _field_queries(self, kind: Kind, lookups: Sequence[Lookup]) -> Iterable[Query]:
        wanted: dict[str, set[str]] = {}
        for one in lookups:
            if isinstance(one, ByField) and one.entity is kind.entity:
                wanted.setdefault(one.code, set()).add(one.value)
        for code, values in wanted.items():
            for part in chunks(sorted(values - {""})):
                yield self._text_query(kind, code, part)

    def _text_query(self, kind: Kind, code: str, texts: Sequence[str]) -> Query:
        asked = frozenset(
            text.casefold() for text in texts
        )  # the portal compares texts without regard to case

        def fits(row: Row) -> bool:
            if code not in row:
                # A filter by a field that is not there finds everything.
                fix = "выполните kreslo setup" if code == self._key_field else "исправьте adopt: в маппинге"
                raise ConfigurationError(f"В портале нет поля {code} для карточек «{kind.word}»: {fix}")
            return str(row[code] or "").casefold() in asked

        return self._query(kind, {f"@{code}": list(texts)}, fits, None)

    def _since_query(self, kind: Kind, since: datetime) -> Query:
        def fits(row: Row) -> bool:
            created = instant(row.get("DATE_CREATE"))
            return created is not None and created >= since

        return self._query(kind, {">=DATE_CREATE": since.isoformat(timespec="seconds")}, fits, None)

    def _query(self, kind: Kind, condition: dict[str, Any], fits: Any, most: int | None) -> Query:
        key = self._schema.catalog.key_fields.get(kind.entity, "")
        return Query(
            method=kind.method("list"), filter=condition, select=selection(kind, key), fits=fits, most=most
        )

    # --- rows by phone and by contact ---------------------------------------------------------------------------

    async def _by_phone(self, lookups: Sequence[Lookup]) -> None:
        asked = [one for one in lookups if isinstance(one, ByPhone)]
        phones = {phone for one in asked for phone in one.phones}
        queries = [
            (CONTACT, query)
            for query in self._id_queries(CONTACT, await self._owners(Entity.CONTACT, phones))
        ]
        of_leads = {phone for one in asked if one.entity is Entity.LEAD for phone in one.phones}
        queries += [
            (LEAD, query) for query in self._id_queries(LEAD, await self._owners(Entity.LEAD, of_leads))
        ]
        of_deals = sorted({phone for one in asked if one.entity is Entity.DEAL for phone in one.phones})
        if field := self._schema.phone_field:
            queries += [(DEAL, self._text_query(DEAL, field, part)) for part in chunks(of_deals)]
        await self._pool(queries)

    async def _owners(self, entity: Entity, phones: Iterable[str]) -> set[str]:
        return await self._phonebooks[entity].owners(phones, self._schema.catalog.me)

    async def _by_contact(self, lookups: Sequence[Lookup]) -> None:
        wanted: dict[Entity, set[str]] = {}
        for one in lookups:
            if isinstance(one, ByContact) and one.contact_id.isdecimal():
                wanted.setdefault(one.entity, set()).add(one.contact_id)
            elif isinstance(one, ByPhone) and one.entity is not Entity.CONTACT:
                wanted.setdefault(one.entity, set()).update(self._contacts_with(one.phones))
        queries: list[tuple[Kind, Query]] = []
        for entity, contacts in wanted.items():
            kind = kind_of(entity)
            items = await self._items_of(kind, sorted(contacts))
            queries += [(kind, query) for query in self._id_queries(kind, items)]
        await self._pool(queries)

    async def _items_of(self, kind: Kind, contacts: Sequence[str]) -> set[str]:
        """Ids of the deals (leads) that hang on one of the contacts, as their main one or not."""
        parts = chunks(contacts)
        if not parts:
            return set()
        replies = await self._client.ask_all(
            [_contact_query(kind, "contactIds", part).page(0) for part in parts[:1]]
        )
        # Not every portal lets items be filtered by all of their contacts; the main one can always be asked for.
        name = "contactId" if isinstance(replies[0], Refusal) else "contactIds"
        found = await read_all(self._client, [_contact_query(kind, name, part) for part in parts])
        for item in (item for page in found for item in page):
            self._links[kind.entity][str(item["id"])] = linked(item)
        return {str(item["id"]) for page in found for item in page}

    def _contacts_with(self, phones: Iterable[str]) -> set[str]:
        ends = {comparable(phone) for phone in phones} - {""}
        return {one for one, row in self._rows[Entity.CONTACT].items() if row_ends(row) & ends}

    async def _link(self) -> None:
        """Contacts of all deals and leads in the pool, the main one first."""
        queries: list[tuple[Entity, Query]] = []
        for kind in KINDS:
            if not kind.stage_code:
                continue
            missing = sorted(set(self._rows[kind.entity]) - set(self._links[kind.entity]))
            for part in chunks(missing):
                query = item_query(kind, {"@id": part}, one_of("id", part), len(part))
                queries.append((kind.entity, query))
        found = await read_all(self._client, [query for _, query in queries])
        for (entity, _), page in zip(queries, found, strict=True):
            self._links[entity].update({str(item["id"]): linked(item) for item in page})

    # --- answers ----------------------------------------------------------------------------------------------------

    def _matching(self, lookup: Lookup) -> Iterable[Card]:
        match lookup:
            case ById(entity, one):
                found = [self._card(entity, one)] if one in self._rows[entity] else []
            case ByKey(entity, key):
                found = [card for card in self._cards(entity) if card.key == key]
            case ByPhone(entity, phones, open_only):
                found = [card for card in self._phone_cards(entity, phones) if _wanted(card, open_only)]
            case ByContact(entity, contact, open_only):
                found = [
                    card
                    for card in self._cards(entity)
                    if contact in card.contacts and _wanted(card, open_only)
                ]
            case ByField(entity, code, value):
                found = [
                    card
                    for card in self._cards(entity)
                    if value and str(self._rows[entity][card.id].get(code) or "") == value
                ]
            case CreatedSince(entity, since):
                least = _early(since)
                found = [
                    card
                    for card in self._cards(entity)
                    if card.created_at is not None and card.created_at >= least
                ]
            case _:
                found = []
        return sorted(found, key=lambda card: int(card.id))

    def _phone_cards(self, entity: Entity, phones: Iterable[str]) -> list[Card]:
        ends = {comparable(phone) for phone in phones} - {""}
        holders = self._contacts_with(phones)
        return [
            card
            for card in self._cards(entity)
            if self._ends(entity, card.id) & ends or holders.intersection(card.contacts)
        ]

    def _ends(self, entity: Entity, one: str) -> set[str]:
        """The comparable digits of a card's own numbers; a deal's stand in a text field, if anywhere."""
        row = self._rows[entity][one]
        if entity is not Entity.DEAL:
            return row_ends(row)
        return {comparable(str(row.get(self._schema.phone_field) or ""))} - {""}

    def _cards(self, entity: Entity) -> list[Card]:
        return [self._card(entity, one) for one in self._rows[entity]]

    def _card(self, entity: Entity, one: str) -> Card:
        kind = kind_of(entity)
        key = self._schema.catalog.key_fields.get(entity, "")
        return card_of(kind, self._rows[entity][one], self._links[entity].get(one, ()), self._schema, key)

    # --- notes and tasks --------------------------------------------------------------------------------------------

    async def _notes(self, lookups: Sequence[ByMarker]) -> dict[Lookup, tuple[Card, ...]]:
        found: dict[Lookup, tuple[Card, ...]] = dict.fromkeys(lookups, ())
        starts = dict.fromkeys((one for one in lookups if one.id.isdecimal()), 0)
        while starts:
            replies = await self._client.ask_all([_note_call(one, start) for one, start in starts.items()])
            following: dict[ByMarker, int] = {}
            for one, reply in zip(starts, replies, strict=True):
                if isinstance(reply, Refusal) and reply.gone:
                    continue  # the card is gone, and its notes with it
                answer = accepted(reply, "notes")
                page = rows(answer.result)
                found[one] += tuple(_note_card(one, row) for row in page if _is_note(one, row))
                if answer.next is not None and len(page) >= PAGE:
                    following[one] = answer.next
            starts = following
        return found


async def together(*reading: Coroutine[Any, Any, None]) -> None:
    """At the same time, so that what they ask shares requests. Raises what the first of them raised, when all have ended."""
    for ended in await asyncio.gather(*reading, return_exceptions=True):
        if ended is not None:
            raise ended


def _early(since: datetime) -> datetime:
    return (since.astimezone(UTC) - _SLACK).replace(microsecond=0)


def _wanted(card: Card, open_only: bool) -> bool:
    return not open_only or card.semantic in (Semantic.OPEN, Semantic.UNSORTED)


def _contact_query(kind: Kind, name: str, contacts: Sequence[str]) -> Query:
    asked = frozenset(contacts)
    return item_query(kind, {f"@{name}": list(contacts)}, lambda item: not asked.isdisjoint(linked(item)))


def _note_call(lookup: ByMarker, start: int) -> Call:
    kind = kind_of(lookup.entity)
    if lookup.task:
        condition = {"OWNER_TYPE_ID": kind.type_id, "OWNER_ID": lookup.id}
        select = ["ID", "OWNER_TYPE_ID", "OWNER_ID", "SUBJECT", "DESCRIPTION", "CREATED"]
        return Call(
            "crm.activity.list",
            {"filter": condition, "select": select, "order": {"ID": "DESC"}, "start": start},
        )
    condition = {"ENTITY_ID": lookup.id, "ENTITY_TYPE": kind.word}
    select = ["ID", "ENTITY_ID", "ENTITY_TYPE", "CREATED", "COMMENT"]
    return Call(
        "crm.timeline.comment.list",
        {"filter": condition, "select": select, "order": {"ID": "DESC"}, "start": start},
    )


def _is_note(lookup: ByMarker, row: Row) -> bool:
    kind = kind_of(lookup.entity)
    if lookup.task:
        mine = str(row.get("OWNER_TYPE_ID")) == str(kind.type_id) and str(row.get("OWNER_ID")) == lookup.id
        text = f"{row.get('SUBJECT') or ''}\n{row.get('DESCRIPTION') or ''}"
    else:
        mine = str(row.get("ENTITY_ID")) == lookup.id and str(row.get("ENTITY_TYPE")).lower() == kind.word
        text = str(row.get("COMMENT") or "")
    return mine and lookup.marker in html.unescape(text)


def _note_card(lookup: ByMarker, row: Row) -> Card:
    return Card(entity=lookup.entity, id=str(row["ID"]), created_at=instant(row.get("CREATED")))
