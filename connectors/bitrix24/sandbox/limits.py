"""The portal's two limits: the leaky bucket in front of everything, and operating time a method.

Bucket (cloud): each request adds one, `rate` drain a second, above `burst` the answer is 503; counted by source
address. Operating time: seconds a method took in ten one-minute baskets, checked before the call.
"""

from collections import deque
from typing import Any

import msgspec

from kreslo.connectors.sandboxing.counting import RequestCount

_BASKETS = 10
_MINUTE = 60.0


class Bucket:
    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, address: str, now: float) -> float | None:
        """The level after this request, or None where it is refused."""
        level, since = self._levels.get(address, (0.0, now))
        level = max(0.0, level - (now - since) * self.rate)
        if level + 1 > self.burst:
            self._levels[address] = (level, now)
            return None
        self._levels[address] = (level + 1, now)
        return level + 1


class _Basket(msgspec.Struct):
    minute: int
    first_call: float
    seconds: float


class Operating:
    def __init__(self, limit: float, threshold: float) -> None:
        self.limit = limit
        self.threshold = threshold
        self._baskets: dict[tuple[str, str], deque[_Basket]] = {}

    def total(self, credential: str, method: str, now: float) -> float:
        """Seconds in the baskets that have not expired."""
        return sum(basket.seconds for basket in self._alive(credential, method, now))

    def blocked(self, credential: str, method: str, now: float) -> bool:
        return self.total(credential, method, now) > self.limit

    def reset_at(self, credential: str, method: str, now: float) -> int:
        """When the oldest basket expires, seconds of `now`'s clock."""
        alive = self._alive(credential, method, now)
        return int((alive[0].first_call if alive else now) + _BASKETS * _MINUTE)

    def spend(self, credential: str, method: str, now: float, seconds: float) -> None:
        """Account a call; short ones are not counted."""
        if seconds <= self.threshold:
            return
        baskets = self._baskets.setdefault((credential, method), deque())
        minute = int(now // _MINUTE)
        if not baskets or baskets[-1].minute != minute:
            baskets.append(_Basket(minute, now, 0.0))
        baskets[-1].seconds += seconds

    def _alive(self, credential: str, method: str, now: float) -> deque[_Basket]:
        baskets = self._baskets.get((credential, method), deque())
        while baskets and baskets[0].first_call + _BASKETS * _MINUTE <= now:
            baskets.popleft()
        return baskets


class Stats(RequestCount):
    """What the portal has seen beyond the requests themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: dict[str, int] = {}
        self.operating_refusals = 0
        self.max_level = 0.0

    def command(self, method: str) -> None:
        self.commands[method] = self.commands.get(method, 0) + 1

    def shown(self) -> dict[str, Any]:
        return {
            **super().shown(),
            "commands": self.commands,
            "operating_refusals": self.operating_refusals,
            "max_bucket_level": self.max_level,
        }


def cost_of(costs: dict[str, float], method: str) -> float:
    """The most exact entry: the method itself, then the longest pattern that fits."""
    if method in costs:
        return costs[method]
    fitting = [pattern for pattern in costs if _fits(pattern.lower(), method)]
    return costs[max(fitting, key=len)] if fitting else 0.0


def _fits(pattern: str, method: str) -> bool:
    if pattern.startswith("*") and pattern.endswith("*"):
        return pattern.strip("*") in method
    if pattern.startswith("*"):
        return method.endswith(pattern[1:])
    return pattern.endswith("*") and method.startswith(pattern[:-1])
