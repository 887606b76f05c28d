"""What goes out, in which order, and how it ends."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from journal_makers import (
    DAY,
    HOUR,
    MOTHER,
    NOW,
    VISIT_KEY,
    begin,
    change,
    confirmed,
    contact_state,
    create,
    decide,
    due_keys,
    failed,
    lead,
    load,
    note,
    patient,
    refs,
    replace,
    send,
    settle,
    settle_all,
    stage,
    take,
    visit,
    visit_state,
)
from sqlalchemy import select

from kreslo.connectors.errors import DataError, ErrorKind
from kreslo.connectors.model import AddNote, CreateCard, Entity, OutcomeKind, UpdateCard
from kreslo.decisions.case import Base
from kreslo.decisions.desired import CardRef
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal import schema as t
from kreslo.journal.model import IntentState, Priority, Probed
from kreslo.merging.plan import Planned
from kreslo.records import RecordKind, RecordRef

CONTACT = contact_state()
VISIT = visit_state()


def state_of(book: BridgeJournal, id_: str) -> IntentState:
    found = book.intent(id_)
    assert found is not None
    return found.state


def plan_both(book: BridgeJournal) -> None:
    """A contact, its visit card and a note on it, all new."""
    take(book, patient("1"), visit("10"))
    decide(
        book,
        "patient:1",
        CONTACT,
        VISIT,
        planned=[create(CONTACT), create(VISIT, contacts=refs(CONTACT.key)), note(VISIT, "m")],
    )


def unknown_create(book: BridgeJournal) -> str:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    [intent] = begin(book)
    settle(book, failed(intent, OutcomeKind.UNKNOWN, ErrorKind.UNKNOWN))
    return intent.id


def base_of(book: BridgeJournal, key: str) -> Base:
    base = next(card.base for card in load(book, "patient:1").cards if card.key == key)
    assert base is not None
    return base


# --- order --------------------------------------------------------------------------------------------------------


def test_a_visit_waits_for_its_contact_and_then_carries_its_id(book: BridgeJournal) -> None:
    plan_both(book)
    [contact] = begin(book)
    assert contact.card == CONTACT.key
    assert book.sendable(NOW, 10) == []
    settle(book, confirmed(contact, "501"))
    [card] = begin(book)
    assert isinstance(card.action, CreateCard)
    assert (card.card, card.action.contacts) == (VISIT_KEY, ("501",))
    settle(book, confirmed(card, "700"))
    assert base_of(book, VISIT_KEY).contacts == ("501",)
    [last] = begin(book)
    assert isinstance(last.action, AddNote)
    assert (last.action.id, last.marker) == ("700", "m")
    settle(book, confirmed(last, "9"))
    assert base_of(book, VISIT_KEY).markers == ("m",)


def test_a_contact_that_the_crm_has_no_more_is_left_out(book: BridgeJournal) -> None:
    """Else it would be written, and dropped by the CRM, at each decision (simulated seed 713)."""
    take(book, patient("1"), patient("2"), visit("10"))
    decide(book, "patient:2", contact_state("ident/patient/2", target_id="502", gone=True))
    card = contact_state(target_id="501")
    linked = [create(VISIT, contacts=refs("ident/patient/2", card.key))]
    decide(book, "patient:1", card, VISIT, planned=linked)
    [sent] = begin(book)
    assert isinstance(sent.action, CreateCard)
    assert sent.action.contacts == ("501",)


def test_one_intent_a_card_goes_at_a_time(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[change(card), note(card, "a"), note(card, "b")])
    seen = []
    while intents := begin(book):
        assert len(intents) == 1
        assert begin(book) == []
        seen.append(intents[0].marker)
        settle(book, confirmed(intents[0]))
    assert seen == ["", "a", "b"]


def test_an_unknown_holds_its_card_and_no_other(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    for key in ("1", "2"):
        card = contact_state(f"ident/patient/{key}", target_id=f"50{key}")
        decide(book, f"patient:{key}", card, planned=[change(card), note(card, "a")])
    first, second = begin(book)
    settle(book, failed(first, OutcomeKind.UNKNOWN), confirmed(second))
    assert [intent.card for intent in book.sendable(NOW, 10)] == ["ident/patient/2"]


def test_live_goes_before_imported_and_then_in_the_order_of_creation(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"), priority=Priority.IMPORT)
    take(book, patient("3"))
    for key in ("1", "2", "3"):
        card = contact_state(f"ident/patient/{key}")
        decide(book, f"patient:{key}", card, planned=[create(card)])
    assert [intent.card[-1] for intent in book.sendable(NOW, 10)] == ["3", "1", "2"]
    assert len(book.sendable(NOW, 2)) == 2


def test_a_contact_that_its_own_case_is_about_to_make_is_waited_for(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    planned = create(VISIT, contacts=refs("ident/patient/2"))
    decide(book, "patient:1", VISIT, planned=[planned])
    assert book.sendable(NOW, 10) == []  # patient 2 is still to be decided
    decide(book, "patient:2")
    [intent] = book.sendable(NOW, 10)
    assert isinstance(intent.action, CreateCard)
    assert intent.action.contacts == ()


def test_a_contact_that_another_bridge_has_made_is_waited_for_all_the_same(
    journal: Journal, book: BridgeJournal
) -> None:
    other, contact = journal.bridge("other", "ident"), contact_state("ident/patient/2")
    take(other, patient("2"))
    decide(other, "patient:2", contact, planned=[create(contact)])
    send(other, _2="900")
    take(book, patient("1"), patient("2"))
    decide(book, "patient:1", VISIT, planned=[create(VISIT, contacts=refs(contact.key))])
    assert book.sendable(NOW, 10) == []


def test_a_card_sent_without_its_contact_is_decided_again_once_the_contact_is_made(
    book: BridgeJournal,
) -> None:
    take(book, patient("1"), patient("2"))
    decide(book, "patient:2")
    decide(book, "patient:1", VISIT, planned=[create(VISIT, contacts=refs("ident/patient/2"))])
    send(book, _10="700")
    assert due_keys(book) == []
    other = contact_state("ident/patient/2")
    decide(book, "patient:2", other, planned=[create(other)])
    send(book, _2="502")
    assert due_keys(book) == ["patient:1"]


def test_a_refused_contact_does_not_hold_the_visit(book: BridgeJournal) -> None:
    plan_both(book)
    settle(book, failed(begin(book)[0], OutcomeKind.PERMANENT, ErrorKind.DATA))
    [card] = begin(book)
    assert isinstance(card.action, CreateCard)
    assert card.action.contacts == ()


def test_contacts_of_an_update_stay_while_none_of_the_wished_is_there(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    decide(book, "patient:2")
    card = visit_state(target_id="700")
    decide(book, "patient:1", card, planned=[change(card, contacts=refs("ident/patient/2"))])
    [intent] = book.sendable(NOW, 10)
    assert isinstance(intent.action, UpdateCard)
    assert intent.action.contacts is None


def test_the_base_remembers_our_contacts_and_not_those_of_staff(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = visit_state(target_id="700")
    contact = contact_state(target_id="501")
    update = UpdateCard(entity=Entity.DEAL, id="700", fields={"TITLE": "y"})
    planned = Planned(
        card=card.key,
        action=update,
        contacts=(CardRef(key=contact.key), CardRef(target_id="44"), CardRef(target_id="99")),
        after=Base(contacts=("44",)),
    )
    decide(book, "patient:1", contact, card, planned=[planned])
    [action] = send(book)
    assert isinstance(action, UpdateCard)
    assert action.contacts == ("501", "44", "99")
    assert base_of(book, VISIT_KEY).contacts == ("501", "44")


# --- endings ------------------------------------------------------------------------------------------------------


def test_begin_is_on_disk_before_it_returns(url: str, book: BridgeJournal) -> None:
    plan_both(book)
    [intent] = begin(book)
    assert (intent.state, intent.attempt, intent.sent_at) == (IntentState.SENDING, 1, NOW)
    with Journal.open(url) as second:
        other = second.bridge("clinic", "ident")
        assert state_of(other, intent.id) is IntentState.SENDING


def test_a_confirmed_create_gives_the_card_its_id_and_base(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT, {"NAME": "Анна"})])
    [intent] = begin(book)
    settled = settle(book, confirmed(intent, "501"))
    assert (settled.confirmed, settled.cases) == (1, {"patient:1"})
    [card] = load(book, "patient:1").cards
    assert card.target_id == "501"
    assert base_of(book, CONTACT.key).decided == {"NAME": "Анна"}
    assert due_keys(book) == []


def test_a_case_marked_while_it_was_sent_is_due_after(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    [intent] = begin(book)
    take(book, patient("1", comment="x"))
    assert due_keys(book) == []
    settle(book, confirmed(intent, "501"))
    assert due_keys(book) == ["patient:1"]


def test_markers_of_notes_survive_the_update_after_them(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501", base=Base())
    decide(book, "patient:1", card, planned=[note(card, "a"), change(card)])
    send(book)
    assert base_of(book, CONTACT.key).markers == ("a",)


def test_transient_is_decided_again_after_the_backoff_which_grows(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    [intent] = begin(book)
    assert settle(book, failed(intent, OutcomeKind.TRANSIENT, ErrorKind.OUTAGE)).retried == 1
    assert state_of(book, intent.id) is IntentState.RETRY
    assert book.next_due() == NOW + timedelta(seconds=10)
    later = NOW + timedelta(seconds=10)
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)], now=later)
    assert state_of(book, intent.id) is IntentState.SUPERSEDED
    [again] = begin(book, later)
    assert again.attempt == 2
    settle(book, failed(again, OutcomeKind.TRANSIENT), now=later)
    assert book.next_due() == later + timedelta(seconds=20)


def test_an_update_that_was_not_applied_is_decided_again_from_the_card_as_it_is(book: BridgeJournal) -> None:
    # It may have been there to heal what staff changed, which nothing else remembers (simulated seed 35).
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[change(card)])
    assert load(book, "patient:1").look_again == {"501"}
    settle(book, failed(begin(book)[0], OutcomeKind.TRANSIENT, ErrorKind.LIMIT))
    assert load(book, "patient:1").look_again == {"501"}
    decide(book, "patient:1", card, planned=[change(card)], now=NOW + HOUR)
    [again] = begin(book, NOW + HOUR)
    settle(book, failed(again, OutcomeKind.UNKNOWN, ErrorKind.UNKNOWN), now=NOW + HOUR)
    book.resolve([Probed(intent=again.id, applied=False)], NOW + HOUR)
    assert load(book, "patient:1").look_again == {"501"}


def test_transient_waits_as_long_as_the_crm_asks(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT), note(CONTACT, "m")])
    settle(book, failed(begin(book)[0], OutcomeKind.TRANSIENT, ErrorKind.LIMIT, retry_after=90.0))
    assert book.next_due() == NOW + timedelta(seconds=90)
    assert book.sendable(NOW + HOUR, 10) == []


def test_permanent_is_parked_with_the_reason_and_what_to_do(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    [intent] = begin(book)
    assert settle(book, failed(intent, OutcomeKind.PERMANENT, ErrorKind.PERMISSION)).parked == 1
    [item] = book.parked()
    assert (item.case, item.about, item.reason) == ("patient:1", CONTACT.key, "said the CRM")
    assert "права" in item.fix
    found = book.intent(intent.id)
    assert found is not None
    assert (found.error, found.message) == ("permission", "said the CRM")
    assert due_keys(book) == []


def test_a_refused_write_to_a_card_that_stood_looks_at_the_card_again(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[change(card)])
    settle(book, failed(begin(book)[0], OutcomeKind.PERMANENT, ErrorKind.DATA))
    assert due_keys(book) == ["patient:1"]
    assert load(book, "patient:1").look_again == {"501"}


def test_a_released_intent_is_planned_again(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    settle(book, failed(begin(book)[0], OutcomeKind.PERMANENT, ErrorKind.PERMISSION))
    book.release(book.parked()[0].id, NOW)
    assert book.parked() == []
    assert due_keys(book) == ["patient:1"]
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert len(book.sendable(NOW, 10)) == 1
    with pytest.raises(DataError, match="nothing is parked"):
        book.release(99)


def test_a_confirmed_create_that_belongs_to_another_card_is_parked(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    decide(book, "patient:2", contact_state("ident/patient/2", target_id="501"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert settle(book, confirmed(begin(book)[0], "501")).parked == 1
    assert book.owners([(Entity.CONTACT, "501")]) == {(Entity.CONTACT, "501"): "patient:2"}


def test_a_lead_that_we_made_is_observed_no_more(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER))
    card = replace(VISIT, entity=Entity.LEAD)
    decide(book, "patient:1", card, planned=[create(card)])
    [intent] = begin(book)
    book.observe([lead("700", MOTHER)], NOW)  # the event came before the answer
    settle(book, confirmed(intent, "700"))
    assert book.observed_ids(Entity.LEAD) == frozenset()


def test_an_outcome_of_what_was_settled_before_is_ignored_and_counted(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    [intent] = begin(book)
    settle(book, confirmed(intent, "501"))
    settled = settle(book, confirmed(intent, "502"))
    assert (settled.confirmed, settled.ignored) == (0, 1)
    assert load(book, "patient:1").cards[0].target_id == "501"


def test_every_attempt_is_kept(journal: Journal, book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    settle(book, failed(begin(book)[0], OutcomeKind.TRANSIENT, ErrorKind.OUTAGE, request="q", response="a"))
    with journal._engine.connect() as conn:
        [row] = conn.execute(select(t.attempts)).all()
    assert (row.number, row.outcome, row.error) == (1, "transient", "outage")
    body: Any = msgspec.json.decode(book._box.open(row.body, b"attempts.body"))
    assert body == ["said the CRM", "q", "a"]


# --- nobody knows -------------------------------------------------------------------------------------------------


def test_an_unknown_is_looked_for_after_the_crm_has_settled(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    assert book.unknowns(NOW, 10) == []
    at = NOW + timedelta(seconds=60)
    assert book.next_probe() == at
    assert [intent.id for intent in book.unknowns(at, 10)] == [id_]
    book.postpone([id_], at + HOUR)
    assert book.unknowns(at, 10) == []
    assert book.next_probe() == at + HOUR


def test_a_create_confirmed_without_an_id_is_unknown(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert settle(book, confirmed(begin(book)[0])).unknown == 1


def test_after_a_crash_what_was_being_sent_is_unknown(
    url: str, journal: Journal, book: BridgeJournal
) -> None:
    plan_both(book)
    [intent] = begin(book)
    journal.close()
    with Journal.open(url) as opened:
        again = opened.bridge("clinic", "ident")
        assert again.recover(NOW, NOW + HOUR) == 1
        assert again.recover(NOW, NOW + HOUR) == 0
        [found] = again.unknowns(NOW + HOUR, 10)
        assert (found.id, found.state, found.action) == (intent.id, IntentState.UNKNOWN, intent.action)
        assert again.sendable(NOW, 10) == []


@pytest.mark.parametrize(
    ("error", "due"), [(ErrorKind.PERMISSION, ["patient:1"]), (ErrorKind.LIMIT, []), (None, [])]
)
def test_what_a_login_was_refused_for_is_tried_at_once_after_a_restart(
    book: BridgeJournal, error: ErrorKind | None, due: list[str]
) -> None:
    """Whoever has mended the login starts Kreslo anew; what a busy CRM put off stays put off."""
    take(book, patient("1"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    settle(book, failed(begin(book)[0], OutcomeKind.TRANSIENT, error, retry_after=300.0))
    assert due_keys(book) == []
    assert book.recover(NOW, NOW + HOUR) == 0
    assert due_keys(book) == due


def test_an_unknown_that_was_applied_is_as_confirmed(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=True, target_id="501")], NOW)
    assert state_of(book, id_) is IntentState.CONFIRMED
    [card] = load(book, "patient:1").cards
    assert (card.target_id, card.busy) == ("501", False)


def test_an_unknown_that_was_not_applied_is_decided_again(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=False)], NOW)
    assert state_of(book, id_) is IntentState.SUPERSEDED
    assert due_keys(book) == ["patient:1"]
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert len(book.sendable(NOW, 10)) == 1


def test_what_stays_unknown_is_asked_and_never_sent_again_by_itself(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=None)], NOW)
    assert state_of(book, id_) is IntentState.PARKED
    [question] = book.reviews()
    assert question.wish.rule == "unknown_outcome"
    assert len(book.parked()) == 1
    # Not even with other content: it may be there.
    take(book, patient("1", comment="x"))
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT, {"NAME": "иначе"})])
    assert book.sendable(NOW, 10) == []
    assert len(book.reviews()) == 1
    assert len(book.parked()) == 1


def test_a_person_says_which_card_an_unknown_made(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=None)], NOW)
    book.answer(book.reviews()[0].id, "link", "501", "Ольга", NOW)
    assert state_of(book, id_) is IntentState.CONFIRMED
    case = load(book, "patient:1")
    assert case.cards[0].target_id == "501"
    assert case.answers == ()
    assert book.parked() == []
    assert due_keys(book) == ["patient:1"]


def test_a_person_says_that_an_unknown_was_not_applied(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=None)], NOW)
    book.answer(book.reviews()[0].id, "new", "", "Ольга", NOW)
    assert book.parked() == []
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert len(book.sendable(NOW, 10)) == 1


def test_a_person_says_to_leave_an_unknown(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=None)], NOW)
    book.answer(book.reviews()[0].id, "never", "", "Ольга", NOW)
    decide(book, "patient:1", CONTACT, planned=[create(CONTACT)])
    assert book.sendable(NOW, 10) == []
    assert book.reviews() == []


def test_an_unknown_message_counts_as_entered_until_a_person_says_otherwise(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = visit_state(target_id="700")
    wish = change(card, stage=stage("MSG"), occasion="visit:10:t")
    decide(book, "patient:1", card, planned=[wish])
    [intent] = begin(book)
    settle(book, failed(intent, OutcomeKind.UNKNOWN))
    book.resolve([Probed(intent=intent.id, applied=None)], NOW)
    later = change(card, {"TITLE": "z"}, stage=stage("MSG"), occasion="visit:10:t")
    decide(book, "patient:1", card, planned=[later])
    [action] = send(book)
    assert isinstance(action, UpdateCard)
    assert action.stage is None


def test_a_resolve_of_what_was_settled_meanwhile_changes_nothing(book: BridgeJournal) -> None:
    id_ = unknown_create(book)
    book.resolve([Probed(intent=id_, applied=True, target_id="501")], NOW)
    book.resolve([Probed(intent=id_, applied=False)], NOW)
    assert state_of(book, id_) is IntentState.CONFIRMED


def test_a_moved_card_in_flight_is_settled_for_its_new_case(book: BridgeJournal) -> None:

    take(book, patient("1"), patient("2"), visit("10", "1"))
    card = visit_state(members=(RecordRef(RecordKind.APPOINTMENT, "10"),))
    decide(book, "patient:1", card, planned=[create(card)])
    [intent] = begin(book)
    take(book, visit("10", "2"))
    assert due_keys(book) == ["patient:1"]
    settle(book, confirmed(intent, "700"))
    assert due_keys(book) == ["patient:1", "patient:2"]
    assert load(book, "patient:2").cards[0].target_id == "700"


def test_settling_leaves_other_cases_alone(book: BridgeJournal) -> None:
    plan_both(book)
    take(book, patient("2"))
    settle_all(book)
    send(book)
    assert due_keys(book, NOW + DAY) == []
