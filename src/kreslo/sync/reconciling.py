"""Reconciling: what the MIS deletes leaves no trace there, and what it changes may leave none, so its keys and its
records are compared with ours, at night.

A key that is absent is only a suspicion: each is asked for by id, and nothing is called gone before all of its kind
have been asked for. What is there is read, whether it was known, unknown or called gone: the journal takes what is not
as it knows it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from kreslo.connectors.contract import Source
from kreslo.connectors.errors import DataError
from kreslo.connectors.seams import Clock
from kreslo.decisions.texts import text
from kreslo.journal import BridgeJournal
from kreslo.journal.model import Priority
from kreslo.mapping.model import Horizon
from kreslo.records import Record, RecordKind, RecordRef, ref_of
from kreslo.sync.drift import Reconciled
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

KINDS = (RecordKind.PATIENT, RecordKind.APPOINTMENT, RecordKind.ENQUIRY, RecordKind.ENTRY)
"""Patients first, so that a visit that is found has its patient."""

MOST_GONE = 0.2
"""More than this share of a kind absent at once is no day's work of a clinic but a database that is not itself."""

FEW = 5
"""So many may be absent whatever share they are: a small clinic deletes one of three."""

CHUNK = 1000
"""Records asked for by id at once: of iDent each question costs a look through its orders."""


class Reconciler:
    """`language`: of what is told to people."""

    def __init__(
        self,
        source: Source,
        journal: BridgeJournal,
        clock: Clock,
        threads: Threads,
        language: str = "ru",
    ) -> None:
        self._source = source
        self._journal = journal
        self._clock = clock
        self._threads = threads
        self._language = language

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
        if stopped := _doubt(len(known), len(here), len(absent), self._language):
            log.error("reconcile_stopped", kind=kind, known=len(known), absent=len(absent), reason=stopped)
            return Reconciled(kind=kind, known=len(known), stopped=stopped)
        moved, there, odd = await self._take(kind, absent)
        others, _, unreadable = await self._take(kind, here)
        found, there = moved + others, there | odd
        refs = [RecordRef(kind, id_) for id_ in sorted(absent - there)]
        gone = await self._threads.run(self._journal.vanished, refs, self._clock.now()) if refs else 0
        if gone or found:
            log.info("reconciled", kind=kind, known=len(known), gone=gone, found=found)
        return Reconciled(
            kind=kind, known=len(known), gone=gone, found=found, unreadable=len(odd | unreadable)
        )

    async def _take(self, kind: RecordKind, ids: Iterable[str]) -> tuple[int, set[str], set[str]]:
        """How many of them the journal did not know as they are, the ids that exist, and the ids that exist and cannot
        be read.
        """
        # Numbers in their order lie together in the MIS, too.
        wanted = sorted(ids, key=lambda id_: (len(id_), id_))
        found = 0
        there: set[str] = set()
        odd: set[str] = set()
        for start in range(0, len(wanted), CHUNK):
            records = await self._fetch([RecordRef(kind, id_) for id_ in wanted[start : start + CHUNK]], odd)
            there |= {record.id for record in records}
            if records:
                taken = await self._threads.run(
                    self._journal.take,
                    records,
                    cursor=None,
                    now=self._clock.now(),
                    priority=Priority.LIVE,
                )
                found += taken.new + taken.changed
        return found, there, odd

    async def _fetch(self, refs: list[RecordRef], odd: set[str]) -> list[Record]:
        """The records that exist. One that cannot be read spoils a whole answer: it is narrowed down by halves and
        added to `odd`.
        """
        try:
            records = await self._source.fetch(refs)
        except DataError as error:
            if len(refs) == 1:
                log.warning("record_unreadable", kind=refs[0].kind, id=refs[0].id, reason=error.message)
                odd.add(refs[0].id)
                return []
            half = len(refs) // 2
            return [*await self._fetch(refs[:half], odd), *await self._fetch(refs[half:], odd)]
        asked = set(refs)
        return [record for record in records if ref_of(record) in asked]


def _doubt(known: int, here: int, absent: int, language: str) -> str:
    """Why so many cannot be gone; "" where they can."""
    if known and not here:
        return text(language, "no_keys")
    if absent > FEW and absent > MOST_GONE * known:
        return text(language, "many_absent", absent=str(absent), known=str(known))
    return ""
