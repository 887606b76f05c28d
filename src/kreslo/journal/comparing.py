"""What a comparison of MIS, journal and CRM asks of the journal."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, exists, or_, select

from kreslo.connectors.model import Entity
from kreslo.journal import schema as t
from kreslo.journal.model import IntentState, Priority
from kreslo.journal.room import IN_FLIGHT, UNSENT, Room


class Stretch(msgspec.Struct, frozen=True):
    """Some cases in the order of their keys. `quiet`: those that are decided and told, which can be compared; `waiting`:
    how many others there are; `last`: to go on from, "" at the end.
    """

    quiet: list[str]
    waiting: int
    last: str


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """A card of the CRM that bears a key of ours and is none of the journal's living cards. `case`: whose it would be, "" where
    the journal has no such case; `double`: that case has a living card of this key.
    """

    id: str
    key: str
    case: str
    double: bool


class Comparing(Room):
    def stretch(self, after: str, limit: int, now: datetime) -> Stretch:
        """Up to `limit` cases whose key is greater than `after`."""
        unsettled = exists().where(
            t.intents.c.bridge == t.cases.c.bridge,
            t.intents.c.case_key == t.cases.c.key,
            t.intents.c.state.in_([*UNSENT, *IN_FLIGHT]),
        )
        waits = or_(t.cases.c.marked, and_(t.cases.c.due_at.is_not(None), t.cases.c.due_at <= now), unsettled)
        query = (
            select(t.cases.c.key, waits.label("waits"))
            .where(t.cases.c.bridge == self._bridge, t.cases.c.key > after)
            .order_by(t.cases.c.key)
            .limit(limit)
        )
        with self._reading() as conn:
            rows = list(conn.execute(query))
        return Stretch(
            quiet=[row.key for row in rows if not row.waits],
            waiting=sum(bool(row.waits) for row in rows),
            last=rows[-1].key if len(rows) == limit else "",
        )

    def cards_parked(self, cases: Collection[str]) -> frozenset[str]:
        """Keys of the cards of these cases of which a write was refused or is not known: a person is asked about them."""
        query = select(t.intents.c.card_key).where(
            t.intents.c.bridge == self._bridge, t.intents.c.state == IntentState.PARKED
        )
        with self._reading() as conn:
            return frozenset(row.card_key for row in self._gather(conn, query, t.intents.c.case_key, cases))

    def strangers(self, entity: Entity, keys: Mapping[str, str]) -> list[Stranger]:
        """Of the cards of the CRM with keys of ours (key by id), those that the journal does not hold. What is being made
        just now, or may have been made, is none.
        """
        with self._reading() as conn:
            cards = select(t.cards.c.key, t.cards.c.target_id, t.cards.c.case_key, t.cards.c.gone).where(
                t.cards.c.bridge == self._bridge
            )
            by_id = cards.where(t.cards.c.entity == entity)
            held = {row.target_id: row for row in self._gather(conn, by_id, t.cards.c.target_id, keys)}
            strange = {id_: key for id_, key in keys.items() if id_ not in held or held[id_].gone}
            of_key = {row.key: row for row in self._gather(conn, cards, t.cards.c.key, strange.values())}
            making = select(t.intents.c.card_key).where(
                t.intents.c.bridge == self._bridge,
                t.intents.c.creates,
                t.intents.c.state.in_([*UNSENT, *IN_FLIGHT, IntentState.PARKED]),
            )
            made = {row.card_key for row in self._gather(conn, making, t.intents.c.card_key, of_key)}
            cases = self._cases_of(conn, set(strange.values()) - set(of_key))
        found = []
        for id_, key in strange.items():
            if key in made:
                continue
            card = held.get(id_) or of_key.get(key)
            other = of_key.get(key)
            double = other is not None and other.target_id not in {None, id_} and not other.gone
            case = card.case_key if card is not None else cases.get(key, "")
            found.append(Stranger(id=id_, key=key, case=case, double=double))
        return found

    def _cases_of(self, conn: Connection, keys: Iterable[str]) -> dict[str, str]:
        """The cases of the records that these keys name, by key."""
        prefix = f"{self._source_id}/"
        of_kind: dict[str, set[str]] = {}
        for key in keys:
            kind, _, id_ = key.removeprefix(prefix).partition("/")
            of_kind.setdefault(kind, set()).add(id_)
        found = {}
        for kind, ids in of_kind.items():
            query = select(t.records.c.id, t.records.c.case_key).where(
                t.records.c.bridge == self._bridge, t.records.c.kind == kind
            )
            for row in self._gather(conn, query, t.records.c.id, ids):
                found[f"{prefix}{kind}/{row.id}"] = row.case_key
        return found

    def look_at(self, cards: Iterable[tuple[str, str]], now: datetime, *, why: str) -> None:
        """Decide these cases again, with (case, target id) of the cards to be compared anew."""
        pairs = set(cards)
        with self._writing() as conn:
            there = self._existing(conn, {case for case, _ in pairs})
            self._mark(conn, there, at=now, why=why, priority=Priority.WOKEN)
            self._look_again(conn, [(case, target) for case, target in pairs if case in there])
