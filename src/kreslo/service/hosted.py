"""What the service needs of a bridge: the running `kreslo.sync.bridge.BridgeRun`, or a test's stand-in."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from kreslo.journal.model import Explained, LastChange, ParkedItem, ReviewItem
from kreslo.mapping.model import Bridge
from kreslo.sync.drift import Compared
from kreslo.sync.status import BridgeStatus


class Changes(Protocol):
    """The journal, as far as the page looks into it."""

    def last_changes(self, limit: int) -> list[LastChange]: ...


class Desk(Protocol):
    """What a person decides and looks up, of a running bridge or of its journal alone. All raise KresloError."""

    async def reviews(self, limit: int, *, answered: bool = False) -> Sequence[ReviewItem]: ...

    async def answer(self, review_id: int, choice: str, target_id: str, by: str) -> None: ...

    async def parked(self, limit: int) -> Sequence[ParkedItem]: ...

    async def release(self, parked_id: int) -> None: ...

    async def compare_now(self, *, heal: bool, sure: bool) -> Compared: ...

    async def find_cases(self, *, phone: str, last4: str, card_number: str, name: str) -> Sequence[str]: ...

    async def explain(self, case_key: str) -> Explained | None: ...


class Hosted(Desk, Protocol):
    name: str

    @property
    def bridge(self) -> Bridge:
        """The mapping, resolved."""
        ...

    @property
    def journal(self) -> Changes: ...

    async def run(self, stop: asyncio.Event) -> None: ...

    def status(self) -> BridgeStatus: ...

    async def nudge(self) -> None: ...

    async def accept_webhook(self, headers: Mapping[str, str], body: bytes) -> int:
        """How many events were taken. Raises PermissionDeniedError on a wrong secret, DataError on what is no hook."""
        ...

    async def close(self) -> None: ...
