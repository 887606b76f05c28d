"""The sandbox portal as tests reach it: in process, and over a real socket."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.bitrix24.sandbox import sandbox
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing.serving import served

_TLS = ssl.create_default_context()  # never used here, and slow to make for each client


class DrivenClock:
    def __init__(self) -> None:
        self._start = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
        self._passed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._passed += seconds


class Rest:
    """The portal as a client sees it."""

    def __init__(self, http: httpx.AsyncClient, clock: DrivenClock, base: str, portal: Portal) -> None:
        self.http = http
        self.portal = portal
        self.clock = clock
        self.base = base
        self.webhook = sandbox.settings(base)["webhook"]

    async def raw(self, method: str, params: Any = None) -> httpx.Response:
        return await self.http.post(self.webhook + method, json={} if params is None else params)

    async def body(self, method: str, **params: Any) -> Any:
        response = await self.raw(method, params)
        assert response.status_code == 200, response.text
        return response.json()

    async def call(self, method: str, **params: Any) -> Any:
        return (await self.body(method, **params))["result"]

    async def refused(self, method: str, **params: Any) -> tuple[int, str, str]:
        response = await self.raw(method, params)
        body = response.json()
        assert "time" not in body
        return response.status_code, body["error"], body["error_description"]

    async def batch(self, cmd: Any, **params: Any) -> Any:
        return await self.call("batch", cmd=cmd, **params)

    async def order(self, path: str, body: Any) -> Any:
        response = await self.http.post(f"{self.base}/_control/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def state(self, section: str) -> Any:
        return (await self.http.get(f"{self.base}/_control/state", params={"only": section})).json()[section]

    async def stats(self) -> Any:
        return (await self.http.get(f"{self.base}/_control/stats")).json()

    async def contact(self, name: str = "Иван", phone: str = "", **fields: Any) -> int:
        if phone:
            fields["PHONE"] = [{"VALUE": phone, "VALUE_TYPE": "WORK"}]
        return int(await self.call("crm.contact.add", fields={"NAME": name, **fields}))

    async def deal(self, **fields: Any) -> int:
        return int(await self.call("crm.deal.add", fields=fields))


@asynccontextmanager
async def opened(transport: str, switches: dict[str, Any]) -> AsyncIterator[Rest]:
    clock = DrivenClock()
    app: Any = sandbox.build(SandboxPlan(clock=clock, switches=switches))
    if transport == "in process":
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            yield Rest(http, clock, "http://portal.example", app.state.portal)
        return
    async with (
        served(app) as base,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=_TLS), timeout=5) as http,
    ):
        yield Rest(http, clock, base, app.state.portal)


Build = Callable[..., AbstractAsyncContextManager[Rest]]
"""Makes a portal with switches: `async with portal(status_set="old") as rest`."""
