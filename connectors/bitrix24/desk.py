"""Questions that are asked in the same moment go in one request: the portal counts requests, not questions."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from connectors.bitrix24.wire import Call

BATCH = 50
"""Commands that one `batch` may hold."""

_TURNS = 2  # of the event loop that a question waits for others

Reply = TypeVar("Reply")
T = TypeVar("T")


class _Group(NamedTuple, Generic[Reply]):
    """`request`: the task that will have the replies by key, once it has begun."""

    calls: Mapping[str, Call]
    request: asyncio.Future[asyncio.Task[dict[str, Reply]]]


class Desk(Generic[Reply]):
    """`send` gives the replies of up to 50 calls in their order, and raises nothing for what a reply can say."""

    def __init__(self, send: Callable[[Mapping[str, Call]], Awaitable[list[Reply]]]) -> None:
        self._send = send
        self._waiting: list[_Group[Reply]] = []
        self._under_way: set[asyncio.Task[Any]] = set()

    async def ask(self, calls: Mapping[str, Call]) -> list[Reply]:
        """The replies of up to 50 calls, in their order, of one request. Calls may refer to each other by their keys."""
        group = _Group[Reply](calls, asyncio.get_running_loop().create_future())
        self._waiting.append(group)
        if len(self._waiting) == 1:
            self._begin(self._collect())
        # Shielded: who asked may go, the others in the same request still wait.
        replies = await asyncio.shield(await group.request)
        return [replies[key] for key in calls]

    async def _collect(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, []
        while waiting:
            together: list[_Group[Reply]] = []
            held: dict[str, Call] = {}
            left: list[_Group[Reply]] = []
            for group in waiting:
                if len(held) + len(group.calls) <= BATCH and held.keys().isdisjoint(group.calls):
                    together.append(group)
                    held |= group.calls
                else:
                    left.append(group)
            waiting = left
            request = self._begin(self._replies(held))
            for group in together:
                if not group.request.done():
                    group.request.set_result(request)

    async def _replies(self, calls: Mapping[str, Call]) -> dict[str, Reply]:
        return dict(zip(calls, await self._send(calls), strict=True))

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._under_way.discard)
        return task
