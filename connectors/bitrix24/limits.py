"""What a portal lets through: so many requests (a leaky bucket), so much working time a method.

Source: Bitrix24 REST documentation, «Limits»: the bucket drains 2 (Enterprise: 5) a second and overflows above 50
(250); each method has a sum of working seconds in ten baskets of a minute, told in `time.operating`, 480 s at most,
checked before a call.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeGuard

import msgspec

from connectors.bitrix24.options import Plan
from kreslo.connectors.seams import Clock
from kreslo.connectors.server_clock import ServerClock

OPERATING_LIMIT = 480.0
WINDOW = 600.0
_SPARE = 5.0  # seconds of the limit that are never used up
_SPARE_SHARE = 0.02  # and of what is under way: its cost is only expected
_SLOW_FROM = 0.8
_SLOWEST = 5.0  # seconds put before a request of a method that is about to reach its limit
_MARGIN = 0.9  # of the burst: requests can arrive closer together than we sent them
_MINUTE = 60.0
_LEAST_LIMIT = 60.0  # a refusal after less than this was somebody else's doing
_GUESS = 1.2  # seconds that a call is taken to cost before one has been seen
_FALL = 0.3  # how fast an expected cost falls to what is measured; it rises at once

_RATES = {Plan.STANDARD: (50.0, 2.0), Plan.ENTERPRISE: (250.0, 5.0)}


class Bucket:
    """The portal's leaky bucket, kept on our side. aiolimiter counts by the event loop's clock and so cannot be
    driven by the clock that the engine is given; hence these lines. `Plan.AUTO` begins as the standard plan.
    """

    def __init__(self, clock: Clock, plan: Plan) -> None:
        self._learns = plan is Plan.AUTO
        self._clock = clock
        self._level = 0.0
        self._at = clock.monotonic()
        self._turn = asyncio.Lock()
        self._keep(Plan.STANDARD if self._learns else plan)

    def _keep(self, plan: Plan) -> None:
        burst, self._per_second = _RATES[plan]
        self._burst = burst * _MARGIN
        self.plan = plan

    async def take(self) -> None:
        """Wait until one more request is surely let through. First come, first served."""
        async with self._turn:
            self._drain()
            if (over := self._level + 1 - self._burst) > 0:
                await self._clock.sleep(over / self._per_second)
                self._drain()
            self._level += 1

    @property
    def crowded(self) -> bool:
        """Whether requests are what there is least of: more than half of the bucket is full."""
        self._drain()
        return self._level > self._burst / 2

    def learned(self, plan: Plan) -> None:
        """The portal told its plan; heeded where the settings leave it to the portal."""
        if self._learns and plan is not self.plan:
            self._drain()
            self._keep(plan)

    def overflowed(self) -> None:
        """The portal said that it is full: somebody else shares our address or portal, or the plan is a smaller one."""
        if self._learns:
            self.learned(Plan.STANDARD)
            self._learns = False
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


class _Basket(msgspec.Struct):
    """Working time of one minute; `until` by the portal's clock, Unix seconds."""

    minute: int
    until: float
    seconds: float


class _Method(msgspec.Struct):
    baskets: deque[_Basket] = msgspec.field(default_factory=deque)
    limit: float = OPERATING_LIMIT
    under_way: float = 0.0
    cost: float | None = None
    told_at: float = 0.0
    parked_until: float = 0.0


