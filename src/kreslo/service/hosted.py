"""What the service needs of a bridge: the running `kreslo.sync.bridge.BridgeRun`, or a test's stand-in."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from kreslo.journal.model import LastChange
from kreslo.mapping.model import Bridge
from kreslo.sync.status import BridgeStatus


class Changes(Protocol):
    """The journal, as far as the page looks into it."""

    def last_changes(self, limit: int) -> list[LastChange]: ...


class Hosted(Protocol):
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
