"""Records come in: what is stored, what is marked."""

from typing import Any

import pytest
from journal_makers import (
    CONTACT_KEY,
    DAY,
    HOUR,
    MOTHER,
    NOW,
    OTHER,
    VISIT_KEY,
    contact_state,
    create,
    decide,
    due_keys,
    enquiry,
    entry,
    load,
    member,
    patient,
    replace,
    send,
    settle_all,
    take,
    visit,
    visit_state,
)
from sqlalchemy import event

from kreslo.connectors.contract import Rejected
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.model import Priority
from kreslo.records import Phone, PhoneKind, RecordKind, RecordRef


def phone_case(book: BridgeJournal, e164: str) -> str:
    return "phone:" + book._phone_token(e164)


def test_a_batch_is_stored_counted_and_its_cursor_kept(book: BridgeJournal) -> None:
    assert book.cursor() is None
    taken = take(book, patient("1", MOTHER), visit("10"), cursor="17")
    assert (taken.new, taken.changed, taken.same) == (2, 0, 0)
    assert taken.cases == {"patient:1"}
    assert book.cursor() == "17"
    case = load(book, "patient:1")
    assert case.patient == patient("1", MOTHER)
    assert case.appointments == (visit("10"),)


def test_a_record_read_again_unchanged_marks_nothing(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), visit("10"))
    settle_all(book)
    taken = take(book, patient("1", MOTHER), visit("10"), cursor="18")
    assert (taken.new, taken.changed, taken.same) == (0, 0, 2)
    assert due_keys(book) == []
    assert book.cursor() == "18"


def test_no_cursor_leaves_the_cursor(book: BridgeJournal) -> None:
    take(book, patient("1"), cursor="17")
    take(book, patient("2"), cursor=None)
    assert book.cursor() == "17"


def test_each_mark_is_a_new_version(book: BridgeJournal) -> None:
    take(book, patient("1"))
    before = book.load(["patient:1"])["patient:1"].version
    take(book, patient("1", email="a@example.org"))
    assert book.load(["patient:1"])["patient:1"].version == before + 1


def test_of_the_same_record_twice_the_later_counts(book: BridgeJournal) -> None:
    take(book, patient("1", comment="a"), patient("1", comment="b"))
    found = load(book, "patient:1").patient
    assert found is not None
    assert found.comment == "b"


def test_a_live_change_takes_a_case_out_of_the_import(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), priority=Priority.IMPORT)
    take(book, visit("10", "2"))
    assert [each.key for each in book.due(NOW, 10)] == ["patient:2", "patient:1"]
    take(book, visit("11", "2"), priority=Priority.IMPORT)
    assert book.due(NOW, 10)[0].priority is Priority.LIVE


# --- families -----------------------------------------------------------------------------------------------------


def test_family_is_marked_when_a_phone_a_name_or_the_guardian_changes(book: BridgeJournal) -> None:
    child = patient("2", MOTHER, name="Петя")
    take(book, patient("1", MOTHER), child)
    for changed in (
        replace(child, guardian="Синицына Анна"),
        replace(child, name="Пётр", guardian="Синицына Анна"),
        replace(child, name="Пётр", phones=()),
    ):
        settle_all(book)
        take(book, changed)
        assert due_keys(book) == ["patient:1", "patient:2"]


