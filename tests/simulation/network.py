"""The network between engine and CRM: slow, lossy, and sometimes late."""

import hashlib
from collections.abc import Callable
from random import Random

import httpx

from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing.faults import Fault
from tests.simulation.clock import WorldClock
from tests.simulation.crashes import Crash, Crashes

LATEST = 58.0
"""A portal cuts a request off at 60 seconds: what it has not done by then it never does."""

_BLACKOUT = 0.3
"""How many times as often as a fault the CRM goes away altogether."""

FAULTS: tuple[tuple[str, int], ...] = (
    ("refused", 3),
    ("before", 3),
    ("after", 6),
    ("late", 4),
    ("part", 4),
    ("503", 2),
    ("429", 1),
    ("500", 1),
    ("502html", 2),
    ("504html", 1),
)


class Network(httpx.AsyncBaseTransport):
    """`rate`: how often a request meets a fault; `down_until`: nobody answers before that monotonic instant. `trace`: a digest of all that was said and when; `writes`: requests that could
    change something.
    """

    def __init__(
        self,
        portal: Portal,
        inner: httpx.AsyncBaseTransport,
        clock: WorldClock,
        chance: Random,
        crashes: Crashes,
        tell: Callable[[str], None],
    ) -> None:
        self._portal = portal
        self._inner = inner
        self._clock = clock
        self._chance = chance
        self._crashes = crashes
        self._tell = tell
        self.rate = 0.0
        self.down_until = 0.0
        self.trace = hashlib.sha256()
        self.requests = 0
        self.writes = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.requests += 1
        self.writes += _writes(request, body)
        self.trace.update(f"{self._clock.monotonic():.3f} {request.url.path} ".encode() + body)
        await self._clock.sleep(0.03 + self._chance.random() * 0.3)
        self._crashes.point("before a request")
        try:
            self._crashes.point("while a request is on its way")
        except Crash:
            self._late(request, body)
            raise
        fault = self._fault()
        if fault:
            self._tell(f"network: {fault} strikes {_what(request, body)}")
        if self._chance.random() < self.rate * _BLACKOUT:
            # In the middle of a turn, and for about as long as reads are tried again.
            self.down_until = self._clock.monotonic() + self._chance.uniform(20, 150)
            self._tell("network: the CRM goes away for a moment")
        if self._clock.monotonic() < self.down_until:
            raise httpx.ConnectError("connection refused")
        if fault == "refused":
            raise httpx.ConnectError("connection refused")
        if fault == "before":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        if fault == "late":
            self._late(request, body)
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        if fault == "part":
            self._portal.faults.add(Fault(kind="cut", commands=self._chance.randrange(4)))
        elif fault == "after":
            self._portal.faults.add(Fault(kind="lose"))
        elif fault:
            when = (
                "after"
                if fault in {"500", "502html", "504html"} and self._chance.random() < 0.5
                else "before"
            )
            self._portal.faults.add(Fault(kind=fault, when=when))
        response = await self._inner.handle_async_request(request)
        await self._clock.sleep(self._chance.random() * 0.2)
        self._crashes.point("after a request")
        return response

    def _fault(self) -> str:
        if self._chance.random() >= self.rate:
            return ""
        kinds, weights = zip(*FAULTS, strict=True)
        return str(self._chance.choices(kinds, weights)[0])

    def _late(self, request: httpx.Request, body: bytes) -> None:
        again = httpx.Request(request.method, request.url, headers=request.headers, content=body)

        async def deliver() -> None:
            self._tell(f"network: now {_what(request, body)} arrives")
            await self._inner.handle_async_request(again)

        self._clock.plan(3.0 + self._chance.random() * (LATEST - 3.0), deliver)


_WRITES = (b".add", b".update", b".import", b".set", b".delete")


def _writes(request: httpx.Request, body: bytes) -> bool:
    said = body if request.url.path.endswith("/batch") else request.url.path.encode()
    return any(word in said for word in _WRITES)


def _what(request: httpx.Request, body: bytes) -> str:
    name = request.url.path.rsplit("/", 1)[-1]
    if name != "batch":
        return name
    words = [word for word in _WRITES if word in body]
    return f"batch of {', '.join(word.decode() for word in words) or 'reads'}"
