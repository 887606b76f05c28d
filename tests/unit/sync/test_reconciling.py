"""Comparing keys with the MIS: what is gone is confirmed one by one, what is doubtful deletes nothing."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kreslo.connectors.contract import Batch
from kreslo.connectors.errors import DataError, OutageError
from kreslo.connectors.model import Problem
from kreslo.connectors.testing.clock import HandClock
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.model import Priority
from kreslo.mapping.model import Horizon
from kreslo.records import Appointment, Patient, Record, RecordKind, RecordRef, ref_of
from kreslo.sync.drift import Reconciled
from kreslo.sync.reconciling import FEW, Reconciler
from kreslo.sync.threads import InPlace

HORIZON = Horizon(past=timedelta(days=30), future=timedelta(days=90))
VISIT = RecordKind.APPOINTMENT
KEY = "patient:1"


class Mis:
    """A source whose rows a test sets. `unreadable`: there, and no record. `blind`: keys does not see these."""

    id = "ident"

    def __init__(self) -> None:
        self.rows: dict[RecordRef, Record] = {}
        self.unreadable: set[str] = set()
        self.blind: set[str] = set()
        self.down_on_fetch = False

    async def check(self) -> list[Problem]:
        return []

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        yield Batch(cursor="end", caught_up=True)

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        if self.down_on_fetch:
            raise OutageError("down")
        for ref in refs:
            if ref.id in self.unreadable:
                raise DataError(f"{ref.id}: no time")
        return [self.rows[ref] for ref in refs if ref in self.rows]

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        there = {
            ref.id
            for ref, record in self.rows.items()
            if ref.kind is kind and (not isinstance(record, Appointment) or since <= record.starts_at < until)
        }
        return frozenset(there - self.blind)

    async def close(self) -> None: ...

    def put(self, *records: Record) -> None:
        self.rows |= {ref_of(record): record for record in records}

    def delete(self, *ids: str) -> None:
        for id_ in ids:
            del self.rows[RecordRef(VISIT, id_)]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BridgeJournal]:
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        yield journal.bridge("clinic", "ident")


@pytest.fixture
def mis(book: BridgeJournal, clock: HandClock) -> Mis:
    """Twenty visits of one patient, all read."""
    made = Mis()
    made.put(Patient(id="1", surname="Иванов"), *(visit(clock, str(number)) for number in range(100, 120)))
    book.take(list(made.rows.values()), cursor="c", now=clock.now(), priority=Priority.LIVE)
    return made


def visit(clock: HandClock, id_: str, *, days: float = 3) -> Appointment:
    at = clock.now() + timedelta(days=days)
    return Appointment(id=id_, patient_id="1", starts_at=at, ends_at=at + timedelta(minutes=30))


async def reconcile(mis: Mis, book: BridgeJournal, clock: HandClock) -> Reconciled:
    results = await Reconciler(mis, book, clock, InPlace()).run(HORIZON)
    return next(result for result in results if result.kind is VISIT)


def vanished(book: BridgeJournal) -> frozenset[str]:
    return book.load([KEY])[KEY].case.vanished


def known(book: BridgeJournal, clock: HandClock) -> frozenset[str]:
    now = clock.now()
    return book.known_ids(VISIT, now - HORIZON.past, now + HORIZON.future)


async def test_nothing_is_done_where_all_agrees(mis: Mis, book: BridgeJournal, clock: HandClock) -> None:
    assert await reconcile(mis, book, clock) == Reconciled(kind=VISIT, known=20)


async def test_a_deleted_visit_is_gone_once(mis: Mis, book: BridgeJournal, clock: HandClock) -> None:
    mis.delete("105")
    assert (await reconcile(mis, book, clock)).gone == 1
    assert "105" not in known(book, clock)
    assert "105" in vanished(book)
    assert (await reconcile(mis, book, clock)).gone == 0


async def test_a_visit_that_keys_does_not_see_and_fetch_does_is_not_gone(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    mis.blind = {"105"}
    assert (await reconcile(mis, book, clock)).gone == 0
    assert "105" in known(book, clock)


async def test_a_visit_that_left_the_window_is_read_not_gone(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    mis.put(visit(clock, "105", days=200))
    done = await reconcile(mis, book, clock)
    assert (done.gone, done.found) == (0, 1)
    assert "105" not in vanished(book)


async def test_a_visit_that_was_never_read_is_read(mis: Mis, book: BridgeJournal, clock: HandClock) -> None:
    mis.put(visit(clock, "900"))
    assert (await reconcile(mis, book, clock)).found == 1
    assert "900" in known(book, clock)


async def test_a_change_that_left_no_trace_is_found_once(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    changed = visit(clock, "105", days=4)
    mis.put(changed)
    assert (await reconcile(mis, book, clock)).found == 1
    assert changed in book.load([KEY])[KEY].case.appointments
    assert (await reconcile(mis, book, clock)).found == 0


async def test_a_visit_that_came_back_is_no_longer_gone(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    kept = mis.rows[RecordRef(VISIT, "105")]
    mis.delete("105")
    await reconcile(mis, book, clock)
    mis.put(kept)
    assert (await reconcile(mis, book, clock)).found == 1
    assert "105" not in vanished(book)


async def test_a_row_that_cannot_be_read_is_there_and_does_not_hide_its_neighbours(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    mis.blind = {"105"}
    mis.unreadable = {"105"}
    mis.delete("106")
    done = await reconcile(mis, book, clock)
    assert (done.gone, done.unreadable) == (1, 1)
    assert {"105"} <= known(book, clock)
    assert "106" not in known(book, clock)


async def test_an_empty_answer_deletes_nothing(mis: Mis, book: BridgeJournal, clock: HandClock) -> None:
    mis.rows.clear()
    done = await reconcile(mis, book, clock)
    assert "ни одного ключа" in done.stopped
    assert len(known(book, clock)) == 20


@pytest.mark.parametrize(("count", "gone"), [(FEW, FEW), (FEW + 1, 0)])
async def test_a_partial_answer_deletes_nothing(
    mis: Mis, book: BridgeJournal, clock: HandClock, count: int, gone: int
) -> None:
    mis.delete(*(str(number) for number in range(100, 100 + count)))
    done = await reconcile(mis, book, clock)
    assert done.gone == gone
    assert bool(done.stopped) is (gone == 0)
    assert len(known(book, clock)) == 20 - gone


async def test_an_outage_while_confirming_deletes_nothing(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    mis.delete("105", "106")
    mis.down_on_fetch = True
    with pytest.raises(OutageError):
        await reconcile(mis, book, clock)
    assert len(known(book, clock)) == 20


async def test_visits_outside_of_the_horizon_are_left_alone(
    mis: Mis, book: BridgeJournal, clock: HandClock
) -> None:
    book.take(
        [visit(clock, "7", days=-60)], cursor=None, now=clock.now(), priority=Priority.LIVE
    )  # never in `mis`
    assert await reconcile(mis, book, clock) == Reconciled(kind=VISIT, known=20)
