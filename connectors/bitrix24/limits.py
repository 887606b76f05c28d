"""What a portal lets through: so many requests (a leaky bucket), so much working time a method.

Source: Bitrix24 REST documentation, «Limits»: the bucket drains 2 (Enterprise: 5) a second and overflows above 50
(250); each method has a sum of working seconds over ten minutes, told in `time.operating`, 480 s at most.
"""

import asyncio
import weakref
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connectors.bitrix24.options import Plan
from kreslo.connectors.seams import Clock

OPERATING_LIMIT = 480.0
_SLOW_FROM = 0.8 * OPERATING_LIMIT
_STOP_AT = OPERATING_LIMIT - 5.0
_SLOWEST = 5.0  # seconds put before a request of a method that is about to reach its limit
_MARGIN = 0.9  # of the burst: requests can arrive closer together than we sent them
_UNKNOWN_WINDOW = 600.0

_RATES = {Plan.STANDARD: (50.0, 2.0), Plan.ENTERPRISE: (250.0, 5.0)}


class Bucket:
    """The portal's leaky bucket, kept on our side. aiolimiter counts by the event loop's clock and so cannot be
    driven by the clock that the engine is given; hence these lines.
    """

    def __init__(self, clock: Clock, plan: Plan) -> None:
        burst, self._per_second = _RATES[plan]
        self._burst = burst * _MARGIN
        self._clock = clock
        self._level = 0.0
        self._at = clock.monotonic()
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more request is surely let through. First come, first served."""
        async with self._turn:
            self._drain()
            if (over := self._level + 1 - self._burst) > 0:
                await self._clock.sleep(over / self._per_second)
                self._drain()
            self._level += 1

    def overflowed(self) -> None:
        """The portal said that it is full: somebody else shares our address or portal."""
        self._drain()
        self._level = max(self._level, self._burst)

    def _drain(self) -> None:
        now = self._clock.monotonic()
        self._level = max(0.0, self._level - (now - self._at) * self._per_second)
        self._at = now


_buckets: "weakref.WeakKeyDictionary[Clock, dict[str, Bucket]]" = weakref.WeakKeyDictionary()


def bucket_of(clock: Clock, portal: str, plan: Plan) -> Bucket:
    """The one bucket of a portal: bridges that write to the same portal share it."""
    known = _buckets.setdefault(clock, {})
    return known.setdefault(portal, Bucket(clock, plan))


class Operating:
    """Working time of each method as the portal last told it; a method near its limit is slowed, then parked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent: dict[str, tuple[float, float]] = {}  # method → seconds, monotonic instant when it falls
        self._parked: dict[str, float] = {}

    def told(self, method: str, time: Any) -> None:
        """Take in a `time` block of an answer (of the request, or of one command of a batch)."""
        if not isinstance(time, dict) or not isinstance(spent := time.get("operating"), int | float):
            return
        now = self._clock.monotonic()
        reset = now + _until(time.get("operating_reset_at"), time, self._clock)
        self._spent[method] = (float(spent), reset)
        if spent >= _STOP_AT:
            self._parked[method] = reset

    def blocked(self, method: str, time: Any = None) -> None:
        """The portal refused the method. Errors carry no `time`, so the last one known tells until when."""
        now = self._clock.monotonic()
        known = self._spent.get(method, (0.0, 0.0))[1]
        told = (
            now + _until(time.get("operating_reset_at"), time, self._clock) if isinstance(time, dict) else 0.0
        )
        # Without any word of it we ask again in a minute: baskets are one minute long.
        self._parked[method] = max(known, told, now + 60.0)

    def parked_for(self, method: str) -> float:
        """Seconds until the method may be called again; 0 when now."""
        until = self._parked.get(method, 0.0)
        left = until - self._clock.monotonic()
        if left <= 0:
            self._parked.pop(method, None)
            return 0.0
        return left

    def delay(self, methods: Iterable[str]) -> float:
        """Seconds to wait before a request with these methods, so that they do not run into the limit."""
        now = self._clock.monotonic()
        longest = 0.0
        for method in set(methods):
            spent, reset = self._spent.get(method, (0.0, 0.0))
            if spent > _SLOW_FROM and reset > now:
                longest = max(longest, _SLOWEST * (spent - _SLOW_FROM) / (OPERATING_LIMIT - _SLOW_FROM))
        return min(longest, _SLOWEST)


def _until(reset_at: Any, time: dict[str, Any], clock: Clock) -> float:
    """Seconds from the answer to `reset_at`, both by the portal's clock; ten minutes where it is not told."""
    finish = time.get("finish")
    base = float(finish) if isinstance(finish, int | float) else clock.now().timestamp()
    if isinstance(reset_at, str):
        try:
            reset_at = datetime.fromisoformat(reset_at).timestamp()
        except ValueError:
            return _UNKNOWN_WINDOW
    if not isinstance(reset_at, int | float) or isinstance(reset_at, bool):
        return _UNKNOWN_WINDOW
    return min(max(float(reset_at) - base, 1.0), _UNKNOWN_WINDOW)
