"""The sandbox account as tests reach it: over a real socket, its clock driven."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx

from connectors.amocrm.sandbox import sandbox
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing import HandClock
from kreslo.connectors.testing.serving import served

TLS = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # never used here; the default one is slow to make for each client
FAST = {"rate": 10_000, "account_rate": 10_000}
PHONE = "+79001234567"


class Api:
    """The account as a client sees it."""

    def __init__(
        self, http: httpx.AsyncClient, clock: HandClock, base: str, settings: dict[str, Any]
    ) -> None:
        self.http = http
        self.clock = clock
        self.base = base
        self.token = settings["token"]

    async def raw(self, verb: str, path: str, body: Any = None, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        sent = {} if body is None else {"json": body}
        return await self.http.request(verb, f"{self.base}/api/v4/{path}", headers=headers, **sent, **request)

    async def get(self, path: str) -> Any:
        """The body; None for 204."""
        answer = await self.raw("GET", path)
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            assert answer.content == b""
            return None
        assert answer.headers["content-type"] == "application/hal+json"
        return answer.json()

    async def rows(self, path: str) -> list[Any]:
        """What is embedded in a list."""
        found = await self.get(path)
        return [] if found is None else next(iter(found["_embedded"].values()))

    async def ids(self, path: str) -> list[int]:
        return [row["id"] for row in await self.rows(path)]

    async def write(self, verb: str, path: str, body: Any) -> Any:
        answer = await self.raw(verb, path, body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def add(self, kind: str, *items: dict[str, Any]) -> list[int]:
        """Ids of what was made. `kind`: the path; the last word of it but ids is the key."""
        key = kind.rsplit("/", 1)[-1]
        found = await self.write("POST", kind, list(items))
        return [row["id"] for row in found["_embedded"][key]]

    async def lead(self, **fields: Any) -> int:
        return (await self.add("leads", fields))[0]

    async def contact(self, name: str = "Иванова Мария", phone: str = "", **fields: Any) -> int:
        if phone:
            fields["custom_fields_values"] = [{"field_code": "PHONE", "values": [{"value": phone}]}]
        return (await self.add("contacts", {"name": name, **fields}))[0]

    async def refused(self, verb: str, path: str, body: Any) -> list[tuple[str, str, str]]:
        """Of a 400 with validation errors: request id, code and path of each."""
        answer = await self.raw(verb, path, body)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["title"], told["status"], told["detail"]) == (
            "Bad Request",
            400,
            "Request validation failed",
        )
        return [
            (entry.get("request_id", ""), error["code"], error["path"])
            for entry in told["validation-errors"]
            for error in entry["errors"]
        ]

    async def order(self, path: str, body: Any) -> Any:
        answer = await self.http.post(f"{self.base}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def control(self, path: str) -> Any:
        return (await self.http.get(f"{self.base}/_control/{path}")).json()

    async def state(self, section: str) -> Any:
        return (await self.control(f"state?only={section}"))[section]

    async def field(self, kind: str, type_: str, name: str = "Поле", **more: Any) -> int:
        return (await self.add(f"{kind}/custom_fields", {"name": name, "type": type_, **more}))[0]

    async def pipeline(self, name: str, *stages: str) -> tuple[int, dict[str, int]]:
        """Its id, and its statuses' ids by name."""
        statuses = [{"name": stage, "sort": at * 10} for at, stage in enumerate(stages, 2)]
        body = [
            {
                "name": name,
                "is_main": False,
                "is_unsorted_on": True,
                "sort": 20,
                "_embedded": {"statuses": statuses},
            }
        ]
        made = (await self.write("POST", "leads/pipelines", body))["_embedded"]["pipelines"][0]
        return made["id"], {one["name"]: one["id"] for one in made["_embedded"]["statuses"]}

    async def main(self) -> tuple[int, dict[str, int]]:
        made = (await self.rows("leads/pipelines"))[0]
        return made["id"], {one["name"]: one["id"] for one in made["_embedded"]["statuses"]}


@asynccontextmanager
async def opened(switches: dict[str, Any]) -> AsyncIterator[Api]:
    clock = HandClock()
    app: Any = sandbox.build(SandboxPlan(clock=clock, switches=switches))
    async with (
        served(app) as base,
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=TLS), timeout=5) as http,
    ):
        yield Api(http, clock, base, sandbox.settings(base))


Build = Callable[..., AbstractAsyncContextManager[Api]]
"""Makes an account with switches: `async with account(api_filter=True) as api`."""
