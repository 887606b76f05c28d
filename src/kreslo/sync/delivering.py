"""Delivery: intents are committed as `sending` before the first byte leaves, and settled by their outcomes."""

from datetime import datetime, timedelta

import structlog

from kreslo.connectors.contract import Target
from kreslo.connectors.errors import DataError, ErrorKind, KresloError
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    ById,
    ByKey,
    ByMarker,
    Card,
    Change,
    CreateCard,
    CreatedSince,
    Lookup,
    Outcome,
    OutcomeKind,
    UpdateCard,
    Value,
)
from kreslo.connectors.seams import Chance, Clock
from kreslo.journal import BridgeJournal
from kreslo.journal.model import Intent, Probed
from kreslo.merging.fields import as_tuple
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

MARGIN = timedelta(seconds=30)
"""How far the CRM's clock may stand behind what it told last when we list what was created since the send."""


class Deliverer:
    def __init__(
        self, journal: BridgeJournal, target: Target, clock: Clock, chance: Chance, threads: Threads
    ) -> None:
        self._journal = journal
        self._target = target
        self._clock = clock
        self._chance = chance
        self._threads = threads
        self._unsettled: list[Outcome] = []
        # A clock that is set right must not cut short how long a request may still be at work: beside the due times of
        # the journal there are instants of the steady clock. What an earlier process sent has the whole time before it.
        self._probe_from = clock.monotonic() + target.settle_seconds
        self._probes_from: dict[str, float] = {}

    async def send(self) -> list[Outcome]:
        """Sends one batch of what is ready. An empty answer means that nothing is. Raises OutageError where the journal
        is away; outcomes that it could not take are kept and written first the next time.
        """
        if self._unsettled:
            await self._settle([])
        now = self._clock.now()
        intents = await self._threads.run(self._journal.sendable, now, self._target.batch_size)
        if not intents:
            return []
        # A decision may have superseded some since they were listed: only what was begun may be sent.
        intents = await self._threads.run(self._journal.begin, intents, self._target.now())
        if not intents:
            return []
        try:
            outcomes = await self._target.apply([Change(intent.id, intent.action) for intent in intents])
        except KresloError as error:
            # The contract says that apply raises nothing; if it does, we know nothing of what was applied.
            log.exception("apply_raised", kind=error.kind, detail=error.detail)
            outcomes = [
                Outcome(
                    intent=each.id, kind=OutcomeKind.UNKNOWN, error=ErrorKind.UNKNOWN, message=error.message
                )
                for each in intents
            ]
        await self._settle(outcomes)
        return outcomes

    async def _settle(self, outcomes: list[Outcome]) -> None:
        self._unsettled += outcomes
        steady = self._clock.monotonic() + self._target.settle_seconds
        self._probes_from |= {
            each.intent: steady
            for each in outcomes
            if each.kind is OutcomeKind.UNKNOWN or (each.kind is OutcomeKind.CONFIRMED and not each.target_id)
        }
        await self._threads.run(
            self._journal.settle,
            self._unsettled,
            self._clock.now(),
            backoff=self.backoff,
            settle_seconds=self._target.settle_seconds,
        )
        self._unsettled = []
        alike: dict[tuple[OutcomeKind, str], list[str]] = {}
        for outcome in outcomes:
            if outcome.kind is not OutcomeKind.CONFIRMED:
                alike.setdefault((outcome.kind, outcome.message), []).append(outcome.intent)
        for (kind, message), intents in alike.items():
            # One line for what happened once: an outage ends a whole batch with the same words.
            log.warning("not_confirmed", outcome=kind, message=message, count=len(intents), intent=intents[0])

    def backoff(self, attempt: int) -> float:
        """Seconds until the case is decided again: doubling from 2 s to 5 min, spread by half."""
        return min(300.0, 2.0 * float(2 ** min(attempt, 10))) * (0.75 + self._chance.random() / 2)

    async def probe(self) -> int:
        """Asks the CRM what became of intents without an answer. Raises what `Target.find` raises."""
        now = self._clock.now()
        steady = self._clock.monotonic()
        if steady < self._probe_from:
            return 0
        unknown = await self._threads.run(self._journal.unknowns, now, self._target.batch_size)
        unknown = [each for each in unknown if self._probes_from.get(each.id, steady) <= steady]
        if not unknown:
            return 0
        lookups = {intent.id: _questions(intent) for intent in unknown}
        answers = {
            found.lookup: found.cards
            for found in await self._target.find(
                list(dict.fromkeys(each for asked in lookups.values() for each in asked))
            )
        }
        probed = []
        for intent in unknown:
            found = [answers.get(lookup, ()) for lookup in lookups[intent.id]]
            applied, target_id = self._verdict(intent, found)
            probed.append(Probed(intent=intent.id, applied=applied, target_id=target_id))
        applied_count = sum(bool(each.applied) for each in probed)
        log.info("probed", intents=len(probed), applied=applied_count)
        await self._threads.run(self._journal.resolve, probed, self._clock.now())
        for intent in unknown:
            self._probes_from.pop(intent.id, None)
        return len(unknown)

    def _verdict(self, intent: Intent, answers: list[tuple[Card, ...]]) -> tuple[bool, str]:
        """Whether it was applied, and the id. An update was if the card is as it would have made it; if not, it is decided
        anew from the card as it is.
        """
        action = intent.action
        for cards in answers:
            for card in cards:
                if isinstance(action, CreateCard) and card.key != action.key:
                    continue
                try:
                    stands = not isinstance(action, UpdateCard) or self._stands(action, card)
                except DataError:
                    stands = False  # a value that its field cannot hold (any more)
                if stands:
                    return True, card.id
        return False, ""

    def _stands(self, action: UpdateCard, card: Card) -> bool:
        """Whether the card is as the update would have left it."""

        def there(code: str) -> Value:
            return self._target.canonical(action.entity, code, card.fields.get(code))

        fields = all(
            self._target.canonical(action.entity, code, value) == there(code)
            for code, value in action.fields.items()
        )
        many = all(
            set(change.add) <= set(held) and not set(change.remove) & set(held)
            for code, change in action.multi.items()
            for held in [as_tuple(there(code))]
        )
        stage = action.stage is None or card.stage == action.stage
        contacts = action.contacts is None or card.contacts == action.contacts
        return fields and many and stage and contacts and action.lead in {"", card.lead}


def _questions(intent: Intent) -> list[Lookup]:
    since: datetime = (intent.sent_at or intent.created_at) - MARGIN
    action = intent.action
    if isinstance(action, CreateCard):
        return [CreatedSince(action.entity, since), ByKey(action.entity, action.key)]
    if isinstance(action, AddNote | AddTask):
        return [ByMarker(action.entity, action.id, action.marker, task=isinstance(action, AddTask))]
    return [ById(action.entity, action.id)]
