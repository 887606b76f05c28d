"""The rows of a commit, in bulk and in an order that no constraint minds."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, case, exists, or_, select, update

from kreslo.connectors.model import Entity
from kreslo.journal import schema as t
from kreslo.journal.ledger import FIELD, Book, CardRow, Work
from kreslo.journal.model import IntentState, Priority
from kreslo.journal.room import IN_FLIGHT, UNSENT, Room, patient_case
from kreslo.records import RecordKind


class Writing(Room):
    def _write_down(self, conn: Connection, work: Work, book: Book, now: datetime) -> None:
        decided = {row["of_case"] for row in work.decided}
        self._supersede(conn, t.intents.c.case_key, work.superseded_cases)
        self._supersede(conn, t.intents.c.card_key, work.superseded_cards)
        self._write_cards(conn, work)
        self._write_intents(conn, work, book)
        self._unpark_intents(conn, work.obsolete)
        self._remove(conn, t.parked, t.parked.c.ref, decided, t.parked.c.kind == "case")
        self._remove(conn, t.parked, t.parked.c.ref, work.unparked, t.parked.c.kind == FIELD)
        self._add(conn, t.parked, work.parked)
        self._write_reviews(conn, work, decided)
        if work.overwrites:
            conn.execute(t.overwrites.insert(), work.overwrites)
        self._write_cases(conn, work)
        self._mark(conn, work.fenced, at=now, why="card taken", priority=Priority.LIVE, fence=True)
        sharing = {key for key, _ in work.shared} - decided
        self._mark(conn, sharing, at=now, why="contact shared", priority=Priority.LIVE)
        self._look_again(conn, [pair for pair in work.shared if pair[0] in sharing])
        self._mark(conn, work.redo, at=now, why="cards changed", priority=Priority.WOKEN)
        for entity in {entity for entity, _ in work.taken}:
            ids = {id_ for each, id_ in work.taken if each == entity}
            self._remove(conn, t.observed, t.observed.c.id, ids, t.observed.c.entity == entity)
            self._remove(conn, t.phones, t.phones.c.id, ids, t.phones.c.kind == entity)

    def _supersede(self, conn: Connection, column: Any, values: Collection[str]) -> None:
        """What was planned and not sent gives way, except on a card that is in flight: there the rest of the old plan
        still waits for its turn.
        """
        other = t.intents.alias()
        busy = exists().where(
            other.c.bridge == t.intents.c.bridge,
            other.c.card_key == t.intents.c.card_key,
            other.c.state.in_(IN_FLIGHT),
        )
        for chunk in self._chunks(values):
            conn.execute(
                update(t.intents)
                .where(
                    t.intents.c.bridge == self._bridge,
                    column.in_(chunk),
                    t.intents.c.state.in_(UNSENT),
                    ~busy,
                )
                .values(state=IntentState.SUPERSEDED)
            )

    def _write_cards(self, conn: Connection, work: Work) -> None:
        goes_to = dict(work.removed)
        query = select(t.members).where(t.members.c.bridge == self._bridge)
        inherited = [
            {"bridge": self._bridge, "card_key": goes_to[row.card_key], "kind": row.kind, "id": row.id}
            for row in self._gather(conn, query, t.members.c.card_key, goes_to)
        ]
        self._remove(conn, t.cards, t.cards.c.key, goes_to)
        # Cards that give up an id go first, since an id stands once.
        rows = sorted(work.cards.values(), key=lambda card: card.target_id is not None)
        self._put(conn, t.cards, [self._card_row(card) for card in rows], keep=("created_at",))
        for kind in RecordKind:
            of_kind = {card: ids for (card, each), ids in work.membered.items() if each == kind}
            self._remove(conn, t.members, t.members.c.card_key, of_kind, t.members.c.kind == kind)
            self._add(
                conn,
                t.members,
                [
                    {"bridge": self._bridge, "card_key": card, "kind": kind, "id": id_}
                    for card, ids in of_kind.items()
                    for id_ in sorted(ids)
                ],
            )
        self._add(conn, t.members, inherited)

    def _card_row(self, card: CardRow) -> dict[str, Any]:
        return {"bridge": self._bridge, **msgspec.structs.asdict(card)}

    def _write_intents(self, conn: Connection, work: Work, book: Book) -> None:
        if not work.intents:
            return
        made = conn.execute(
            t.intents.insert().returning(t.intents.c.id, sort_by_parameter_order=True), work.intents
        )
        ids = list(made.scalars())
        owners = {key: card.case_key for key, card in book.cards.items()}
        wanted = {card for _, card in work.waits} - set(owners)
        query = select(t.cards.c.key, t.cards.c.case_key).where(t.cards.c.bridge == self._bridge)
        owners |= {row.key: row.case_key for row in self._gather(conn, query, t.cards.c.key, wanted)}
        self._add(
            conn,
            t.waits,
            [
                {"intent": ids[index], "card_key": card, "case_key": owners.get(card) or self._maker_of(card)}
                for index, card in work.waits
            ],
        )

    def _maker_of(self, card_key: str) -> str:
        """The case that will make a contact card that is not in the journal yet."""
        prefix = f"{self._source_id}/{RecordKind.PATIENT}/"
        return patient_case(card_key.removeprefix(prefix)) if card_key.startswith(prefix) else ""

    def _unpark_intents(self, conn: Connection, numbers: Collection[int]) -> None:
        for chunk in self._chunks(numbers):
            conn.execute(
                update(t.intents).where(t.intents.c.id.in_(chunk)).values(state=IntentState.SUPERSEDED)
            )
        self._remove(
            conn, t.parked, t.parked.c.ref, [str(number) for number in numbers], t.parked.c.kind == "intent"
        )

    def _write_reviews(self, conn: Connection, work: Work, decided: Collection[str]) -> None:
        for chunk in self._chunks(decided):
            conn.execute(
                update(t.reviews)
                .where(
                    t.reviews.c.bridge == self._bridge,
                    t.reviews.c.case_key.in_(chunk),
                    t.reviews.c.state == "open",
                    t.reviews.c.intent.is_(None),
                )
                .values(state="withdrawn")
            )
        if work.reviews:
            insert = self._insert(t.reviews)
            new = insert.excluded
            # A question that is asked although it has an answer: the card that was chosen is gone since.
            again = and_(t.reviews.c.state == "answered", t.reviews.c.choice == "link")
            conn.execute(
                insert.on_conflict_do_update(
                    index_elements=["bridge", "question"],
                    set_={
                        "state": "open",
                        "case_key": new.case_key,
                        "body": new.body,
                        "asked_at": case((again, new.asked_at), else_=t.reviews.c.asked_at),
                        "choice": "",
                        "target_id": new.target_id,
                        "answered_by": "",
                        "answered_at": None,
                    },
                    where=or_(t.reviews.c.state != "answered", again),
                ),
                work.reviews,
            )
            self._tell_owners(conn, {row["target_id"] for row in work.reviews} - {""}, work)

    def _tell_owners(self, conn: Connection, contacts: Collection[str], work: Work) -> None:
        """Those whose contact another patient's was merged into are decided again: it is not theirs alone."""
        query = select(t.cards.c.case_key, t.cards.c.target_id).where(
            t.cards.c.bridge == self._bridge, t.cards.c.entity == Entity.CONTACT
        )
        for row in self._gather(conn, query, t.cards.c.target_id, contacts):
            work.shared.add((row.case_key, row.target_id))

    def _write_cases(self, conn: Connection, work: Work) -> None:
        here = (t.cases.c.bridge == self._bridge, t.cases.c.key == bindparam("of_case"))
        values: dict[str, Any] = {
            name: bindparam(name) for name in ("decided_at", "wake_at", "filtered", "trace", "due_at")
        }
        for last in (True, False):
            rows = [
                {name: value for name, value in row.items() if name != "last"}
                for row in work.decided
                if row["last"] is last
            ]
            if rows and last:
                done = {**values, "marked": False, "priority": Priority.WOKEN}
                conn.execute(update(t.cases).where(*here).values(done), rows)
                self._remove(conn, t.look_again, t.look_again.c.case_key, [row["of_case"] for row in rows])
            elif rows:
                conn.execute(update(t.cases).where(*here).values(values), rows)
