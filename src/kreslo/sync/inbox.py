"""Hooks are written down before they are answered, and answered soon: a CRM that has to wait drops its listener.

amoCRM waits two seconds, and after a hundred late answers within two hours it tells no more (amoCRM's documentation of
webhooks). So they have a thread of their own, beside the one in which an import is being decided; and those that come
while one commit is under way share the next.
"""

import asyncio
from collections.abc import Sequence

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Event
from kreslo.connectors.seams import Clock
from kreslo.journal import BridgeJournal
from kreslo.sync.threads import Threads


class _Batch:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept = False


class Inbox:
    def __init__(self, journal: BridgeJournal, clock: Clock, threads: Threads) -> None:
        self._journal = journal
        self._clock = clock
        self._threads = threads
        self._turn = asyncio.Lock()
        self._next = _Batch()

    async def keep(self, events: Sequence[Event]) -> None:
        """On disk when it returns. Raises OutageError where the journal could not take them: then nobody has them."""
        batch = self._next
        batch.events += events
        async with self._turn:
            if batch is self._next:
                # The first of the batch to have its turn writes for all of them; who comes from here on is the next one.
                self._next = _Batch()
                await self._threads.run(self._journal.put_events, batch.events, self._clock.now())
                batch.kept = True
        if not batch.kept:
            raise OutageError(
                "the hook could not be written down: the journal did not take the ones beside it"
            )
