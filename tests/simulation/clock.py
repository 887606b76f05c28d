"""Time that costs nothing: it passes when somebody sleeps, and what is due on the way happens on the way."""

import heapq
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

Act = Callable[[], Awaitable[None] | None]

START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""A Monday morning in Moscow, 08:00."""


class WorldClock:
    """The true time: the MIS and the CRM live by it. Acts that are planned happen while somebody sleeps past them."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = 0.0
        self._plan: list[tuple[float, int, Act]] = []
        self._order = count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        until = self._passed + max(seconds, 0.0)
        while self._plan and self._plan[0][0] <= until:
            when, _, act = heapq.heappop(self._plan)
            self._passed = max(self._passed, when)
            done = act()
            if inspect.isawaitable(done):
                await done
        self._passed = max(self._passed, until)

    def plan(self, after: float, act: Act) -> None:
        """`act` happens `after` seconds from now; of two at one time the first planned goes first."""
        heapq.heappush(self._plan, (self._passed + after, next(self._order), act))

    def drop_plans(self) -> None:
        """Nobody does any more what they had in mind."""
        self._plan.clear()

    def next_plan(self) -> float | None:
        """Seconds until the next planned act."""
        return self._plan[0][0] - self._passed if self._plan else None


class EngineClock:
    """The clock of Kreslo's own machine, which may stand wrong by `wrong_by` seconds for a while."""

    def __init__(self, world: WorldClock) -> None:
        self._world = world
        self.wrong_by = 0.0

    def now(self) -> datetime:
        return self._world.now() + timedelta(seconds=self.wrong_by)

    def monotonic(self) -> float:
        return self._world.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._world.sleep(seconds)
