"""DESIGN 7, algorithm 5: an enquiry without an appointment."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, Semantic
from kreslo.decisions.case import Answer, Base, Caller, OwnCard, Role
from kreslo.decisions.desired import Desired, DesiredCard
from kreslo.records import Enquiry
from tests.unit.decisions.builders import (
    NOW,
    PHONE,
    Crm,
    at,
    lead_stage,
    make_bridge,
    make_enquiry,
    make_lead,
    make_plan,
    phone_case,
    stage_of,
)
from tests.unit.decisions.world import World

KEY = "ident/enquiry/5"
OWN = OwnCard(
    key=KEY,
    role=Role.ENQUIRY,
    entity=Entity.LEAD,
    target_id="900",
    members=(KEY,),
    base=Base(stage=lead_stage("NEW")),
)


def own(code: str = "NEW", **changes: Any) -> OwnCard:
    return msgspec.structs.replace(OWN, base=Base(stage=lead_stage(code)), **changes)


def enquiry_of(desired: Desired) -> DesiredCard:
    [card] = [each for each in desired.cards if each.role is Role.ENQUIRY]
    return card


STANDS: list[tuple[str, list[Card], dict[tuple[Entity, str], str], str]] = [
    ("none", [], {}, ""),
    ("an open one", [make_lead(code="NEW")], {}, "900"),
    ("an open one of staff's stage", [make_lead(code="WORK")], {}, "900"),
    ("the newest of two", [make_lead("899", "01.11 12:00"), make_lead("900")], {}, "900"),
    ("a closed one", [make_lead(semantic=Semantic.LOST)], {}, ""),
    ("a visit's", [make_lead()], {(Entity.LEAD, "900"): "patient:1"}, ""),
    (
        "in another funnel",
        [msgspec.structs.replace(make_lead(), stage=make_plan().stages["upcoming"].stage)],
        {},
        "",
    ),
    ("one with our key", [make_lead("901", key=KEY, phones=()), make_lead()], {}, "901"),
    ("one with the key of an earlier enquiry", [make_lead(key="ident/enquiry/3")], {}, "900"),
    ("one with a visit's key", [make_lead(key="ident/appointment/3")], {}, ""),
]


@pytest.mark.parametrize(("cards", "owners", "taken"), [r[1:] for r in STANDS], ids=[r[0] for r in STANDS])
def test_an_enquiry_links_to_the_open_card_of_its_phone_else_one_is_made(
    cards: list[Card], owners: dict[tuple[Entity, str], str], taken: str
) -> None:
    """One open card per phone: link to the open one, else create in the enquiry funnel."""
    card = enquiry_of(Crm(*cards, owners=owners).decide(phone_case(make_enquiry())))
    assert (card.take, stage_of(card)) == (taken, "NEW")


def test_the_key_of_a_card_that_stands_is_never_rewritten() -> None:
    """A card's key is written once: a card of an earlier enquiry keeps it, in the journal too."""
    crm = Crm(make_lead(key="ident/enquiry/3"))
    assert enquiry_of(crm.decide(phone_case(make_enquiry()))).key == "ident/enquiry/3"


def test_all_enquiries_of_a_phone_are_one_card() -> None:
    """One enquiry card a phone; the last one speaks, under the name that was given."""
    first, second = make_enquiry("5", "14.11 12:00", name="Мария"), make_enquiry("6", "15.11 12:00")
    card = enquiry_of(Crm().decide(phone_case(second, first)))
    assert (card.key, card.members) == (KEY, (KEY, "ident/enquiry/6"))
    assert card.fields["TITLE"].value == "Обращение Мария"


AGES: list[tuple[str, str, str, int]] = [
    ("young", "18.11 11:59", "NEW", 0),
    ("three days old", "18.11 12:00", "STALE", 1),
]


@pytest.mark.parametrize(("now", "code", "tasks"), [row[1:] for row in AGES], ids=[row[0] for row in AGES])
def test_it_ages_to_stale_with_a_task(now: str, code: str, tasks: int) -> None:
    """Ages to `stale` with a task."""
    card = enquiry_of(Crm(make_lead()).decide(phone_case(make_enquiry(), cards=(own(),)), at(now)))
    assert (stage_of(card), len(card.tasks)) == (code, tasks)


def test_the_clock_is_set_for_that_and_the_task_comes_once() -> None:
    """`wake_at` is when it ages."""
    world = World()
    case = phone_case(make_enquiry())
    assert world.step(case, NOW).wake_at == at("18.11 12:00")
    for _ in range(2):
        world.step(case, at("18.11 12:00"))
    assert [code for _, code in world.stages] == ["NEW", "STALE"]
    assert world.tasks == [(KEY, f"Перезвонить {PHONE}")]


TOUCHED = [("WORK", Semantic.OPEN), ("JUNK", Semantic.LOST)]


