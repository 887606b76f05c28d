"""Which cases are due, and when."""

from journal_makers import (
    DAY,
    HOUR,
    MOTHER,
    NOW,
    OTHER,
    begin,
    confirmed,
    contact_state,
    create,
    decide,
    due_keys,
    enquiry,
    load,
    patient,
    settle,
    settle_all,
    take,
)

from kreslo.journal import BridgeJournal
from kreslo.journal.model import Priority


def test_due_is_ordered_by_priority_then_time_then_key(book: BridgeJournal) -> None:
    take(book, patient("3"), patient("1"), now=NOW)
    take(book, patient("2"), now=NOW - HOUR)
    take(book, patient("4"), now=NOW - DAY, priority=Priority.IMPORT)
    assert [each.key for each in book.due(NOW, 10)] == ["patient:2", "patient:1", "patient:3", "patient:4"]
    assert [each.key for each in book.due(NOW, 2)] == ["patient:2", "patient:1"]


def test_a_mark_in_the_future_is_not_due_before(book: BridgeJournal) -> None:
    take(book, patient("1"))
    settle_all(book)
    book.mark(["patient:1", "patient:none"], at=NOW + HOUR, why="retry", priority=Priority.LIVE)
    assert due_keys(book) == []
    assert book.next_due() == NOW + HOUR
    assert due_keys(book, NOW + HOUR) == ["patient:1"]
    book.mark(["patient:1"], at=NOW + DAY, why="later", priority=Priority.WOKEN)
    assert book.next_due() == NOW + HOUR
    assert book.due(NOW + DAY, 1)[0].priority is Priority.LIVE


def test_the_clock_wakes_a_case_as_woken(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", wake_at=NOW + HOUR)
    assert due_keys(book) == []
    assert book.counts().waiting == 0
    [woken] = book.due(NOW + HOUR, 10)
    assert woken.priority is Priority.WOKEN


def test_a_decision_older_than_the_last_mark_is_written_but_the_case_stays_due(book: BridgeJournal) -> None:
    take(book, patient("1"))
    version = book.load(["patient:1"])["patient:1"].version
    take(book, patient("1", comment="x"))
    decide(book, "patient:1", contact_state(), version=version, wake_at=NOW + DAY)
    assert due_keys(book) == ["patient:1"]
    assert [card.key for card in load(book, "patient:1").cards] == ["ident/patient/1"]


def test_a_case_with_something_in_flight_waits(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    [intent] = begin(book)
    take(book, patient("1", comment="x"))
    assert due_keys(book) == []
    assert book.next_due() is None
    assert load(book, "patient:1").cards[0].busy
    settle(book, confirmed(intent, "501"))
    assert due_keys(book) == ["patient:1"]
    assert not load(book, "patient:1").cards[0].busy


def test_mark_all_wakes_every_case_and_keeps_the_urgent_ones_urgent(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    settle_all(book)
    take(book, patient("2", comment="x"))
    assert book.mark_all(NOW + HOUR, Priority.WOKEN) == 2
    assert due_keys(book, NOW) == ["patient:2"]
    assert [(each.key, each.priority) for each in book.due(NOW + HOUR, 10)] == [
        ("patient:2", Priority.LIVE),
        ("patient:1", Priority.WOKEN),
    ]


def test_siblings_are_the_other_due_cases_of_the_same_phones(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", MOTHER), patient("3", OTHER), enquiry("100", MOTHER))
    phone = "phone:" + book._phone_token(MOTHER)
    assert [each.key for each in book.siblings(["patient:1"], NOW)] == ["patient:2", phone]
    assert [each.key for each in book.siblings([phone], NOW)] == ["patient:1", "patient:2"]
    decide(book, "patient:2")
    assert [each.key for each in book.siblings(["patient:1"], NOW)] == [phone]
    book.mark(["patient:2"], at=NOW + HOUR, why="retry", priority=Priority.LIVE)
    book.due(NOW, 10)
    assert [each.key for each in book.siblings(["patient:1"])] == [phone]
    book.due(NOW + HOUR, 10)
    assert [each.key for each in book.siblings(["patient:1"])] == ["patient:2", phone]


def test_loading_leaves_out_keys_of_no_case(book: BridgeJournal) -> None:
    take(book, patient("1"))
    assert set(book.load(["patient:1", "patient:9"])) == {"patient:1"}
