"""DESIGN 2 and 6: one chain is one card; all members of a chain link to its card."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kreslo.decisions.case import Answer, OwnCard
from kreslo.decisions.chains import chains_of
from kreslo.mapping.model import Phase, RebookPlan
from kreslo.records import Appointment, Doctor
from tests.unit.decisions.builders import (
    DOCTOR,
    NOW,
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_deal,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage_of,
    visits_of,
)
from tests.unit.decisions.world import World

OTHER = Doctor(id="8", name="Сидоров Семён Семёнович", specialty="терапевт")
HYGIENIST = Doctor(id="9", name="Орлова Ольга", specialty="гигиенист")


def told(appointment_id: str, old: str, **changes: Any) -> Appointment:
    created = f"10.11 12:{int(appointment_id):02d}"
    return make_appointment(appointment_id, predecessor_id=old, **{"created_at": at(created), **changes})


def ids(*appointments: Appointment, rebook: RebookPlan | None = None, vanished: str = "") -> list[str]:
    chains = chains_of(appointments, rebook, frozenset(vanished.split()))
    return ["→".join(member.id for member in chain.members) for chain in chains]


GONE: dict[str, Any] = {"cancelled_at": NOW}
AT_ONCE: dict[str, Any] = {"created_at": at("10.11 12:00")}

TOLD: list[tuple[str, list[Appointment], list[str]]] = [
    ("alone", [told("1", "")], ["1"]),
    ("two", [told("1", "", **GONE), told("2", "1")], ["1→2"]),
    ("three, in any order", [told("3", "2"), told("1", ""), told("2", "1")], ["1→2→3"]),
    ("a predecessor that is not in sight", [told("2", "99")], ["2"]),
    ("itself", [told("1", "1")], ["1"]),
    ("a circle begins with its earliest entry", [told("1", "2"), told("2", "1")], ["1→2"]),
    ("a circle in any order", [told("2", "1"), told("1", "2")], ["1→2"]),
    ("entered before the one that it follows", [told("1", "2"), told("2", "")], ["2→1"]),
    ("two, the later one first", [told("2", ""), told("1", "")], ["1", "2"]),
    ("entered at once: by number", [told("10", "", **AT_ONCE), told("9", "", **AT_ONCE)], ["9", "10"]),
    ("no time of entry: by its time", [told("3", "", created_at=None), told("1", "")], ["1", "3"]),
    ("two successors: the living one", [told("1", ""), told("2", "1"), told("3", "1", **GONE)], ["1→2", "3"]),
    ("two successors alive: the latest", [told("1", ""), told("2", "1"), told("3", "1")], ["1→3", "2"]),
    ("two alive, in any order", [told("3", "1"), told("2", "1"), told("1", "")], ["1→3", "2"]),
]


@pytest.mark.parametrize(("appointments", "chains"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_a_chain_is_what_reschedules_link(appointments: list[Appointment], chains: list[str]) -> None:
    """Appointments linked by reschedules; one chain is one card. Of two successors the living, latest one."""
    assert ids(*appointments) == chains


def test_a_vanished_successor_does_not_take_a_living_visit_with_it() -> None:
    """One that vanished is cancelled with that reason; the visit that it was moved from, if it still stands, is not."""
    assert ids(told("1", ""), told("2", "1"), vanished="2") == ["1", "2"]
    assert ids(told("1", "", **GONE), told("2", "1"), vanished="2") == ["1→2"]


def test_of_two_successors_the_one_that_still_stands_goes_on() -> None:
    """Of several successors that the MIS names, the living and latest is the chain's: a vanished one is not alive."""
    assert ids(told("1", "", **GONE), told("2", "1"), told("3", "1"), vanished="3") == ["1→2", "3"]


def booked(appointment_id: str, created: str = "", **changes: Any) -> Appointment:
    return make_appointment(appointment_id, **{"created_at": at(created) if created else None, **changes})


NOVICE = Doctor(id="6", name="Новиков Николай", specialty="")
DAY, WEEK, SKILL = RebookPlan(), RebookPlan(window=timedelta(days=7)), RebookPlan(same="specialty")
CANCELLED: dict[str, Any] = {"cancelled_at": at("15.11 12:00")}