@pytest.mark.parametrize(("code", "semantic"), TOUCHED)
def test_what_staff_took_up_or_closed_does_not_age(code: str, semantic: Semantic) -> None:
    """The clock moves only what nobody has touched; and where the stage stays there is no task either."""
    world = World()
    world.step(phone_case(make_enquiry()), NOW)
    world.edit(KEY, stage=lead_stage(code), semantic=semantic)
    for _ in range(2):
        world.step(phone_case(make_enquiry()), at("18.11 12:00"))
    assert (world.card(KEY).stage, world.tasks) == (lead_stage(code), [])


def test_a_card_that_stood_before_is_linked_and_left_where_it_is() -> None:
    """Link to the open one: whoever works on it goes on."""
    world = World(make_lead(code="WORK"))
    world.step(phone_case(make_enquiry()), NOW)
    world.step(phone_case(make_enquiry()), at("18.11 12:00"))
    assert (world.card(KEY).id, world.card(KEY).stage, world.card(KEY).key) == (
        "900",
        lead_stage("WORK"),
        KEY,
    )


def caller(visit: str = "20.11 10:00", entered: str | None = "10.11 12:00") -> Caller:
    return Caller(
        patient_id="1",
        next_visit_at=at(visit),
        next_visit_created_at=at(entered) if entered else None,
    )


CLAIMING = make_bridge()
NOT_CLAIMING = make_bridge(appointment=make_plan(claim=None))

BOOKED: list[tuple[str, Caller, str, Any, str | None]] = [
    ("booked before they asked", caller(), "16.11 09:00", CLAIMING, "ALREADY"),
    ("nobody knows when it was entered", caller(entered=None), "16.11 09:00", CLAIMING, "ALREADY"),
    (
        "booked after: the visit is about to claim it",
        caller(entered="16.11 08:00"),
        "16.11 09:00",
        CLAIMING,
        None,
    ),
    ("and has not claimed it", caller(entered="16.11 08:00"), "16.11 10:00", CLAIMING, "ALREADY"),
    (
        "nothing is claimed in this bridge",
        caller(entered="16.11 08:00"),
        "16.11 09:00",
        NOT_CLAIMING,
        "ALREADY",
    ),
    ("the visit is over", caller("16.11 08:00"), "16.11 09:00", CLAIMING, "NEW"),
    ("no visit", Caller(patient_id="1"), "16.11 09:00", CLAIMING, "NEW"),
]


@pytest.mark.parametrize(
    ("who", "now", "bridge", "code"), [r[1:] for r in BOOKED], ids=[r[0] for r in BOOKED]
)
def test_a_caller_with_an_upcoming_visit_is_already_booked(
    who: Caller, now: str, bridge: Any, code: str | None
) -> None:
    """If the caller already has an upcoming visit: stage "already booked", out of the primary statistics. Read so: a
    visit that was entered after the enquiry has two hours to claim its card first.
    """
    case = phone_case(make_enquiry(), cards=(own(),), callers=(who,))
    assert stage_of(enquiry_of(Crm(make_lead()).decide(case, at(now), bridge))) == code


def test_the_clock_is_set_for_when_a_callers_visit_is_over_or_settled() -> None:
    """`wake_at` says when the clock alone would change the answer."""
    case = phone_case(make_enquiry(), cards=(own(),), callers=(caller("17.11 10:00", "16.11 08:00"),))
    assert Crm(make_lead()).decide(case, at("16.11 09:00")).wake_at == at("16.11 10:00")
    assert Crm(make_lead()).decide(case, at("16.11 10:00")).wake_at == at("17.11 10:00")


def test_after_the_visit_an_answered_enquiry_is_left_alone() -> None:
    """It was answered: it does not come back to `new`, nor grow stale."""
    case = phone_case(make_enquiry(), cards=(own("ALREADY"),), callers=(caller("16.11 08:00"),))
    for now in ("16.11 09:00", "19.11 12:00"):
        card = enquiry_of(Crm(make_lead()).decide(case, at(now)))
        assert (stage_of(card), card.tasks) == (None, ())


@pytest.mark.parametrize(("code", "wished"), [("STALE", "NEW"), ("ALREADY", "NEW"), ("NEW", "NEW")])
def test_who_asks_again_is_new_again(code: str, wished: str) -> None:
    """One open card per phone: a newer enquiry brings the card back to the start of its funnel."""
    again = make_enquiry("6", "19.11 12:00")
    case = phone_case(make_enquiry(), again, cards=(own(code),))
    card = enquiry_of(Crm(make_lead()).decide(case, at("19.11 12:01")))
    assert (card.key, stage_of(card), card.members) == (KEY, wished, (KEY, "ident/enquiry/6"))


def test_who_asks_again_after_the_card_was_closed_gets_another() -> None:
    """One *open* card per phone: the closed one stays closed, and only the new enquiry is the new card's."""
    again = make_enquiry("6", "19.11 12:00")
    crm = Crm(make_lead(code="JUNK", semantic=Semantic.LOST))
    card = enquiry_of(crm.decide(phone_case(make_enquiry(), again, cards=(own("NEW"),)), at("19.11 12:01")))
    assert (card.key, card.members, stage_of(card)) == ("ident/enquiry/6", ("ident/enquiry/6",), "NEW")


