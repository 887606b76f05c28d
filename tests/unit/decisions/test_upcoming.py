"""DESIGN 7, algorithm 1: upcoming. And `adopt:` for visit cards (DESIGN 6)."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, StageRef
from kreslo.decisions.case import Answer
from kreslo.decisions.desired import CardRef, Desired
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import AdoptPlan, Phase
from kreslo.records import Appointment
from tests.unit.decisions.builders import (
    NOW,
    Crm,
    at,
    contact_of,
    make_appointment,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    make_lead,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage_of,
    visits_of,
)

KEY = "ident/appointment/10"


def card_of(desired: Desired) -> str:
    card = only_visit(desired)
    return f"take {card.take}" if card.take else f"lead {card.lead}" if card.lead else "own or new"


ORDER: list[tuple[str, list[Card], dict[str, Any], str]] = [
    (
        "by link",
        [make_deal("701", key=KEY)],
        {"cards": (own_contact(), own_visit(base=phase_base(Phase.UPCOMING)))},
        "own or new",
    ),
    ("by key", [make_deal("701", key=KEY), make_lead()], {}, "take 701"),
    ("by claim", [make_lead()], {}, "lead 900"),
    ("else new", [], {}, "own or new"),
]


@pytest.mark.parametrize(("cards", "given", "expected"), [r[1:] for r in ORDER], ids=[r[0] for r in ORDER])
def test_the_card_is_found_by_link_by_chain_by_claim_else_it_is_new(
    cards: list[Card], given: dict[str, Any], expected: str
) -> None:
    """Contact, then card: by link, by chain (or its key in the CRM), by claim, else new."""
    assert card_of(Crm(*cards).decide(make_case(make_appointment(), **given))) == expected


def test_the_contact_comes_before_the_card() -> None:
    """Contact, then card: the card hangs on the contact that the same decision makes."""
    desired = Crm().decide(make_case(make_appointment()))
    assert [card.entity for card in desired.cards] == [Entity.CONTACT, Entity.DEAL]
    assert only_visit(desired).contacts == (CardRef(key="ident/patient/1"),)


NEXT: list[tuple[str, tuple[Appointment, ...], frozenset[str], str | None]] = [
    (
        "of two",
        (make_appointment("1", "25.11 10:00"), make_appointment("2", "20.11 10:00")),
        frozenset(),
        "20.11 10:00",
    ),
    (
        "not one that is over",
        (make_appointment("1", "15.11 10:00"), make_appointment("2", "20.11 10:00")),
        frozenset(),
        "20.11 10:00",
    ),
    ("not a cancelled one", (make_appointment("1", cancelled_at=NOW),), frozenset(), None),
    ("not one that vanished", (make_appointment("1"),), frozenset({"1"}), None),
    ("a confirmed one", (make_appointment("1", confirmed_at=NOW),), frozenset(), "20.11 10:00"),
    ("none", (make_appointment("1", "15.11 10:00", ended_at=at("15.11 11:00")),), frozenset(), None),
]


@pytest.mark.parametrize(("visits", "vanished", "expected"), [r[1:] for r in NEXT], ids=[r[0] for r in NEXT])
def test_the_contacts_next_visit_is_the_earliest_upcoming_one(
    visits: tuple[Appointment, ...], vanished: frozenset[str], expected: str | None
) -> None:
    """The contact's next visit is the earliest upcoming one."""
    desired = Crm().decide(make_case(*visits, vanished=vanished, cards=(own_contact(),)))
    contact = contact_of(desired)
    assert contact is not None
    assert contact.fields["UF_NEXT"].value == (at(expected) if expected else None)


PRIMARY = [
    ((), "первичный"),
    ((make_appointment("9", "01.11 10:00", ended_at=at("01.11 11:00")),), "повторный"),
    ((make_appointment("9", "01.11 10:00", ended_at=at("01.11 11:00"), cancelled_at=NOW),), "первичный"),
    ((make_appointment("9", "01.03 10:00", ended_at=at("01.03 11:00")),), "первичный"),  # half a year ago
]


@pytest.mark.parametrize(("before", "kind"), PRIMARY)
def test_a_visit_is_primary_without_a_completed_one_in_half_a_year(
    before: tuple[Appointment, ...], kind: str
) -> None:
    """A visit so long after the last one counts as primary again (`primary_after`)."""
    plan = make_plan()
    field = msgspec.structs.replace(
        plan.fields[0], value=Expression("appointment.kind"), when=None, type="text"
    )
    bridge = make_bridge(appointment=make_plan(fields=(field,)))
    desired = Crm().decide(make_case(make_appointment(), *before, cards=(own_contact(),)), bridge=bridge)
    [card] = [each for each in visits_of(desired) if each.key == KEY]
    assert card.fields["OPPORTUNITY"].value == kind


def test_a_walk_in_that_is_here_starts_where_it_is() -> None:
    """Stage of the phase (upcoming, tomorrow, today, confirmed, arrived), for a new card too."""
    visit = make_appointment(starts="16.11 09:00", created_at=NOW, appeared_at=NOW)
    assert stage_of(only_visit(Crm().decide(make_case(visit)))) == "ARRIVED"


# --- adopt: -----------------------------------------------------------------------------------------------------------

BY_TIME = make_bridge(appointment=make_plan(adopt=AdoptPlan(time_field="UF_AT"), claim=None))
MINE = {"contacts": ("500",), "fields": {"UF_AT": at("20.11 10:00")}}

