"""What the engine notes of itself, and what it shows of the queue."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from kreslo.journal import schema as t
from kreslo.journal.room import REASON, Room
from kreslo.records import RecordRef

# Asked after each turn of the loop: built once.
_QUEUE = select(func.count().label("waiting"), func.min(t.cases.c.due_at).label("oldest")).where(
    t.cases.c.bridge == bindparam("here"), t.cases.c.due_at <= bindparam("now")
)


class Gauges(Room):
    def flag(self, name: str) -> str:
        """A word that the engine left here, "" if it never did."""
        with self._reading() as conn:
            return self._position(conn, f"flag:{name}") or ""

    def save_flag(self, name: str, value: str) -> None:
        with self._writing() as conn:
            self._save_position(conn, f"flag:{name}", value)

    def queue(self, now: datetime) -> tuple[int, datetime | None]:
        """How many cases are to be decided by now, those included that wait for an intent in flight; and since when the
        oldest of them has been due.
        """
        with self._reading() as conn:
            row = conn.execute(_QUEUE, {"here": self._bridge, "now": now}).one()
            return row.waiting, row.oldest

    def park_case(self, key: str, version: int, *, reason: str, fix: str, now: datetime) -> None:
        """A case that cannot be decided as it is; it is decided again when something about it changes. If it was marked
        again since `version` was loaded, it stays due.
        """
        with self._writing() as conn:
            conn.execute(
                update(t.cases)
                .where(t.cases.c.bridge == self._bridge, t.cases.c.key == key, t.cases.c.version == version)
                .values(due_at=None, marked=False, decided_at=now)
            )
            row = {
                "bridge": self._bridge,
                "kind": "case",
                "ref": key,
                "case_key": key,
                "about": key,
                "fix": fix,
                "at": now,
                "reason": self._box.seal_text(reason, REASON),
            }
            insert = self._insert(t.parked).values(row)
            conn.execute(
                insert.on_conflict_do_update(
                    index_elements=["bridge", "kind", "ref"],
                    set_={
                        "reason": insert.excluded.reason,
                        "fix": insert.excluded.fix,
                        "at": insert.excluded.at,
                    },
                )
            )

    def released(self, refs: Iterable[RecordRef]) -> None:
        """Rows that could not be read and are good now: they are parked no longer."""
        names = [f"{ref.kind}/{ref.id}" for ref in refs]
        with self._writing() as conn:
            self._remove(conn, t.parked, t.parked.c.ref, names, t.parked.c.kind == "record")

    def unpark_cases(self, keys: list[str]) -> None:
        """These were decided well: what was parked of them is parked no longer."""
        with self._writing() as conn:
            self._remove(conn, t.parked, t.parked.c.ref, keys, t.parked.c.kind == "case")
