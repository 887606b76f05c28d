"""Blocks: for minutes or hours the CRM refuses every request, and then it lets us in again, without anybody's doing.

Its staff go on as ever meanwhile. Kreslo has to pause, say so, ask seldom, and go on by itself.
"""

from collections import deque
from collections.abc import Callable

from tests.simulation.clock import WorldClock
from tests.simulation.views import Crm

WINDOW = 600.0
"""Seconds in which requests are counted."""
WRITES_ONLY = "no writes"
"""The one block under which the CRM can still be read."""


class Blocks:
    """`met`: requests that were refused by a block so far; `most`: the most that one process made of them within WINDOW."""

    def __init__(self, crm: Crm, clock: WorldClock, tell: Callable[[str], None]) -> None:
        self._crm = crm
        self._clock = clock
        self._tell = tell
        self._under_way = ""
        self._lately: deque[float] = deque()
        self.met = 0
        self.most = 0

    def begin(self, kind: str, seconds: float) -> None:
        """One of the CRM's `blocks`; while one is under way there is no other."""
        if self._under_way:
            return
        self._tell(f"CRM: blocked ({kind}) for {seconds / 60:.0f} minutes")
        self._under_way = kind
        self._crm.block(kind)
        self._clock.plan(seconds, self.end)

    def end(self) -> None:
        if self._under_way:
            self._tell("CRM: the block ends")
            self._crm.unblock()
        self._under_way = ""

    def started(self) -> None:
        """A new process knows of no block, and asks. How often it is started is its keeper's matter."""
        self._lately.clear()

    def reached(self, *, writes: bool) -> None:
        """A request has come to the CRM, which could change something or could not."""
        if not self._under_way or (self._under_way == WRITES_ONLY and not writes):
            return
        now = self._clock.monotonic()
        self.met += 1
        self._lately.append(now)
        while self._lately[0] <= now - WINDOW:
            self._lately.popleft()
        self.most = max(self.most, len(self._lately))
