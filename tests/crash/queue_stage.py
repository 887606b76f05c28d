"""Kreslo as a local application in Bitrix24: it hears staff through its queue of offline events, its login lasts seconds,
and iDent takes its tickets over HTTP. Without any hook.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from random import Random
from typing import Any, ClassVar

from connectors.bitrix24.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from tests.crash.front_desk import FrontDesk
from tests.crash.stage import SEED, Stage

LOGIN_SECONDS = 6.0
LOOKED_EVERY = 0.5
_SPENT = "(invalid_grant): установите приложение заново"
_LAST_WORD = 1_000
_WEBHOOK = 'webhook: "${KRESLO_DEMO_WEBHOOK}"'
_APP = (
    f'app: {{portal: "%s", oauth: "%s", client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}", '
    'refresh_token: "%s", key: "%s", tokens: "%s"}'
)


class QueueStage(Stage):
    """`installed`: how often the application was installed. A kill between the portal's answer and the file loses the pair
    of tokens, which no program can help: Kreslo says so, and an administrator installs the application again and starts it
    anew. At its start it ends with that word; where it runs, it waits.
    """

    title: ClassVar[str] = "ident, by queue and tickets"
    days: ClassVar[int] = 2  # only what is settled can be deleted
    switches: ClassVar[dict[str, float]] = {"access_seconds": LOGIN_SECONDS}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.front = FrontDesk(self)
        self.installed = 0

    async def write_mapping(self) -> None:
        await super().write_mapping()
        self.installed += 1
        pair = (await self.control("POST", "install"))["auth"]
        key = base64.urlsafe_b64encode(Random(SEED).randbytes(32)).decode()
        app = _APP % (self.url, self.url, pair["refresh_token"], key, self.folder / "tokens")
        text = self.mapping.read_text(encoding="utf-8")
        assert _WEBHOOK in text
        self.mapping.write_text(text.replace(_WEBHOOK, app), encoding="utf-8")

    async def hook(self, bridge: str) -> None:
        """None: Kreslo asks."""

    async def mends(self, story: str) -> bool:
        spent = _SPENT in story[-_LAST_WORD:]
        if spent:
            await self.write_mapping()
        return spent

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """iDent asks for tickets, and an administrator looks at the status."""
        async with self.front.opened():
            looking = asyncio.ensure_future(self._administrator())
            try:
                yield
            finally:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking

    async def _administrator(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_EVERY)
            status = await super().status()
            if status and _SPENT in status["paused"] and not self.stuck:
                await self.write_mapping()
                self.stuck = True

    @asynccontextmanager
    async def day(self, *, speed: float, edits_every: float = 0.3) -> AsyncIterator[None]:
        async with super().day(speed=speed, edits_every=edits_every), self.front.at_work():
            yield

    async def status(self) -> dict[str, Any] | None:
        """It is not at rest either while the portal holds events that were not confirmed."""
        status = await super().status()
        if status is not None and (await self.control("GET", "state?only=queue"))["queue"]:
            status["settled"] = False
        return status

    def deleted(self) -> Collection[str]:
        return {key for _, key in self.front.deleted.values()}

    async def violations(self) -> list[str]:
        return await super().violations() + await self.front.violations()
