"""DESIGN 7, staff's acts: deleted, merged, moved out, merged in the MIS."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity
from kreslo.decisions.case import Answer, Base, Case
from kreslo.decisions.desired import CardRef
from kreslo.mapping.model import Bridge, Phase
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
    make_patient,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage,
    visits_of,
)
from tests.unit.decisions.world import World

VISIT = "ident/appointment/10"
ASKED = f"deleted:{VISIT}:700"
ASKED_CONTACT = "deleted:ident/patient/1:500"
GONE_VISIT = (own_contact(), own_visit(gone=True, base=phase_base(Phase.UPCOMING)))
GONE_CONTACT = (own_contact(gone=True), own_visit(base=phase_base(Phase.UPCOMING)))


def visits_bridge(on_deleted: str) -> Bridge:
    return make_bridge(appointment=make_plan(on_deleted=on_deleted))


def contacts_bridge(on_deleted: str) -> Bridge:
    bridge = make_bridge()
    assert bridge.contact is not None
    return msgspec.structs.replace(
        bridge, contact=msgspec.structs.replace(bridge.contact, on_deleted=on_deleted)
    )


DELETED: list[tuple[str, str, tuple[Answer, ...], list[Card], str]] = [
    ("review", "review", (), [], "asked"),
    ("recreate", "recreate", (), [], "made"),
    ("ignore", "ignore", (), [], "left"),
    ("answered: again", "review", (Answer(question=ASKED, choice="new"),), [], "made"),
    ("answered: never", "review", (Answer(question=ASKED, choice="never"),), [], "left"),
    (
        "answered: that one",
        "review",
        (Answer(question=ASKED, choice="link", target_id="701"),),
        [make_deal("701")],
        "701",
    ),
    ("never goes before recreate", "recreate", (Answer(question=ASKED, choice="never"),), [], "left"),
    (
        "an answer on an earlier deletion is none on this one",
        "review",
        (Answer(question=f"deleted:{VISIT}:699", choice="new"),),
        [],
        "asked",
    ),
    ("another card bears its key", "review", (), [make_deal("701", key=VISIT)], "701"),
]


@pytest.mark.parametrize(
    ("on_deleted", "answers", "cards", "expected"), [r[1:] for r in DELETED], ids=[r[0] for r in DELETED]
)
def test_a_deleted_visit_card_is_never_silently_made_again(
    on_deleted: str, answers: tuple[Answer, ...], cards: list[Card], expected: str
) -> None:
    """Card deleted: review, never silently made again (`on_deleted`). A card that bears its key is the survivor."""
    case = make_case(make_appointment(), cards=GONE_VISIT, answers=answers)
    desired = Crm(*cards).decide(case, bridge=visits_bridge(on_deleted))
    assert [review.question for review in desired.reviews] == ([ASKED] if expected == "asked" else [])
    assert [card.take for card in visits_of(desired)] == {"made": [""], "701": ["701"]}.get(expected, [])
    assert bool(desired.filtered) is (expected in {"asked", "left"})


def test_made_again_it_says_no_message_a_second_time() -> None:
    """Healing never enters a message stage a second time: the new card starts on a quiet stage."""
    plan = make_plan()
    stages = {
        phase: msgspec.structs.replace(rule, message=phase is Phase.TOMORROW)
        for phase, rule in plan.stages.items()
    }
    world = World(bridge=make_bridge(appointment=make_plan(stages=stages, on_deleted="recreate")))
    case = make_case(make_appointment())
    world.step(case, at("19.11 15:00"))
    assert world.base(VISIT).markers == ("10:20261120T0700:TOMORROW",)
    deleted = world.card(VISIT)
    world.own[VISIT] = msgspec.structs.replace(world.own[VISIT], gone=True)
    del world.cards[Entity.DEAL, deleted.id]
    world.step(case, at("19.11 15:05"))
    assert [code for _, code in world.stages] == ["TOMORROW", "UPCOMING"]
    assert world.base(VISIT).markers == ("10:20261120T0700:TOMORROW",)


def test_a_card_from_the_recycle_bin_is_the_one_that_we_knew() -> None:
    """It is linked again with all that we remember of it, and nothing is written that stands already."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    before = world.base(VISIT)
    world.own[VISIT] = msgspec.structs.replace(world.own[VISIT], gone=True)
    world.step(make_case(make_appointment()), NOW)
    assert (world.planned, world.base(VISIT), world.own[VISIT].gone) == ([], before, False)


