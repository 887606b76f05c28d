"""DESIGN 6, `adopt:` and cards with our key: which deal of the CRM becomes a visit's, and which never does."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ByContact, ByField, ById, Card, Entity, Lookup
from kreslo.decisions.case import Answer, OwnCard
from kreslo.decisions.desired import Desired
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import AdoptPlan, Bridge, Phase
from tests.unit.decisions.builders import (
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    make_patient,
    make_plan,
    own_contact,
    own_visit,
    phase_base,
    visits_of,
)

KEY = "ident/appointment/10"
TIME = {"UF_AT": at("20.11 10:00")}
MINE: dict[str, Any] = {"contacts": ("500",), "fields": TIME}
V10 = {"UF_OLD": "V-10"}
BY_KEY = AdoptPlan(key_field="UF_OLD", key=Expression('"V-" + appointment.id'), time_field="UF_AT")


def adopting(adopt: AdoptPlan = BY_KEY, **changes: Any) -> Bridge:
    return make_bridge(appointment=make_plan(adopt=adopt, claim=None), **changes)


def taken(desired: Desired) -> list[tuple[str, str]]:
    """Each visit's key and the card that it takes, superseded ones left out."""
    return [(card.key, card.take) for card in visits_of(desired) if not card.close]


def asked_of(crm: Crm, kind: type[Lookup]) -> list[Lookup]:
    return [each for each in crm.asked if isinstance(each, kind) and each.entity is Entity.DEAL]


# --- by our key -------------------------------------------------------------------------------------------------------

