"""From the database to records: pages of a dataset, what an appointment's orders add to it, and single rows by key.

Everything here runs in the connection's own thread. Nothing here may assume an index other than a table's own key:
orders are looked up a page of appointments at a time, never a row at a time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Select

from connectors.ident.bills import NO_BILL, Bill, bills
from connectors.ident.cursor import Mark
from connectors.ident.datasets import (
    APPOINTMENT_SOURCES,
    APPOINTMENTS,
    CANCEL_REASONS,
    ENQUIRIES,
    INFO_SOURCES,
    ORDER_LINES,
    ORDERS,
    PATIENTS,
    RECALLS,
    Dataset,
)
from connectors.ident.options import IdentOptions
from connectors.ident.rows import Rows
from connectors.ident.statements import IN_LIST, View, among, any_key, between, highest, moved, page, starting
from connectors.ident.values import Key, Row, key_of, local, reference
from connectors.ident.views import Views
from kreslo.connectors.contract import Rejected
from kreslo.connectors.errors import ConfigurationError, DataError
from kreslo.connectors.seams import Clock
from kreslo.records import Record, RecordKind, RecordRef

log = structlog.get_logger(__name__)

READ_AHEAD = 10
"""Pages that one statement brings when a dataset is read whole: each costs a scan of the orders."""

DATASET_OF = {
    RecordKind.PATIENT: PATIENTS,
    RecordKind.APPOINTMENT: APPOINTMENTS,
    RecordKind.ENQUIRY: ENQUIRIES,
    RecordKind.ENTRY: RECALLS,
}
_KIND_OF = {dataset.name: kind for kind, dataset in DATASET_OF.items()}


Bills = Mapping[str, Bill | ValueError]


class Slice(msgspec.Struct, frozen=True):
    """What stands behind `after`, the last key of these rows. `last`: the dataset has no more in this pass."""

    records: tuple[Record, ...]
    rejected: tuple[Rejected, ...]
    after: Key | None
    last: bool


class Reader:
    """Reads one clinic through its views."""

    def __init__(self, options: IdentOptions, clock: Clock, views: Views) -> None:
        self._options = options
        self._rows = Rows(options, clock)
        self._views = views
        self._dictionaries: dict[str, dict[str, str]] = {}
        self._looks: dict[RecordRef, int] = {}

    def slices(
        self,
        connection: Connection,
        dataset: Dataset,
        *,
        mark: Mark | None,
        since: datetime,
        after: Key | None,
        patients_top: int | None,
        new_only: bool = False,
    ) -> list[Slice]:
        """The next rows of a dataset after a key: all of them without a mark, else what moved since or is new.
        `new_only`: all of them with a mark, too, but a page at a time.

        Changed orders are given as their appointments. Changed appointments have their patients before them, since
        iDent keeps names and phones in a table without an instant; while all are read, only patients above
        `patients_top`, who were entered after the patients had been read.
        """
        view = self._views[dataset]
        size = self._options.page
        limit = size if mark else size * READ_AHEAD
        condition = moved(view, since, mark.top) if mark and not new_only else None
        rows = self._unique(view, connection, page(view, after=after, limit=limit, condition=condition))
        more = len(rows) > limit
        rows = rows[:limit]
        if dataset is ORDERS:
            wanted = _keys(view, rows, "appointment_id")
            owners = self._by(connection, APPOINTMENTS, APPOINTMENTS.key, wanted)
            records, rejected = self._appointments(connection, owners, None)
            last_key = _key(view, rows[-1]) if rows else after
            return [Slice(tuple(records), tuple(rejected), last_key, not more)]
        slices = []
        bills_of = self._bills(connection, rows) if dataset is APPOINTMENTS else {}
        for start in range(0, max(1, len(rows)), size):
            part = rows[start : start + size]
            if dataset is APPOINTMENTS:
                top = None if mark else patients_top
                records, rejected = self._appointments(connection, part, top, bills_of)
            else:
                records, rejected = self._plain(connection, dataset, part)
            end = start + size >= len(rows)
            slices.append(
                Slice(
                    tuple(records),
                    tuple(rejected),
                    _key(view, part[-1]) if part else after,
                    end and not more,
                )
            )
        return slices

    def watched(self, connection: Connection, ids: Sequence[str]) -> tuple[Slice, dict[RecordRef, int]]:
        """Those of at most IN_LIST appointments, and their patients, that do not look as they did when they were last
        `noticed`; and how all of them look now. By primary keys: orders are looked up for what changed alone.
        """
        rows = _with_patient(
            self._by(connection, APPOINTMENTS, APPOINTMENTS.key, self._as_keys(connection, APPOINTMENTS, ids))
        )
        people = self._by(
            connection, PATIENTS, PATIENTS.key, _keys(self._views[APPOINTMENTS], rows, "patient_id")
        )
        looks: dict[RecordRef, int] = {}
        fresh_rows = self._changed(APPOINTMENTS, rows, looks)
        fresh_people = self._changed(PATIENTS, people, looks)
        records, rejected = self._plain(connection, PATIENTS, fresh_people)
        own, wrong = self._plain(connection, APPOINTMENTS, fresh_rows, self._bills(connection, fresh_rows))
        return Slice(tuple(records + own), tuple(rejected + wrong), None, True), looks

    def noticed(self, looks: Mapping[RecordRef, int]) -> None:
        """What was given has arrived: it is a change again only when it looks otherwise."""
        self._looks |= looks

    def forget_others(self, looks: Collection[RecordRef]) -> None:
        """Nothing but these is watched any longer."""
        self._looks = {ref: look for ref, look in self._looks.items() if ref in looks}

    def _changed(self, dataset: Dataset, rows: Sequence[Row], looks: dict[RecordRef, int]) -> list[Row]:
        fresh = []
        for row in rows:
            ref = RecordRef(_KIND_OF[dataset.name], reference(row[dataset.key]))
            looks[ref] = hash(tuple(row.values()))
            if self._looks.get(ref) != looks[ref]:
                fresh.append(row)
        return fresh

    def highest(self, connection: Connection, dataset: Dataset) -> Key | None:
        """The highest key that there is, None in an empty dataset."""
        value = connection.execute(highest(self._views[dataset])).scalar_one()
        return None if value is None else key_of(value)

    def fetch(self, connection: Connection, refs: Sequence[RecordRef]) -> list[Record]:
        """These records now, each once. Raises DataError for one that is there and cannot be read."""
        found: list[Record] = []
        for kind, dataset in DATASET_OF.items():
            ids = list(dict.fromkeys(ref.id for ref in refs if ref.kind is kind))
            if not ids or self._views.get(dataset) is None:
                continue
            rows = self._by(connection, dataset, dataset.key, self._as_keys(connection, dataset, ids))
            if dataset is APPOINTMENTS:
                rows = _with_patient(rows)
                records, rejected = self._plain(connection, dataset, rows, self._bills(connection, rows))
            else:
                records, rejected = self._plain(connection, dataset, rows)
            if rejected:
                raise DataError(f"{rejected[0].ref.kind} {rejected[0].ref.id} in iDent: {rejected[0].reason}")
            found += records
        return found

    def keys(
        self, connection: Connection, kind: RecordKind, since: datetime, until: datetime
    ) -> frozenset[str]:
        """Ids in the window (aware instants). iDent does not say when a patient or, without a time that can be read,
        an appointment came to be: those are all given, so that none is taken for gone.
        """
        view = self._views.get(DATASET_OF[kind])
        if view is None:
            return frozenset()
        if kind is RecordKind.APPOINTMENT:
            return frozenset(self._starting(connection, view, since, until))
        names = [view.dataset.key, *(["created_at"] if "created_at" in view else [])]
        return frozenset(
            reference(row[view.dataset.key])
            for row in connection.execute(view.rows(names)).mappings()
            if _within(row.get("created_at"), self._rows, "", since, until)
        )

    def _starting(
        self, connection: Connection, view: View, since: datetime, until: datetime
    ) -> Iterator[str]:
        # The database compares clock faces: the window is widened to what any branch's clock may show in it.
        zones = self._rows.zones()
        first = min(since.astimezone(zone).replace(tzinfo=None) for zone in zones)
        last = max(until.astimezone(zone).replace(tzinfo=None) for zone in zones)
        for row in connection.execute(starting(view, first, last)).mappings():
            branch = reference(row.get("branch_id"))
            if _within(row["start_local"], self._rows, branch, since, until):
                yield reference(row["appointment_id"])

    def _appointments(
        self,
        connection: Connection,
        rows: Sequence[Row],
        patients_top: int | None,
        bills_of: Bills | None = None,
    ) -> tuple[list[Record], list[Rejected]]:
        """The appointments of the rows, behind their patients: all of them, or those above `patients_top`."""
        rows = _with_patient(rows)
        wanted = _keys(self._views[APPOINTMENTS], rows, "patient_id")
        if patients_top is not None:
            wanted = [key for key in wanted if isinstance(key, int) and key > patients_top]
        patients = self._by(connection, PATIENTS, PATIENTS.key, wanted)
        records, rejected = self._plain(connection, PATIENTS, patients)
        own, wrong = self._plain(
            connection, APPOINTMENTS, rows, self._bills(connection, rows) if bills_of is None else bills_of
        )
        return records + own, rejected + wrong

    def _plain(
        self, connection: Connection, dataset: Dataset, rows: Iterable[Row], bills_of: Bills | None = None
    ) -> tuple[list[Record], list[Rejected]]:
        records: list[Record] = []
        rejected: list[Rejected] = []
        for row in rows:
            id_ = reference(row[dataset.key])
            try:
                records.append(self._record(connection, dataset, row, (bills_of or {}).get(id_, NO_BILL)))
            except ValueError as error:
                rejected.append(Rejected(RecordRef(_KIND_OF[dataset.name], id_), str(error)))
                log.warning("ident.row_rejected", dataset=dataset.name, id=id_, reason=str(error))
        return records, rejected

    def _record(self, connection: Connection, dataset: Dataset, row: Row, bill: Bill | ValueError) -> Record:
        if dataset is PATIENTS:
            return self._rows.patient(row, self._dictionary(connection, INFO_SOURCES, row.get("source_id")))
        if dataset is ENQUIRIES:
            return self._rows.enquiry(row)
        if dataset is RECALLS:
            return self._rows.recall(row)
        if isinstance(bill, ValueError):
            raise bill
        return self._rows.appointment(
            row,
            bill,
            reasons=self._dictionary(connection, CANCEL_REASONS, row.get("cancel_reason_id")),
            sources=self._dictionary(connection, APPOINTMENT_SOURCES, row.get("source_id")),
        )

    def _bills(self, connection: Connection, appointments: Sequence[Row]) -> Bills:
        orders_view, lines_view = self._views.get(ORDERS), self._views.get(ORDER_LINES)
        if orders_view is None or not appointments:
            return {}
        keys = _keys(self._views[APPOINTMENTS], appointments, APPOINTMENTS.key)
        orders = self._by(connection, ORDERS, "appointment_id", keys)
        lines: list[Row] = []
        if orders and lines_view is not None:
            lines = self._by(connection, ORDER_LINES, "order_id", _keys(orders_view, orders, ORDERS.key))
        return bills(orders, lines)

    def _dictionary(self, connection: Connection, dataset: Dataset, needed: Any) -> dict[str, str]:
        """The dictionary's texts; read again when an id turns up that it does not have yet."""
        names = self._dictionaries.get(dataset.name)
        if names is None or (reference(needed) and reference(needed) not in names):
            view = self._views.get(dataset)
            rows = connection.execute(view.rows()).mappings() if view else ()
            names = {reference(row["id"]): str(row["name"] or "").strip() for row in rows}
            if dataset is CANCEL_REASONS:
                names |= self._options.cancel_reasons
            names.setdefault(reference(needed), reference(needed))
            self._dictionaries[dataset.name] = names
        return names

    def _by(self, connection: Connection, dataset: Dataset, name: str, keys: Sequence[Key]) -> list[Row]:
        """Rows whose column is among the keys. A long list of whole numbers that lie close together is asked for as
        one range, and what was not wanted is left out here: one scan instead of many.
        """
        view = self._views[dataset]
        whole = [key for key in keys if isinstance(key, int)]
        if len(keys) > IN_LIST and len(whole) == len(keys):
            first, last = min(whole), max(whole)
            if last - first < READ_AHEAD * len(whole):
                wanted = set(whole)
                rows = self._unique(view, connection, between(view, name, first, last))
                return [row for row in rows if row[name] in wanted]
        found: list[Row] = []
        for start in range(0, len(keys), IN_LIST):
            found += self._unique(view, connection, among(view, name, keys[start : start + IN_LIST]))
        return found

    def _unique(self, view: View, connection: Connection, statement: Select[Any]) -> list[Row]:
        """Rows in the order of their keys, each key once. Raises ConfigurationError where the query doubles rows."""
        rows: list[Row] = [dict(row) for row in connection.execute(statement).mappings()]
        before: Key | None = None
        for row in rows:
            key = _key(view, row)
            if key == before:
                raise ConfigurationError(
                    f"{view.dataset.name} ({view.query.origin}): {view.dataset.key} {key} stands in more than one "
                    "row; a join doubles rows. The query must return one row a key"
                )
            before = key
        return rows

    def _as_keys(self, connection: Connection, dataset: Dataset, ids: Iterable[str]) -> list[Key]:
        """Ids as the database has its keys: where those are whole numbers, an id that is none does not exist."""
        present = connection.execute(any_key(self._views[dataset])).scalar()
        if present is None or isinstance(key_of(present), str):
            return list(ids)
        return [int(id_) for id_ in ids if id_.removeprefix("-").isdecimal() and id_.isascii()]


def _within(value: Any, rows: Rows, branch: str, since: datetime, until: datetime) -> bool:
    """Whether the local instant lies in the window. One that cannot be read might."""
    try:
        instant = local(value, rows.zone(branch))
    except ValueError:
        return True
    return instant is None or since <= instant < until


def _with_patient(rows: Sequence[Row]) -> list[Row]:
    """Without a patient a row of the diary is blocked time, no appointment."""
    return [row for row in rows if reference(row["patient_id"])]


def _key(view: View, row: Row, name: str = "") -> Key:
    name = name or view.dataset.key
    try:
        return key_of(row[name])
    except ValueError as error:
        raise ConfigurationError(f"{view.dataset.name} ({view.query.origin}): {name}: {error}") from error


def _keys(view: View, rows: Iterable[Row], name: str) -> list[Key]:
    """The keys in a column, each once, without the empty ones."""
    return list(dict.fromkeys(_key(view, row, name) for row in rows if reference(row[name])))
