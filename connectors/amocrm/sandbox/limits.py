"""Seven requests in any second an integration, fifty an account; who goes on regardless is blocked."""

from collections import deque

from connectors.amocrm.sandbox.switches import Switches


class Limits:
    """A refused request does not fill the window: the gateway turns it away before it is counted as served."""

    def __init__(self, switches: Switches) -> None:
        self.rate = switches.rate
        self.account_rate = switches.account_rate
        self.block_after = switches.block_after
        self.block_window = switches.block_window
        self.blocked = False
        self.max_served = 0
        self._served: dict[str, deque[float]] = {}
        self._refused: deque[float] = deque()

    def take(self, whose: str, now: float) -> bool:
        """Whether a request may pass."""
        own, all_ = self._window(whose, now), self._window("", now)
        if len(own) >= self.rate or len(all_) >= self.account_rate:
            self._refuse(now)
            return False
        own.append(now)
        all_.append(now)
        self.max_served = max(self.max_served, len(own))
        return True

    def unblock(self) -> None:
        self.blocked = False
        self._refused.clear()

    def _window(self, whose: str, now: float) -> deque[float]:
        window = self._served.setdefault(whose, deque())
        while window and window[0] <= now - 1.0:
            window.popleft()
        return window

    def _refuse(self, now: float) -> None:
        self._refused.append(now)
        while self._refused[0] <= now - self.block_window:
            self._refused.popleft()
        if self.block_after and len(self._refused) >= self.block_after:
            self.blocked = True
