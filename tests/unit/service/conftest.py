"""A bridge that does nothing but be asked, and the service in front of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from kreslo.journal.model import LastChange
from kreslo.mapping.model import Bridge, Horizon
from kreslo.service.app import create_app
from kreslo.service.page import Link
from kreslo.sync.status import BridgeStatus


class FakeJournal:
    def __init__(self) -> None:
        self.changes: list[LastChange] = []

    def last_changes(self, limit: int) -> list[LastChange]:
        return self.changes[:limit]


class FakeBridge:
    def __init__(self, name: str = "clinic", **status: Any) -> None:
        self.name = name
        self.bridge = Bridge(
            name=name,
            source_id="ident",
            zone=ZoneInfo("Europe/Moscow"),
            horizon=Horizon(),
            contact=None,
            appointment=None,
            enquiry=None,
        )
        self.state = BridgeStatus(name=name, source="ident", target="bitrix24", **status)
        self.journal = FakeJournal()
        self.hooks: list[tuple[Mapping[str, str], bytes]] = []
        self.refuse: Exception | None = None
        self.fail: Exception | None = None
        self.closed = False
        self.stopped = False

    async def run(self, stop: asyncio.Event) -> None:
        if self.fail:
            raise self.fail
        await stop.wait()
        self.stopped = True

    def status(self) -> BridgeStatus:
        return self.state

    def becomes(self, **status: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **status)

    async def nudge(self) -> None: ...

    async def accept_webhook(self, headers: Mapping[str, str], body: bytes) -> int:
        if self.refuse:
            raise self.refuse
        self.hooks.append((headers, body))
        return 1

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge(live=True, ready=True)


@pytest.fixture
async def client(bridge: FakeBridge) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app([bridge], links=[Link("Доски CRM", "http://127.0.0.1:1/")], hook_secret="unguessable")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kreslo") as client:
        yield client
