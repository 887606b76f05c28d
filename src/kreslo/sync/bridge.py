"""A running bridge: one mapping, one source, one target, one journal; one loop that turns."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
import structlog

from kreslo.connectors.contract import Seams, Source, Target
from kreslo.connectors.errors import (
    ConfigurationError,
    ErrorKind,
    KresloError,
    LimitError,
    OutageError,
    PermissionDeniedError,
)
from kreslo.connectors.model import Outcome, OutcomeKind, StageRef
from kreslo.connectors.noticing import Noticing, Working
from kreslo.connectors.nudging import Nudging
from kreslo.decisions.texts import text
from kreslo.journal import BridgeJournal, BridgeLock, Journal
from kreslo.journal.model import Explained, LastChange, ParkedItem, Priority, ReviewItem
from kreslo.mapping.load import MappingFile
from kreslo.mapping.model import Bridge
from kreslo.records.exchange import Ticket, TimeTable
from kreslo.sync.comparing import Comparison
from kreslo.sync.deciding import Decider
from kreslo.sync.delivering import Deliverer
from kreslo.sync.drift import Compared
from kreslo.sync.inbox import Inbox
from kreslo.sync.listening import Listener
from kreslo.sync.nightly import COMPARISON, Nightly, told
from kreslo.sync.reading import Reader
from kreslo.sync.schedule import Schedule, schedule_of
from kreslo.sync.status import BridgeStatus, LastError
from kreslo.sync.threads import Threads
from kreslo.sync.watching import CatalogWatch

log = structlog.get_logger(__name__)

ROUND_CASES = 400
"""Cases decided at once: enough that the lookups of an import fill whole batches."""

BACKLOG = 100
"""With so many intents still to be sent, only live cases are decided: the rest would only wait in another queue."""

LISTEN_SECONDS = 5.0
BUSY_LISTEN_SECONDS = 20.0
"""While an import runs, its requests are worth more than hearing of staff's edits at once."""

IDLE_SECONDS = 0.25


