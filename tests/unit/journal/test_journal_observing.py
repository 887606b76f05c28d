"""The CRM's own leads, and events on our cards."""

from journal_makers import (
    DAY,
    HOUR,
    MOTHER,
    NOW,
    OTHER,
    contact_state,
    create,
    decide,
    due_keys,
    enquiry,
    lead,
    load,
    patient,
    send,
    settle_all,
    take,
    visit_state,
)

from kreslo.connectors.model import Entity, Event, EventKind, Semantic
from kreslo.decisions.case import Role
from kreslo.journal import BridgeJournal
from kreslo.journal.model import CardState


def phone_case(book: BridgeJournal, e164: str) -> str:
    return "phone:" + book._phone_token(e164)


def own_contact(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    send(book, _1="501")
    settle_all(book)


def test_an_observed_lead_opens_its_phone_case_and_marks_the_patients(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER), patient("2", OTHER))
    settle_all(book)
    assert book.observe([lead("17", MOTHER)], NOW) == 1
    key = phone_case(book, MOTHER)
    assert due_keys(book) == ["patient:1", key]
    case = load(book, key)
    assert (case.phone, case.observed, case.look_again) == (MOTHER, (lead("17", MOTHER),), {"leads"})
    assert load(book, "patient:1").observed == (lead("17", MOTHER),)
    assert load(book, "patient:1").look_again == {"leads"}
    assert [caller.patient_id for caller in case.callers] == ["1"]


def test_a_lead_that_is_as_it_was_marks_nothing(book: BridgeJournal) -> None:
    book.observe([lead("17", MOTHER)], NOW)
    settle_all(book)
    assert book.observe([lead("17", MOTHER)], NOW) == 0
    assert due_keys(book) == []


def test_a_lead_whose_phone_changed_marks_both_phones(book: BridgeJournal) -> None:
    book.observe([lead("17", MOTHER)], NOW)
    settle_all(book)
    book.observe([lead("17", OTHER)], NOW)
    assert due_keys(book) == sorted([phone_case(book, MOTHER), phone_case(book, OTHER)])
    assert load(book, phone_case(book, MOTHER)).observed == ()


def test_a_card_of_ours_is_not_observed(book: BridgeJournal) -> None:
    take(book, enquiry("100", MOTHER))
    key = phone_case(book, MOTHER)
    card = CardState(key="ident/enquiry/100", role=Role.ENQUIRY, entity=Entity.LEAD)
    decide(book, key, card, planned=[create(card)])
    send(book, _100="17")
    settle_all(book)
    assert book.observe([lead("17", MOTHER)], NOW) == 0
    assert load(book, key).observed == ()


def test_a_lead_that_becomes_ours_is_observed_no_more(book: BridgeJournal) -> None:
    book.observe([lead("17", MOTHER)], NOW)
    key = phone_case(book, MOTHER)
    decide(book, key, CardState(key="ident/enquiry/1", role=Role.ENQUIRY, entity=Entity.LEAD, target_id="17"))
    assert load(book, key).observed == ()
    assert book.observed_ids(Entity.LEAD) == frozenset()


def test_a_watched_lead_stays_observed_by_its_case_and_by_no_other(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER))
    book.observe([lead("17", MOTHER)], NOW)
    watched = CardState(key="lead:17", role=Role.WATCHED, entity=Entity.LEAD, target_id="17")
    decide(book, "patient:1", watched)
    assert load(book, "patient:1").observed == (lead("17", MOTHER),)
    assert load(book, phone_case(book, MOTHER)).observed == ()


def test_a_closed_or_forgotten_lead_marks_its_phone_and_is_gone(book: BridgeJournal) -> None:
    book.observe([lead("17", MOTHER), lead("18", OTHER)], NOW)
    settle_all(book)
    assert book.observe([lead("17", MOTHER, semantic=Semantic.LOST)], NOW) == 0
    assert book.forget_observed(Entity.LEAD, ["18", "19"]) == 1
    assert due_keys(book) == sorted([phone_case(book, MOTHER), phone_case(book, OTHER)])
    assert load(book, phone_case(book, OTHER)).observed == ()
    assert load(book, phone_case(book, MOTHER)).observed == ()


def test_an_event_on_our_card_marks_its_case_to_look_at_it(book: BridgeJournal) -> None:
    own_contact(book)
    events = [Event(entity=Entity.CONTACT, id="501"), Event(entity=Entity.CONTACT, id="777")]
    assert book.touched(events, NOW) == 1
    assert due_keys(book) == ["patient:1"]
    assert load(book, "patient:1").look_again == {"501"}
    decide(book, "patient:1")
    assert load(book, "patient:1").look_again == frozenset()


def test_look_again_stays_for_what_came_while_it_was_decided(book: BridgeJournal) -> None:
    own_contact(book)
    version = book.load(["patient:1"])["patient:1"].version
    book.touched([Event(entity=Entity.CONTACT, id="501")], NOW)
    decide(book, "patient:1", version=version)
    assert load(book, "patient:1").look_again == {"501"}
    assert due_keys(book) == ["patient:1"]


def test_our_own_echo_is_dropped_and_a_later_edit_by_us_is_not(book: BridgeJournal) -> None:
    own_contact(book)
    echo = Event(entity=Entity.CONTACT, id="501", by="1", at=NOW)
    assert book.touched([echo], NOW, me="1") == 0
    assert book.touched([Event(entity=Entity.CONTACT, id="501", by="1", at=NOW + HOUR)], NOW, me="1") == 1
    assert book.touched([Event(entity=Entity.CONTACT, id="501", by="2", at=NOW)], NOW, me="1") == 1
    deleted = Event(entity=Entity.CONTACT, id="501", by="1", at=NOW, kind=EventKind.DELETED)
    assert book.touched([deleted], NOW, me="1") == 1


def test_a_deleted_observed_lead_is_forgotten(book: BridgeJournal) -> None:
    book.observe([lead("17", MOTHER)], NOW)
    assert book.touched([Event(entity=Entity.LEAD, id="17", kind=EventKind.DELETED)], NOW) == 0
    assert book.observed_ids(Entity.LEAD) == frozenset()


def test_owners_names_the_case_of_each_card(book: BridgeJournal) -> None:
    own_contact(book)
    decide(book, "patient:1", visit_state(target_id="501"))
    found = book.owners([(Entity.CONTACT, "501"), (Entity.DEAL, "501"), (Entity.LEAD, "501")])
    assert found == {(Entity.CONTACT, "501"): "patient:1", (Entity.DEAL, "501"): "patient:1"}


def test_the_event_cursor_is_kept(book: BridgeJournal) -> None:
    assert book.event_cursor() is None
    book.save_event_cursor(NOW)
    book.save_event_cursor(NOW + DAY)
    assert book.event_cursor() == NOW + DAY


def test_the_inbox_keeps_one_event_a_card_until_it_is_done(book: BridgeJournal) -> None:
    first = Event(entity=Entity.DEAL, id="1", at=NOW)
    later = Event(entity=Entity.DEAL, id="1", at=NOW + HOUR)
    book.put_events([first, Event(entity=Entity.LEAD, id="1")], NOW)
    waiting = book.pending_events()
    assert waiting == [first, Event(entity=Entity.LEAD, id="1")]
    book.put_events([later], NOW + HOUR)
    book.done_events(waiting)
    assert book.pending_events() == [later]