FOUND: list[tuple[str, list[Card], tuple[OwnCard, ...], dict[tuple[Entity, str], str], str]] = [
    ("one", [make_deal("701", key=KEY)], (), {}, "701"),
    ("one that another case owns", [make_deal("701", key=KEY)], (), {(Entity.DEAL, "701"): "patient:2"}, ""),
    ("one, and a contact of the same number", [make_deal("701", key=KEY)], (own_contact(target_id="701"),), {}, "701"),
    (
        "one that the case holds for another visit",
        [make_deal("701", key=KEY)],
        (own_visit("9", target_id="701", base=phase_base(Phase.COMPLETED)),),
        {},
        "",
    ),
    (
        "one that the case held and that came back",
        [make_deal("701", key=KEY)],
        (own_visit("9", target_id="701", gone=True, base=phase_base(Phase.COMPLETED)),),
        {},
        "701",
    ),
    (
        "two of one key: the older",
        [make_deal("702", key=KEY, created_at=at("11.11 12:00")), make_deal("701", key=KEY)],
        (),
        {},
        "701",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cards", "own", "owners", "expected"), [r[1:] for r in FOUND], ids=[r[0] for r in FOUND]
)
def test_a_card_with_our_key_is_the_visits(
    cards: list[Card], own: tuple[OwnCard, ...], owners: dict[tuple[Entity, str], str], expected: str
) -> None:
    """Key in the CRM: of several the oldest is taken; a double of the very same key is left to staff."""
    desired = Crm(*cards, owners=owners).decide(make_case(make_appointment(), cards=own))
    assert taken(desired) == [(KEY, expected)]
    assert len(visits_of(desired)) == 1


def test_a_visit_with_a_card_does_not_hide_the_next_ones() -> None:
    """Each chain looks for itself."""
    visits = make_appointment("10"), make_appointment("11", "21.11 10:00")
    cards = (own_contact(), own_visit("10", base=phase_base(Phase.UPCOMING)))
    desired = Crm(make_deal("701", key="ident/appointment/11")).decide(make_case(*visits, cards=cards))
    assert taken(desired) == [(KEY, ""), ("ident/appointment/11", "701")]


GONE = own_visit(gone=True, base=phase_base(Phase.UPCOMING))
ANSWERS: list[tuple[str, OwnCard | None, Answer, list[Card], dict[tuple[Entity, str], str], list[str]]] = [
    ("link", GONE, Answer(question="", choice="link", target_id="702"), [make_deal("702")], {}, ["702"]),
    ("link to what another case owns", GONE, Answer(question="", choice="link", target_id="702"), [make_deal("702")], {(Entity.DEAL, "702"): "patient:2"}, []),
    ("link, and one with our key is there", GONE, Answer(question="", choice="link", target_id="702"), [make_deal("701", key=KEY), make_deal("702")], {}, ["701"]),
    ("link to what the case holds", GONE, Answer(question="", choice="link", target_id="704"), [make_deal("704")], {}, []),
    ("new", GONE, Answer(question="", choice="new"), [make_deal("")], {}, [""]),
    ("never", GONE, Answer(question="", choice="never"), [], {}, []),
    ("never, and one with our key is there", None, Answer(question="", choice="never"), [make_deal("701", key=KEY)], {}, ["701"]),
    ("never, none yet", None, Answer(question="", choice="never"), [], {}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "answer", "cards", "owners", "expected"), [r[1:] for r in ANSWERS], ids=[r[0] for r in ANSWERS]
)
def test_what_a_person_said_of_a_visits_card(
    own: OwnCard | None,
    answer: Answer,
    cards: list[Card],
    owners: dict[tuple[Entity, str], str],
    expected: list[str],
) -> None:
    """Link to this one, make a new one, never these; a card that bears its key is the survivor. A card belongs to one."""
    question = f"deleted:{KEY}:700" if own else f"visit:{KEY}"
    answers = (msgspec.structs.replace(answer, question=question),)
    held = own_visit("9", target_id="704", base=phase_base(Phase.COMPLETED))
    case = make_case(
        make_appointment(), cards=(own_contact(), held, *((own,) if own else ())), answers=answers
    )
    desired = Crm(*cards, owners=owners).decide(case)
    assert [take for key, take in taken(desired) if key == KEY] == expected
    assert not [card for card in desired.cards if card.close], "what a person chose is not closed"


# --- adopt: -----------------------------------------------------------------------------------------------------------

ADOPTED: list[tuple[str, list[Card], str]] = [
    ("by key before by time", [make_deal("703", fields=V10), make_deal("701", **MINE)], "703"),
    ("two by key, one by time", [make_deal("703", fields=V10), make_deal("704", fields=V10), make_deal("701", **MINE)], "? 703 704"),
    ("two by time", [make_deal("701", **MINE), make_deal("702", **MINE)], "? 701 702"),
    ("by time, on no stage", [make_deal("701", stage=None, **MINE)], ""),
    ("a bare date", [make_deal("701", contacts=("500",), fields={"UF_AT": at("20.11 10:00").date()})], ""),
    ("a text", [make_deal("701", contacts=("500",), fields={"UF_AT": "20.11.2026 10:00"})], ""),
    ("an instant without a zone", [make_deal("701", contacts=("500",), fields={"UF_AT": at("20.11 10:00").replace(tzinfo=None)})], ""),
    ("our key, and one by time", [make_deal("705", key=KEY), make_deal("701", **MINE)], "705"),
]  # fmt: skip


@pytest.mark.parametrize(("deals", "expected"), [r[1:] for r in ADOPTED], ids=[r[0] for r in ADOPTED])
def test_which_deal_is_adopted(deals: list[Card], expected: str) -> None:
    """`adopt:` finds them by another system's key field, or by contact and visit time; doubtful ones go to review."""
    desired = Crm(*deals).decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=adopting())
    if expected.startswith("?"):
        [review] = desired.reviews
        assert taken(desired) == []
        assert (review.question, review.rule) == (f"visit:{KEY}", "doubtful_visit")
        assert [each.target_id for each in review.candidates] == expected.split()[1:]
        assert [each.evidence for each in review.candidates] == [
            f"deal {each}" for each in expected.split()[1:]
        ]
    else:
        assert taken(desired) == [(KEY, expected)]
        assert desired.reviews == ()


def test_a_visit_that_has_a_card_adopts_none() -> None:
    """For chains that have no card of ours at all, living or deleted."""
    for own in (own_visit(base=phase_base(Phase.UPCOMING)), own_visit(gone=True)):
        crm = Crm(make_deal("701", **MINE), make_deal("702", **MINE))
        desired = crm.decide(make_case(make_appointment(), cards=(own_contact(), own)), bridge=adopting())
        assert [take for _, take in taken(desired)] == ([] if own.gone else [""])
        assert [review.rule for review in desired.reviews] == (["deleted_visit"] if own.gone else [])