def test_what_staff_took_up_is_not_put_back_when_they_ask_again() -> None:
    """Never regresses a card: staff who work on it have the new enquiry in sight."""
    world = World()
    world.step(phone_case(make_enquiry()), NOW)
    world.step(phone_case(make_enquiry()), at("18.11 12:00"))
    world.edit(KEY, stage=lead_stage("WORK"))
    world.step(phone_case(make_enquiry(), make_enquiry("6", "19.11 12:00")), at("19.11 12:01"))
    assert world.card(KEY).stage == lead_stage("WORK")


FILTERED: list[tuple[str, Enquiry, dict[str, Any], str]] = [
    ("claimed by a visit", make_enquiry(), {"served": frozenset({KEY})}, "its card became a visit's"),
    ("too old", make_enquiry(created="01.10 12:00"), {}, "older than the horizon"),
]


@pytest.mark.parametrize(("enquiry", "given", "why"), [r[1:] for r in FILTERED], ids=[r[0] for r in FILTERED])
def test_enquiries_that_rightly_have_no_card(enquiry: Enquiry, given: dict[str, Any], why: str) -> None:
    """When the visit comes, algorithm 1 claims the card: the enquiry has been served."""
    desired = Crm().decide(phone_case(enquiry, **given))
    assert (desired.cards, desired.filtered) == ((), {"5": why})


DELETED: list[tuple[str, tuple[Enquiry, ...], tuple[Answer, ...], list[str], int]] = [
    ("a person is asked", (make_enquiry(),), (), [], 1),
    ("never", (make_enquiry(),), (Answer(question=f"deleted:{KEY}:900", choice="never"),), [], 0),
    ("again", (make_enquiry(),), (Answer(question=f"deleted:{KEY}:900", choice="new"),), [KEY], 0),
    ("they asked again", (make_enquiry(), make_enquiry("6", "16.11 08:00")), (), ["ident/enquiry/6"], 0),
]


@pytest.mark.parametrize(
    ("asked", "answers", "made", "reviews"), [r[1:] for r in DELETED], ids=[r[0] for r in DELETED]
)
def test_a_deleted_enquiry_card_is_never_silently_made_again(
    asked: tuple[Enquiry, ...], answers: tuple[Answer, ...], made: list[str], reviews: int
) -> None:
    """Card deleted: review, never silently made again. A newer enquiry has a card of its own."""
    desired = Crm().decide(phone_case(*asked, cards=(own(gone=True),), answers=answers))
    assert [card.key for card in desired.cards] == made
    assert len(desired.reviews) == reviews
    assert ("5" in desired.filtered) is (KEY not in made)


# --- the CRM's own open leads -----------------------------------------------------------------------------------------

OLD = "12.11 12:00"
LEADS: list[tuple[str, Card, dict[str, Any], str | None]] = [
    ("old and new still", make_lead(created=OLD, code="NEW"), {}, "STALE"),
    ("young", make_lead(created="14.11 12:00", code="NEW"), {}, None),
    ("at work", make_lead(created=OLD, code="WORK"), {}, None),
    ("booked", make_lead(created=OLD, code="NEW"), {"callers": (caller(),)}, None),
    ("our own enquiry card", make_lead(created=OLD, code="NEW"), {"cards": (own(),)}, None),
]


@pytest.mark.parametrize(("lead", "given", "code"), [r[1:] for r in LEADS], ids=[r[0] for r in LEADS])
def test_the_crms_own_open_leads_age_too(lead: Card, given: dict[str, Any], code: str | None) -> None:
    """Else from the CRM's own open leads: those that nobody was booked for grow stale with a task."""
    desired = Crm(lead).decide(phone_case(observed=(lead,), **given))
    watched = [
        (each.take, stage_of(each), len(each.tasks)) for each in desired.cards if each.role is Role.WATCHED
    ]
    assert watched == ([("900", code, 1)] if code else [])


def test_a_lead_that_was_closed_meanwhile_gets_neither_stage_nor_task() -> None:
    """What we observed is old news: the guard looks at the card as it is."""
    lead = make_lead(created=OLD, code="NEW")
    world = World(make_lead(created=OLD, code="JUNK", semantic=Semantic.LOST))
    for _ in range(2):
        world.step(phone_case(observed=(lead,)), NOW)
    assert (world.stages, world.tasks) == ([], [])


def test_without_an_enquiry_section_enquiries_are_filtered() -> None:
    """Nothing is dropped in silence."""
    desired = Crm().decide(phone_case(make_enquiry()), bridge=make_bridge(enquiry=None))
    assert desired.filtered == {"5": "the mapping has no enquiry section"}