def test_family_is_left_alone_by_any_other_change(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", MOTHER))
    settle_all(book)
    take(book, patient("2", MOTHER, comment="боится"))
    take(book, visit("10", "2", NOW - DAY))
    assert due_keys(book) == ["patient:2"]


def test_family_and_their_contacts_are_part_of_the_case(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", MOTHER), patient("3", OTHER))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    send(book, _1="501")
    case = load(book, "patient:2")
    assert [each.id for each in case.family] == ["1"]
    assert case.family_cards == {"1": "501"}
    assert load(book, "patient:1").family_cards == {"2": ""}
    assert load(book, "patient:3").family == ()


def test_a_number_that_everybody_has_makes_no_family(book: BridgeJournal) -> None:
    take(book, *(patient(str(number), MOTHER) for number in range(26)))
    assert load(book, "patient:1").family == ()
    settle_all(book)
    take(book, patient("1", MOTHER, name="Вера"))
    assert due_keys(book) == ["patient:1"]


def test_a_toll_free_number_makes_no_family(book: BridgeJournal) -> None:
    free = (Phone("+78001112233", PhoneKind.TOLL_FREE),)
    take(book, replace(patient("1"), phones=free), replace(patient("2"), phones=free))
    assert load(book, "patient:1").family == ()
    assert book.find_cases(phone="+78001112233") == ["patient:1", "patient:2"]


def test_a_merged_patient_marks_the_survivor(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    settle_all(book)
    take(book, patient("1", merged_into="2"))
    assert due_keys(book) == ["patient:1", "patient:2"]


# --- appointments -------------------------------------------------------------------------------------------------


def test_a_predecessor_of_another_patient_marks_that_case(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), visit("10", "1"))
    settle_all(book)
    take(book, visit("11", "2", predecessor_id="10"))
    assert due_keys(book) == ["patient:1", "patient:2"]


def test_an_appointment_cancelled_when_first_seen_stays_unseen(book: BridgeJournal) -> None:
    take(book, visit("10", cancelled_at=NOW), visit("11"))
    assert load(book, "patient:1").unseen == {"10"}
    take(book, visit("10", cancelled_at=NOW, cancel_reason="Болезнь"), visit("11", cancelled_at=NOW))
    assert load(book, "patient:1").unseen == {"10"}


def test_the_phone_case_is_marked_by_a_visit_ahead_and_not_by_one_behind(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), enquiry("100", MOTHER))
    key = phone_case(book, MOTHER)
    settle_all(book)
    take(book, visit("9", starts_at=NOW - DAY))
    assert due_keys(book) == ["patient:1"]
    settle_all(book)
    take(book, visit("10"))
    assert due_keys(book) == ["patient:1", key]
    settle_all(book)
    take(book, visit("10", starts_at=NOW - HOUR))  # it was ahead until now
    assert due_keys(book) == ["patient:1", key]


def test_an_appointment_that_moves_to_another_patient_takes_its_card_along(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), visit("10", "1"))
    card = visit_state(members=(member(RecordKind.APPOINTMENT, "10"),))
    decide(book, "patient:1", card, planned=[create(card)])
    send(book, _10="700")
    settle_all(book)
    seen = book.load(["patient:1"])["patient:1"].version
    take(book, visit("10", "2"))
    assert due_keys(book) == ["patient:1", "patient:2"]
    assert load(book, "patient:1").cards == ()
    [moved] = load(book, "patient:2").cards
    assert (moved.key, moved.target_id, moved.members) == (VISIT_KEY, "700", (VISIT_KEY,))
    # A decision that was made before the move must not take the card back.
    assert decide(book, "patient:1", card, version=seen) == []
    assert load(book, "patient:1").cards == ()


def test_a_card_stays_while_one_of_its_appointments_stays(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), visit("10", "1"), visit("11", "1", predecessor_id="10"))
    both = (member(RecordKind.APPOINTMENT, "10"), member(RecordKind.APPOINTMENT, "11"))
    decide(book, "patient:1", visit_state(members=both))
    take(book, visit("11", "2", predecessor_id="10"))
    assert [card.key for card in load(book, "patient:1").cards] == [VISIT_KEY]
    take(book, visit("10", "2"))
    assert [card.key for card in load(book, "patient:2").cards] == [VISIT_KEY]


def test_what_was_planned_for_a_moved_card_is_not_sent(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), visit("10", "1"))
    card = visit_state(members=(member(RecordKind.APPOINTMENT, "10"),))
    decide(book, "patient:1", card, planned=[create(card)])
    take(book, visit("10", "2"))
    assert book.sendable(NOW, 10) == []


