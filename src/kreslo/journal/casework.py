"""Which cases are to be decided, and when."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, exists, func, select, update

from kreslo.journal import schema as t
from kreslo.journal.model import DueCase, Priority
from kreslo.journal.room import IN_FLIGHT, PHONE_CASE, Room, patient_of
from kreslo.records import RecordKind


class Casework(Room):
    _asked_at: datetime | None = None

    def due(self, now: datetime, limit: int) -> list[DueCase]:
        """Cases to decide: by priority, then the longest due, then key. A case with an intent in flight or unknown waits
        for its end.
        """
        self._asked_at = now
        with self._reading() as conn:
            asked = {"here": self._bridge, "now": now, "most": limit}
            return [_due(row) for row in conn.execute(_DUE, asked)]

    def next_due(self) -> datetime | None:
        """When the next case is due, those that wait for their intents left out."""
        query = select(func.min(t.cases.c.due_at)).where(t.cases.c.bridge == self._bridge, ~_blocked())
        with self._reading() as conn:
            at: datetime | None = conn.execute(query).scalar_one()
            return at

    def siblings(self, keys: Collection[str], now: datetime | None = None) -> list[DueCase]:
        """Other due cases that share a phone with these. `now` None: the instant of the last `due`."""
        now = now or self._asked_at
        with self._reading() as conn:
            tokens = {key.removeprefix(PHONE_CASE) for key in keys if key.startswith(PHONE_CASE)}
            patients = [patient for key in keys if (patient := patient_of(key))]
            for of_one in self._phones_of(conn, RecordKind.PATIENT, patients).values():
                tokens |= of_one
            others = self._patient_cases_with(conn, tokens) | {PHONE_CASE + token for token in tokens}
            query = select(t.cases.c.key, t.cases.c.version, t.cases.c.priority).where(
                t.cases.c.bridge == self._bridge,
                t.cases.c.due_at <= now if now else t.cases.c.marked,
                ~_blocked(),
            )
            found = self._gather(conn, query, t.cases.c.key, others - set(keys))
            return sorted((_due(row) for row in found), key=lambda each: each.key)

    def mark(self, keys: Collection[str], *, at: datetime, why: str, priority: Priority) -> None:
        """Decide these cases (again) at `at`. Keys of no case are left out."""
        with self._writing() as conn:
            self._mark(conn, self._existing(conn, keys), at=at, why=why, priority=priority)

    def mark_all(self, at: datetime, priority: Priority, why: str = "all") -> int:
        """Decide every case at `at`; one that is due earlier, or more urgent, stays so. Returns how many there are."""
        with self._writing() as conn:
            every = (t.cases.c.bridge == self._bridge,)
            count = conn.execute(update(t.cases).where(*every).values(version=t.cases.c.version + 1)).rowcount
            conn.execute(
                update(t.cases)
                .where(*every, ~and_(t.cases.c.marked, t.cases.c.priority < priority))
                .values(priority=priority, why=why)
            )
            conn.execute(
                update(t.cases)
                .where(*every, t.cases.c.due_at.is_(None) | (t.cases.c.due_at > at))
                .values(due_at=at)
            )
            conn.execute(update(t.cases).where(*every).values(marked=True))
            return count


def _blocked() -> ColumnElement[bool]:
    return exists().where(
        t.intents.c.bridge == t.cases.c.bridge,
        t.intents.c.case_key == t.cases.c.key,
        t.intents.c.state.in_(IN_FLIGHT),
    )


def _due(row: Any) -> DueCase:
    return DueCase(row.key, row.version, Priority(row.priority))


# Asked in each turn of the loop: built once.
_DUE = (
    select(t.cases.c.key, t.cases.c.version, t.cases.c.priority)
    .where(t.cases.c.bridge == bindparam("here"), t.cases.c.due_at <= bindparam("now"), ~_blocked())
    .order_by(t.cases.c.priority, t.cases.c.due_at, t.cases.c.key)
    .limit(bindparam("most", type_=Integer))
)