class Operating:
    """Working time of each method as the portal last told it, what is under way, and what a call is expected to cost.
    A method near its limit is slowed, then parked until the portal's oldest basket falls.

    `portal`: the portal's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._methods: dict[str, _Method] = {}
        self.portal = ServerClock(clock)

    # --- what answers tell ------------------------------------------------------------------------------------

    def told(self, method: str, time: Any, items: int = 1) -> None:
        """Take in a `time` block of an answer (of the request, or of one command of a batch) that did `items`."""
        if not isinstance(time, dict):
            return
        known = self._of(method)
        if _is_number(time.get("duration")):
            known.cost = _smoothed(known.cost, float(time["duration"]) / max(items, 1))
        total = time.get("operating")
        if not _is_number(total):
            return
        start = _number(time.get("start"), _number(time.get("finish"), self._now()))
        if float(total) > 0:  # the portal does not count what is short
            self._add(known, start, _number(time.get("duration"), 0.0))
        # Answers of requests side by side come in any order; only the latest call knows of all before it.
        if start > known.told_at:
            known.told_at = start
            self._correct(known, float(total), start)
        if float(total) >= known.limit - _SPARE:
            until = _moment(time.get("operating_reset_at")) or start + WINDOW
            known.parked_until = max(known.parked_until, until)

    def _add(self, known: _Method, start: float, seconds: float) -> None:
        minute = int(start // _MINUTE)
        at = next((at for at, one in enumerate(known.baskets) if one.minute >= minute), len(known.baskets))
        if at == len(known.baskets) or known.baskets[at].minute != minute:
            known.baskets.insert(at, _Basket(minute, start + WINDOW, 0.0))
        basket = known.baskets[at]
        basket.seconds += seconds
        basket.until = min(basket.until, start + WINDOW)

    def _correct(self, known: _Method, total: float, start: float) -> None:
        """What the portal counts and we do not is of others with our webhook; what we count and it does not has
        fallen.
        """
        alive = self._alive(known)
        spent = sum(basket.seconds for basket in alive)
        if (more := total - spent - known.under_way) > 0:
            self._add(known, start, more)
        less = spent - total
        while less > 0 and alive:
            taken = min(less, alive[0].seconds)
            alive[0].seconds -= taken
            less -= taken
            if alive[0].seconds > 0:
                break
            alive.popleft()

    def blocked(self, method: str, time: Any = None) -> None:
        """The portal refused the method. Errors carry no `time`, so the last one known tells until when; where the
        limit turns out lower than the documented one, it is remembered.
        """
        known = self._of(method)
        alive = self._alive(known)
        if (spent := sum(basket.seconds for basket in alive)) >= _LEAST_LIMIT:
            known.limit = min(known.limit, spent)
        told = _moment(time.get("operating_reset_at")) if isinstance(time, dict) else None
        # Without any word of it we ask again in a minute: baskets are one minute long.
        known.parked_until = max(
            told or 0.0, alive[0].until if alive else 0.0, known.parked_until, self._now() + _MINUTE
        )

    def lost(self, method: str, items: int, seconds: float) -> None:
        """A request of so many items ended without an answer after `seconds`: they may cost more than was thought."""
        known = self._of(method)
        known.cost = max(self.cost(method), 2 * seconds / max(items, 1))

    # --- what may be sent -------------------------------------------------------------------------------------

    def cost(self, method: str) -> float:
        """Seconds that one item is expected to take."""
        known = self._of(method).cost
        return _GUESS if known is None else known

    def fits(self, method: str, seconds: float) -> bool:
        """Whether a call may still be begun when `seconds` of others are put before it in the same request."""
        known = self._of(method)
        if self.parked_for(method) > 0:
            return False
        begun = self._spent(known) + known.under_way + seconds
        return begun <= known.limit - _SPARE - _SPARE_SHARE * (known.under_way + seconds)

    def scarce(self, method: str) -> bool:
        """Whether working time is what there is least of: more than half of it is used up or under way."""
        known = self._of(method)
        return self._spent(known) + known.under_way > known.limit / 2

    def begin(self, method: str, seconds: float) -> None:
        self._of(method).under_way += seconds

    def end(self, method: str, seconds: float) -> None:
        known = self._of(method)
        known.under_way = max(0.0, known.under_way - seconds)

    def parked_for(self, method: str) -> float:
        """Seconds until the method may be called again; 0 when now."""
        return max(0.0, self._of(method).parked_until - self._now())

    def wait_for(self, method: str, seconds: float = 0.0) -> float:
        """Seconds until a call may be begun behind `seconds` of others, once what is under way has ended; 0 when now."""
        known = self._of(method)
        if (parked := self.parked_for(method)) > 0:
            return parked
        share = 1 + _SPARE_SHARE
        over = self._spent(known) + share * (known.under_way + seconds) - (known.limit - _SPARE)
        for basket in self._alive(known):
            if over <= 0:
                break
            over -= basket.seconds
            if over <= 0:
                return max(1.0, basket.until - self._now())
        return 0.0 if over <= 0 else 1.0

    def delay(self, methods: Iterable[str]) -> float:
        """Seconds to wait before a request with these methods, so that they do not run into the limit."""
        longest = 0.0
        for method in set(methods):
            known = self._of(method)
            slow_from = _SLOW_FROM * known.limit
            if (spent := self._spent(known)) > slow_from:
                longest = max(longest, _SLOWEST * (spent - slow_from) / (known.limit - slow_from))
        return min(longest, _SLOWEST)

    # --- bookkeeping ------------------------------------------------------------------------------------------

    def _of(self, method: str) -> _Method:
        return self._methods.setdefault(method.lower(), _Method())

    def _spent(self, known: _Method) -> float:
        return sum(basket.seconds for basket in self._alive(known))

    def _alive(self, known: _Method) -> deque[_Basket]:
        now = self._now()
        while known.baskets and known.baskets[0].until <= now:
            known.baskets.popleft()
        return known.baskets

    def _now(self) -> float:
        return self.portal.timestamp()


def _smoothed(known: float | None, measured: float) -> float:
    if known is None or measured > known:
        return measured
    return known + _FALL * (measured - known)


def _moment(value: Any) -> float | None:
    """Unix seconds of `operating_reset_at`, a number or a text; None where it is not told."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    return float(value) if _is_number(value) else None


def _number(value: Any, otherwise: float) -> float:
    return float(value) if _is_number(value) else otherwise


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
