"""The comparison of MIS, journal and CRM as a whole, a bounded piece at a time.

First the MIS, whose records are read anew (`reconciling`). Then the CRM: every case that nothing waits for is
decided and merged once more, with its cards as they stand there, and nothing of it is written down. What that would send
is drift of ours, what it leaves alone is a person's. Last, the keys that stand in the CRM and not in the journal.

Healing marks the cases, and the usual way does the rest: guards, field modes and message stages hold as at any time.
Where more would move than the mapping allows, nothing is marked, and a person is asked.
"""

from collections import Counter

import structlog

from kreslo.connectors.contract import Source, Target
from kreslo.connectors.model import Entity
from kreslo.connectors.seams import Clock
from kreslo.decisions.case import Case
from kreslo.decisions.desired import DesiredCard
from kreslo.decisions.texts import text
from kreslo.journal import BridgeJournal
from kreslo.mapping.model import Bridge
from kreslo.merging.plan import Merged
from kreslo.sync.deciding import Decider
from kreslo.sync.drift import Compared, Drift, DriftKind, Reconciled, drifts
from kreslo.sync.reconciling import FEW, Reconciler
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

CASES = 200
"""Cases compared in one step: their cards fill a few requests."""

EXAMPLES = 100
"""So many differences are named; the rest is counted."""


class Comparison:
    """One comparison. `heal`: mend what is found; `sure`: however much that is."""

    def __init__(
        self,
        bridge: Bridge,
        journal: BridgeJournal,
        source: Source,
        target: Target,
        clock: Clock,
        threads: Threads,
        *,
        heal: bool,
        sure: bool = False,
    ) -> None:
        self._bridge = bridge
        self._journal = journal
        self._source = source
        self._target = target
        self._clock = clock
        self._threads = threads
        self._heal = heal
        self._sure = sure
        self._decider = Decider(bridge, journal, target, clock, threads)
        self._mis: list[Reconciled] | None = None
        self._after: str | None = ""
        self._entities = _entities(bridge)
        self._waiting = 0
        self._cards = 0
        self._drift: list[Drift] = []
        self._counts: Counter[DriftKind] = Counter()
        self._to_look: set[tuple[Entity, str, str]] = set()

    async def whole(self) -> Compared:
        """All steps, one after the other."""
        while True:
            compared = await self.step()
            if compared is not None:
                return compared

    async def step(self) -> Compared | None:
        """A bounded piece; the result with the last one. Raises what source, target and journal raise, and the same step may
        be tried again.
        """
        if self._mis is None:
            reconciler = Reconciler(
                self._source, self._journal, self._clock, self._threads, self._bridge.language
            )
            self._mis = await reconciler.run(self._bridge.horizon)
        elif self._after is not None:
            self._after = await self._cases(self._after)
        elif self._entities:
            self._entities = await self._strangers(self._entities)
        else:
            return await self._end(self._mis)
        return None

    # --- the CRM --------------------------------------------------------------------------------------------------

    async def _cases(self, after: str) -> str | None:
        """The next cases. Gives where to go on, None at the end."""
        stretch = await self._threads.run(self._journal.stretch, after, CASES, self._clock.now())
        refused = await self._threads.run(self._journal.cards_parked, stretch.quiet)
        for case, card, merged in await self._decider.preview(stretch.quiet):
            if card.key not in refused:
                self._note(case, card, merged)
        self._waiting += stretch.waiting
        return stretch.last or None

    def _note(self, case: Case, card: DesiredCard, merged: Merged) -> None:
        own = next((mine for mine in case.cards if mine.key == card.key), None)
        target_id = own.target_id if own else card.take
        self._cards += bool(target_id or merged.planned)
        for kind, what in drifts(merged).items():
            self._found(Drift(kind=kind, card=card.key, target_id=target_id, what=what))
        if merged.planned or merged.gone:
            self._to_look.add((card.entity, case.key, target_id))

    async def _strangers(self, entities: list[Entity]) -> list[Entity]:
        """Keys that stand in the CRM on cards which the journal does not hold. Gives the entities that are left."""
        entity, *left = entities
        keys = await self._target.keys(entity, f"{self._bridge.source_id}/")
        for each in await self._threads.run(self._journal.strangers, entity, keys):
            what = ("double",) if each.double else ()
            self._found(Drift(kind=DriftKind.EXTRA, card=each.key, target_id=each.id, what=what))
            if each.case and not each.double:
                # A card from the recycle bin, or one that the journal has lost: its case may take it back.
                self._to_look.add((entity, each.case, each.id))
        return left

    def _found(self, drift: Drift) -> None:
        self._counts[drift.kind] += 1
        if len(self._drift) < EXAMPLES:
            self._drift.append(drift)

    # --- the end --------------------------------------------------------------------------------------------------

    async def _end(self, mis: list[Reconciled]) -> Compared:
        now = self._clock.now()
        moves = len(self._to_look)
        stopped = ""
        if self._too_many(moves):
            stopped = text(
                self._bridge.language,
                "blast",
                cards=str(moves),
                all_cards=str(self._cards),
                most=str(self._bridge.reconcile.cards),
                percent=str(self._bridge.reconcile.percent),
            )
        healed = 0
        if self._heal and (self._sure or not stopped):
            stopped, healed = "", moves
            pairs = {(case, target_id) for _, case, target_id in self._to_look}
            await self._threads.run(self._journal.look_at, pairs, now, why="reconcile")
        log.info("compared", cards=self._cards, waiting=self._waiting, moves=moves, healed=healed)
        return Compared(
            at=now,
            mis=mis,
            cards=self._cards,
            waiting=self._waiting,
            counts={kind.value: self._counts[kind] for kind in DriftKind},
            moves=moves,
            healed=healed,
            stopped=stopped,
            drift=self._drift,
        )

    def _too_many(self, moves: int) -> bool:
        plan = self._bridge.reconcile
        return moves > plan.cards or (moves > FEW and moves * 100 > plan.percent * self._cards)


def _entities(bridge: Bridge) -> list[Entity]:
    """Kinds of cards that may bear a key of ours."""
    found = [Entity.CONTACT] if bridge.contact else []
    found += [plan.entity for plan in (bridge.appointment, bridge.enquiry, *bridge.campaigns) if plan]
    return list(dict.fromkeys(found))
