"""What people see and say."""

import pytest
from journal_makers import (
    DAY,
    HOUR,
    MOTHER,
    NOW,
    OTHER,
    begin,
    change,
    contact_state,
    create,
    decide,
    enquiry,
    failed,
    note,
    patient,
    send,
    settle,
    stage,
    take,
    visit_state,
)

from kreslo.connectors.errors import DataError, ErrorKind
from kreslo.connectors.model import OutcomeKind
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.journal import BridgeJournal
from kreslo.journal.model import IntentState

WISH = ReviewWish(
    question="match:1",
    rule="candidates",
    text="Чей это контакт?",
    candidates=(Candidate(target_id="5", name="Синицына А.", evidence="телефон"),),
)


def test_counts_say_what_waits(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), enquiry("100"))
    decide(
        book,
        "patient:1",
        contact_state(target_id="501"),
        visit_state(),
        planned=[create(visit_state())],
        reviews=(WISH,),
        filtered={"9": "old", "8": "old"},
    )
    found = book.counts()
    assert (found.waiting, found.reviews, found.parked, found.filtered) == (1, 1, 1, 2)
    assert found.intents == {"planned": 1}
    assert found.cards == {"contact": 1}


def test_an_empty_bridge_counts_nothing(book: BridgeJournal) -> None:
    assert book.counts().waiting == 0
    assert book.counts().filtered == 0


def test_a_review_shows_the_question_as_it_was_asked(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(WISH,))
    [item] = book.reviews()
    assert (item.case, item.wish, item.asked_at, item.choice) == ("patient:1", WISH, NOW, "")


@pytest.mark.parametrize(
    ("choice", "target_id", "said"),
    [("maybe", "", "no answer"), ("link", "", "which card")],
)
def test_an_answer_that_is_none_is_refused(
    book: BridgeJournal, choice: str, target_id: str, said: str
) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(WISH,))
    with pytest.raises(DataError, match=said):
        book.answer(book.reviews()[0].id, choice, target_id, "Ольга", NOW)


def test_a_withdrawn_question_cannot_be_answered(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(WISH,))
    number = book.reviews()[0].id
    decide(book, "patient:1")
    with pytest.raises(DataError, match="not asked any more"):
        book.answer(number, "new", "", "Ольга", NOW)


def test_a_released_record_leaves_the_list(book: BridgeJournal) -> None:
    take(book, enquiry("100"))
    book.release(book.parked()[0].id)
    assert book.parked() == []


def test_last_changes_name_fields_and_no_values(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = visit_state(target_id="700")
    decide(
        book,
        "patient:1",
        card,
        planned=[change(card, {"NAME": "Синицына"}, stage=stage("NEW")), note(card, "m")],
    )
    send(book)
    newest, oldest = book.last_changes(10)
    assert newest.what == "note on deal"
    assert oldest.what == "update deal: NAME; stage NEW"
    assert (oldest.case, oldest.card, oldest.state) == ("patient:1", card.key, IntentState.CONFIRMED)
    assert oldest.at == NOW
    assert len(book.last_changes(1)) == 1


def test_last_changes_show_what_was_refused(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    settle(book, failed(begin(book)[0], OutcomeKind.PERMANENT, ErrorKind.DATA), now=NOW + HOUR)
    [line] = book.last_changes(10)
    assert (line.state, line.at, line.what) == (IntentState.PARKED, NOW + HOUR, "create contact: TITLE")


def test_cases_are_found_by_phone_digits_card_number_and_name(book: BridgeJournal) -> None:
    take(
        book,
        patient("1", MOTHER, card_number="А-17"),
        patient("2", OTHER, surname="Орлова", name="Алёна"),
        enquiry("100", MOTHER),
    )
    phone = "phone:" + book._phone_token(MOTHER)
    assert book.find_cases(phone=MOTHER) == ["patient:1", phone]
    assert book.find_cases(last4="2233") == ["patient:1", phone]
    assert book.find_cases(card_number="А-17") == ["patient:1"]
    assert book.find_cases(name="орлова алена") == ["patient:2"]
    assert book.find_cases(name="Орлова") == ["patient:2"]
    assert book.find_cases(name="Алёна Орлова") == ["patient:2"]
    assert book.find_cases(name="Орлова Вера") == []
    assert book.find_cases(last4="2233", card_number="А-17") == ["patient:1"]
    assert book.find_cases(last4="6666", card_number="А-17") == []
    assert book.find_cases() == []


def test_a_case_is_not_found_by_what_it_was(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER, card_number="17"))
    take(book, patient("1", OTHER, surname="Орлова", card_number="18"))
    assert book.find_cases(phone=MOTHER) == []
    assert book.find_cases(name="Синицына") == []
    assert book.find_cases(card_number="17") == []
    assert book.find_cases(phone=OTHER) == ["patient:1"]


def test_the_fingerprint_is_kept(book: BridgeJournal) -> None:
    assert book.fingerprint() is None
    book.save_fingerprint("a")
    book.save_fingerprint("b")
    assert book.fingerprint() == "b"


def test_explain_names_what_marked_the_case(book: BridgeJournal) -> None:
    take(book, patient("1"), now=NOW - DAY)
    found = book.explain("patient:1")
    assert found is not None
    assert (found.why, found.decided_at, found.rules) == ("record", None, ())
