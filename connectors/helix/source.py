"""1C:Helix as a source of records (contract: kreslo.connectors.contract.Source).

A read looks into the folders, takes what is ready into its own state, and gives whatever changed there since the cursor:
patients, then appointments, enquiries and entries of campaigns, then rows that were parked or released. `fetch` and `keys` answer from the
state: the files themselves are gone by then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from connectors.helix import hearing
from connectors.helix.cursor import PARKED, Cursor, Place, parse
from connectors.helix.desk import Desk
from connectors.helix.options import HelixOptions
from connectors.helix.store import KINDS
from connectors.helix.store import span as span_of
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.errors import KresloError, OutageError
from kreslo.connectors.model import Problem
from kreslo.records import Record, RecordKind, RecordRef

Result = TypeVar("Result")

_PARTS = (*(kind.value for kind in KINDS), PARKED)


class HelixSource:
    """One clinic's files. All work with files and state is done on one thread of its own."""

    def __init__(self, options: HelixOptions, seams: Seams) -> None:
        self.id = options.id
        self._options = options
        self._seams = seams
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="helix")
        self._desk: Desk | None = None
        self._doing = ""

    async def check(self) -> list[Problem]:
        """See the contract. Looks at the newest file of every profile, and takes none."""
        try:
            return await self._run(lambda desk: desk.check())
        except KresloError as error:
            return [Problem(error.message, error.kind)]

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        """See the contract. Also raises ConfigurationError for a cursor that is not ours, and OutageError where nothing was
        ever read and a folder cannot be seen; later on that is a warning.
        """
        state = parse(cursor)
        await self._collect(first=cursor is None)
        store = await self._run(lambda desk: desk.store.id)
        if state is None or state.store != store:
            state = Cursor(store, 0)
        place = state.place or Place(_PARTS[0], await self._run(lambda desk: desk.store.top()))
        for part in _PARTS[_PARTS.index(place.part) if place.part in _PARTS else 0 :]:
            after = place.after if part == place.part else ""
            while True:
                batch, after = await self._page(state, Place(part, place.upper, after))
                if batch is None:
                    break
                yield batch
        warnings = await self._run(lambda desk: tuple(desk.warnings()))
        yield Batch(cursor=Cursor(store, place.upper).text(), caught_up=True, warnings=warnings)

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        if not refs:
            return []
        await self._collect(first=False)
        unique = list(dict.fromkeys(refs))

        def found(desk: Desk) -> list[Record]:
            return [record for ref in unique if (record := desk.store.get(ref)) is not None]

        return await self._run(found)

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        """See the contract. All patients are given: a file does not date them. Raises OutageError where a folder cannot be
        seen: what is not seen is not gone.
        """
        await self._collect(first=False)
        unreachable = await self._run(lambda desk: desk.unreachable())
        if unreachable:
            raise OutageError("\n".join(unreachable))
        window = None if kind is RecordKind.PATIENT else span_of(since, until)
        return await self._run(lambda desk: desk.store.ids(kind, window))

    async def nudges(self) -> AsyncIterator[None]:
        """See `kreslo.connectors.nudging`."""
        folders = [self._options.folder_of(name) for name in self._options.profiles]
        async for nudge in hearing.nudges(folders, self._seams.clock, self._options.settle.total_seconds()):
            yield nudge

    def doing(self) -> str:
        """See `kreslo.connectors.noticing`."""
        return self._doing

    async def close(self) -> None:
        if self._desk is not None:
            await self._run(lambda desk: desk.close())
            self._desk = None
        self._worker.shutdown()

    async def _collect(self, *, first: bool) -> None:
        """Takes what is ready. A long import is done piece by piece, so that whoever waits can be heard in between.
        `first`: also what only has to be seen to stand still, or history would count as news.
        """
        await self._run(lambda desk: desk.look())
        if first and await self._run(lambda desk: desk.waits()):
            await self._seams.clock.sleep(self._options.settle.total_seconds())
            await self._run(lambda desk: desk.look())
        try:
            while await self._run(lambda desk: desk.step()):
                self._doing = await self._run(lambda desk: desk.doing())
        finally:
            self._doing = ""
        unreachable = await self._run(lambda desk: desk.unreachable())
        if first and unreachable:
            raise OutageError("\n".join(unreachable))

    async def _page(self, state: Cursor, place: Place) -> tuple[Batch | None, str]:
        """One batch and the id behind it, None where the part is at its end."""
        limit = self._options.page

        def page(desk: Desk) -> tuple[Batch | None, str]:
            if place.part == PARKED:
                rejected, released, last = desk.store.parked(state.since, place.after, limit)
                if not last:
                    return None, ""
                here = Cursor(state.store, state.since, Place(PARKED, place.upper, last))
                batch = Batch(rejected=tuple(rejected), released=tuple(released), cursor=here.text())
                return batch, last
            records = desk.store.page(RecordKind(place.part), state.since, place.after, limit)
            if not records:
                return None, ""
            last = records[-1].id
            here = Cursor(state.store, state.since, Place(place.part, place.upper, last))
            return Batch(records=tuple(records), cursor=here.text()), last

        return await self._run(page)

    async def _run(self, work: Callable[[Desk], Result]) -> Result:
        def opened() -> Result:
            if self._desk is None:
                self._desk = Desk(self._options, self._seams)
            return work(self._desk)

        return await asyncio.get_running_loop().run_in_executor(self._worker, opened)
