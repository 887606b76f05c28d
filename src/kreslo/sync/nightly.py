"""The nightly comparison: once a night, or as soon as it can be where the machine was off at night."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import msgspec
import structlog

from kreslo.connectors.errors import ErrorKind, KresloError, LimitError, OutageError
from kreslo.decisions.texts import text
from kreslo.journal import BridgeJournal
from kreslo.mapping.model import Bridge
from kreslo.sync.comparing import Comparison
from kreslo.sync.drift import Compared
from kreslo.sync.status import BridgeStatus, DriftCounts, LastError
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

COMPARISON = "comparison"
"""Where an error came from, beside "source" and "target"."""

ATTEMPTS = 5
"""So often a side may be away while the nightly comparison asks it, before it is given up until the next night."""

AT = time(3, 0)
"""The clinic's local time at which nobody books."""

LATE = timedelta(hours=30)
"""After so long without a comparison the next does not wait for the night."""


class Nightly:
    """The comparisons of one bridge, and what the last one came to. A comparison is not part of a status: `told` puts its
    result there.
    """

    def __init__(
        self,
        bridge: Bridge,
        journal: BridgeJournal,
        threads: Threads,
        compare: Callable[..., Comparison],
    ) -> None:
        """`compare`: makes a comparison of this bridge, given `heal` and `sure`."""
        self._bridge = bridge
        self._journal = journal
        self._threads = threads
        self._compare = compare
        self._under_way: Comparison | None = None
        self._attempts = 0
        self._last: datetime | None = None

    @property
    def under_way(self) -> bool:
        """Whether the next call goes on with one."""
        return self._under_way is not None

    async def recall(self, now: datetime) -> DriftCounts | None:
        """Once, before all else: what the last comparison found, before a restart too."""
        if self._last is not None:
            return None
        at = await self._threads.run(self._journal.flag, "compared_at")
        self._last = datetime.fromisoformat(at) if at else now
        if not at:
            await self._threads.run(self._journal.save_flag, "compared_at", now.isoformat())
        counts = await self._threads.run(self._journal.flag, "drift")
        return msgspec.json.decode(counts, type=DriftCounts) if counts else None

    async def turn(self, now: datetime) -> Compared | None:
        """A piece of the night's, if it is time; the result with the last piece. Raises what source, target and journal raise:
        see `given_up`.
        """
        if self._under_way is None:
            if not is_time(now, self._last, self._bridge):
                return None
            self._under_way = self.asked(heal=self._bridge.reconcile.heal)
            self._attempts = 0
        compared = await self._under_way.step()
        if compared is not None:
            await self.keep(compared)
        return compared

    async def given_up(self, error: KresloError, now: datetime) -> bool:
        """Whether that error ended the night's comparison: what only a person can mend does at once, a side that is away in
        the end. Else the same piece is tried again.
        """
        self._attempts += 1
        if isinstance(error, OutageError | LimitError) and self._attempts < ATTEMPTS:
            return False
        log.warning("comparison_given_up", bridge=self._bridge.name, kind=error.kind, message=error.message)
        await self._ended(now)
        return True

    def asked(self, *, heal: bool, sure: bool = False) -> Comparison:
        """A comparison from its beginning. `heal`: mend what is found; `sure`: however much that is."""
        return self._compare(heal=heal, sure=sure)

    async def keep(self, compared: Compared) -> None:
        """For the status after a restart."""
        await self._ended(compared.at)
        drift = msgspec.json.encode(counts_of(compared)).decode()
        await self._threads.run(self._journal.save_flag, "drift", drift)

    async def _ended(self, now: datetime) -> None:
        self._under_way = None
        self._last = now
        await self._threads.run(self._journal.save_flag, "compared_at", now.isoformat())


def counts_of(compared: Compared) -> DriftCounts:
    return DriftCounts(
        at=compared.at,
        cards=compared.cards,
        by_kind=compared.counts,
        healed=compared.healed,
        stopped=compared.stopped,
    )


def told(status: BridgeStatus, compared: Compared, language: str) -> BridgeStatus:
    """The status after a comparison."""
    why = {
        "compare_stopped": "; ".join(each.stopped for each in compared.mis if each.stopped),
        "heal_stopped": compared.stopped,
    }
    said = [text(language, name, why=each) for name, each in why.items() if each]
    last = status.last_error
    if said:
        last = LastError(at=compared.at, kind=ErrorKind.DATA, message=". ".join(said), where=COMPARISON)
    elif last and last.where == COMPARISON:
        last = msgspec.structs.replace(last, over=True)
    return msgspec.structs.replace(
        status,
        compared_at=compared.at,
        vanished=status.vanished + sum(each.gone for each in compared.mis),
        healed=status.healed + sum(each.found for each in compared.mis) + compared.healed,
        drift=counts_of(compared),
        last_error=last,
    )


def is_time(now: datetime, last: datetime | None, bridge: Bridge) -> bool:
    """Whether to compare now. `last`: when the last comparison ended, None before the first (which follows the first
    read closely and waits for the night).
    """
    local = now.astimezone(bridge.zone)
    tonight = datetime.combine(local.date(), AT, bridge.zone)
    if last is None:
        return False
    if now - last > LATE:
        return True
    return tonight <= local < tonight + timedelta(hours=3) and last < tonight
