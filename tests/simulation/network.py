"""The network between engine and CRM: slow, lossy, and sometimes late."""

import hashlib
from collections import deque
from collections.abc import Callable
from email.utils import format_datetime
from random import Random

import httpx

from kreslo.connectors.sandboxing.faults import Fault
from tests.simulation.blocks import Blocks
from tests.simulation.clock import WorldClock
from tests.simulation.crashes import Crash, Crashes
from tests.simulation.crm import WRITES
from tests.simulation.logins import PATHS, Logins
from tests.simulation.views import Crm

_BLACKOUT = 0.3
"""How many times as often as a fault the CRM goes away altogether."""


class Network(httpx.AsyncBaseTransport):
    """`rate`: how often a request meets a fault; `late_rate`: how often one that can change something is left under way
    besides; `down_until`: nobody answers before that monotonic instant. `when_late`: called when a request that can
    change something is left under way. `trace`: a digest of all that was said and when; `writes`: requests that could
    change something; `most_a_second`: requests that were sent within one.
    """

    def __init__(
        self,
        crm: Crm,
        inner: httpx.AsyncBaseTransport,
        clock: WorldClock,
        chance: Random,
        crashes: Crashes,
        blocks: Blocks,
        logins: Logins,
        tell: Callable[[str], None],
    ) -> None:
        self._crm = crm
        self._inner = inner
        self._clock = clock
        self._chance = chance
        self._crashes = crashes
        self._blocks = blocks
        self._logins = logins
        self._tell = tell
        self.rate = 0.0
        self.late_rate = 0.0
        self.when_late: Callable[[], None] | None = None
        self.down_until = 0.0
        self.trace = hashlib.sha256()
        self.requests = 0
        self.writes = 0
        self.most_a_second = 0
        self._second: deque[float] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.url.path.startswith(PATHS):
            return await self._logins.ask(request)
        self.requests += 1
        writes = self._crm.writes(request, body)
        self.writes += writes
        self.trace.update(f"{self._clock.monotonic():.3f} {request.url.path} ".encode() + body)
        self._count(self._clock.monotonic())
        await self._clock.sleep(0.03 + self._chance.random() * 0.3)
        self._crashes.point("before a request")
        try:
            self._crashes.point("while a request is on its way")
        except Crash:
            self._late(request, body)
            raise
        fault = self._fault(writes=writes)
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
        if fault == "stale":
            self._crm.expire()
            fault = ""
        if fault == "late":
            self._late(request, body)
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        if fault == "part":
            self._crm.faults.add(Fault(kind="cut", commands=self._chance.randrange(4)))
        elif fault == "after":
            self._crm.faults.add(Fault(kind="lose"))
        elif fault:
            when = (
                "after"
                if fault in {"500", "502html", "504html"} and self._chance.random() < 0.5
                else "before"
            )
            self._crm.faults.add(Fault(kind=fault, when=when))
        if not fault:
            self._blocks.reached(writes=writes)
        response = await self._inner.handle_async_request(request)
        # A server's own header: the CRM's clock, by which a client knows how wrong its own one is.
        response.headers["date"] = format_datetime(self._clock.now(), usegmt=True)
        await self._clock.sleep(self._chance.random() * 0.2)
        self._crashes.point("after a request")
        return response

    def _count(self, now: float) -> None:
        self._second.append(now)
        while self._second[0] <= now - 1.0:
            self._second.popleft()
        self.most_a_second = max(self.most_a_second, len(self._second))

    def _fault(self, *, writes: bool) -> str:
        if writes and self._chance.random() < self.late_rate:
            return "late"
        if self._chance.random() >= self.rate:
            return ""
        kinds, weights = zip(*self._crm.struck, strict=True)
        return str(self._chance.choices(kinds, weights)[0])

    def _late(self, request: httpx.Request, body: bytes) -> None:
        if self.when_late is not None and self._crm.writes(request, body):
            self.when_late()
        again = httpx.Request(request.method, request.url, headers=request.headers, content=body)

        async def deliver() -> None:
            self._tell(f"network: now {_what(request, body)} arrives")
            await self._inner.handle_async_request(again)

        self._clock.plan(3.0 + self._chance.random() * (self._crm.latest - 3.0), deliver)


def _what(request: httpx.Request, body: bytes) -> str:
    if "/api/v4/" in request.url.path:
        return f"{request.method} {request.url.path.removeprefix('/api/v4/')}"
    name = request.url.path.rsplit("/", 1)[-1]
    if name != "batch":
        return name
    words = sorted({word.decode() for word in WRITES.findall(body)})
    return f"batch of {', '.join(words) or 'reads'}"
