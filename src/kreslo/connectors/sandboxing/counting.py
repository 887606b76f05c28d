"""What a sandbox has seen, for tests of politeness."""

from collections import deque
from typing import Any


class RequestCount:
    """Requests, and the most that any window of one second held."""

    def __init__(self) -> None:
        self.requests = 0
        self.by_method: dict[str, int] = {}
        self.violations = 0
        self.max_per_second = 0
        self._last_second: deque[float] = deque()

    def request(self, method: str, now: float) -> None:
        self.requests += 1
        self.by_method[method] = self.by_method.get(method, 0) + 1
        self._last_second.append(now)
        while self._last_second[0] <= now - 1.0:
            self._last_second.popleft()
        self.max_per_second = max(self.max_per_second, len(self._last_second))

    def shown(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "by_method": self.by_method,
            "limit_violations": self.violations,
            "max_per_second": self.max_per_second,
        }
