"""A clock that a test drives: sleeping takes no time and moves it on."""

import asyncio
from datetime import UTC, datetime, timedelta

DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The first morning of a test: a Monday."""


class HandClock:
    """`slept`: how long connectors waited in all, seconds."""

    def __init__(self, start: datetime = DAY) -> None:
        self._start = start
        self._passed = 0.0
        self.slept = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        self.slept += max(seconds, 0.0)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._passed += max(seconds, 0.0)