def test_what_is_gone_wakes_who_waits_for_it_under_the_same_phone(book: BridgeJournal) -> None:
    """A lead or an enquiry that is not stale since its patient is booked, and their family (simulated seed 1681)."""
    take(book, patient("1", MOTHER), patient("2", MOTHER), visit("10"), enquiry("5", MOTHER))
    expected = sorted(["patient:1", "patient:2", phone_case(book, MOTHER)])
    settle_all(book)
    book.vanished([RecordRef(RecordKind.APPOINTMENT, "10")], NOW)
    assert sorted(due_keys(book)) == expected
    settle_all(book)
    book.returned([RecordRef(RecordKind.APPOINTMENT, "10")], NOW)
    assert sorted(due_keys(book)) == expected


def test_vanished_appointments_are_remembered_and_return_when_read(book: BridgeJournal) -> None:
    take(book, visit("10"), visit("11"))
    settle_all(book)
    ref = RecordRef(RecordKind.APPOINTMENT, "10")
    assert book.vanished([ref], NOW) == 1
    assert book.vanished([ref], NOW) == 0
    assert due_keys(book) == ["patient:1"]
    case = load(book, "patient:1")
    assert case.vanished == {"10"}
    assert len(case.appointments) == 2
    settle_all(book)
    assert take(book, visit("10")).changed == 1  # the same content, but it is back
    assert load(book, "patient:1").vanished == frozenset()
    book.vanished([ref], NOW)
    assert book.returned([ref], NOW) == 1
    assert load(book, "patient:1").vanished == frozenset()


def test_known_ids_are_those_in_the_window_that_are_there(book: BridgeJournal) -> None:
    take(book, visit("1", starts_at=NOW), visit("2", starts_at=NOW + DAY), visit("3", starts_at=NOW + HOUR))
    take(book, patient("7"), enquiry("100", MOTHER))
    book.vanished([RecordRef(RecordKind.APPOINTMENT, "3")], NOW)
    assert book.known_ids(RecordKind.APPOINTMENT, NOW, NOW + DAY) == {"1"}
    assert book.known_ids(RecordKind.ENQUIRY, NOW - DAY, NOW) == {"100"}
    assert book.known_ids(RecordKind.PATIENT, NOW, NOW) == {"7"}


# --- enquiries ----------------------------------------------------------------------------------------------------


def test_an_enquiry_opens_the_case_of_its_first_phone_that_is_not_toll_free(book: BridgeJournal) -> None:
    asked = replace(
        enquiry("100"), phones=(Phone("+78001112233", PhoneKind.TOLL_FREE), Phone(MOTHER, PhoneKind.MOBILE))
    )
    take(book, asked)
    assert due_keys(book) == [phone_case(book, MOTHER)]
    case = load(book, phone_case(book, MOTHER))
    assert case.phone == MOTHER
    assert case.enquiries == (asked,)


