"""What the clinic's database says must have a card. Plain SQL and Python; shares nothing with source or engine.

The rules, from the design of Kreslo: appointments linked by ID_ReceptionsTransferFrom are one chain; so are a cancelled
one and the same patient's next entry at the same doctor within 24 hours of the cancellation, in either order. A chain
counts if its last appointment starts in the window, and its state is that one's.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from connectors.ident.sandbox import phones
from connectors.ident.sandbox.moments import instant, local
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import Census, ChainCensus, EntryCensus
from kreslo.records import RECALL

RESCHEDULE_REASON = "Перенос"
REBOOK_WINDOW = timedelta(hours=24)
GRACE = timedelta(hours=2)

_RECEPTIONS = """
SELECT r.ID, r.ID_Patients, r.ID_Staffs, r.PlanStart, r.PlanEnd, r.DateTimeAdded, r.ReceptionCanceled, c.Name,
       r.CheckIssued IS NOT NULL OR r.ReceptionEnded IS NOT NULL,
       r.ReceptionStarted IS NOT NULL OR r.PatientAppeared IS NOT NULL, r.ID_ReceptionsTransferFrom,
       p.SMSRejection = 1 OR p.ConformToSending = 0, COALESCE(r.ReceptionEnded, r.CheckIssued)
FROM Receptions r LEFT JOIN ReceptionCancelReasons c ON c.ID = r.ID_ReceptionCancelReasons
LEFT JOIN Patients p ON p.ID_Persons = r.ID_Patients
WHERE r.ID_Patients IS NOT NULL ORDER BY r.DateTimeAdded, r.ID
"""

_RECALLS = """
SELECT s.ID_Patients, s.DateTimeAdded, p.SMSRejection = 1 OR p.ConformToSending = 0
FROM ScheduledReceptions s JOIN Patients p ON p.ID_Persons = s.ID_Patients
WHERE COALESCE(s.ID_ReceptionsClose, s.ID_DelayAppointmentsClose, s.ID_ReceptionCancelReasons,
               s.ID_CrmJobCommunicationCommentsClose) IS NULL ORDER BY s.ID
"""

_AMOUNTS = """
SELECT o.ID_Receptions, SUM(l.CountService * p.Price - COALESCE(l.DiscountSum, 0))
FROM Orders o JOIN OrderServiceRelation l ON l.ID_Orders = o.ID JOIN ServiceItemPrices p ON p.ID = l.ID_ServicePrices
GROUP BY o.ID_Receptions
"""


@dataclass(slots=True)
class _Row:
    id: int
    patient: int
    doctor: int | None
    start: str
    end: str | None
    added: str
    cancelled: str | None
    reason: str | None
    done: int
    came: int
    origin: int | None
    refused: int | None
    ended: str | None
    before: "_Row | None" = None
    after: "_Row | None" = None


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The clinic's file, read-only. Raises ConfigurationError if there is none."""
    if not path.exists():
        raise ConfigurationError(f"there is no demo clinic at {path}: make one first")
    with closing(
        sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True, timeout=10)
    ) as connection:
        yield connection


def census(path: Path, *, now: datetime, past: timedelta, future: timedelta) -> Census:
    """Count. `now` is aware; the window is from `now - past` to `now + future`, both ends in it."""
    since, until = str(local(now - past)), str(local(now + future))
    with reading(path) as connection:
        # One snapshot for all of it: the clinic may be at work.
        connection.execute("BEGIN")
        rows = [_Row(*row) for row in connection.execute(_RECEPTIONS)]
        amounts = dict(connection.execute(_AMOUNTS).fetchall())
        enquiries = connection.execute(
            "SELECT Phone FROM KresloDemoEnquiries WHERE DateTimeAdded BETWEEN ? AND ? ORDER BY ID",
            (since, str(local(now))),
        ).fetchall()
        (patients,) = connection.execute("SELECT COUNT(*) FROM Patients").fetchone()
        recalls = connection.execute(_RECALLS).fetchall()
    _link(rows)
    _infer(rows)
    graced = str(local(now - GRACE))
    lasts = [row for row in rows if row.after is None and since <= row.start <= until]
    return Census(
        patients=patients,
        appointments=len(rows),
        enquiries=tuple(dict.fromkeys(phone for (cell,) in enquiries for phone in phones.written(cell))),
        chains=tuple(
            _chain(row, graced, amounts.get(row.id)) for row in sorted(lasts, key=lambda row: row.id)
        ),
        last_seen=tuple(_chain(row, graced, amounts.get(row.id)) for row in _last_seen(rows)),
        entries=tuple(
            EntryCensus(
                campaign=RECALL,
                patient_id=str(patient),
                at=instant(added).astimezone(UTC),
                refused=bool(refused),
            )
            for patient, added, refused in recalls
        ),
    )


def _last_seen(rows: list[_Row]) -> list[_Row]:
    """Of each patient the reception that took place and was planned last, if its chain ends with it."""
    took_place: dict[int, _Row] = {}
    for row in sorted(rows, key=lambda row: (row.start, row.id)):
        if row.done and not row.cancelled:
            took_place[row.patient] = row
    return [row for row in took_place.values() if row.after is None]


def _link(rows: list[_Row]) -> None:
    by_id = {row.id: row for row in rows}
    for row in rows:
        before = by_id.get(row.origin) if row.origin is not None else None
        if before is None:
            continue
        if before.after:
            raise ConfigurationError(
                f"reception {before.id} was moved twice, to {before.after.id} and to {row.id}: the demo clinic is not sound"
            )
        before.after, row.before = row, before


def _infer(rows: list[_Row]) -> None:
    """Join each cancelled end of a chain with the next entry of that patient at that doctor, the nearest in time."""
    entries: dict[tuple[int, int], list[_Row]] = defaultdict(list)
    for row in rows:
        if row.doctor is not None:
            entries[row.patient, row.doctor].append(row)
    ends = [row for row in rows if row.cancelled and row.after is None and row.doctor is not None]
    for row in sorted(ends, key=lambda row: (row.cancelled or "", row.id)):
        at = datetime.fromisoformat(row.cancelled or "")
        near = [
            (abs(datetime.fromisoformat(other.added) - at), other.id, other)
            for other in entries[row.patient, row.doctor or 0]
            if (other.added, other.id) > (row.added, row.id) and other.before is None
        ]
        gap, _, other = min(near, default=(REBOOK_WINDOW * 2, 0, row))
        if gap <= REBOOK_WINDOW:
            row.after, other.before = other, row


def _chain(last: _Row, graced: str, amount: float | None) -> ChainCensus:
    ids = [str(last.id)]
    row = last
    while row.before:
        row = row.before
        ids.append(str(row.id))
    return ChainCensus(
        ids=tuple(reversed(ids)),
        patient_id=str(last.patient),
        starts_at=instant(last.start).astimezone(UTC),
        state=_state(last, graced),
        refused=bool(last.refused),
        ended_at=instant(last.ended).astimezone(UTC) if last.ended and not last.cancelled else None,
        amount=None if amount is None else Decimal(str(amount)).quantize(Decimal("0.01")),
    )


def _state(row: _Row, graced: str) -> str:
    if row.cancelled:
        return "rescheduled" if row.reason == RESCHEDULE_REASON else "cancelled"
    if row.done:
        return "completed"
    if row.came:
        return "arrived"
    return "no_show" if (row.end or row.start) <= graced else "upcoming"
