"""What is kept no longer."""

import pytest
from journal_makers import (
    DAY,
    MOTHER,
    NOW,
    begin,
    change,
    confirmed,
    contact_state,
    create,
    decide,
    due_keys,
    enquiry,
    lead,
    note,
    patient,
    send,
    settle,
    take,
    visit,
)
from sqlalchemy import func, select

from kreslo.connectors.errors import DataError
from kreslo.connectors.model import Entity
from kreslo.decisions.desired import ReviewWish
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.schema import metadata
from kreslo.merging.plan import Overwrite
from kreslo.records.exchange import Ticket

KEPT = {"meta", "bridges", "cursors", "alembic_version"}


def rows(journal: Journal) -> dict[str, int]:
    with journal._engine.connect() as conn:
        counts = {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count and name not in KEPT}


def test_a_forgotten_patient_leaves_nothing_but_what_the_crm_holds(
    journal: Journal, book: BridgeJournal
) -> None:
    take(book, patient("1", MOTHER, card_number="17"), visit("10"))
    card = contact_state(target_id="501")
    decide(
        book,
        "patient:1",
        card,
        planned=[change(card, occasion="o"), note(card, "m")],
        reviews=(ReviewWish(question="q", rule="r", text="?"),),
        overwrites=(Overwrite(card=card.key, field="F", theirs="a", ours="b"),),
    )
    send(book)
    assert {"records", "phones", "names", "cards", "intents", "attempts", "reviews", "overwrites"} <= set(
        rows(journal)
    )
    assert book.forget("patient:1") == [(Entity.CONTACT, "501")]
    assert rows(journal) == {}


def test_a_forgotten_phone_takes_its_enquiries_and_leads_along(journal: Journal, book: BridgeJournal) -> None:
    take(book, enquiry("100", MOTHER))
    book.observe([lead("17", MOTHER)], NOW)
    assert book.forget("phone:" + book._phone_token(MOTHER)) == []
    assert rows(journal) == {}


def test_nobody_is_forgotten_while_something_is_sent(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    [intent] = begin(book)
    with pytest.raises(DataError, match="being sent"):
        book.forget("patient:1")
    settle(book, confirmed(intent, "501"))
    assert book.forget("patient:1") == [(Entity.CONTACT, "501")]


def test_a_decision_of_a_forgotten_case_is_not_written(book: BridgeJournal) -> None:
    take(book, patient("1"))
    version = book.load(["patient:1"])["patient:1"].version
    book.forget("patient:1")
    decide(book, "patient:1", contact_state(), version=version, planned=[create(contact_state())])
    assert book.sendable(NOW, 10) == []
    assert due_keys(book) == []


def test_pruning_drops_what_is_old_and_done_and_nothing_else(journal: Journal, book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[change(card)])
    send(book)
    decide(book, "patient:1", card, planned=[change(card, {"TITLE": "planned"})])
    assert book.prune(NOW) == 0
    assert book.prune(NOW + DAY) == 2  # an attempt and a confirmed intent
    assert book.counts().intents == {"planned": 1}
    assert "attempts" not in rows(journal)
    assert rows(journal)["cards"] == 1


def test_an_old_ticket_is_emptied_and_its_card_gets_no_second_one(book: BridgeJournal) -> None:
    ticket = Ticket(id="clinic-lead-17", date_and_time=NOW, client_phone=MOTHER, client_full_name="Анна")
    assert book.put_ticket(Entity.LEAD, "17", ticket)
    assert book.prune(NOW) == 0
    assert book.tickets(None, None) == [ticket]
    assert book.prune(NOW + DAY) == 1
    assert book.prune(NOW + DAY) == 0
    assert book.tickets(None, None) == []
    assert not book.put_ticket(Entity.LEAD, "17", ticket)
