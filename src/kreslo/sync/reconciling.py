"""Reconciling: what the MIS deletes leaves no trace there, so its keys are compared with ours, at night.

A key that is absent is only a suspicion: each is asked for by id, and nothing is called gone before all of its kind
have been asked for. What is there and not known to us, or was called gone, is read.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import structlog

from kreslo.connectors.contract import Source
from kreslo.connectors.errors import DataError
from kreslo.connectors.seams import Clock
from kreslo.journal import BridgeJournal
from kreslo.journal.model import Priority
from kreslo.mapping.model import Horizon
from kreslo.records import Record, RecordKind, RecordRef, ref_of
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

KINDS = (RecordKind.PATIENT, RecordKind.APPOINTMENT, RecordKind.ENQUIRY)
"""Patients first, so that a visit that is found has its patient."""

MOST_GONE = 0.2
"""More than this share of a kind absent at once is no day's work of a clinic but a database that is not itself."""

FEW = 5
"""So many may be absent whatever share they are: a small clinic deletes one of three."""

CHUNK = 200
"""Records asked for by id at once."""


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass over one kind came to. `known`: how many of ours were compared; `gone`: confirmed deletions that were
    news; `found`: records that were not known as they are, or came back; `unreadable`: there, but not as records.
    `stopped`: why nothing was done, "" where all was.
    """

    kind: RecordKind
    known: int
    gone: int = 0
    found: int = 0
    unreadable: int = 0
    stopped: str = ""


class Reconciler:
    def __init__(self, source: Source, journal: BridgeJournal, clock: Clock, threads: Threads) -> None:
        self._source = source
        self._journal = journal
        self._clock = clock
        self._threads = threads

    async def run(self, horizon: Horizon, kinds: Sequence[RecordKind] = KINDS) -> list[Reconciled]:
        """One pass over the horizon, a result a kind. Raises what `Source.keys` and `Source.fetch` raise; what was
        finished before that stands, and nothing of the kind that failed is called gone.
        """
        now = self._clock.now()
        since, until = now - horizon.past, now + horizon.future
        return [await self._reconcile(kind, since, until) for kind in kinds]

    async def _reconcile(self, kind: RecordKind, since: datetime, until: datetime) -> Reconciled:
        known = await self._threads.run(self._journal.known_ids, kind, since, until)
        here = await self._source.keys(kind, since, until)
        absent = known - here
        if stopped := _doubt(len(known), len(here), len(absent)):
            log.error("reconcile_stopped", kind=kind, known=len(known), absent=len(absent), reason=stopped)
            return Reconciled(kind=kind, known=len(known), stopped=stopped)
        moved, odd = await self._fetch(kind, absent)
        there = {record.id for record in moved} | odd
        strange, unreadable = await self._fetch(kind, here - known)
        found = 0
        for records in (moved, strange):
            if records:
                taken = await self._threads.run(
                    self._journal.take,
                    records,
                    cursor=None,
                    now=self._clock.now(),
                    priority=Priority.LIVE,
                )
                found += taken.new + taken.changed
        refs = [RecordRef(kind, id_) for id_ in sorted(absent - there)]
        gone = await self._threads.run(self._journal.vanished, refs, self._clock.now()) if refs else 0
        if gone or found:
            log.info("reconciled", kind=kind, known=len(known), gone=gone, found=found)
        return Reconciled(
            kind=kind, known=len(known), gone=gone, found=found, unreadable=len(odd | unreadable)
        )

    async def _fetch(self, kind: RecordKind, ids: Iterable[str]) -> tuple[list[Record], set[str]]:
        """The records that exist, and the ids that exist and cannot be read: one such row spoils a whole answer, so
        its neighbours are asked for one by one.
        """
        wanted = sorted(ids)
        records: list[Record] = []
        odd: set[str] = set()
        for start in range(0, len(wanted), CHUNK):
            part = [RecordRef(kind, id_) for id_ in wanted[start : start + CHUNK]]
            try:
                records += await self._source.fetch(part)
            except DataError:
                for ref in part:
                    try:
                        records += await self._source.fetch([ref])
                    except DataError as error:
                        log.warning("record_unreadable", kind=kind, id=ref.id, reason=error.message)
                        odd.add(ref.id)
        asked = {RecordRef(kind, id_) for id_ in wanted}
        return [record for record in records if ref_of(record) in asked], odd


def _doubt(known: int, here: int, absent: int) -> str:
    """Why so many cannot be gone; "" where they can."""
    if known and not here:
        return "the source gave no key at all"
    if absent > FEW and absent > MOST_GONE * known:
        return f"{absent} of {known} are absent from the source at once"
    return ""
