"""Records that cannot be read, or cannot be used as they are."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from kreslo.connectors.contract import Rejected
from kreslo.decisions.texts import text
from kreslo.journal import schema as t
from kreslo.journal.room import REASON, Room
from kreslo.records import RecordRef


class Parking(Room):
    def _park_rejected(self, conn: Connection, rejected: Sequence[Rejected], now: datetime) -> None:
        self._park_records(
            conn, [(row.ref, row.reason) for row in rejected], now, fix=text(self.language, "fix_row")
        )

    def _park_records(
        self, conn: Connection, items: Sequence[tuple[RecordRef, str]], now: datetime, *, fix: str
    ) -> None:
        rows = {
            f"{ref.kind}/{ref.id}": {
                "bridge": self._bridge,
                "kind": "record",
                "ref": f"{ref.kind}/{ref.id}",
                "case_key": "",
                "about": ref.key(self._source_id),
                "fix": fix,
                "at": now,
                "reason": self._box.seal_text(reason, REASON),
            }
            for ref, reason in items
        }
        if not rows:
            return
        insert = self._insert(t.parked)
        conn.execute(
            insert.on_conflict_do_update(
                index_elements=["bridge", "kind", "ref"],
                set_={"fix": insert.excluded.fix, "reason": insert.excluded.reason},
            ),
            list(rows.values()),
        )

    def _unpark(self, conn: Connection, read: Iterable[RecordRef]) -> None:
        """A record that was read well is parked no longer."""
        refs = [f"{ref.kind}/{ref.id}" for ref in read]
        self._remove(conn, t.parked, t.parked.c.ref, refs, t.parked.c.kind == "record")