INFERRED: list[tuple[str, dict[str, Any], dict[str, Any], RebookPlan, bool]] = [
    ("booked after the cancellation", CANCELLED, {"created": "15.11 18:00"}, RebookPlan(), True),
    ("booked before the cancellation", CANCELLED, {"created": "15.11 11:00"}, RebookPlan(), True),
    ("at the window's end", CANCELLED, {"created": "16.11 12:00"}, RebookPlan(), True),
    ("after the window", CANCELLED, {"created": "16.11 12:01"}, RebookPlan(), False),
    ("long before the cancellation", CANCELLED, {"created": "13.11 12:00"}, RebookPlan(), False),
    ("nothing was cancelled", {}, {"created": "15.11 18:00"}, RebookPlan(), False),
    (
        "its own entry is not a new one",
        {"cancelled_at": at("10.11 13:00")},
        {"created": "10.11 16:00"},
        DAY,
        True,
    ),
    ("no time of entry", CANCELLED, {"created_at": None}, RebookPlan(), False),
    (
        "the cancelled one had no doctor",
        {**CANCELLED, "doctor": None},
        {"created": "15.11 18:00"},
        DAY,
        False,
    ),
    (
        "no specialty on either",
        {**CANCELLED, "doctor": NOVICE},
        {"created": "15.11 18:00", "doctor": NOVICE},
        SKILL,
        False,
    ),
    ("another doctor", CANCELLED, {"created": "15.11 18:00", "doctor": OTHER}, RebookPlan(), False),
    ("no doctor", CANCELLED, {"created": "15.11 18:00", "doctor": None}, RebookPlan(), False),
    (
        "another doctor of the specialty",
        CANCELLED,
        {"created": "15.11 18:00", "doctor": OTHER},
        RebookPlan(same="specialty"),
        True,
    ),
    (
        "another specialty",
        CANCELLED,
        {"created": "15.11 18:00", "doctor": HYGIENIST},
        RebookPlan(same="specialty"),
        False,
    ),
    (
        "any doctor will do",
        CANCELLED,
        {"created": "15.11 18:00", "doctor": HYGIENIST},
        RebookPlan(same="any"),
        True,
    ),
    (
        "a window of three days",
        CANCELLED,
        {"created": "18.11 10:00"},
        RebookPlan(window=timedelta(days=3)),
        True,
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "rebook", "linked"), [r[1:] for r in INFERRED], ids=[r[0] for r in INFERRED]
)
def test_booked_again_within_the_window_is_a_reschedule_inferred(
    old: dict[str, Any], new: dict[str, Any], rebook: RebookPlan, linked: bool
) -> None:
    """Algorithm 3: if the same patient is booked again within `rebook_window` (between the cancel and the new entry, in
    either order; same doctor or specialty, as the mapping says), it is a reschedule inferred.
    """
    appointments = booked("1", "10.11 12:00", **old), booked("2", **{"doctor": DOCTOR, **new})
    assert ids(*appointments, rebook=rebook) == (["1→2"] if linked else ["1", "2"])
    assert ids(*appointments) == ["1", "2"]  # no `rebook:`, nothing is inferred


def test_the_nearest_cancellation_has_the_booking() -> None:
    """One new booking continues one old one, and a told link goes before an inferred one."""
    early = booked("1", "09.11 12:00", cancelled_at=at("15.11 08:00"))
    late = booked("2", "10.11 12:00", cancelled_at=at("15.11 12:00"))
    assert ids(early, late, booked("3", "15.11 13:00"), rebook=RebookPlan()) == ["1", "2→3"]
    named = booked("3", "15.11 13:00", predecessor_id="1")
    assert ids(early, late, named, rebook=RebookPlan()) == ["1→3", "2"]


def test_an_older_booking_is_no_reschedule_of_a_younger_one() -> None:
    """Booked again: the new entry is younger than the one that was cancelled."""
    older, younger = booked("1", "10.11 12:00"), booked("2", "12.11 12:00", cancelled_at=at("12.11 13:00"))
    assert ids(older, younger, rebook=WEEK) == ["1", "2"]


TIES: list[tuple[str, list[Appointment], list[str]]] = [
    (
        "two cancelled at once, one booked again",
        [
            booked("2", "10.11 13:00", **CANCELLED),
            booked("1", "10.11 12:00", **CANCELLED),
            booked("3", "15.11 14:00"),
        ],
        ["1→3", "2"],
    ),
    (
        "one cancelled, two booked again at once",
        [booked("1", "10.11 12:00", **CANCELLED), booked("3", "15.11 14:00"), booked("2", "15.11 14:00")],
        ["1→2", "3"],
    ),
    (
        "one cancelled, one booked before and one after",
        [booked("1", "10.11 12:00", **CANCELLED), booked("3", "15.11 13:00"), booked("2", "15.11 11:00")],
        ["1→2", "3"],
    ),
    (
        "one that names itself as its predecessor is cancelled",
        [booked("1", "10.11 12:00", predecessor_id="1", **CANCELLED), booked("2", "15.11 14:00")],
        ["1→2"],
    ),
]


@pytest.mark.parametrize(("appointments", "chains"), [row[1:] for row in TIES], ids=[row[0] for row in TIES])
def test_of_equal_ones_the_first_entered_is_linked(
    appointments: list[Appointment], chains: list[str]
) -> None:
    """Each appointment has at most one predecessor and one successor, whatever the order in which they are read."""
    assert ids(*appointments, rebook=RebookPlan()) == chains
    assert ids(*reversed(appointments), rebook=RebookPlan()) == chains


