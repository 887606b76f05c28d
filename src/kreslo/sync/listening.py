"""Listening: what staff and robots did in the CRM. An event is a hint to read again, never data."""

from collections.abc import Sequence
from datetime import timedelta

from kreslo.connectors.contract import Target
from kreslo.connectors.model import ById, Card, CreatedSince, Entity, Event, EventKind, Semantic
from kreslo.connectors.seams import Clock
from kreslo.journal import BridgeJournal
from kreslo.mapping.model import Bridge
from kreslo.sync.threads import Threads
from kreslo.sync.ticketing import Ticketer

WATCH = timedelta(days=60)
"""How far back open leads are looked for at the first start, where no claim says otherwise."""


class Listener:
    def __init__(
        self, bridge: Bridge, journal: BridgeJournal, target: Target, clock: Clock, threads: Threads, me: str
    ) -> None:
        self._bridge = bridge
        self._journal = journal
        self._target = target
        self._clock = clock
        self._threads = threads
        self._me = me
        self._tickets = Ticketer(bridge, journal, target, clock, threads, me)
        self.started = False

    async def listen(self) -> int:
        """Polls the CRM; how many cards of ours or leads changed. Raises what the target's reads raise."""
        since = await self._threads.run(self._journal.event_cursor)
        if since is None:
            since = self._target.now()
            await self._first_look()
            await self._threads.run(self._journal.save_event_cursor, since)
        await self._tickets.first_look()
        pushed = await self._threads.run(self._journal.pending_events)
        events, until = await self._target.events(since)
        seen = await self.accept([*pushed, *events])
        if pushed:
            await self._threads.run(self._journal.done_events, pushed)
        await self._threads.run(self._journal.save_event_cursor, until)
        self.started = True
        return seen

    async def accept(self, events: Sequence[Event]) -> int:
        """Events, polled or pushed: own cards are decided again, leads of the CRM's own are looked at."""
        if not events:
            return 0
        now = self._clock.now()
        seen = await self._threads.run(self._journal.touched, events, now, me=self._me)
        leads = [event for event in events if event.entity is self._lead_entity]
        if self._me and leads:
            # What we did to a card of ours is no news; what the same user did to another may be staff's work.
            pairs = {(event.entity, event.id) for event in leads}
            ours = await self._threads.run(self._journal.owners, pairs)
            leads = [e for e in leads if not (e.by == self._me and (e.entity, e.id) in ours)]
        changed = [event.id for event in leads if event.kind is EventKind.CHANGED]
        gone = [event.id for event in leads if event.kind is EventKind.DELETED]
        cards: list[Card] = []
        if changed and self._lead_entity:
            entity = self._lead_entity
            found = await self._target.find([ById(entity, each) for each in dict.fromkeys(changed)])
            gone += [each.lookup.id for each in found if isinstance(each.lookup, ById) and not each.cards]
            cards = [card for each in found for card in each.cards]
            seen += await self._look(cards)
        await self._tickets.accept(events, cards)
        if gone and self._lead_entity:
            await self._threads.run(self._journal.forget_observed, self._lead_entity, gone)
        return seen

    @property
    def _lead_entity(self) -> Entity | None:
        """Where the CRM's own enquiries stand."""
        if self._bridge.enquiry:
            return self._bridge.enquiry.entity
        claim = self._bridge.appointment.claim if self._bridge.appointment else None
        return claim.entity if claim else None

    async def _first_look(self) -> None:
        if self._lead_entity is None:
            return
        claim = self._bridge.appointment.claim if self._bridge.appointment else None
        since = self._target.now() - (claim.within if claim else WATCH)
        for found in await self._target.find([CreatedSince(self._lead_entity, since)]):
            await self._look(found.cards)

    async def _look(self, cards: Sequence[Card]) -> int:
        """Open cards in the enquiry funnel are observed; closed ones are forgotten."""
        funnel = self._bridge.enquiry.funnel if self._bridge.enquiry else None
        watched = [
            card
            for card in cards
            if card.semantic in {Semantic.OPEN, Semantic.UNSORTED}
            and card.phones
            and (funnel is None or (card.stage is not None and card.stage.funnel == funnel))
        ]
        closed = [card.id for card in cards if card not in watched]
        if closed and self._lead_entity:
            await self._threads.run(self._journal.forget_observed, self._lead_entity, closed)
        if watched:
            await self._threads.run(self._journal.observe, watched, self._clock.now())
        return len(watched)
