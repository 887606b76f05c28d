"""Delivery when the journal is away for a moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Change, CreateCard, Entity, Outcome, OutcomeKind
from kreslo.connectors.testing.clock import DAY, HandClock
from kreslo.journal.model import Intent, IntentState
from kreslo.sync.delivering import Deliverer
from kreslo.sync.threads import InPlace

INTENT = Intent(
    id="i1",
    case="patient:1",
    card="ident/patient/1",
    state=IntentState.PLANNED,
    action=CreateCard(entity=Entity.CONTACT, key="ident/patient/1"),
    created_at=DAY,
)


class LockedOnce:
    """A journal whose first settlement meets a lock."""

    def __init__(self) -> None:
        self.settled: list[list[str]] = []
        self.waiting = [INTENT]
        self.locked = True

    def sendable(self, _now: datetime, _limit: int) -> list[Intent]:
        return self.waiting

    def begin(self, intents: Sequence[Intent], _now: datetime) -> list[Intent]:
        self.waiting = []
        return list(intents)

    def settle(self, outcomes: Sequence[Outcome], _now: datetime, **_: Any) -> None:
        if self.locked:
            self.locked = False
            raise OutageError("locked")
        self.settled.append([outcome.intent for outcome in outcomes])


class Crm:
    batch_size = 50
    settle_seconds = 75.0

    def __init__(self) -> None:
        self.sent = 0

    async def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        self.sent += len(changes)
        return [Outcome(intent=each.intent, kind=OutcomeKind.CONFIRMED, target_id="7") for each in changes]


async def test_outcomes_that_a_locked_journal_could_not_take_are_written_later_and_nothing_is_sent_again() -> (
    None
):
    # Without it the intent stays "sending" until the next start (simulated seed 25).
    journal, crm = LockedOnce(), Crm()
    chance: Any = None
    deliverer = Deliverer(journal, crm, HandClock(), chance, InPlace())  # type: ignore[arg-type]
    with pytest.raises(OutageError):
        await deliverer.send()
    assert await deliverer.send() == []
    assert journal.settled == [["i1"]]
    assert crm.sent == 1
