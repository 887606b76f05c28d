"""The CRM's side: open cards of its own, and what happened to ours."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, delete, select

from kreslo.connectors.model import Card, Entity, Event, EventKind, Semantic
from kreslo.decisions.case import Role
from kreslo.journal import schema as t
from kreslo.journal.codec import pack_card
from kreslo.journal.model import Priority
from kreslo.journal.room import OBSERVED, PHONE, PHONE_CASE, Room
from kreslo.records import PhoneKind

EVENTS = "events"
LEADS = "leads"
_CLOSED = {Semantic.WON, Semantic.LOST}
_PENDING = (
    select(t.events)
    .where(t.events.c.bridge == bindparam("here"))
    .order_by(t.events.c.received_at, t.events.c.entity, t.events.c.id)
    .limit(bindparam("most", type_=Integer))
)


class Observing(Room):
    def observe(self, cards: Sequence[Card], now: datetime) -> int:
        """Remember open cards of the CRM's own and mark the cases of their phones, with "leads" to look at again. A card
        that is ours is left out, unless only its stage is; one that is closed is forgotten; one that is as it was marks
        nothing. Returns how many were news.
        """
        with self._writing() as conn:
            pairs = [(card.entity, card.id) for card in cards]
            ours = {pair for pair, row in self._owned(conn, pairs).items() if row.role != Role.WATCHED}
            strange = [card for card in cards if (card.entity, card.id) not in ours]
            known = self._digests(conn, strange)
            touched: set[str] = set()
            first: dict[str, bytes] = {}
            rows = []
            for card in strange:
                if card.semantic in _CLOSED:
                    continue
                body = pack_card(card)
                digest = self._box.digest(body)
                if known.get((card.entity, card.id)) == digest:
                    continue
                touched |= self._phones_of(conn, card.entity, [card.id]).get(card.id, set())
                numbers = [phone.e164 for phone in card.phones if phone.kind is not PhoneKind.TOLL_FREE]
                touched |= {self._phone_token(number) for number in numbers}
                if numbers:
                    key = PHONE_CASE + self._phone_token(numbers[0])
                    first[key] = self._box.seal_text(numbers[0], PHONE)
                self._index_phones(conn, card.entity, {card.id: card.phones})
                rows.append(
                    {
                        "bridge": self._bridge,
                        "entity": card.entity,
                        "id": card.id,
                        "digest": digest,
                        "seen_at": now,
                        "body": self._box.seal(body, OBSERVED),
                    }
                )
            self._put(conn, t.observed, rows)
            self._mark_phones(conn, touched, now, first)
            closed = [card for card in strange if card.semantic in _CLOSED]
            for entity in {card.entity for card in closed}:
                self._forget(conn, entity, [card.id for card in closed if card.entity is entity], now)
        return len(rows)

    def forget_observed(self, entity: Entity, ids: Collection[str], now: datetime | None = None) -> int:
        """These are closed, gone or ours now. The cases of their phones are decided again, at `now`, or at the instant at
        which the card was seen last. Returns how many there were.
        """
        with self._writing() as conn:
            return self._forget(conn, entity, ids, now)

    def observed_ids(self, entity: Entity) -> frozenset[str]:
        """Ids of the observed cards, to find those that the CRM lists no more."""
        query = select(t.observed.c.id).where(
            t.observed.c.bridge == self._bridge, t.observed.c.entity == entity
        )
        with self._reading() as conn:
            return frozenset(conn.execute(query).scalars())

    def touched(self, events: Sequence[Event], now: datetime, *, me: str = "") -> int:
        """Something happened to these cards: the cases of those that are ours are due, with the card's id to look at
        again. Returns how many cards that were. With `me` (our user's id_) given, an echo of our own write is dropped:
        ours, and not newer than our last confirmed write. An observed card that was deleted is forgotten.
        """
        latest = {(event.entity, event.id): event for event in events}
        with self._writing() as conn:
            owned = self._owned(conn, latest)
            hit: list[tuple[str, str]] = []
            for pair, row in owned.items():
                event = latest[pair]
                echo = (
                    me
                    and event.by == me
                    and event.kind is EventKind.CHANGED
                    and event.at is not None
                    and row.written_at is not None
                    and event.at <= row.written_at
                )
                if not echo:
                    hit.append((row.case_key, event.id))
            self._mark(conn, {key for key, _ in hit}, at=now, why="card", priority=Priority.LIVE)
            self._look_again(conn, hit)
            for entity in Entity:
                deleted = [
                    event.id
                    for event in latest.values()
                    if event.entity is entity and event.kind is EventKind.DELETED
                ]
                self._forget(conn, entity, deleted, now)
        return len(hit)

    def owners(self, pairs: Collection[tuple[Entity, str]]) -> dict[tuple[Entity, str], str]:
        """Which of these cards belong to which case: (entity, id) → case key."""
        with self._reading() as conn:
            return {pair: row.case_key for pair, row in self._owned(conn, pairs).items()}

    def event_cursor(self) -> datetime | None:
        """Where to ask the CRM for events from, None before the first time."""
        with self._reading() as conn:
            text = self._position(conn, EVENTS)
        return datetime.fromisoformat(text) if text else None

    def save_event_cursor(self, at: datetime) -> None:
        with self._writing() as conn:
            self._save_position(conn, EVENTS, at.isoformat())

    # --- the inbox of webhooks ----------------------------------------------------------------------------------

    def put_events(self, events: Sequence[Event], now: datetime) -> None:
        """Keep the events of a webhook before it is answered; one a card, the last one said. It may be called beside the
        others, from a thread of its own.
        """
        latest = {(event.entity, event.id): event for event in events}
        with self._writing() as conn:
            self._put(
                conn,
                t.events,
                [
                    {
                        "bridge": self._bridge,
                        "entity": event.entity,
                        "id": event.id,
                        "kind": event.kind,
                        "at": event.at,
                        "by": event.by,
                        "received_at": now,
                    }
                    for event in latest.values()
                ],
            )

    def pending_events(self, limit: int = 500) -> list[Event]:
        """What waits in the inbox, the oldest first. It stays there until `done_events`."""
        with self._reading() as conn:
            rows = conn.execute(_PENDING, {"here": self._bridge, "most": limit})
            return [
                Event(entity=Entity(row.entity), id=row.id, kind=EventKind(row.kind), at=row.at, by=row.by)
                for row in rows
            ]

    def done_events(self, events: Sequence[Event]) -> None:
        """These were handled; one that has come for the same card since stays."""
        with self._writing() as conn:
            for event in events:
                conn.execute(
                    delete(t.events).where(
                        t.events.c.bridge == self._bridge,
                        t.events.c.entity == event.entity,
                        t.events.c.id == event.id,
                        t.events.c.kind == event.kind,
                        t.events.c.by == event.by,
                        t.events.c.at.is_(None) if event.at is None else t.events.c.at == event.at,
                    )
                )

    # --- inside -------------------------------------------------------------------------------------------------

    def _owned(
        self, conn: Connection, pairs: Iterable[tuple[Entity, str]]
    ) -> dict[tuple[Entity, str], Row[Any]]:
        by_entity: dict[Entity, set[str]] = {}
        for entity, id_ in pairs:
            by_entity.setdefault(entity, set()).add(id_)
        found: dict[tuple[Entity, str], Row[Any]] = {}
        for entity, ids in by_entity.items():
            query = select(
                t.cards.c.key, t.cards.c.target_id, t.cards.c.case_key, t.cards.c.role, t.cards.c.written_at
            ).where(t.cards.c.bridge == self._bridge, t.cards.c.entity == entity)
            for row in self._gather(conn, query, t.cards.c.target_id, ids):
                found[entity, row.target_id] = row
        return found

    def _digests(self, conn: Connection, cards: Sequence[Card]) -> dict[tuple[Entity, str], str]:
        found: dict[tuple[Entity, str], str] = {}
        for entity in {card.entity for card in cards}:
            query = select(t.observed.c.id, t.observed.c.digest).where(
                t.observed.c.bridge == self._bridge, t.observed.c.entity == entity
            )
            ids = [card.id for card in cards if card.entity is entity]
            found |= {(entity, row.id): row.digest for row in self._gather(conn, query, t.observed.c.id, ids)}
        return found

    def _forget(self, conn: Connection, entity: Entity, ids: Collection[str], now: datetime | None) -> int:
        query = select(t.observed.c.id, t.observed.c.seen_at).where(
            t.observed.c.bridge == self._bridge, t.observed.c.entity == entity
        )
        found = {row.id: row.seen_at for row in self._gather(conn, query, t.observed.c.id, ids)}
        if not found:
            return 0
        of_each = self._phones_of(conn, entity, found)
        self._mark_phones(
            conn, {token for tokens in of_each.values() for token in tokens}, now or max(found.values()), {}
        )
        self._remove(conn, t.observed, t.observed.c.id, found, t.observed.c.entity == entity)
        self._remove(conn, t.phones, t.phones.c.id, found, t.phones.c.kind == entity)
        return len(found)

    def _mark_phones(
        self, conn: Connection, tokens: set[str], now: datetime, first: dict[str, bytes]
    ) -> None:
        """The phone cases in `first` (made where there is none), the others of these phones, and the patients'."""
        keys = self._existing(conn, {PHONE_CASE + token for token in tokens}) | set(first)
        keys |= self._patient_cases_with(conn, tokens)
        self._mark(conn, keys, at=now, why="lead", priority=Priority.LIVE, sealed_phones=first)
        self._look_again(conn, [(key, LEADS) for key in keys])
