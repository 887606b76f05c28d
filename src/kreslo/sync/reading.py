"""Reading: from the source into the journal. The cursor moves in the transaction that marks the cases."""

from kreslo.connectors.contract import Source
from kreslo.connectors.seams import Clock
from kreslo.journal import BridgeJournal
from kreslo.journal.model import Priority
from kreslo.sync.threads import Threads


class Reader:
    """`complete`: one whole read has ended since the journal was made. Until then no case is decided: a booking whose
    successor has not been read yet would be told wrongly.
    """

    def __init__(self, source: Source, journal: BridgeJournal, clock: Clock, threads: Threads) -> None:
        self._source = source
        self._journal = journal
        self._clock = clock
        self._threads = threads
        self.complete = False
        self.records = 0

    async def start(self) -> None:
        self.complete = await self._threads.run(self._journal.flag, "first_read_complete") == "yes"

    async def read(self) -> int:
        """Everything new; how many records were new or changed. Raises what `Source.read` raises; what was read before
        that is kept, with its cursor.
        """
        cursor = await self._threads.run(self._journal.cursor)
        changed = 0
        async for batch in self._source.read(cursor):
            taken = await self._threads.run(
                self._journal.take,
                batch.records,
                cursor=batch.cursor,
                now=self._clock.now(),
                rejected=batch.rejected,
                priority=Priority.LIVE if self.complete else Priority.IMPORT,
            )
            changed += taken.new + taken.changed
            self.records += len(batch.records)
            if batch.caught_up and not self.complete:
                await self._threads.run(self._journal.save_flag, "first_read_complete", "yes")
                self.complete = True
        return changed
