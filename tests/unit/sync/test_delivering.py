"""Delivery when the journal is away for a moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import (
    Card,
    Change,
    CreateCard,
    Entity,
    Found,
    Lookup,
    MultiChange,
    Outcome,
    OutcomeKind,
    StageRef,
    UpdateCard,
    Value,
)
from kreslo.connectors.testing.clock import DAY, HandClock
from kreslo.journal.model import Intent, IntentState, Probed
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
        self.begun_at: datetime | None = None
        self.waiting = [INTENT]
        self.locked = True

    def sendable(self, _now: datetime, _limit: int) -> list[Intent]:
        return self.waiting

    def begin(self, intents: Sequence[Intent], now: datetime) -> list[Intent]:
        self.waiting, self.begun_at = [], now
        return list(intents)

    def settle(self, outcomes: Sequence[Outcome], _now: datetime, **_: Any) -> None:
        if self.locked:
            self.locked = False
            raise OutageError("locked")
        self.settled.append([outcome.intent for outcome in outcomes])


class Crm:
    batch_size = 50
    settle_seconds = 75.0

    def __init__(self, *cards: Card) -> None:
        self.sent = 0
        self.cards = cards

    def canonical(self, _entity: Entity, _code: str, value: Value) -> Value:
        return value

    def now(self) -> datetime:
        return DAY

    async def find(self, lookups: Sequence[Lookup]) -> list[Found]:
        return [Found(lookup, self.cards, DAY) for lookup in lookups]

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


class Doubtful:
    """A journal with one update that got no answer."""

    def __init__(self, action: UpdateCard) -> None:
        self.intent = msgspec.structs.replace(INTENT, action=action, state=IntentState.UNKNOWN)
        self.resolved: list[tuple[bool, str]] = []

    def unknowns(self, _now: datetime, _limit: int) -> list[Intent]:
        return [self.intent]

    def resolve(self, probed: Sequence[Probed], _now: datetime) -> None:
        self.resolved += [(bool(each.applied), each.target_id) for each in probed]


CLOSED = StageRef("1", "LOSE")
UPDATE = UpdateCard(
    entity=Entity.DEAL, id="7", stage=CLOSED, fields={"F": "a"}, multi={"PHONE": MultiChange(add=("1",))}
)
AS_WRITTEN = Card(entity=Entity.DEAL, id="7", stage=CLOSED, fields={"F": "a", "PHONE": ("1", "2")})
VERDICTS = [
    ("the card is as the update leaves it", (AS_WRITTEN,), (True, "7")),
    ("another stage", (msgspec.structs.replace(AS_WRITTEN, stage=StageRef("1", "NEW")),), (False, "")),
    (
        "another value",
        (msgspec.structs.replace(AS_WRITTEN, fields={"F": "b", "PHONE": ("1",)}),),
        (False, ""),
    ),
    ("a number is missing", (msgspec.structs.replace(AS_WRITTEN, fields={"F": "a"}),), (False, "")),
    ("the card is gone", (), (False, "")),
]


@pytest.mark.parametrize(
    ("cards", "verdict"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
async def test_an_update_without_an_answer_was_applied_if_the_card_is_as_it_leaves_it(
    cards: tuple[Card, ...], verdict: tuple[bool, str]
) -> None:
    # Else a stage of our own would be taken for staff's when the next decision goes back on it (simulated seed 109).
    journal, chance = Doubtful(UPDATE), None
    clock = HandClock()
    deliverer = Deliverer(journal, Crm(*cards), clock, chance, InPlace())  # type: ignore[arg-type]
    clock.advance(75)
    assert await deliverer.probe() == 1
    assert journal.resolved == [verdict]


class Unanswered(LockedOnce):
    """A journal that, by a clock which was set right meanwhile, has everything due at once."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = False

    def unknowns(self, _now: datetime, _limit: int) -> list[Intent]:
        return [INTENT]

    def resolve(self, probed: Sequence[Probed], _now: datetime) -> None:
        self.settled.append([each.intent for each in probed])


async def test_a_clock_that_is_set_right_does_not_make_kreslo_look_while_the_request_may_be_at_work() -> None:
    # The look would find nothing, the card would be sent again, and then the first request would make it.
    class Silent(Crm):
        async def apply(self, changes: Sequence[Change]) -> list[Outcome]:
            return [Outcome(intent=each.intent, kind=OutcomeKind.UNKNOWN) for each in changes]

    journal, clock, chance = Unanswered(), HandClock(), None
    deliverer = Deliverer(journal, Silent(), clock, chance, InPlace())  # type: ignore[arg-type]
    clock.advance(100)
    await deliverer.send()
    clock.advance(74)
    assert await deliverer.probe() == 0
    clock.advance(1)
    assert await deliverer.probe() == 1


async def test_when_it_was_sent_is_told_by_the_crms_clock() -> None:
    # By ours, which may be set back before the list of what was made since is asked for, that list began too late.
    journal, clock, chance = Unanswered(), HandClock(), None
    deliverer = Deliverer(journal, Crm(), clock, chance, InPlace())  # type: ignore[arg-type]
    clock.advance(300)
    await deliverer.send()
    assert journal.begun_at == DAY != clock.now()


async def test_a_new_process_gives_what_an_earlier_one_sent_its_whole_time() -> None:
    journal, clock, chance = Unanswered(), HandClock(), None
    deliverer = Deliverer(journal, Crm(), clock, chance, InPlace())  # type: ignore[arg-type]
    clock.advance(74)
    assert await deliverer.probe() == 0
    clock.advance(1)
    assert await deliverer.probe() == 1
