"""What the engine notes of itself, and cases that cannot be decided."""

from journal_makers import DAY, HOUR, NOW, contact_state, decide, due_keys, patient, settle_all, take

from kreslo.journal import BridgeJournal


def park(book: BridgeJournal, version: int | None = None) -> None:
    version = version or book.load(["patient:1"])["patient:1"].version
    book.park_case("patient:1", version, reason="нет поля", fix="исправьте", now=NOW)


def test_a_flag_is_empty_until_it_is_set(book: BridgeJournal) -> None:
    assert book.flag("first_read_complete") == ""
    book.save_flag("first_read_complete", "yes")
    assert book.flag("first_read_complete") == "yes"


def test_the_queue_is_measured(book: BridgeJournal) -> None:
    assert book.queue(NOW) == (0, None)
    take(book, patient("1"), now=NOW - HOUR)
    take(book, patient("2"))
    assert book.queue(NOW) == (2, NOW - HOUR)
    assert book.queue(NOW - DAY) == (0, None)


def test_a_case_that_cannot_be_decided_waits_for_a_change(book: BridgeJournal) -> None:
    take(book, patient("1"))
    park(book)
    park(book)
    [item] = book.parked()
    assert (item.case, item.reason, item.fix) == ("patient:1", "нет поля", "исправьте")
    assert due_keys(book) == []
    take(book, patient("1", comment="x"))
    assert due_keys(book) == ["patient:1"]


def test_a_case_marked_while_it_failed_stays_due(book: BridgeJournal) -> None:
    take(book, patient("1"))
    version = book.load(["patient:1"])["patient:1"].version
    take(book, patient("1", comment="x"))
    park(book, version)
    assert due_keys(book) == ["patient:1"]


def test_a_decision_takes_a_parked_case_off_the_list(book: BridgeJournal) -> None:
    take(book, patient("1"))
    park(book)
    decide(book, "patient:1", contact_state())
    assert book.parked() == []
    park(book)
    book.unpark_cases(["patient:1"])
    assert book.parked() == []


def test_a_released_case_is_decided_again(book: BridgeJournal) -> None:
    take(book, patient("1"))
    settle_all(book)
    park(book)
    book.release(book.parked()[0].id, NOW)
    assert due_keys(book) == ["patient:1"]
    assert book.parked() == []