def test_a_vanished_booking_continues_nothing() -> None:
    """What is gone from the MIS is no new date."""
    old, new = booked("1", "10.11 12:00", **CANCELLED), booked("2", "15.11 13:00")
    assert ids(old, new, rebook=RebookPlan(), vanished="2") == ["1", "2"]


# --- the card of a chain --------------------------------------------------------------------------------------------


def test_all_members_link_to_the_card_of_the_first() -> None:
    """A card's key is that of the record it was made for; written once, whatever joins the chain later."""
    chain = told("1", "", **GONE), told("2", "1")
    new = only_visit(Crm().decide(make_case(*chain, cards=(own_contact(),))))
    assert (new.key, new.members) == ("ident/appointment/1", ("ident/appointment/1", "ident/appointment/2"))
    stands = own_visit("1", base=phase_base(Phase.UPCOMING))
    assert only_visit(Crm().decide(make_case(*chain, cards=(own_contact(), stands)))).key == new.key


def test_a_predecessor_out_of_sight_is_found_by_the_members_of_the_card() -> None:
    """The card keeps the key of a record that is not in the case any more."""
    card = OwnCard(
        key="ident/appointment/1",
        role=own_visit().role,
        entity=own_visit().entity,
        target_id="700",
        members=("ident/appointment/1", "ident/appointment/2"),
        base=phase_base(Phase.UPCOMING),
    )
    assert only_visit(Crm().decide(make_case(told("2", "1"), cards=(own_contact(), card)))).key == card.key


def two_cards(**younger: Any) -> tuple[OwnCard, OwnCard, OwnCard]:
    return (
        own_contact(),
        own_visit("1", target_id="701", base=phase_base(Phase.UPCOMING)),
        own_visit("2", target_id="702", **{"base": phase_base(Phase.UPCOMING), **younger}),
    )


def test_of_two_cards_the_older_lives_on_and_the_other_is_closed_with_a_note() -> None:
    """If two members turn out to hold cards (a reschedule inferred late), the older lives on and the other is closed.
    Closed: on a stage that the CRM counts as an end, and no message stage.
    """
    desired = Crm().decide(make_case(told("1", "", **GONE), told("2", "1"), cards=two_cards()))
    older, younger = visits_of(desired)
    assert (older.key, older.close, older.members) == (
        "ident/appointment/1",
        False,
        ("ident/appointment/1", "ident/appointment/2"),
    )
    assert (younger.key, younger.close, younger.members) == ("ident/appointment/2", True, ())
    assert stage_of(younger) == "LOSE"
    assert [note.text for note in younger.notes] == [
        "Этот визит продолжается в другой карточке: перенос выяснился позже"
    ]


def test_the_closing_is_wished_until_it_is_done() -> None:
    """A crash or a timeout can delay that; it never loses it."""
    chain = make_case(told("1", "", **GONE), told("2", "1"), cards=two_cards(closed=True))
    assert [card.close for card in visits_of(Crm().decide(chain))] == [False, True]


def test_a_deleted_card_does_not_outlive_a_living_one() -> None:
    """Never silently made again, and never closed for a card that is not there."""
    contact, older, younger = two_cards()
    cards = (contact, msgspec.structs.replace(older, gone=True), younger)
    desired = Crm().decide(make_case(told("1", "", **GONE), told("2", "1"), cards=cards))
    assert [(card.key, card.close) for card in visits_of(desired)] == [("ident/appointment/2", False)]
    assert desired.reviews == ()


def test_no_card_is_closed_for_one_that_staff_have_deleted_unseen() -> None:
    """A CRM may not tell of deletions: what would live on is looked at first (simulated seed 1007)."""
    contact, older, younger = two_cards()
    case = make_case(told("1", "", **GONE), told("2", "1"), cards=(contact, older, younger))
    desired = Crm(make_deal(younger.target_id, "UPCOMING", key=younger.key)).decide(case)
    assert [(card.key, card.close) for card in visits_of(desired)] == [
        ("ident/appointment/2", False),
        ("ident/appointment/1", True),
    ]


def test_a_superseded_card_is_not_found_anew_when_the_living_one_is_deleted() -> None:
    """A person is asked; the journal would refuse one case the same card twice, for ever (simulated seed 140)."""
    contact, older, younger = two_cards(closed=True)
    cards = (contact, msgspec.structs.replace(older, gone=True), younger)
    crm = Crm(make_deal(younger.target_id, "LOSE", key=younger.key))
    desired = crm.decide(make_case(told("1", "", **GONE), told("2", "1"), cards=cards))
    assert [card.take for card in visits_of(desired) if not card.close] == []
    assert [review.rule for review in desired.reviews] == ["deleted_visit"]


