"""The pace of one account: requests evenly spaced, never in bursts.

amoCRM counts at most 7 requests a second an integration, and blocks the API of an account that goes on above it
(its «Рекомендации»). All bridges of a process share one pace; a second process on this machine takes what is left.
"""

import asyncio
import hashlib
import os
import re
import tempfile
import weakref
from pathlib import Path

from connectors.amocrm.locking import FileLock
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.seams import Clock

MOST_A_SECOND = 7.0


class Pace:
    """`rate`: requests a second as they are sent now."""

    def __init__(self, clock: Clock, rate: float, lock: FileLock) -> None:
        self._clock = clock
        self._wanted = rate
        self._lock = lock
        self._next = 0.0
        self._turn = asyncio.Lock()
        self.users = 0

    @property
    def shared(self) -> bool:
        """Whether another process of this machine writes to the account too."""
        return not self._lock.held

    @property
    def rate(self) -> float:
        return self._wanted if self._lock.held else max(1.0, min(self._wanted, MOST_A_SECOND - self._wanted))

    def join(self, rate: float) -> None:
        """One more bridge on the account: the slowest wish counts. Raises ConfigurationError where the lock file
        cannot be made.
        """
        self._wanted = min(self._wanted, rate) if self.users else rate
        try:
            self._lock.take()
        except OSError as error:
            raise ConfigurationError(f"Файл блокировки аккаунта не создаётся (state): {error}") from error
        self.users += 1

    async def take(self) -> None:
        """Wait for the next place. First come, first served."""
        async with self._turn:
            if not self._lock.held:
                self._lock.take()
            while (now := self._clock.monotonic()) < self._next:  # it may be put off while we wait
                await self._clock.sleep(self._next - now)
            self._next = now + 1.0 / self.rate

    def hold(self, seconds: float) -> None:
        """Nothing is sent for so long: the account has said that it is too much."""
        self._next = max(self._next, self._clock.monotonic() + seconds)

    def leave(self) -> None:
        self.users -= 1
        if self.users <= 0:
            self._lock.let_go()


_paces: "weakref.WeakKeyDictionary[Clock, dict[str, Pace]]" = weakref.WeakKeyDictionary()


def pace_of(clock: Clock, host: str, rate: float, state: Path | None) -> Pace:
    """The one pace of an account; to be left with `leave`."""
    known = _paces.setdefault(clock, {})
    if host not in known:
        known[host] = Pace(clock, rate, FileLock(lock_path(host, state)))
    pace = known[host]
    pace.join(rate)
    return pace


def lock_path(host: str, state: Path | None) -> Path:
    # By user: what another user of the machine made there cannot be opened, nor should it be trusted.
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = state or Path(tempfile.gettempdir()) / f"kreslo-{user}"
    plain = re.sub(r"[^a-z0-9.]", "_", host)
    return folder / f"amocrm-{plain}-{hashlib.sha256(host.encode()).hexdigest()[:8]}.lock"
