"""Reading: from the source into the journal. The cursor moves in the transaction that marks the cases."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from kreslo.connectors.contract import Batch, Source
from kreslo.connectors.model import Problem
from kreslo.connectors.seams import Clock
from kreslo.connectors.ticking import Ticking
from kreslo.journal import BridgeJournal
from kreslo.journal.model import Priority
from kreslo.records import RecordKind, RecordRef
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

WATCHED_PAST = timedelta(days=1)
WATCHED_FUTURE = timedelta(days=365)
"""Visits that start in this window around now may change at any moment: a tick looks at each of them."""

ENDED_SHOWN = timedelta(hours=1)
"""How long a person is still told of a warning that has ended: the file that was late has come."""


class Reader:
    """`complete`: one whole read has ended since the journal was made. Until then no case is decided: a booking whose
    successor has not been read yet would be told wrongly. `warnings`: what the source says is wrong at this moment.
    """

    def __init__(self, source: Source, journal: BridgeJournal, clock: Clock, threads: Threads) -> None:
        self._source = source
        self._journal = journal
        self._clock = clock
        self._threads = threads
        self.complete = False
        self.records = 0
        self.warnings: tuple[Problem, ...] = ()
        self._ended: dict[str, datetime] = {}
        self._next_pass: datetime | None = None

    async def start(self) -> None:
        self.complete = await self._threads.run(self._journal.flag, "first_read_complete") == "yes"

    async def read(self, *, whole: bool = False) -> int:
        """Everything new; how many records were new or changed. Where the source can tick, most readings are ticks,
        except with `whole`. Raises what `Source.read` raises; what was read before that is kept, with its cursor.
        """
        now = self._clock.now()
        cursor = await self._threads.run(self._journal.cursor)
        source = self._source
        if whole or cursor is None or not isinstance(source, Ticking) or self._pass_is_due(now):
            changed = await self._take(source.read(cursor))
            if isinstance(source, Ticking):
                self._next_pass = now + source.change_pass
            return changed
        return await self._take(source.tick(cursor, await self._watched(now)))

    def _warned(self, warnings: tuple[Problem, ...]) -> None:
        """Keeps what stands wrong now and what has lately ended; the log hears of both once."""
        at = self._clock.now()
        before, now = ({problem.message for problem in each} for each in (self.warnings, warnings))
        for message in sorted(now - before):
            log.warning("source_warns", source=self._source.id, message=message)
        for message in sorted(before - now):
            log.info("source_warning_over", source=self._source.id, message=message)
            self._ended[message] = at
        self._ended = {
            message: since
            for message, since in self._ended.items()
            if message not in now and since > at - ENDED_SHOWN
        }
        self.warnings = warnings

    def notices(self, zone: ZoneInfo, language: str) -> list[str]:
        """What the source warns of, then what it warned of in the last hour, with the local time of its end."""
        over = "прошло в" if language == "ru" else "over since"
        return [
            *(problem.message for problem in self.warnings),
            *(f"{message} ({over} {at.astimezone(zone):%H:%M})" for message, at in self._ended.items()),
        ]

    def _pass_is_due(self, now: datetime) -> bool:
        return not self.complete or self._next_pass is None or now >= self._next_pass

    async def _watched(self, now: datetime) -> frozenset[RecordRef]:
        ids = await self._threads.run(
            self._journal.known_ids, RecordKind.APPOINTMENT, now - WATCHED_PAST, now + WATCHED_FUTURE
        )
        return frozenset(RecordRef(RecordKind.APPOINTMENT, id_) for id_ in ids)

    async def _take(self, batches: AsyncIterator[Batch]) -> int:
        changed = 0
        async for batch in batches:
            taken = await self._threads.run(
                self._journal.take,
                batch.records,
                cursor=batch.cursor,
                now=self._clock.now(),
                rejected=batch.rejected,
                priority=Priority.LIVE if self.complete else Priority.IMPORT,
            )
            if batch.released:
                await self._threads.run(self._journal.released, batch.released)
            if batch.caught_up:
                self._warned(batch.warnings)
            changed += taken.new + taken.changed
            self.records += len(batch.records)
            if batch.caught_up and not self.complete:
                await self._threads.run(self._journal.save_flag, "first_read_complete", "yes")
                self.complete = True
        return changed