def test_a_link_that_is_taken_back_gives_each_visit_its_own_card() -> None:
    """One card a chain: a card goes with the record that it was made for, and never stands for two chains."""
    world = World(make_deal("1", "UPCOMING"))
    old, new = booked("1", "10.11 12:00"), booked("2", "15.11 13:00", starts="25.11 10:00")
    cancelled = msgspec.structs.replace(old, **CANCELLED)
    world.step(make_case(old), at("14.11 10:00"))
    world.step(make_case(cancelled, new), at("15.11 14:00"))
    assert set(world.own) == {"ident/patient/1", "ident/appointment/1"}
    desired = world.step(make_case(old, new), at("15.11 15:00"))
    members = [card.members for card in visits_of(desired)]
    assert members == [("ident/appointment/1",), ("ident/appointment/2",)]


def test_a_superseded_card_is_opened_again_when_its_visit_stands_alone() -> None:
    """The link is taken back: the visit has a card already, and gets no second one."""
    base = phase_base(Phase.RESCHEDULED, starts_at=None)
    cards = two_cards(closed=True, base=base)
    desired = Crm().decide(make_case(told("1", ""), told("2", ""), cards=cards))
    assert [(card.key, card.close, stage_of(card)) for card in visits_of(desired)] == [
        ("ident/appointment/1", False, "UPCOMING"),
        ("ident/appointment/2", False, "UPCOMING"),
    ]


def test_a_card_that_was_opened_again_outlives_a_younger_one() -> None:
    """Superseded once is not superseded for good: standing for its visit again, it is the older card again."""
    world = World()
    first, second = told("1", ""), told("2", "")
    world.step(make_case(first, second), NOW)
    linked = msgspec.structs.replace(second, predecessor_id="1")
    world.step(make_case(msgspec.structs.replace(first, **GONE), linked), NOW)
    third = told("3", "")
    world.step(make_case(first, second, third), NOW)
    follows = msgspec.structs.replace(third, predecessor_id="2")
    desired = world.step(make_case(first, msgspec.structs.replace(second, **GONE), follows), NOW)
    assert [(card.key, card.close) for card in visits_of(desired)] == [
        ("ident/appointment/1", False),
        ("ident/appointment/2", False),
        ("ident/appointment/3", True),
    ]
    superseded = [key for key, text in world.notes if "продолжается в другой карточке" in text]
    assert superseded == ["ident/appointment/2", "ident/appointment/3"]


def test_two_cards_found_by_key_without_a_journal_are_one_and_a_closed_one() -> None:
    """The key in the CRM stands in for a lost journal, for the second card too."""
    cards = make_deal("701", key="ident/appointment/1"), make_deal("702", key="ident/appointment/2")
    desired = Crm(*cards).decide(make_case(told("1", "", **GONE), told("2", "1"), cards=(own_contact(),)))
    assert [(card.key, card.take, card.close) for card in visits_of(desired)] == [
        ("ident/appointment/1", "701", False),
        ("ident/appointment/2", "702", True),
    ]


def test_a_chain_whose_card_a_person_gave_up_is_filtered_with_that_reason() -> None:
    """Every record is carded, filtered with a reason, or parked."""
    card = own_visit(gone=True)
    said = Answer(question="deleted:ident/appointment/10:700", choice="never")
    desired = Crm().decide(make_case(make_appointment(), cards=(own_contact(), card), answers=(said,)))
    assert desired.filtered == {"10": "its card was deleted in the CRM"}
    assert visits_of(desired) == []


def test_without_an_appointment_section_every_visit_is_filtered_with_that_reason() -> None:
    """Nothing is dropped in silence."""
    desired = Crm().decide(make_case(make_appointment()), bridge=make_bridge(appointment=None))
    assert desired.filtered == {"10": "the mapping has no appointment section"}


def test_a_patient_who_refused_processing_has_nothing_made() -> None:
    """DESIGN 12: refusals of processing are honoured; the visits are filtered with that reason."""
    case = make_case(make_appointment())
    assert case.patient is not None
    refused = msgspec.structs.replace(
        case, patient=msgspec.structs.replace(case.patient, processing_refused=True)
    )
    desired = Crm().decide(refused)
    assert (desired.cards, set(desired.filtered)) == ((), {"1", "10"})


def test_the_twin_is_not_closed_on_a_message_stage() -> None:
    """No patient hears of a duplicate that is put away."""
    plan = make_plan()
    stages = {
        phase: msgspec.structs.replace(rule, message=phase is Phase.CANCELLED)
        for phase, rule in plan.stages.items()
    }
    bridge = make_bridge(appointment=make_plan(stages=stages))
    desired = Crm().decide(make_case(told("1", "", **GONE), told("2", "1"), cards=two_cards()), bridge=bridge)
    assert stage_of(visits_of(desired)[1]) == "RESCHEDULED"
