"""A made-up MIS: records that change, and a Source that reads them as badly as a real one may be read."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime
from random import Random

import msgspec

from kreslo.connectors.contract import Batch, Rejected
from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Problem
from kreslo.records import Appointment, Enquiry, Patient, Record, RecordKind, RecordRef, ref_of
from tests.simulation.clock import WorldClock


class Version(msgspec.Struct, frozen=True):
    """A record as it became at `at`. `visible`: the monotonic instant when its transaction was committed, which may be
    after that of a later change. `record` None: it was deleted.
    """

    ref: RecordRef
    record: Record | None
    at: datetime
    visible: float


class Mis:
    """`log`: all versions in the order of the changes. `touched`: monotonic instant at which the last one was visible.
    `broken`: rows that cannot be read as records just now; `deleted`: rows that are gone, as they were last.
    """

    def __init__(self, clock: WorldClock) -> None:
        self.clock = clock
        self.log: list[Version] = []
        self.now_there: dict[RecordRef, Record] = {}
        self.touched = 0.0
        self.broken: set[RecordRef] = set()
        self.deleted: dict[RecordRef, Record] = {}
        self.deleted_at = -1.0
        self._numbers = dict.fromkeys(RecordKind, 0)

    def next_id(self, kind: RecordKind) -> str:
        self._numbers[kind] += 1
        return str(self._numbers[kind])

    def put(self, record: Record, *, late: float = 0.0) -> None:
        """Store a record; `late`: seconds until others see it."""
        self._log(ref_of(record), record, late)
        self.now_there[ref_of(record)] = record

    def remove(self, ref: RecordRef) -> None:
        self._log(ref, None, 0.0)
        self.deleted[ref] = self.now_there.pop(ref)
        self.deleted_at = self.log[-1].visible

    def _log(self, ref: RecordRef, record: Record | None, late: float) -> None:
        visible = self.clock.monotonic() + late
        # A row's later version is never seen before an earlier one.
        visible = max([visible, *(each.visible for each in self.log if each.ref == ref)])
        self.log.append(Version(ref, record, self.clock.now(), visible))
        self.touched = max(self.touched, visible)

    def seen(self, ref: RecordRef, at: float) -> Record | None:
        """The record as a reader sees it at this monotonic instant."""
        versions = [each for each in self.log if each.ref == ref and each.visible <= at]
        return versions[-1].record if versions else None

    def mend(self, record: Record) -> None:
        """A row that could not be read is corrected."""
        self.broken.discard(ref_of(record))
        self.put(record)

    def appointments(self) -> list[Appointment]:
        """Those that can be read."""
        there = [each for each in self.now_there.values() if isinstance(each, Appointment)]
        return [each for each in there if ref_of(each) not in self.broken]

    def patients(self) -> list[Patient]:
        return [each for each in self.now_there.values() if isinstance(each, Patient)]

    def enquiries(self) -> list[Enquiry]:
        return [each for each in self.now_there.values() if isinstance(each, Enquiry)]


class SimSource:
    """Reads a `Mis` table by table and page by page, while the clinic goes on; gives rows twice, in no order, and breaks
    off. `delivered`: versions that the engine has surely (True) or perhaps (False) stored, by record.
    """

    id = "ident"
    look_again = 0.0
    """Seconds after which a second reading is needed to see what the first one saw; 0 where none is."""

    def __init__(self, mis: Mis, chance: Random, *, failing: bool) -> None:
        self._mis = mis
        self._chance = chance
        self.failing = failing
        self.complete_from = -1.0

    async def check(self) -> list[Problem]:
        return []

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        began = self._mis.clock.monotonic()
        done = int(cursor or 0)
        fresh = list(enumerate(self._mis.log))[done:]
        unseen = [number for number, version in fresh if version.visible > began]
        # Reading on from here misses nothing: what was not committed yet stands behind it.
        stands_at = min(unseen, default=len(self._mis.log))
        refs = list(dict.fromkeys(version.ref for _, version in fresh if version.visible <= began))
        if refs and self._chance.random() < 0.2:
            self._chance.shuffle(refs)
        here = str(done)
        while refs:
            size = self._chance.choice((1, 3, 100))
            page, refs = refs[:size], refs[size:]
            if self.failing and self._chance.random() < 0.1:
                raise OutageError("the clinic's server does not answer")
            if self._chance.random() < 0.3:
                await self._mis.clock.sleep(self._chance.random() * 20)
            rejected = tuple(Rejected(ref, "a time that is none") for ref in page if ref in self._mis.broken)
            last = not refs
            yield Batch(
                records=tuple(self._records(page)),
                rejected=rejected,
                cursor=str(stands_at) if last else here,
                caught_up=last,
            )
            if last:
                self.complete_from = began
                return
        yield Batch(cursor=str(stands_at), caught_up=True)
        self.complete_from = began

    def _records(self, refs: Iterable[RecordRef]) -> list[Record]:
        now = self._mis.clock.monotonic()
        records = (self._mis.seen(ref, now) for ref in refs if ref not in self._mis.broken)
        return [record for record in records if record is not None]

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        if self.failing and self._chance.random() < 0.1:
            raise OutageError("the clinic's server does not answer")
        return self._records(refs)

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        now = self._mis.clock.monotonic()
        found = set()
        for ref in {version.ref for version in self._mis.log if version.ref.kind is kind}:
            record = self._mis.seen(ref, now)
            at = record.starts_at if isinstance(record, Appointment) else getattr(record, "created_at", None)
            if record is not None and (at is None or since <= at < until):
                found.add(ref.id)
        return frozenset(found)

    def opened(self) -> "SimSource":
        """What a new process has."""
        return self

    async def close(self) -> None:
        """Nothing is held."""

    def names_row(self, ref: RecordRef, parked: Collection[str]) -> bool:
        """Whether the row of this record is among what is `parked`."""
        return ref.key(self.id) in parked

    def shut(self) -> None:
        """Nothing is held."""