def test_a_deal_is_adopted_once() -> None:
    """A CRM card belongs to one case, and to one visit of it."""
    visits = make_appointment("10"), make_appointment("11", "21.11 10:00")
    adopt = AdoptPlan(key_field="UF_OLD", key=Expression('"V"'))
    deal = make_deal("703", fields={"UF_OLD": "V"})
    both = Crm(deal).decide(make_case(*visits, cards=(own_contact(),)), bridge=adopting(adopt))
    assert taken(both) == [(KEY, "703"), ("ident/appointment/11", "")]
    held = own_visit("11", target_id="703", base=phase_base(Phase.UPCOMING, "21.11 10:00"))
    one = Crm(deal).decide(make_case(*visits, cards=(own_contact(), held)), bridge=adopting(adopt))
    assert taken(one) == [(KEY, ""), ("ident/appointment/11", "")]


def test_another_systems_key_may_speak_of_the_patient() -> None:
    """Everything that expressions may name."""
    adopt = AdoptPlan(key_field="UF_OLD", key=Expression('patient.card_number + "/" + appointment.id'))
    case = make_case(make_appointment(), patient=make_patient(card_number="A7"), cards=(own_contact(),))
    desired = Crm(make_deal("703", fields={"UF_OLD": "A7/10"})).decide(case, bridge=adopting(adopt))
    assert taken(desired) == [(KEY, "703")]


HALVES = [
    AdoptPlan(key_field="UF_OLD"),
    AdoptPlan(key=Expression('"V-10"')),
    AdoptPlan(key_field="UF_OLD", key=Expression('""')),
]


@pytest.mark.parametrize("adopt", HALVES)
def test_nothing_is_asked_by_half_a_rule(adopt: AdoptPlan) -> None:
    """An empty key is no key, and a rule by key says nothing of times."""
    crm = Crm(make_deal("703", fields={"UF_OLD": ""}))
    desired = crm.decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=adopting(adopt))
    assert taken(desired) == [(KEY, "")]
    assert (asked_of(crm, ByField), asked_of(crm, ByContact)) == ([], [])


def test_without_a_contact_there_is_no_deal_by_contact() -> None:
    """A patient whose contact is to come has none; nor has a mapping without contacts."""
    by_time = AdoptPlan(time_field="UF_AT")
    for bridge in (adopting(by_time), adopting(by_time, contact=None)):
        crm = Crm(make_deal("701", contacts=("",), fields=TIME))
        assert taken(crm.decide(make_case(make_appointment()), bridge=bridge)) == [(KEY, "")]
        assert asked_of(crm, ByContact) == []


def test_a_contact_found_just_now_has_its_deals() -> None:
    """By contact and visit time: the contact that this decision adopts counts."""
    crm = Crm(make_contact("500"), make_deal("701", **MINE))
    desired = crm.decide(make_case(make_appointment()), bridge=adopting(AdoptPlan(time_field="UF_AT")))
    assert taken(desired) == [(KEY, "701")]


CHOSEN: list[tuple[str, list[Card], list[tuple[str, str]], list[str]]] = [
    ("it is there", [make_deal("702", **MINE)], [(KEY, "702")], []),
    ("it is gone", [], [], ["deleted_visit"]),
    ("it is gone, another fits", [make_deal("701", **MINE)], [(KEY, "701")], []),
]


@pytest.mark.parametrize(("deals", "cards", "rules"), [r[1:] for r in CHOSEN], ids=[r[0] for r in CHOSEN])
def test_a_chosen_deal_that_is_gone_is_no_answer(
    deals: list[Card], cards: list[tuple[str, str]], rules: list[str]
) -> None:
    """The person's answer is remembered as long as what it names is there; then it is asked again, or found anew."""
    answers = (Answer(question=f"visit:{KEY}", choice="link", target_id="702"),)
    case = make_case(make_appointment(), cards=(own_contact(),), answers=answers)
    desired = Crm(*deals).decide(case, bridge=adopting(AdoptPlan(time_field="UF_AT")))
    assert taken(desired) == cards
    assert [(review.question, review.rule) for review in desired.reviews] == [
        (f"visit:{KEY}", rule) for rule in rules
    ]


def test_new_is_not_looked_for() -> None:
    """Make a new one: no card is asked for by an empty number."""
    answers = (Answer(question=f"deleted:{KEY}:700", choice="new"),)
    crm = Crm()
    crm.decide(make_case(make_appointment(), cards=(own_contact(), GONE), answers=answers))
    assert asked_of(crm, ById) == []
