"""Decisions are written down: cards, intents, questions."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from journal_makers import (
    CONTACT_KEY,
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
    enquiry,
    failed,
    load,
    member,
    note,
    patient,
    replace,
    send,
    settle,
    settle_all,
    stage,
    take,
    visit,
    visit_state,
)
from sqlalchemy import event, select

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import CreateCard, Entity, MultiChange, OutcomeKind, UpdateCard, Value
from kreslo.decisions.case import Answer, Base, Role
from kreslo.decisions.desired import CardRef, ReviewWish
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal import schema as t
from kreslo.journal.codec import unpack_overwrite
from kreslo.journal.model import CardState, CasePlan, Conflict, IntentState
from kreslo.mapping.model import Phase
from kreslo.merging.plan import Overwrite, Planned
from kreslo.records import RecordKind

VALUES: dict[str, Value] = {
    "text": "текст",
    "number": 3,
    "float": 2.5,
    "flag": True,
    "money": Decimal("1500.00"),
    "date": date(2026, 11, 2),
    "moment": NOW,
    "many": (MOTHER, "+7"),
    "empty": None,
}
WHOLE = Base(
    decided=VALUES,
    read_back=VALUES,
    rewrites={"text": 2},
    parked_fields=("number",),
    stage=stage("NEW"),
    phase=Phase.TOMORROW,
    starts_at=NOW,
    contacts=("1", "2"),
    lead="7",
    moves=1,
    markers=("m",),
    facts="f",
)


def state_of(book: BridgeJournal, id_: str) -> IntentState:
    found = book.intent(id_)
    assert found is not None
    return found.state


def questions(book: BridgeJournal) -> list[str]:
    return [item.wish.question for item in book.reviews()]


def ask(question: str) -> ReviewWish:
    return ReviewWish(question=question, rule="candidates", text="Кто это?")


def enquiry_card(book: BridgeJournal) -> tuple[str, CardState]:
    """A phone case with an enquiry card of ours that stands in the CRM as lead 17."""
    take(book, enquiry("100", MOTHER))
    key = "phone:" + book._phone_token(MOTHER)
    card = CardState(
        key="ident/enquiry/100",
        role=Role.ENQUIRY,
        entity=Entity.LEAD,
        members=(member(RecordKind.ENQUIRY, "100"),),
    )
    decide(book, key, card, planned=[create(card)])
    send(book, _100="17")
    settle_all(book)
    return key, card


# --- cards --------------------------------------------------------------------------------------------------------


def test_a_card_comes_back_as_it_was_decided(book: BridgeJournal) -> None:
    take(book, patient("1"), visit("10"))
    decide(
        book,
        "patient:1",
        visit_state(
            target_id="700",
            members=(member(RecordKind.APPOINTMENT, "10"),),
            base=WHOLE,
            claimed_from=stage("LEAD"),
            claimed_lead="17",
            gone=True,
            closed=True,
        ),
    )
    [card] = load(book, "patient:1").cards
    assert card.base == WHOLE
    assert (card.key, card.role, card.entity, card.target_id) == (VISIT_KEY, Role.VISIT, Entity.DEAL, "700")
    assert (card.members, card.claimed_from, card.claimed_lead) == ((VISIT_KEY,), stage("LEAD"), "17")
    assert card.gone
    assert card.closed


def test_what_a_plan_does_not_say_of_a_card_stays(book: BridgeJournal) -> None:
    take(book, patient("1"), visit("10"))
    whole = visit_state(
        target_id="700", members=(member(RecordKind.APPOINTMENT, "10"),), base=WHOLE, claimed_lead="17"
    )
    decide(book, "patient:1", whole)
    decide(book, "patient:1", visit_state())
    [card] = load(book, "patient:1").cards
    assert (card.target_id, card.members, card.base, card.claimed_lead) == ("700", (VISIT_KEY,), WHOLE, "17")


def test_cards_come_in_the_order_in_which_they_were_made(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", visit_state("ident/appointment/9"), now=NOW)
    decide(book, "patient:1", visit_state("ident/appointment/1"), now=NOW + HOUR)
    decide(book, "patient:1", visit_state("ident/appointment/9"), now=NOW + DAY)
    assert [card.key for card in load(book, "patient:1").cards] == [
        "ident/appointment/9",
        "ident/appointment/1",
    ]


def test_members_of_a_chain_are_those_that_the_decision_names(book: BridgeJournal) -> None:
    take(book, visit("10"), visit("11"))
    one, two = member(RecordKind.APPOINTMENT, "10"), member(RecordKind.APPOINTMENT, "11")
    decide(book, "patient:1", visit_state(members=(one, two)))
    assert load(book, "patient:1").cards[0].members == (VISIT_KEY, "ident/appointment/11")
    decide(book, "patient:1", visit_state(members=(two,)))
    assert load(book, "patient:1").cards[0].members == ("ident/appointment/11",)


def test_a_card_taken_over_by_another_id_forgets_its_base(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(target_id="1", base=WHOLE))
    decide(book, "patient:1", contact_state(target_id="2"))
    [card] = load(book, "patient:1").cards
    assert (card.target_id, card.base) == ("2", None)


# --- conflicts ------------------------------------------------------------------------------------------------------


def test_a_card_of_another_case_is_a_conflict_and_nothing_of_that_plan_is_written(
    book: BridgeJournal,
) -> None:
    take(book, patient("1"), patient("2"))
    decide(book, "patient:1", contact_state(target_id="501"))
    other = contact_state("ident/patient/2", target_id="501")
    found = decide(book, "patient:2", other, planned=[change(other)], reviews=(ask("q"),))
    assert found == [Conflict("patient:2", Entity.CONTACT, "501", "patient:1")]
    assert load(book, "patient:2").cards == ()
    assert book.sendable(NOW, 10) == []
    assert questions(book) == []
    assert due_keys(book) == ["patient:2"]


def test_of_two_plans_for_one_card_the_first_has_it_and_the_rest_goes_on(book: BridgeJournal) -> None:
    take(book, *(patient(str(number)) for number in (1, 2, 3)))
    versions = {key: loaded.version for key, loaded in book.load([f"patient:{n}" for n in (1, 2, 3)]).items()}
    targets = {"patient:1": "501", "patient:2": "501", "patient:3": "503"}
    plans = [
        CasePlan(
            key=key,
            version=versions[key],
            cards=(contact_state(f"ident/patient/{key[-1]}", target_id=target),),
        )
        for key, target in targets.items()
    ]
    assert book.commit(plans, NOW) == [Conflict("patient:2", Entity.CONTACT, "501", "patient:1")]
    assert due_keys(book) == ["patient:2"]
    assert load(book, "patient:3").cards[0].target_id == "503"


def test_the_same_id_of_another_entity_is_another_card(book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))
    decide(book, "patient:1", contact_state(target_id="501"))
    assert decide(book, "patient:2", visit_state(target_id="501")) == []


def test_a_claim_takes_the_enquiry_card_from_its_phone_case(book: BridgeJournal) -> None:
    phone, _ = enquiry_card(book)
    take(book, patient("1", MOTHER), visit("10"))
    claim = CardState(
        key="ident/enquiry/100", role=Role.CLAIM, entity=Entity.LEAD, target_id="17", transfer=True
    )
    assert decide(book, "patient:1", claim) == []
    assert book.owners([(Entity.LEAD, "17")]) == {(Entity.LEAD, "17"): "patient:1"}
    assert load(book, phone).cards == ()
    assert load(book, phone).served == {"ident/enquiry/100"}
    assert load(book, "patient:1").served == {"ident/enquiry/100"}
    assert due_keys(book) == [phone]


def test_a_claim_under_a_key_of_its_own_rekeys_the_card(book: BridgeJournal) -> None:
    phone, _ = enquiry_card(book)
    take(book, patient("1", MOTHER), visit("10"))
    move = CardState(
        key=VISIT_KEY,
        role=Role.VISIT,
        entity=Entity.LEAD,
        target_id="17",
        transfer=True,
        members=(member(RecordKind.APPOINTMENT, "10"),),
        claimed_from=stage("NEW"),
    )
    assert decide(book, "patient:1", move) == []
    [card] = load(book, "patient:1").cards
    assert (card.key, card.target_id, card.base) == (VISIT_KEY, "17", None)
    assert card.members == (VISIT_KEY, "ident/enquiry/100")
    assert load(book, phone).cards == ()
    assert load(book, phone).served == {"ident/enquiry/100"}
    # The next decision names only the chain; the enquiry stays served.
    decide(book, "patient:1", replace(move, target_id="", transfer=False))
    assert load(book, phone).served == {"ident/enquiry/100"}


def test_a_card_that_another_case_takes_in_the_same_round_is_claimed_in_the_next(book: BridgeJournal) -> None:
    take(book, enquiry("100", MOTHER), patient("1", MOTHER), visit("10"))
    [phone] = [key for key in due_keys(book) if key.startswith("phone:")]
    theirs = CardState(
        key="ident/enquiry/100",
        role=Role.ENQUIRY,
        entity=Entity.DEAL,
        target_id="17",
        members=(member(RecordKind.ENQUIRY, "100"),),
    )
    ours = visit_state(target_id="17", transfer=True, members=(member(RecordKind.APPOINTMENT, "10"),))
    states = {phone: theirs, "patient:1": ours}
    plans = [
        CasePlan(key=key, version=each.version, cards=(states[key],), planned=(change(states[key]),))
        for key, each in book.load([phone, "patient:1"]).items()
    ]
    assert book.commit(sorted(plans, key=lambda plan: plan.key, reverse=True), NOW) == []
    assert book.owners([(Entity.DEAL, "17")]) == {(Entity.DEAL, "17"): phone}
    assert "patient:1" in due_keys(book)
    assert decide(book, "patient:1", ours) == []
    assert book.owners([(Entity.DEAL, "17")]) == {(Entity.DEAL, "17"): "patient:1"}
    assert load(book, phone).served == {"ident/enquiry/100"}
    assert load(book, phone).cards == ()


@pytest.mark.parametrize("transfer", [True, False])
def test_a_card_is_not_taken_while_it_is_in_flight_or_without_leave(
    book: BridgeJournal, transfer: bool
) -> None:
    phone, card = enquiry_card(book)
    take(book, patient("1", MOTHER))
    if transfer:
        decide(book, phone, replace(card, target_id="17"), planned=[change(replace(card, target_id="17"))])
        begin(book)
    claim = CardState(key="lead:17", role=Role.CLAIM, entity=Entity.LEAD, target_id="17", transfer=transfer)
    assert decide(book, "patient:1", claim) == [Conflict("patient:1", Entity.LEAD, "17", phone)]


def test_a_phone_case_cannot_write_a_card_that_was_taken_from_it_meanwhile(book: BridgeJournal) -> None:
    phone, card = enquiry_card(book)
    version = book.load([phone])[phone].version
    take(book, patient("1", MOTHER))
    decide(
        book,
        "patient:1",
        CardState(key=card.key, role=Role.CLAIM, entity=Entity.LEAD, target_id="17", transfer=True),
    )
    decide(book, phone, replace(card, target_id="17"), version=version, planned=[change(card)])
    assert book.sendable(NOW, 10) == []
    assert due_keys(book) == [phone]


# --- intents --------------------------------------------------------------------------------------------------------


def test_a_later_decision_takes_the_place_of_what_was_not_sent(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state(), {"NAME": "Анна"})])
    [old] = book.sendable(NOW, 10)
    decide(book, "patient:1", contact_state(), planned=[create(contact_state(), {"NAME": "Анна-Мария"})])
    [new] = book.sendable(NOW, 10)
    assert isinstance(new.action, CreateCard)
    assert new.action.fields == {"NAME": "Анна-Мария"}
    assert new.id > old.id
    assert state_of(book, old.id) is IntentState.SUPERSEDED
    assert book.begin([old], NOW) == []


def test_a_decision_that_knows_nothing_of_a_send_is_not_written(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    version = book.load(["patient:1"])["patient:1"].version
    intent = begin(book)[0]
    decide(book, "patient:1", contact_state(), version=version, planned=[create(contact_state())])
    assert book.counts().intents == {"sending": 1}
    settle(book, confirmed(intent, "501"))
    decide(book, "patient:1", contact_state(), version=version, planned=[create(contact_state())])
    assert book.counts().intents == {"confirmed": 1}
    assert due_keys(book) == ["patient:1"]


def test_the_rest_of_a_card_s_plan_survives_a_decision_made_while_it_is_in_flight(
    book: BridgeJournal,
) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state()), note(contact_state(), "m")])
    intent = begin(book)[0]
    decide(book, "patient:1", contact_state())
    settle(book, confirmed(intent, "501"))
    [left] = book.sendable(NOW, 10)
    assert left.marker == "m"


def test_an_intent_comes_back_whole(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    action = UpdateCard(
        entity=Entity.CONTACT,
        id="501",
        key="k",
        fields=VALUES,
        multi={"PHONE": MultiChange(add=(MOTHER,), remove=("+7",))},
        stage=stage("NEW"),
        lead="3",
    )
    decide(
        book,
        "patient:1",
        card,
        planned=[Planned(card=CONTACT_KEY, action=action, after=WHOLE, occasion="o")],
    )
    [intent] = book.sendable(NOW, 10)
    assert (intent.action, intent.after, intent.occasion) == (action, WHOLE, "o")
    assert (intent.case, intent.card, intent.created_at, intent.attempt) == ("patient:1", CONTACT_KEY, NOW, 0)
    assert intent.id.isalnum()
    assert len(intent.id) <= 32


def test_what_the_crm_refused_is_not_planned_again_as_it_is(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[change(card, {"NAME": "!"})])
    settle(book, failed(begin(book)[0], OutcomeKind.PERMANENT, ErrorKind.DATA))
    decide(book, "patient:1", card, planned=[change(card, {"NAME": "!"})])
    assert book.sendable(NOW, 10) == []
    assert len(book.parked()) == 1
    decide(book, "patient:1", card, planned=[change(card, {"NAME": "Анна"})])
    assert len(book.sendable(NOW, 10)) == 1
    assert book.parked() == []


def test_a_note_is_written_once_even_if_the_base_is_lost(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[note(card, "m")])
    assert len(send(book)) == 1
    decide(book, "patient:1", card, planned=[note(card, "m"), note(card, "n")])
    assert [intent.marker for intent in book.sendable(NOW, 10)] == ["n"]


def test_a_note_that_stands_is_marked_in_a_base_that_lost_it(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501")
    decide(book, "patient:1", card, planned=[note(card, "m")])
    send(book)
    decide(book, "patient:1", replace(card, base=Base(facts="f")), planned=[note(card, "m")])
    base = load(book, "patient:1").cards[0].base
    assert base is not None
    assert (base.markers, base.facts) == (("m",), "f")


def test_overrule_holds_until_the_first_write_is_confirmed(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = contact_state(target_id="501", overrule=True)
    decide(book, "patient:1", card, planned=[note(card, "m"), change(card)])
    assert load(book, "patient:1").cards[0].overrule
    settle(book, confirmed(begin(book)[0], "9"))
    assert load(book, "patient:1").cards[0].overrule  # that was the note
    settle(book, confirmed(begin(book)[0]))
    assert not load(book, "patient:1").cards[0].overrule


def test_a_message_stage_is_entered_once_an_occasion(book: BridgeJournal) -> None:
    take(book, patient("1"))
    card = visit_state(target_id="700")
    decide(book, "patient:1", card, planned=[change(card, stage=stage("MSG"), occasion="visit:10:t")])
    assert len(send(book)) == 1
    decide(
        book,
        "patient:1",
        card,
        planned=[change(card, {"TITLE": "z"}, stage=stage("MSG"), occasion="visit:10:t")],
    )
    [action] = send(book)
    assert isinstance(action, UpdateCard)
    assert (action.fields, action.stage) == ({"TITLE": "z"}, None)
    only_stage = Planned(
        card=card.key,
        action=UpdateCard(entity=Entity.DEAL, id="700", stage=stage("MSG")),
        after=Base(stage=stage("MSG")),
        occasion="visit:10:t",
    )
    decide(book, "patient:1", card, planned=[only_stage])
    assert send(book) == []
    base = load(book, "patient:1").cards[0].base
    assert base is not None
    assert base.stage == stage("MSG")
    decide(book, "patient:1", card, planned=[change(card, stage=stage("MSG"), occasion="visit:10:t2")])
    [action] = send(book)
    assert isinstance(action, UpdateCard)
    assert action.stage == stage("MSG")


def test_a_card_that_is_made_again_after_staff_deleted_it_gets_a_new_id(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", contact_state(target_id="501", gone=True))
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
    send(book, _1="502")
    [card] = load(book, "patient:1").cards
    assert (card.target_id, card.gone) == ("502", False)
    assert book.owners([(Entity.CONTACT, "501")]) == {}


# --- questions and papers -------------------------------------------------------------------------------------------


def test_a_question_is_asked_once_withdrawn_and_asked_again(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(ask("a"), ask("b")))
    decide(book, "patient:1", reviews=(ask("a"),))
    assert questions(book) == ["a"]
    decide(book, "patient:1", reviews=(ask("a"), ask("b")))
    assert questions(book) == ["a", "b"]


def test_an_answered_question_is_remembered_and_not_asked_again(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(ask("a"),))
    book.answer(book.reviews()[0].id, "never", "", "Ольга", NOW)
    assert due_keys(book) == ["patient:1"]
    assert load(book, "patient:1").answers == (Answer(question="a", choice="never"),)
    decide(book, "patient:1", reviews=(ask("a"),))
    assert questions(book) == []
    decide(book, "patient:1")
    assert len(load(book, "patient:1").answers) == 1


def test_a_link_that_leads_nowhere_any_more_is_asked_about_again(book: BridgeJournal) -> None:
    """A decision wishes a question that has an answer only where the chosen card is gone."""
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(ask("a"),))
    number = book.reviews()[0].id
    book.answer(number, "link", "501", "Ольга", NOW)
    decide(book, "patient:1", reviews=(ask("a"),))
    assert questions(book) == ["a"]
    assert load(book, "patient:1").answers == ()
    book.answer(number, "link", "502", "Ольга", NOW)
    assert load(book, "patient:1").answers == (Answer(question="a", choice="link", target_id="502"),)


def test_a_decision_made_before_an_answer_is_not_written(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", reviews=(ask("a"),))
    version = book.load(["patient:1"])["patient:1"].version
    book.answer(book.reviews()[0].id, "new", "", "Ольга", NOW)
    decide(book, "patient:1", contact_state(), version=version)
    assert load(book, "patient:1").cards == ()


def test_overwrites_are_recorded(journal: Journal, book: BridgeJournal) -> None:
    take(book, patient("1"))
    written = Overwrite(card=CONTACT_KEY, field="DATE", theirs=Decimal("1.50"), ours=date(2026, 11, 2))
    decide(book, "patient:1", overwrites=(written,))
    with journal._engine.connect() as conn:
        [row] = conn.execute(select(t.overwrites)).all()
    assert unpack_overwrite(book._box.open(row.body, b"overwrites.body")) == written
    assert (row.case_key, row.card_key, row.at) == ("patient:1", CONTACT_KEY, NOW)


def test_the_trace_of_a_decision_is_explained(book: BridgeJournal) -> None:
    take(book, patient("1"))
    decide(book, "patient:1", rules=("r",), drift=("d",), filtered={"10": "old"}, wake_at=NOW + DAY)
    found = book.explain("patient:1")
    assert found is not None
    assert (found.rules, found.drift, found.filtered) == (("r",), ("d",), {"10": "old"})
    assert (found.decided_at, found.wake_at, found.due_at) == (NOW, NOW + DAY, NOW + DAY)
    assert book.counts().filtered == 1
    assert book.explain("patient:9") is None


def test_a_commit_that_fails_half_way_leaves_nothing(journal: Journal, book: BridgeJournal) -> None:
    take(book, patient("1"), patient("2"))

    def fail(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO reviews"):
            raise InterruptedError

    event.listen(journal._engine, "before_cursor_execute", fail)
    with pytest.raises(InterruptedError):
        decide(book, "patient:1", contact_state(), planned=[create(contact_state())], reviews=(ask("a"),))
    event.remove(journal._engine, "before_cursor_execute", fail)
    assert load(book, "patient:1").cards == ()
    assert book.sendable(NOW, 10) == []
    assert due_keys(book) == ["patient:1", "patient:2"]


def test_contacts_by_id_do_not_wait(book: BridgeJournal) -> None:
    take(book, patient("1"))
    planned = create(visit_state(), contacts=(CardRef(target_id="44"),))
    decide(book, "patient:1", visit_state(), planned=[planned])
    [intent] = book.sendable(NOW, 10)
    assert isinstance(intent.action, CreateCard)
    assert intent.action.contacts == ("44",)
