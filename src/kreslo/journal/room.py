"""What every part of a bridge's journal stands on: transactions, batched queries, marking cases."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from kreslo.journal.crypto import Box
from kreslo.journal.database import READ, explained
from kreslo.journal.model import IntentState, Priority
from kreslo.journal.schema import cases, cursors, look_again, phones
from kreslo.records import Phone, PhoneKind, RecordKind

CHUNK = 500
"""How many values one IN list holds: the same few statements are prepared again and again."""

COMMON_PHONE = 25
"""A number that more patients than this have (the clinic's own, a placeholder) makes nobody a family."""

PHONE_CASE = "phone:"

_POSITION = select(cursors.c.value).where(
    cursors.c.bridge == bindparam("here"), cursors.c.name == bindparam("name")
)

# What each sealed payload is bound to.
BODY = b"records.body"
PHONE = b"cases.phone"
TRACE = b"cases.trace"
BASE = b"cards.base"
INTENT = b"intents.body"
MESSAGE = b"intents.message"
ATTEMPT = b"attempts.body"
OBSERVED = b"observed.body"
REVIEW = b"reviews.body"
REASON = b"parked.reason"
OVERWRITE = b"overwrites.body"

IN_FLIGHT = (IntentState.SENDING, IntentState.UNKNOWN)
"""States in which nobody knows yet whether the CRM has it."""

UNSENT = (IntentState.PLANNED, IntentState.RETRY)
"""States in which the CRM surely does not have it: a later decision may take its place."""


def patient_case(patient_id: str) -> str:
    return f"patient:{patient_id}"


def patient_of(case_key: str) -> str | None:
    """The patient's id, None for a phone case."""
    return case_key.removeprefix("patient:") if case_key.startswith("patient:") else None


def links(phone: Phone) -> bool:
    """Whether the number ties people together."""
    return phone.kind is not PhoneKind.TOLL_FREE


class Room:
    """A bridge's share of the database. Its methods are synchronous and are called one at a time. `language`: of what it
    writes for people.
    """

    language: Literal["ru", "en"] = "ru"

    def __init__(self, engine: Engine, url: URL, box: Box, bridge: int, source_id: str) -> None:
        self._engine = engine
        self._url = url
        self._box = box
        self._bridge = bridge
        self._source_id = source_id
        # Upserts are long to build and always the same.
        self._statements: dict[Any, Executable] = {}

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._url), self._engine.connect() as connection:
            yield connection.execution_options(**{READ: True})

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction: committed whole at the end, or nothing of it."""
        with explained(self._url), self._engine.begin() as connection:
            yield connection

    def _gather(
        self, conn: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
    ) -> Iterator[Row[Any]]:
        """The rows of `query` whose `column` is one of the values, in chunks."""
        for chunk in self._chunks(values):
            yield from conn.execute(query.where(column.in_(chunk)))

    @staticmethod
    def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
        wanted = sorted(set(values))
        for start in range(0, len(wanted), CHUNK):
            yield wanted[start : start + CHUNK]

    def _remove(
        self,
        conn: Connection,
        table: Table,
        column: ColumnElement[Any],
        values: Iterable[Any],
        *where: ColumnElement[bool],
    ) -> int:
        removed = 0
        for chunk in self._chunks(values):
            removed += conn.execute(
                delete(table).where(table.c.bridge == self._bridge, *where, column.in_(chunk))
            ).rowcount
        return removed

    def _insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        if self._engine.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def _put(
        self, conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keep: Collection[str] = ()
    ) -> None:
        """Insert, or overwrite what stands under the same primary key, all but the columns to `keep`."""
        if not rows:
            return
        shape = (table.name, tuple(rows[0]), tuple(sorted(keep)))
        statement = self._statements.get(shape)
        if statement is None:
            insert = self._insert(table)
            primary = [column.name for column in table.primary_key]
            changed = {
                name: insert.excluded[name] for name in rows[0] if name not in primary and name not in keep
            }
            statement = insert.on_conflict_do_update(index_elements=primary, set_=changed)
            self._statements[shape] = statement
        conn.execute(statement, rows)

    def _add(self, conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert those that are not there yet."""
        if rows:
            conn.execute(self._insert(table).on_conflict_do_nothing(), rows)

    # --- marking ------------------------------------------------------------------------------------------------

    def _mark(
        self,
        conn: Connection,
        keys: Iterable[str],
        *,
        at: datetime,
        why: str,
        priority: Priority,
        fence: bool = False,
        sealed_phones: Mapping[str, bytes] | None = None,
    ) -> None:
        """Decide these cases at `at` (or earlier, if that was due already). `fence`: a decision that is being made now
        is not to be committed, since cards changed hands or state under it.
        """
        sealed_phones = sealed_phones or {}
        rows = [
            {
                "bridge": self._bridge,
                "key": key,
                "version": 1,
                "fence": int(fence),
                "due_at": at,
                "marked": True,
                "priority": priority,
                "why": why,
                "phone": sealed_phones.get(key),
                "filtered": 0,
            }
            for key in sorted(set(keys))
        ]
        if not rows:
            return
        if "mark" not in self._statements:
            self._statements["mark"] = self._marking()
        conn.execute(self._statements["mark"], rows)

    def _marking(self) -> Executable:
        insert = self._insert(cases)
        new = insert.excluded
        return insert.on_conflict_do_update(
            index_elements=["bridge", "key"],
            set_={
                "version": cases.c.version + 1,
                "fence": case((new.fence > 0, cases.c.version + 1), else_=cases.c.fence),
                "due_at": case(
                    (or_(cases.c.due_at.is_(None), new.due_at < cases.c.due_at), new.due_at),
                    else_=cases.c.due_at,
                ),
                "priority": case(
                    (and_(cases.c.marked, cases.c.priority < new.priority), cases.c.priority),
                    else_=new.priority,
                ),
                "marked": True,
                "why": new.why,
            },
        )

    def _existing(self, conn: Connection, keys: Iterable[str]) -> set[str]:
        """Those of the cases that there are."""
        query = select(cases.c.key).where(cases.c.bridge == self._bridge)
        return {row.key for row in self._gather(conn, query, cases.c.key, keys)}

    def _look_again(self, conn: Connection, pairs: Iterable[tuple[str, str]]) -> None:
        self._add(
            conn,
            look_again,
            [{"bridge": self._bridge, "case_key": key, "what": what} for key, what in sorted(set(pairs))],
        )

    # --- phones -------------------------------------------------------------------------------------------------

    def _phone_token(self, e164: str) -> str:
        return self._box.token("phone", e164)

    def _phones_of(
        self, conn: Connection, kind: str, ids: Iterable[str], *, linking: bool = True
    ) -> dict[str, set[str]]:
        """Phone tokens by owner's id."""
        query = select(phones.c.id, phones.c.phone).where(
            phones.c.bridge == self._bridge, phones.c.kind == kind
        )
        if linking:
            query = query.where(phones.c.links)
        tokens: dict[str, set[str]] = {}
        for row in self._gather(conn, query, phones.c.id, ids):
            tokens.setdefault(row.id, set()).add(row.phone)
        return tokens

    def _owners_of(self, conn: Connection, tokens: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
        """(kind, id) of those that have these phones, by token. Patients of a phone that is too common are left out."""
        query = select(phones.c.phone, phones.c.kind, phones.c.id).where(
            phones.c.bridge == self._bridge, phones.c.links
        )
        owners: dict[str, set[tuple[str, str]]] = {}
        for row in self._gather(conn, query, phones.c.phone, tokens):
            owners.setdefault(row.phone, set()).add((row.kind, row.id))
        for token, all_of in owners.items():
            patients = {owner for owner in all_of if owner[0] == RecordKind.PATIENT}
            if len(patients) > COMMON_PHONE:
                owners[token] = all_of - patients
        return owners

    def _patient_cases_with(self, conn: Connection, tokens: Iterable[str]) -> set[str]:
        owners = self._owners_of(conn, tokens)
        return {
            patient_case(id_)
            for all_of in owners.values()
            for kind, id_ in all_of
            if kind == RecordKind.PATIENT
        }

    def _index_phones(self, conn: Connection, kind: str, numbers: Mapping[str, tuple[Phone, ...]]) -> None:
        self._remove(conn, phones, phones.c.id, numbers, phones.c.kind == kind)
        self._add(
            conn,
            phones,
            [
                {
                    "bridge": self._bridge,
                    "kind": kind,
                    "id": id_,
                    "phone": self._phone_token(phone.e164),
                    "last4": phone.e164[-4:],
                    "links": links(phone),
                }
                for id_, of_one in numbers.items()
                for phone in of_one
            ],
        )

    # --- positions ----------------------------------------------------------------------------------------------

    def _position(self, conn: Connection, name: str) -> str | None:
        return conn.execute(_POSITION, {"here": self._bridge, "name": name}).scalar_one_or_none()

    def _save_position(self, conn: Connection, name: str, value: str) -> None:
        self._put(conn, cursors, [{"bridge": self._bridge, "name": name, "value": value}])
