"""Hooks: on disk before they are answered, many in one commit, and none answered that nobody has."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

import pytest

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Entity, Event, EventKind
from kreslo.connectors.testing.clock import HandClock
from kreslo.journal import BridgeJournal
from kreslo.sync.inbox import Inbox


class Disk:
    """A journal whose commits take until `go`; `full`: it refuses."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.go = asyncio.Event()
        self.full = False

    def put_events(self, events: Sequence[Event], now: datetime) -> None:
        if self.full:
            raise OutageError("the disk is full")
        self.commits.append([event.id for event in events])

    async def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        await self.go.wait()
        return call(*args, **kwargs)

    def close(self) -> None:
        """Nothing to close."""


def event(number: int) -> Event:
    return Event(entity=Entity.DEAL, id=str(number), kind=EventKind.CHANGED)


def inbox_of(disk: Disk) -> Inbox:
    return Inbox(cast("BridgeJournal", disk), HandClock(), disk)


async def arrive(inbox: Inbox, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(inbox.keep([event(number)])) for number in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_hooks_that_come_while_one_is_written_share_the_next_commit() -> None:
    disk = Disk()
    tasks = await arrive(inbox_of(disk), 50)
    assert not any(task.done() for task in tasks)
    disk.go.set()
    await asyncio.gather(*tasks)
    assert len(disk.commits) <= 2
    assert sorted(int(each) for commit in disk.commits for each in commit) == list(range(50))


async def test_no_hook_is_answered_that_nobody_has() -> None:
    disk = Disk()
    disk.full = True
    inbox = inbox_of(disk)
    tasks = await arrive(inbox, 5)
    disk.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [OutageError] * 5

    disk.full = False
    await inbox.keep([event(7)])
    assert disk.commits == [["7"]]


async def test_a_sender_that_gives_up_takes_nobody_along_unheard() -> None:
    disk = Disk()
    tasks = await arrive(inbox_of(disk), 3)
    tasks[0].cancel()
    disk.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    kept = {each for commit in disk.commits for each in commit}
    for number, end in enumerate(ends):
        assert end is not None or str(number) in kept
    with pytest.raises(asyncio.CancelledError):
        tasks[0].result()