class BridgeRun:
    """One bridge at work. `turn` does one bounded piece of everything; `run` turns until it is told to stop."""

    def __init__(
        self,
        *,
        mapping: MappingFile,
        bridge: Bridge,
        source: Source,
        target: Target,
        whole: Journal,
        lock: BridgeLock,
        journal: BridgeJournal,
        seams: Seams,
        threads: Threads,
        me: str,
        on_progress: Callable[[BridgeStatus], None] | None = None,
        beside: Threads | None = None,
    ) -> None:
        """`threads`: where all that blocks runs, one call at a time; `beside`: where hooks do not wait for it."""
        self.name = bridge.name
        self.mapping = mapping
        self.bridge = bridge
        self.source = source
        self.target = target
        self.journal = journal
        journal.language = bridge.language
        self._whole = whole
        self._lock = lock
        self._clock = seams.clock
        self._threads = threads
        self._on_progress = on_progress
        self._schedule: Schedule = schedule_of(mapping.source, bridge.zone)
        self._reader = Reader(source, journal, seams.clock, threads)
        self._decider = Decider(bridge, journal, target, seams.clock, threads)
        self._deliverer = Deliverer(journal, target, seams.clock, seams.chance, threads)
        self._listener = Listener(bridge, journal, target, seams.clock, threads, me)
        self._nudged = asyncio.Event()
        self._beside = beside
        self._inbox = Inbox(journal, seams.clock, beside or threads)
        self._watch = CatalogWatch(journal, target, threads)
        compare = partial(Comparison, bridge, journal, source, target, seams.clock, threads)
        self._nightly = Nightly(bridge, journal, threads, compare)
        # A comparison that a person asks for waits for the turn's end: a source is read by one at a time.
        self._alone = asyncio.Lock()
        self._names = stage_names(bridge)
        self._next_read: datetime = seams.clock.now()
        self._next_listen: datetime = seams.clock.now()
        self._next_probe: datetime = seams.clock.now()
        self._flowing = False
        self._pause_until: datetime | None = None
        self._failures = 0
        self._status = BridgeStatus(
            name=self.name, source=mapping.source.connector, target=mapping.target.connector
        )

    async def start(self) -> None:
        """What a restart must do first: whatever was being sent has an unknown outcome now."""
        now = self._clock.now()
        # A request that was on its way when the process died may still be applied for as long as the CRM lets it run.
        probe_at = now + timedelta(seconds=self.target.settle_seconds)
        await self._threads.run(self.journal.recover, now, probe_at)
        await self._reader.start()
        known = await self._threads.run(self.journal.fingerprint)
        if known != self.bridge.fingerprint:
            if known is not None:
                await self._threads.run(self.journal.mark_all, now, Priority.WOKEN)
            await self._threads.run(self.journal.save_fingerprint, self.bridge.fingerprint)

    async def run(self, stop: asyncio.Event) -> None:
        """Turns until `stop`. Outages of either side are waited out; the status says so."""
        self._set(live=True)
        hearing = asyncio.create_task(self._hear())
        try:
            while not stop.is_set():
                busy = await self.turn()
                if not busy:
                    await self._rest(stop)
        finally:
            hearing.cancel()
            (ended,) = await asyncio.gather(hearing, return_exceptions=True)
            if isinstance(ended, Exception):
                log.warning("nothing_heard", bridge=self.name, error=type(ended).__name__)
        self._set(live=False)

    async def _hear(self) -> None:
        """Reads at once when the source hears of something; it is read by its schedule all the same."""
        if isinstance(self.source, Nudging):
            async for _ in self.source.nudges():
                await self.nudge()

    async def turn(self) -> bool:
        """One bounded piece of work: read if it is time, listen, decide, deliver, probe. True if there is more."""
        now = self._clock.now()
        if self._pause_until and now < self._pause_until:
            return False
        waited_for, error_before = self._pause_until, self._status.last_error
        try:
            async with self._alone:
                busy = await self._work(now)
        except KresloError as error:
            self._pause(error, now)
            busy = False
        else:
            if waited_for and self._pause_until == waited_for:  # a write that was refused begins another
                self._resume(error_before)
        try:
            await self._report()
        except OutageError as error:
            # The journal is locked for a moment: the bridge waits, as for any other side.
            self._pause(error, now)
        return busy and not self._pause_until

    async def _work(self, now: datetime) -> bool:
        if now >= self._next_listen or not self._listener.started:
            await self._listener.listen()
            pause = BUSY_LISTEN_SECONDS if self._status.sending > BACKLOG else LISTEN_SECONDS
            self._next_listen = now + timedelta(seconds=pause)
        if now >= self._next_read:
            # The cursor moves while it reads: what fails in the middle goes on from there.
            await self._reader.read()
            self._next_read = self._schedule.after(now)
            self._set(last_read_at=now, next_read_at=self._next_read, read=self._reader.records)
        if not self._reader.complete:
            return False
        comparing = await self._compare(now)
        # What was refused for now is decided again before it is sent: a backlog of nothing else must not wait for itself.
        held = self._status.sending > BACKLOG and self._flowing
        report = await self._decider.round(ROUND_CASES, live_only=held)
        sent = 0
        while outcomes := await self._deliverer.send():
            sent += len(outcomes)
            self._refused(outcomes)
            self._watch.heard(outcomes)
            if self._clock.now() >= self._next_read or self._pause_until:
                break
        self._flowing = sent > 0
        await self._watch.look(now, self._status.parked)
        if now >= self._next_probe:
            await self._deliverer.probe()
            self._next_probe = now + timedelta(seconds=1)
        self._set(done=self._status.done + report.decided)
        return bool(report.decided or report.conflicts or sent or comparing)

    async def _compare(self, now: datetime) -> bool:
        """The nightly comparison, a piece a turn; whether it goes on. What only a person can mend ends it for this night:
        the rest of the bridge goes on.
        """
        if drift := await self._nightly.recall(now):
            self._set(drift=drift)
        try:
            compared = await self._nightly.turn(now)
        except KresloError as error:
            if not await self._nightly.given_up(error, now):
                raise
            self._set(last_error=LastError(at=now, kind=error.kind, message=error.message, where=COMPARISON))
            return False
        if compared is not None:
            self._became(told(self._status, compared, self.bridge.language))
        return self._nightly.under_way

    def _refused(self, outcomes: Sequence[Outcome]) -> None:
        """A login that is refused concerns every card: the bridge pauses and says so."""
        for outcome in outcomes:
            if outcome.kind is OutcomeKind.TRANSIENT and outcome.error is ErrorKind.PERMISSION:
                self._pause(
                    PermissionDeniedError(outcome.message, retry_after=outcome.retry_after), self._clock.now()
                )
                return

    async def _rest(self, stop: asyncio.Event) -> None:
        """Sleeps until something is due: a nudge, the next read or listen, a case the clock wakes."""
        now = self._clock.now()
        moments = [self._next_read, self._next_listen]
        if self._pause_until:
            moments = [self._pause_until]
        seconds = max(0.02, min((moment - now).total_seconds() for moment in moments))
        woken = [asyncio.ensure_future(each.wait()) for each in (stop, self._nudged)]
        timer = asyncio.ensure_future(self._clock.sleep(min(seconds, IDLE_SECONDS)))
        await asyncio.wait([*woken, timer], return_when=asyncio.FIRST_COMPLETED)
        for each in (*woken, timer):
            each.cancel()
        await asyncio.gather(*woken, timer, return_exceptions=True)
        if self._nudged.is_set():
            self._nudged.clear()
            self._next_read = self._clock.now()

    def _pause(self, error: KresloError, now: datetime) -> None:
        self._failures += 1
        wait = error.retry_after or min(60.0, 1.0 * 2 ** min(self._failures, 6))
        self._pause_until = now + timedelta(seconds=wait)
        where = "target" if isinstance(error, LimitError) else "source or target"
        if self._failures == 1 or not isinstance(error, LimitError | OutageError):
            log.warning(
                "paused", bridge=self.name, kind=error.kind, message=error.message, detail=error.detail
            )
        self._set(
            paused=error.message,
            ready=False,
            settled=False,
            last_error=LastError(at=now, kind=error.kind, message=error.message, where=where),
        )

    def _resume(self, error_before: LastError | None) -> None:
        """`error_before`: as it stood before this turn; one that the turn itself met is not over."""
        log.info("resumed", bridge=self.name, after=self._failures)
        self._failures = 0
        self._pause_until = None
        last = self._status.last_error
        if last is not None and last is error_before:
            last = msgspec.structs.replace(last, over=True)
        self._set(paused="", last_error=last)

    async def _report(self) -> None:
        now = self._clock.now()
        counts = await self._threads.run(self.journal.counts)
        due, oldest = await self._threads.run(self.journal.queue, now)
        sending = sum(counts.intents.get(state, 0) for state in ("planned", "sending", "retry"))
        unknown = counts.intents.get("unknown", 0)
        self._set(
            ready=self._reader.complete and not self._pause_until,
            waiting=due,
            sending=sending,
            unknown=unknown,
            parked=counts.parked,
            review=counts.reviews,
            confirmed=counts.intents.get("confirmed", 0),
            cards=counts.cards,
            by_stage=self._by_stage(counts.stages),
            lag_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
            settled=self._told_all() and not (due or sending or unknown),
            notices=[
                *self._reader.notices(self.bridge.zone, self.bridge.language),
                *(self.target.notices() if isinstance(self.target, Noticing) else ()),
            ],
        )

    def _by_stage(self, counted: dict[StageRef, int]) -> dict[str, int]:
        """In the order of a visit's life, then what the mapping names no more."""
        known = {name: counted[stage] for stage, name in self._names.items() if stage in counted}
        return known | {stage.stage: count for stage, count in counted.items() if stage not in self._names}

    def _told_all(self) -> bool:
        return self._reader.complete and self._listener.started and not self._pause_until

    def _set(self, **changes: object) -> None:
        self._became(msgspec.structs.replace(self._status, **changes))

    def _became(self, status: BridgeStatus) -> None:
        self._status = status
        if self._on_progress:
            self._on_progress(self._status)

    def status(self) -> BridgeStatus:
        if isinstance(self.source, Working) and (doing := self.source.doing()):
            return msgspec.structs.replace(self._status, doing=doing)
        return self._status

    @property
    def imported(self) -> bool:
        """Whether one whole reading has ended since the journal was made."""
        return self._reader.complete

    async def nudge(self) -> None:
        """Read now, rather than at the next time of the schedule."""
        self._nudged.set()

    async def accept_webhook(self, headers: Mapping[str, str], body: bytes) -> int:
        """Takes a hook of the target: its events are looked at in the next turn. Raises PermissionDeniedError on a
        wrong secret and DataError on a body that is no hook.
        """
        events = self.target.parse_webhook(headers, body)
        if events:
            # Written down before the hook is answered; the next turn looks at the cards.
            await self._inbox.keep(events)
            self._next_listen = self._clock.now()
            self._nudged.set()
        return len(events)

    @property
    def exchange_key(self) -> str:
        """What iDent sends with its requests, "" where the mapping has no `exchange:`."""
        return self.mapping.endpoints.exchange_key

    def now(self) -> datetime:
        return self._clock.now()

    async def tickets(
        self, since: datetime | None, until: datetime | None, limit: int | None, offset: int
    ) -> list[Ticket]:
        """Tickets of the window, both bounds included, for iDent."""
        return await self._threads.run(lambda: self.journal.tickets(since, until, limit=limit, offset=offset))

    async def take_timetable(self, table: TimeTable) -> None:
        """IDent's whole horizon, in place of the one before."""
        await self._threads.run(self.journal.put_timetable, table, self._clock.now())

    async def timetable(self) -> tuple[TimeTable, datetime] | None:
        return await self._threads.run(self.journal.timetable)

    async def last_changes(self, limit: int) -> Sequence[LastChange]:
        """The last intents that were sent, newest first, for the page."""
        return await self._threads.run(self.journal.last_changes, limit)

    async def reviews(self, limit: int, *, answered: bool = False) -> list[ReviewItem]:
        """The open questions, the oldest first; or those answered, the last asked first."""
        return await self._threads.run(self.journal.reviews, limit, answered=answered)

    async def answer(self, review_id: int, choice: str, target_id: str, by: str) -> None:
        """A person's "link", "new" or "never"; the case is decided again. Raises DataError on a question that is not
        asked any more.
        """
        now = self._clock.now()
        await self._threads.run(self.journal.answer, review_id, choice, target_id, by, now)

    async def parked(self, limit: int) -> list[ParkedItem]:
        return await self._threads.run(self.journal.parked, limit)

    async def release(self, parked_id: int) -> None:
        """A person says: try again. Decided anew, never replayed. Raises DataError where nothing has that number."""
        await self._threads.run(self.journal.release, parked_id, self._clock.now())

    async def compare_now(self, *, heal: bool, sure: bool) -> Compared:
        """The comparison, at once rather than at night; `heal`: mend what is found, `sure`: however much that is. Between its
        steps the bridge goes on. Raises ConfigurationError before the first read is complete, and what the sides raise.
        """
        if not self._reader.complete:
            raise ConfigurationError(text(self.bridge.language, "not_read_yet"))
        comparison = self._nightly.asked(heal=heal, sure=sure)
        while True:
            async with self._alone:
                compared = await comparison.step()
                if compared is not None:
                    await self._nightly.keep(compared)
                    self._became(told(self._status, compared, self.bridge.language))
                    return compared

    async def find_cases(self, *, phone: str, last4: str, card_number: str, name: str) -> list[str]:
        """As `BridgeJournal.find_cases`."""
        return await self._threads.run(
            self.journal.find_cases, phone=phone, last4=last4, card_number=card_number, name=name
        )

    async def explain(self, case_key: str) -> Explained | None:
        return await self._threads.run(self.journal.explain, case_key)

    async def close(self) -> None:
        await self.source.close()
        await self.target.close()
        if self._beside is not None:
            self._beside.close()
        await self._threads.run(self._lock.release)
        await self._threads.run(self._whole.close)
        self._threads.close()


def stage_names(bridge: Bridge) -> dict[StageRef, str]:
    """The names of the stages that the mapping has a rule for."""
    rules = list(bridge.appointment.stages.values()) if bridge.appointment else []
    if bridge.enquiry:
        rules += [
            rule for rule in (bridge.enquiry.new, bridge.enquiry.already_booked, bridge.enquiry.stale) if rule
        ]
    return {rule.stage: rule.name for rule in rules}
