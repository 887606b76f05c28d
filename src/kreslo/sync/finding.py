"""Lookups of a round: asked once, in one batch, remembered for the round."""

from collections.abc import Iterable

from kreslo.connectors.contract import Target
from kreslo.connectors.model import Entity, Found, Lookup
from kreslo.journal import BridgeJournal
from kreslo.sync.threads import Threads


class Finder:
    """The answers of one round of decisions. A round never asks twice, so all its decisions see one state."""

    def __init__(self, target: Target, journal: BridgeJournal, threads: Threads) -> None:
        self._target = target
        self._journal = journal
        self._threads = threads
        self.found: dict[Lookup, Found] = {}
        self.owners: dict[tuple[Entity, str], str] = {}

    async def ask(self, lookups: Iterable[Lookup]) -> None:
        """Fills `found` and `owners`. Raises what `Target.find` raises."""
        new = [lookup for lookup in dict.fromkeys(lookups) if lookup not in self.found]
        if not new:
            return
        cards: set[tuple[Entity, str]] = set()
        for found in await self._target.find(new):
            self.found[found.lookup] = found
            cards.update((card.entity, card.id) for card in found.cards)
        unknown = cards - self.owners.keys()
        if unknown:
            self.owners.update(await self._threads.run(self._journal.owners, unknown))
