"""Access that ends: tokens that the CRM takes no more, refreshes whose answer is lost, a second process with the same pair.

A refresh token works once. Where the answer with the next one is lost, nobody can get in again by itself: Kreslo has to
say so, and a person gives it a new secret, hours later, and starts it anew.
"""

from collections.abc import Awaitable, Callable
from random import Random

import httpx

from kreslo.connectors.errors import KresloError
from tests.simulation.clock import WorldClock
from tests.simulation.crashes import Crash, Crashes
from tests.simulation.views import Crm

PATHS = ("/oauth/", "/oauth2/")


class Logins:
    """`refused`: refreshes that the CRM has refused so far. `begin_anew`: whether a person is about to start Kreslo with a
    new secret.
    """

    def __init__(
        self,
        crm: Crm,
        inner: httpx.AsyncBaseTransport,
        clock: WorldClock,
        chance: Random,
        crashes: Crashes,
        tell: Callable[[str], None],
    ) -> None:
        self._crm = crm
        self._inner = inner
        self._clock = clock
        self._chance = chance
        self._crashes = crashes
        self._tell = tell
        self._gone = False
        self.rate = 0.0
        self.refused = 0
        self.begin_anew = False

    async def ask(self, request: httpx.Request) -> httpx.Response:
        """A refresh, on a network that loses some. Raises what the network does, and Crash."""
        await self._clock.sleep(0.05 + self._chance.random() * 0.3)
        self._crashes.point("before a refresh")
        trouble = self._chance.random() / self.rate if self.rate else 1.0
        if trouble < 0.2:
            raise httpx.ConnectError("connection refused")
        if trouble < 0.5:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        response = await self._inner.handle_async_request(request)
        if response.status_code >= 400:
            self.refused += 1
            self._tell("login: the refresh is refused")
            return response
        try:
            self._crashes.point("after a refresh")
        except Crash:
            self._lost()
            raise
        if trouble < 0.8:
            self._lost()
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return response

    def _lost(self) -> None:
        self._tell("login: the answer to a refresh is lost, and the pair with it")
        self._gone = True
        self._clock.plan(60 * self._chance.uniform(10, 300), self.mend)

    def mend(self) -> None:
        """A person does what Kreslo has asked for."""
        if self._gone:
            self._tell("a person gives Kreslo a new secret")
            self._gone = False
            self.begin_anew = True

    async def other(self, ask: Callable[[httpx.AsyncBaseTransport], Awaitable[object]]) -> None:
        """The tokens end, and another bridge to the same CRM with the same file of tokens is the first that asks."""
        self._crm.expire()
        self._tell("login: the token ends, and another bridge renews it")
        try:
            await ask(self._inner)
        except KresloError as error:
            self._tell(f"the other bridge: {error.message}")