def test_an_enquiry_marks_the_patients_with_its_phone(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", OTHER))
    settle_all(book)
    take(book, enquiry("100", MOTHER))
    assert due_keys(book) == ["patient:1", phone_case(book, MOTHER)]
    assert [each.id for each in load(book, "patient:1").enquiries] == ["100"]


@pytest.mark.parametrize("phones", [(), (Phone("+78001112233", PhoneKind.TOLL_FREE),)])
def test_an_enquiry_without_a_phone_is_parked_until_it_has_one(
    book: BridgeJournal, phones: tuple[Phone, ...]
) -> None:
    take(book, replace(enquiry("100"), phones=phones))
    [item] = book.parked()
    assert item.about == "ident/enquiry/100"
    assert "телефон" in item.reason
    take(book, replace(enquiry("100"), phones=phones))
    assert len(book.parked()) == 1
    take(book, enquiry("100", MOTHER))
    assert book.parked() == []


def test_an_enquiry_whose_phone_is_corrected_marks_both_cases(book: BridgeJournal) -> None:
    take(book, enquiry("100", MOTHER))
    settle_all(book)
    take(book, enquiry("100", OTHER))
    assert due_keys(book) == sorted([phone_case(book, MOTHER), phone_case(book, OTHER)])
    assert load(book, phone_case(book, MOTHER)).enquiries == ()


def test_callers_are_the_patients_of_the_phone_with_their_next_visit(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", MOTHER), enquiry("100", MOTHER))
    take(
        book,
        visit("10", "1", NOW + 2 * DAY),
        visit("11", "1", NOW + DAY, cancelled_at=NOW),
        visit("12", "1", NOW + 3 * DAY),
        visit("13", "1", NOW - 3 * DAY),
    )
    key = phone_case(book, MOTHER)
    first, second = load(book, key, NOW).callers
    assert (first.patient_id, first.next_visit_at) == ("1", NOW + 2 * DAY)
    assert first.next_visit_created_at == NOW - HOUR
    assert (second.patient_id, second.next_visit_at) == ("2", None)
    assert load(book, key).callers[0].next_visit_at == NOW + 3 * DAY


# --- parked rows --------------------------------------------------------------------------------------------------


def test_a_rejected_row_is_parked_and_leaves_when_it_is_read_well(book: BridgeJournal) -> None:
    ref = RecordRef(RecordKind.PATIENT, "1")
    take(book, patient("2"), rejected=[Rejected(ref, "дата рождения из будущего")])
    take(book, rejected=[Rejected(ref, "дата рождения 32.01")])
    [item] = book.parked()
    assert (item.about, item.reason) == (CONTACT_KEY, "дата рождения 32.01")
    take(book, patient("1"))
    assert book.parked() == []


# --- all or nothing -----------------------------------------------------------------------------------------------


def test_a_batch_that_fails_half_way_leaves_nothing(journal: Journal, book: BridgeJournal) -> None:
    take(book, patient("1"), cursor="1")
    settle_all(book)

    def fail(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO cursors"):
            raise InterruptedError

    event.listen(journal._engine, "before_cursor_execute", fail)
    with pytest.raises(InterruptedError):
        take(book, patient("1", comment="x"), patient("2"), visit("10", "2"), cursor="2")
    event.remove(journal._engine, "before_cursor_execute", fail)
    assert book.cursor() == "1"
    assert due_keys(book) == []
    assert book.load(["patient:2"]) == {}
    found = load(book, "patient:1").patient
    assert found is not None
    assert found.comment == ""


def test_bridges_do_not_see_each_other(journal: Journal, book: BridgeJournal) -> None:
    other = journal.bridge("branch", "ident")
    take(book, patient("1", MOTHER))
    assert other.load(["patient:1"]) == {}
    assert other.due(NOW, 10) == []
    assert other.cursor() is None
    assert other.find_cases(phone=MOTHER) == []
    assert journal.bridges() == [("branch", "ident"), ("clinic", "ident")]


def test_an_entry_is_its_patients_and_wakes_them(book: BridgeJournal) -> None:
    take(book, patient("1"))
    taken = take(book, entry("7", "1"))
    assert taken.cases == {"patient:1"}
    assert load(book, "patient:1").entries == (entry("7", "1"),)


def test_an_entry_that_is_another_patients_after_all_wakes_both(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), entry("7", "1"))
    assert take(book, entry("7", "2")).cases == {"patient:1", "patient:2"}
    assert (load(book, "patient:1").entries, len(load(book, "patient:2").entries)) == ((), 1)


def test_an_entry_that_is_gone_from_the_mis_is_the_patients_no_more(book: BridgeJournal) -> None:
    take(book, patient("1"), entry("7", "1"))
    book.vanished([RecordRef(RecordKind.ENTRY, "7")], NOW)
    assert load(book, "patient:1").entries == ()
