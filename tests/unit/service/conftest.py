"""A bridge that does nothing but be asked, and the service in front of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from kreslo.connectors.errors import DataError
from kreslo.journal.model import Explained, LastChange, ParkedItem, ReviewItem
from kreslo.mapping.model import Bridge, Horizon
from kreslo.service.app import create_app
from kreslo.service.page import Link
from kreslo.sync.drift import Compared
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
        self.asked: list[ReviewItem] = []
        self.held: list[ParkedItem] = []
        self.told: dict[str, Explained] = {}
        self.compared = Compared(at=datetime(2026, 11, 21, tzinfo=UTC))
        self.wished: list[tuple[bool, bool]] = []
        self.answers: list[tuple[int, str, str, str]] = []
        self.sought: list[dict[str, str]] = []
        self.trouble: Exception | None = None
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

    async def reviews(self, limit: int, *, answered: bool = False) -> list[ReviewItem]:
        return [item for item in self.asked if bool(item.choice) is answered][:limit]

    async def answer(self, review_id: int, choice: str, target_id: str, by: str) -> None:
        if self.trouble:
            raise self.trouble
        if review_id not in {item.id for item in self.asked}:
            raise DataError(f"question {review_id} is not asked any more")
        self.answers.append((review_id, choice, target_id, by))

    async def parked(self, limit: int) -> list[ParkedItem]:
        return self.held[:limit]

    async def release(self, parked_id: int) -> None:
        if parked_id not in {item.id for item in self.held}:
            raise DataError(f"nothing is parked under the number {parked_id}")
        self.held = [item for item in self.held if item.id != parked_id]

    async def compare_now(self, *, heal: bool, sure: bool) -> Compared:
        if self.trouble:
            raise self.trouble
        self.wished.append((heal, sure))
        return self.compared

    async def find_cases(self, *, phone: str, last4: str, card_number: str, name: str) -> list[str]:
        self.sought.append({"phone": phone, "last4": last4, "card": card_number, "name": name})
        return sorted(self.told)

    async def explain(self, case_key: str) -> Explained | None:
        return self.told.get(case_key)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge(live=True, ready=True)


@pytest.fixture
async def client(bridge: FakeBridge) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app([bridge], links=[Link("Доски CRM", "http://127.0.0.1:1/")], hook_secret="unguessable")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8470"
    ) as client:
        yield client
