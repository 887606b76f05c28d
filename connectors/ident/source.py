"""iDent as a source of records (contract: kreslo.connectors.contract.Source).

A pass reads the patients, the appointments, what moved among the orders, the enquiries, and the recalls, in this order. The first
pass over a dataset reads it whole, by key. Each later pass reads the rows of which any instant is not older than the
database's clock was at the pass before (less `overlap`), and the rows with a higher key than any seen.

Between passes ticks read by primary keys alone: rows with a higher key than any seen, and the visits that are watched.
A tick moves `top` and never `since`, so that the next pass still looks at everything that happened meanwhile.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connectors.ident.checks import inspect
from connectors.ident.client import Database
from connectors.ident.cursor import Cursor, Mark, Place, parse
from connectors.ident.datasets import APPOINTMENTS, DATASETS, ENQUIRIES, ORDERS, PATIENTS, RECALLS, Dataset
from connectors.ident.dialects import dialect_of
from connectors.ident.options import IdentOptions
from connectors.ident.probing import look
from connectors.ident.reader import Reader, Slice
from connectors.ident.statements import IN_LIST
from connectors.ident.values import Key
from connectors.ident.views import Views, open_views
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.errors import KresloError
from kreslo.connectors.model import Problem
from kreslo.connectors.probing import Probe
from kreslo.records import Record, RecordKind, RecordRef

PASS = (PATIENTS.name, APPOINTMENTS.name, ORDERS.name, ENQUIRIES.name, RECALLS.name)
"""The order of a pass: a patient is known before the visit, a visit before its money."""

Result = TypeVar("Result")


class IdentSource:
    """One clinic's iDent, read through one connection that is opened when first needed."""

    def __init__(self, options: IdentOptions, seams: Seams) -> None:
        """Raises ConfigurationError where `database` is no address."""
        self.id = options.id
        self.change_pass = options.change_pass
        self._options = options
        self._clock = seams.clock
        self._dialect = dialect_of(options, seams.clock)
        self._database = Database(self._dialect)
        self._views: Views | None = None
        self._reader: Reader | None = None

    async def check(self) -> list[Problem]:
        """See the contract. Looks at every key once: it takes as long as a scan of each table."""
        self._views = self._reader = None
        try:
            return await self._database.run(
                lambda connection: inspect(connection, self._options, self._dialect, self._clock)
            )
        except KresloError as error:
            return [Problem(error.message, error.kind)]

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        """See the contract. Also raises ConfigurationError for a cursor that is not ours."""
        state = parse(cursor, PASS)
        place = state.place or Place(PASS[0], await self._database.run(self._dialect.now))
        marks = dict(state.marks)
        for name in PASS[PASS.index(place.dataset) :]:
            dataset, after = DATASETS[name], place.after if name == place.dataset else None
            shape = await self._shape(dataset)
            if not shape:
                continue  # an optional dataset that this clinic does not have
            mark = marks.get(name)
            if mark is not None and mark.shape != shape:
                mark = None
            if dataset is APPOINTMENTS and mark is None and after is None:
                await self._mark_orders(marks, place.upper)
            last = False
            while not last:
                slices = await self._slices(dataset, mark, place.upper, after, marks.get(PATIENTS.name))
                for part in slices:
                    after, last = part.after, part.last
                    if part.records or part.rejected:
                        here = Cursor(marks, Place(name, place.upper, after))
                        yield Batch(records=part.records, rejected=part.rejected, cursor=here.text())
            if mark is not None or after is not None:
                marks = {**marks, name: Mark(place.upper, _higher(mark, after), shape)}
            # else it was empty: the next pass reads it whole again, at no cost
        yield Batch(cursor=Cursor(marks).text(), caught_up=True)

    async def tick(self, cursor: str, watched: Collection[RecordRef]) -> AsyncIterator[Batch]:
        """See kreslo.connectors.ticking.Ticking. A dataset without whole-number keys is left to `read`; a pass that was
        broken off, or the first rows of a dataset that was empty, make a `read` of this.
        """
        state = parse(cursor, PASS)
        if state.place is not None or await self._begun(state.marks):
            async for batch in self.read(cursor):
                yield batch
            return
        # What is watched before what is new: a move cancels the old booking and enters the new one at once, and whoever saw
        # the first must see the second. The other way round it would look cancelled until the next tick.
        async for batch in self._watched(watched, cursor):
            yield batch
        marks = dict(state.marks)
        for name in PASS:
            mark = marks.get(name)
            if mark is None or mark.top is None or mark.shape != await self._shape(DATASETS[name]):
                continue
            last, after = False, mark.top
            while not last:
                for part in await self._slices(DATASETS[name], mark, mark.since, after, None, new_only=True):
                    last, after = part.last, _higher(mark, part.after) or after
                    marks[name] = Mark(mark.since, after, mark.shape)
                    if part.records or part.rejected:
                        yield Batch(records=part.records, rejected=part.rejected, cursor=Cursor(marks).text())
        yield Batch(cursor=Cursor(marks).text(), caught_up=True)

    async def _begun(self, marks: Mapping[str, Mark]) -> bool:
        """Whether a dataset that was empty at the last pass has rows now."""
        for dataset in (DATASETS[name] for name in PASS if name not in marks):
            if await self._shape(dataset) and await self._highest(dataset) is not None:
                return True
        return False

    async def _highest(self, dataset: Dataset) -> Key | None:
        return await self._read(lambda reader, connection: reader.highest(connection, dataset))

    async def _watched(self, watched: Collection[RecordRef], cursor: str) -> AsyncIterator[Batch]:
        ids = sorted(ref.id for ref in watched if ref.kind is RecordKind.APPOINTMENT)
        seen: set[RecordRef] = set()
        for start in range(0, len(ids), IN_LIST):
            part, looks = await self._look(ids[start : start + IN_LIST])
            size = self._options.page
            for first in range(0, len(part.records), size):
                yield Batch(records=part.records[first : first + size], cursor=cursor)
            if part.rejected:
                yield Batch(rejected=part.rejected, cursor=cursor)
            # Only now: whoever reads has taken them, or the process is gone and so is this memory.
            if self._reader is not None:
                self._reader.noticed(looks)
            seen |= looks.keys()
        if self._reader is not None:
            self._reader.forget_others(seen)

    async def _look(self, ids: Sequence[str]) -> tuple[Slice, dict[RecordRef, int]]:
        return await self._read(lambda reader, connection: reader.watched(connection, ids))

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        """See the contract. Raises DataError for a row that is there and cannot be read."""
        if not refs:
            return []
        return await self._read(lambda reader, connection: reader.fetch(connection, refs))

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        """See the contract. Patients and whatever has no readable time are all given: iDent does not date them."""
        return await self._read(lambda reader, connection: reader.keys(connection, kind, since, until))

    async def probe(self) -> Probe:
        """What the database has of the tables and columns that our queries touch. No patient is read."""
        return await self._database.run(lambda connection: look(connection, self._options, self._dialect))

    async def close(self) -> None:
        await self._database.close()

    async def _slices(
        self,
        dataset: Dataset,
        mark: Mark | None,
        upper: datetime,
        after: Key | None,
        patients: Mark | None,
        *,
        new_only: bool = False,
    ) -> list[Slice]:
        # A clock set back must not leave a gap: the earlier of the two readings counts.
        since = upper if mark is None else min(mark.since, upper) - self._options.overlap - self._lag()
        return await self._read(
            lambda reader, connection: reader.slices(
                connection,
                dataset,
                mark=mark,
                since=since,
                after=after,
                patients_top=patients.top if patients else None,
                new_only=new_only,
            )
        )

    async def _shape(self, dataset: Dataset) -> str:
        def shape(reader: Reader, connection: Connection) -> str:  # noqa: ARG001  only the views are of use here
            views = self._views
            return views.shape(dataset.name) if views is not None and views.get(dataset) is not None else ""

        return await self._read(shape)

    async def _mark_orders(self, marks: dict[str, Mark], upper: datetime) -> None:
        """Before all appointments are read, with their orders: only what moves in the orders from here on is news."""
        shape = await self._shape(ORDERS)
        top = await self._highest(ORDERS) if shape else None
        marks.pop(ORDERS.name, None)
        if top is not None:
            marks[ORDERS.name] = Mark(upper, top if isinstance(top, int) else None, shape)

    def _lag(self) -> timedelta:
        """How far the clocks of branches may be behind the clinic's own: their stamps are that much older."""
        now = self._clock.now()
        zones = [ZoneInfo(branch.timezone) for branch in self._options.branches.values() if branch.timezone]
        own = now.astimezone(ZoneInfo(self._options.timezone)).replace(tzinfo=None)
        behind = [own - now.astimezone(zone).replace(tzinfo=None) for zone in zones]
        return max(timedelta(0), *behind) if behind else timedelta(0)

    async def _read(self, work: Callable[[Reader, Connection], Result]) -> Result:
        def opened(connection: Connection) -> Result:
            if self._reader is None:
                self._views = open_views(connection, self._options, self._dialect.label)
                self._reader = Reader(self._options, self._clock, self._views)
            return work(self._reader, connection)

        return await self._database.run(opened)


def _higher(mark: Mark | None, after: Key | None) -> int | None:
    """The highest whole key known. A text has no order that means anything."""
    known = [key for key in (mark.top if mark else None, after) if isinstance(key, int)]
    return max(known, default=None)