DEALS: list[tuple[str, list[Card], str]] = [
    ("the one deal at this time", [make_deal("701", **MINE)], "take 701"),
    ("another time", [make_deal("701", contacts=("500",), fields={"UF_AT": at("20.11 10:30")})], "new"),
    ("no time", [make_deal("701", contacts=("500",))], "new"),
    ("another contact", [make_deal("701", contacts=("501",), fields=MINE["fields"])], "new"),
    ("another funnel", [make_deal("701", stage=StageRef("7", "UPCOMING"), **MINE)], "new"),
    ("a key of ours already", [make_deal("701", key="ident/appointment/9", **MINE)], "new"),
    ("several", [make_deal("701", **MINE), make_deal("702", **MINE)], "review 701 702"),
]


def adopted(desired: Desired) -> str:
    if desired.reviews:
        assert visits_of(desired) == []
        assert desired.filtered == {"10": "a person must say which card of the CRM it is"}
        return "review " + " ".join(each.target_id for each in desired.reviews[0].candidates)
    card = only_visit(desired)
    return f"take {card.take}" if card.take else "new"


@pytest.mark.parametrize(("deals", "expected"), [r[1:] for r in DEALS], ids=[r[0] for r in DEALS])
def test_cards_typed_by_hand_are_adopted_by_contact_and_time(deals: list[Card], expected: str) -> None:
    """`adopt:` finds cards by contact and visit time; doubtful ones go to review. Read so: a doubtful chain gets no card
    until a person has said, since the card made meanwhile would be the visit's second.
    """
    desired = Crm(*deals).decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=BY_TIME)
    assert adopted(desired) == expected


def test_a_deal_that_belongs_to_another_case_is_not_adopted() -> None:
    """A CRM card belongs to one case."""
    crm = Crm(make_deal("701", **MINE), owners={(Entity.DEAL, "701"): "patient:2"})
    assert adopted(crm.decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=BY_TIME)) == "new"


def test_two_visits_at_one_time_and_one_deal_are_doubtful() -> None:
    """Which of the two it is for, a person says."""
    visits = make_appointment("10"), make_appointment("11")
    desired = Crm(make_deal("701", **MINE)).decide(make_case(*visits, cards=(own_contact(),)), bridge=BY_TIME)
    assert visits_of(desired) == []
    assert [review.question for review in desired.reviews] == [f"visit:{KEY}", "visit:ident/appointment/11"]


def test_while_the_contact_is_in_review_its_deals_are_doubtful() -> None:
    """The visit's card may be one of them: none is made beside it."""
    cards = make_contact("500"), make_contact("501", "Иванова М.П."), make_deal("701", **MINE)
    desired = Crm(*cards).decide(make_case(make_appointment()), bridge=BY_TIME)
    assert visits_of(desired) == []
    assert [review.rule for review in desired.reviews] == ["several", "doubtful_visit"]
    free = Crm(*cards[:2]).decide(make_case(make_appointment()), bridge=BY_TIME)
    assert only_visit(free).take == ""


@pytest.mark.parametrize(
    ("choice", "target_id", "expected"),
    [("link", "702", "take 702"), ("new", "", "new"), ("never", "", "filtered")],
)
def test_the_answer_on_a_doubtful_deal_is_remembered(choice: str, target_id: str, expected: str) -> None:
    """Doubtful ones go to review; the answer stands."""
    said = (Answer(question=f"visit:{KEY}", choice=choice, target_id=target_id),)
    crm = Crm(make_deal("701", **MINE), make_deal("702", **MINE))
    desired = crm.decide(make_case(make_appointment(), cards=(own_contact(),), answers=said), bridge=BY_TIME)
    assert desired.reviews == ()
    if expected == "filtered":
        assert desired.filtered == {"10": "a person wants no card for it"}
    else:
        assert adopted(desired) == expected


OTHER = [
    ([make_deal("703", fields={"UF_OLD": "V-10"})], "take 703"),
    (
        [make_deal("703", fields={"UF_OLD": "V-10"}), make_deal("704", fields={"UF_OLD": "V-10"})],
        "review 703 704",
    ),
    ([make_deal("703", fields={"UF_OLD": "V-11"})], "new"),
    ([make_deal("703", fields={"UF_OLD": "V-10"}), make_deal("701", **MINE)], "take 703"),
]


@pytest.mark.parametrize(("deals", "expected"), OTHER)
def test_cards_of_another_integration_are_adopted_by_its_key(deals: list[Card], expected: str) -> None:
    """`adopt:` finds them by another system's key field, or by contact and visit time."""
    adopt = AdoptPlan(key_field="UF_OLD", key=Expression('"V-" + appointment.id'), time_field="UF_AT")
    bridge = make_bridge(appointment=make_plan(adopt=adopt, claim=None))
    desired = Crm(*deals).decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=bridge)
    assert adopted(desired) == expected


def test_an_adopted_card_claims_no_lead() -> None:
    """It is the visit's card already: by chain and by adoption come before a claim."""
    bridge = make_bridge(appointment=make_plan(adopt=AdoptPlan(time_field="UF_AT")))
    desired = Crm(make_deal("701", **MINE), make_lead()).decide(
        make_case(make_appointment(), cards=(own_contact(),)), bridge=bridge
    )
    assert (only_visit(desired).take, only_visit(desired).lead, desired.claims) == ("701", "", {})