CONTACTS: list[tuple[str, str, tuple[Answer, ...], list[Card], dict[tuple[Entity, str], str], str]] = [
    ("review", "review", (), [], {}, "review deleted_contact"),
    ("recreate", "recreate", (), [], {}, "made"),
    ("ignore", "ignore", (), [], {}, "left"),
    ("answered: again", "review", (Answer(question=ASKED_CONTACT, choice="new"),), [], {}, "made"),
    ("answered: never", "review", (Answer(question=ASKED_CONTACT, choice="never"),), [], {}, "left"),
    (
        "what was said before the deletion is past",
        "review",
        (Answer(question="contact:1", choice="new"),),
        [],
        {},
        "review deleted_contact",
    ),
    (
        "a link to the deleted card leads nowhere",
        "review",
        (Answer(question=ASKED_CONTACT, choice="link", target_id="500"),),
        [],
        {},
        "review deleted_contact",
    ),
    ("the survivor has our key", "review", (), [make_contact("480", key="ident/patient/1")], {}, "take 480"),
    ("the survivor has name and phone", "review", (), [make_contact("480")], {}, "take 480"),
    (
        "the survivor is another patient's",
        "review",
        (),
        [make_contact("480")],
        {(Entity.CONTACT, "480"): "patient:2"},
        "review shared",
    ),
    (
        "the survivor is another patient's, with our key",
        "review",
        (),
        [make_contact("480", "Кто-то", key="ident/patient/1")],
        {(Entity.CONTACT, "480"): "patient:2"},
        "review shared",
    ),
]


@pytest.mark.parametrize(
    ("on_deleted", "answers", "cards", "owners", "expected"),
    [r[1:] for r in CONTACTS],
    ids=[r[0] for r in CONTACTS],
)
def test_a_deleted_contact_is_relinked_to_the_survivor_or_asked_about(
    on_deleted: str,
    answers: tuple[Answer, ...],
    cards: list[Card],
    owners: dict[tuple[Entity, str], str],
    expected: str,
) -> None:
    """Card deleted: review. Merged: relinked to the survivor. Two patients on one contact after a merge: review."""
    case = make_case(make_appointment(), cards=GONE_CONTACT, answers=answers)
    desired = Crm(*cards, owners=owners).decide(case, bridge=contacts_bridge(on_deleted))
    contact = contact_of(desired)
    if expected.startswith("review"):
        assert ([r.rule for r in desired.reviews], contact) == ([expected.removeprefix("review ")], None)
        assert desired.reviews[0].question == ASKED_CONTACT
    elif contact is None:
        assert (expected, desired.reviews) == ("left", ())
    else:
        assert (f"take {contact.take}" if contact.take else "made") == expected


def test_two_patients_on_one_contact_the_persons_fields_freeze() -> None:
    """Two patients on one contact after a merge: the person's fields freeze, review. Answered "it is that one", the
    visits hang on it, and only the other patient's case writes its fields.
    """
    answers = (Answer(question=ASKED_CONTACT, choice="link", target_id="480"),)
    crm = Crm(make_contact("480"), owners={(Entity.CONTACT, "480"): "patient:2"})
    desired = crm.decide(make_case(make_appointment(), cards=GONE_CONTACT, answers=answers))
    assert contact_of(desired) is None
    assert only_visit(desired).contacts == (CardRef(target_id="480"),)


def test_the_visit_goes_on_while_the_contact_is_asked_about() -> None:
    """And the rest flows: the card keeps whoever is on it."""
    desired = Crm().decide(make_case(make_appointment(), cards=GONE_CONTACT))
    assert only_visit(desired).contacts is None


def merged_case(**given: Any) -> Case:
    return make_case(patient=make_patient(merged_into="2"), **given)


def test_patients_merged_in_the_mis_their_contacts_go_to_review() -> None:
    """Patients merged in the MIS: the CRM's two contacts go to review (the visits move with the records)."""
    desired = Crm().decide(merged_case(cards=(own_contact(base=Base()),), family_cards={"2": "600"}))
    [review] = desired.reviews
    assert (review.question, review.rule) == ("merged:1", "merged_patients")
    assert [each.target_id for each in review.candidates] == ["500", "600"]


def test_one_who_had_no_contact_gets_none_and_nobody_is_asked() -> None:
    """There are no two contacts to look at."""
    bridge = make_bridge()
    assert bridge.contact is not None
    every = msgspec.structs.replace(bridge, contact=msgspec.structs.replace(bridge.contact, scope="all"))
    desired = Crm().decide(merged_case(), bridge=every)
    assert (desired.cards, desired.reviews) == ((), ())


def test_a_card_moved_out_of_our_funnels_gets_fields_and_no_stage() -> None:
    """Moved out of our funnels: fields yes, stage no."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    elsewhere = msgspec.structs.replace(stage("ELSEWHERE"), funnel="77")
    world.edit(VISIT, stage=elsewhere)
    world.step(make_case(make_appointment(starts="25.11 12:00")), NOW)
    assert world.card(VISIT).stage == elsewhere
    assert world.card(VISIT).fields["TITLE"] == "Приём 25.11 12:00, Петров П. П."
    assert world.suppressed == (f"{VISIT}: staff moved the card out of our funnels",)
