"""The pace of one account: requests evenly spaced, never in bursts.

amoCRM counts at most 7 requests a second an integration, and blocks the API of an account that goes on above it
(its «Рекомендации»). All bridges of a process share one pace. The processes of a machine share the seven places of a
second: each place is a locked file, held for as long as its process lives, so together they cannot go above.
"""

import asyncio
import contextlib
import hashlib
import math
import os
import re
import tempfile
import weakref
from pathlib import Path

from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.locking import FileLock
from kreslo.connectors.seams import Clock

MOST_A_SECOND = 7
STRETCH = 1.05
"""The network brings some requests later than others: what we send in so many seconds may arrive in one."""
_LOOK_AGAIN = 1.0  # seconds between two looks for a place that another process has left


class Pace:
    """`rate`: requests a second as they are sent now; 0: other processes hold all places of the account."""

    def __init__(self, clock: Clock, rate: float, places: list[FileLock]) -> None:
        self._clock = clock
        self._wanted = rate
        self._places = places
        self._next = 0.0
        self._looked = 0.0
        self._turn = asyncio.Lock()
        self.users = 0

    @property
    def shared(self) -> bool:
        """Whether other processes of this machine leave it less than it is set to."""
        return self._held < self._needed

    @property
    def rate(self) -> float:
        return min(self._wanted, self._held / STRETCH)

    @property
    def _held(self) -> int:
        return sum(place.held for place in self._places)

    @property
    def _needed(self) -> int:
        """Places that a second at the wished rate may fill."""
        return min(MOST_A_SECOND, math.ceil(self._wanted * STRETCH))

    def join(self, rate: float) -> None:
        """One more bridge on the account: the slowest wish counts. Raises ConfigurationError where a lock file cannot be
        made.
        """
        self._wanted = min(self._wanted, rate) if self.users else rate
        try:
            self._look()
        except OSError as error:
            raise ConfigurationError(f"Файл блокировки аккаунта не создаётся (state): {error}") from error
        self.users += 1

    async def take(self) -> bool:
        """Wait for the next place of ours. First come, first served. False: other processes hold them all."""
        async with self._turn:
            if self.shared and self._clock.monotonic() >= self._looked + _LOOK_AGAIN:
                with contextlib.suppress(OSError):  # the folder is gone meanwhile: what is held stays held
                    self._look()
            if not self._held:
                return False
            while (now := self._clock.monotonic()) < self._next:  # it may be put off while we wait
                await self._clock.sleep(self._next - now)
            self._next = now + 1.0 / self.rate
            return True

    def hold(self, seconds: float) -> None:
        """Nothing is sent for so long: the account has said that it is too much."""
        self._next = max(self._next, self._clock.monotonic() + seconds)

    def leave(self) -> None:
        self.users -= 1
        if self.users <= 0:
            for place in self._places:
                place.let_go()

    def _look(self) -> None:
        """Takes what is free, up to what it needs; gives back what a slower wish leaves over."""
        self._looked = self._clock.monotonic()
        for place in self._places:
            if self._held < self._needed:
                place.take()
            elif self._held > self._needed:
                place.let_go()


_paces: "weakref.WeakKeyDictionary[Clock, dict[str, Pace]]" = weakref.WeakKeyDictionary()


def pace_of(clock: Clock, host: str, rate: float, state: Path | None) -> Pace:
    """The one pace of an account; to be left with `leave`."""
    known = _paces.setdefault(clock, {})
    if host not in known:
        known[host] = Pace(clock, rate, [FileLock(path) for path in lock_paths(host, state)])
    pace = known[host]
    pace.join(rate)
    return pace


def lock_paths(host: str, state: Path | None) -> list[Path]:
    """One for each request that amoCRM lets through in a second."""
    # By user: what another user of the machine made there cannot be opened, nor should it be trusted.
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = state or Path(tempfile.gettempdir()) / f"kreslo-{user}"
    plain = re.sub(r"[^a-z0-9.]", "_", host)
    name = f"amocrm-{plain}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
    return [folder / f"{name}-{place}.lock" for place in range(1, MOST_A_SECOND + 1)]
