"""DESIGN 6, claims: a new appointment takes over an open lead or deal of its phone."""

from datetime import date
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ByPhone, Card, Entity, Semantic, StageRef
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import CardRef, Cause, Desired, DesiredCard
from kreslo.mapping.model import Bridge, ClaimPlan, FieldMode, Phase
from kreslo.records import Appointment
from tests.unit.decisions.builders import (
    NOW,
    PHONE,
    Crm,
    at,
    contact_of,
    lead_stage,
    make_appointment,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    make_lead,
    make_patient,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage,
    stage_of,
    visits_of,
)
from tests.unit.decisions.world import World

LEAD_900 = (Entity.LEAD, "900")


def moving(**changes: Any) -> Bridge:
    """amoCRM's way: the claimed deal becomes the visit card; leads stand in funnel 9."""
    claim = ClaimPlan(entity=Entity.DEAL, stages=frozenset({StageRef("9", "BOOKED")}), mode="move", **changes)
    bridge = make_bridge(appointment=make_plan(claim=claim))
    assert bridge.enquiry is not None
    enquiry = msgspec.structs.replace(
        bridge.enquiry,
        entity=Entity.DEAL,
        funnel="9",
        already_booked=msgspec.structs.replace(bridge.enquiry.new, stage=StageRef("9", "ALREADY")),
    )
    return msgspec.structs.replace(bridge, enquiry=enquiry)


def make_claimable(deal_id: str = "900", **changes: Any) -> Card:
    lead = make_lead(deal_id)
    return msgspec.structs.replace(lead, entity=Entity.DEAL, stage=StageRef("9", "BOOKED"), **changes)


def claimed(desired: Desired) -> str:
    return only_visit(desired).claimed_lead


def of_role(desired: Desired, role: Role) -> list[DesiredCard]:
    return [card for card in desired.cards if card.role is role]


FITS: list[tuple[str, Card, dict[tuple[Entity, str], str], str]] = [
    ("open, on the stage", make_lead(), {}, "900"),
    ("another stage", make_lead(code="NEW"), {}, ""),
    ("closed", make_lead(semantic=Semantic.LOST), {}, ""),
    ("unsorted", make_lead(semantic=Semantic.UNSORTED), {}, "900"),
    ("on no stage", make_lead(stage=None), {}, ""),
    ("made nobody knows when", make_lead(created_at=None), {}, "900"),
    ("another phone", make_lead(phones=()), {}, ""),
    ("as old as it may be", make_lead(created="11.09 12:00"), {}, "900"),
    ("too old", make_lead(created="11.09 11:59"), {}, ""),
    ("made within two hours after", make_lead(created="10.11 14:00"), {}, "900"),
    ("made later", make_lead(created="10.11 14:01"), {}, ""),
    ("owned by another patient", make_lead(), {LEAD_900: "patient:2"}, ""),
    ("an enquiry card of ours", make_lead(code="STALE"), {LEAD_900: "phone:ab12"}, "900"),
    ("an old enquiry card of ours", make_lead(created="01.06 12:00"), {LEAD_900: "phone:ab12"}, "900"),
    ("an enquiry card made later", make_lead(created="10.11 14:01"), {LEAD_900: "phone:ab12"}, ""),
]


@pytest.mark.parametrize(("lead", "owners", "expected"), [r[1:] for r in FITS], ids=[r[0] for r in FITS])
def test_a_claim_is_an_open_lead_of_the_phone_in_the_named_stages(
    lead: Card, owners: dict[tuple[Entity, str], str], expected: str
) -> None:
    """Looks for an open lead or deal with one of the patient's phones, in the funnels and stages the mapping names, not
    older than `within`, not owned. Cards that Kreslo made for enquiries can always be claimed: read so, at any stage and
    age, as long as they came before the visit.
    """
    assert claimed(Crm(lead, owners=owners).decide(make_case(make_appointment()))) == expected


VISITS: list[tuple[str, Appointment, str]] = [
    ("booked", make_appointment(), "900"),
    ("a walk-in", make_appointment(starts="10.11 12:00", ended_at=at("10.11 13:00")), "900"),
    ("cancelled", make_appointment(cancelled_at=NOW), ""),
    ("entered nobody knows when", make_appointment(starts="09.11 13:00", created_at=None), "900"),
]


@pytest.mark.parametrize(("visit", "expected"), [row[1:] for row in VISITS], ids=[row[0] for row in VISITS])
def test_walk_ins_claim_too(visit: Appointment, expected: str) -> None:
    """Walk-ins claim too; what is cancelled claims nothing."""
    assert claimed(Crm(make_lead()).decide(make_case(visit))) == expected


def test_a_visit_that_has_its_card_claims_nothing() -> None:
    """A new appointment looks for a lead. A card found by its key is no new one either."""
    own = make_case(make_appointment(), cards=(own_contact(), own_visit(base=phase_base(Phase.UPCOMING))))
    assert claimed(Crm(make_lead()).decide(own)) == ""
    found = Crm(make_claimable(), make_deal(key="ident/appointment/10")).decide(
        make_case(make_appointment()), NOW, moving()
    )
    assert only_visit(found).take == "700"
    assert found.claims == {}


@pytest.mark.parametrize("was", [Phase.CANCELLED, Phase.RESCHEDULED])
def test_a_visit_that_comes_back_looks_for_a_lead_as_a_new_one_does(was: Phase) -> None:
    """What is cancelled claims nothing, and what was given up before we saw it may have its card by then: booked again, it
    is a new appointment. So is the lead of somebody whose cancelled visit is booked again for it.
    """
    case = make_case(make_appointment(), cards=(own_contact(), own_visit(base=phase_base(was))))
    assert claimed(Crm(make_lead()).decide(case)) == "900"
    assert claimed(Crm(make_lead(code="NEW")).decide(case)) == ""
    away = make_case(
        make_appointment(cancelled_at=NOW), cards=(own_contact(), own_visit(base=phase_base(was)))
    )
    crm = Crm(make_lead())
    assert claimed(crm.decide(away)) == ""
    assert not [each for each in crm.asked if isinstance(each, ByPhone) and each.entity is Entity.LEAD]


HELD: list[tuple[str, tuple[OwnCard, ...], str]] = [
    ("a contact of the same number", (own_contact(target_id="900"),), "900"),
    ("an enquiry card not made yet", (OwnCard(key="k", role=Role.ENQUIRY, entity=Entity.LEAD),), "900"),
    (
        "the lead of another visit",
        (
            own_contact(),
            own_visit("9", target_id="699", claimed_lead="900", base=phase_base(Phase.COMPLETED, lead="900")),
            OwnCard(key="lead:900", role=Role.CLAIM, entity=Entity.LEAD, target_id="900", base=Base()),
        ),
        "",
    ),
]


@pytest.mark.parametrize(("cards", "expected"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
def test_a_lead_that_the_case_holds_is_not_claimed_again(cards: tuple[OwnCard, ...], expected: str) -> None:
    """A CRM card belongs to one case, and a lead to one visit of it."""
    assert claimed(Crm(make_lead()).decide(make_case(make_appointment(), cards=cards))) == expected


def test_nobody_asks_for_leads_where_nothing_can_claim_them() -> None:
    """A new appointment looks for a lead: a visit with a card, a patient without a phone, a mapping without `claim:` do not."""
    mine = (own_contact(), own_visit(base=phase_base(Phase.UPCOMING)))
    unclaimed = make_bridge(appointment=make_plan(claim=None))
    cases = [
        (make_case(make_appointment(), cards=mine), make_bridge()),
        (make_case(make_appointment(), patient=make_patient(phones=())), make_bridge()),
        (make_case(make_appointment()), unclaimed),
    ]
    for case, bridge in cases:
        crm = Crm(make_lead())
        crm.decide(case, bridge=bridge)
        assert not [each for each in crm.asked if isinstance(each, ByPhone) and each.entity is Entity.LEAD]


def test_the_earlier_entered_visit_has_the_lead() -> None:
    """Two want one lead: the visit entered first in the MIS has it; across cases the decision says who wants what."""
    visits = make_appointment("11", created_at=at("10.11 09:00")), make_appointment("10")
    desired = Crm(make_lead()).decide(make_case(*visits))
    assert {card.key: card.claimed_lead for card in visits_of(desired)} == {
        "ident/appointment/11": "900",
        "ident/appointment/10": "",
    }
    assert desired.claims == {"900": at("10.11 09:00")}


def test_of_two_open_leads_the_newest_is_claimed_and_the_other_gets_a_note() -> None:
    """Two open leads on one phone: the newest, the other gets a note; its stage is left to staff."""
    older, newer = make_lead("899", "08.11 12:00"), make_lead("900", "09.11 12:00")
    desired = Crm(newer, older).decide(make_case(make_appointment()))
    [other] = of_role(desired, Role.WATCHED)
    assert claimed(desired) == "900"
    assert (other.take, other.stage) == ("899", None)
    assert [note.text for note in other.notes] == [
        "У этого номера есть более новая заявка, визит привязан к ней"
    ]


def test_an_enquiry_card_of_ours_is_not_taken_for_a_note() -> None:
    """A CRM card belongs to one case: the phone's case sets its own card aside."""
    owners = {(Entity.LEAD, "899"): "phone:ab12"}
    desired = Crm(make_lead("899", "08.11 12:00"), make_lead("900"), owners=owners).decide(
        make_case(make_appointment())
    )
    assert claimed(desired) == "900"
    assert of_role(desired, Role.WATCHED) == []


# --- mode: link -------------------------------------------------------------------------------------------------------


def test_link_makes_the_deal_copies_the_source_and_converts_the_lead() -> None:
    """`mode: link` creates the deal with the lead linked, copies source and UTM, and sets the lead converted."""
    desired = Crm(make_lead()).decide(make_case(make_appointment()))
    card = only_visit(desired)
    assert (card.take, card.lead) == ("", "900")
    copied = {code: (card.fields[code].value, card.fields[code].mode) for code in ("SOURCE_ID", "UTM_SOURCE")}
    assert copied == {"SOURCE_ID": ("Сайт", FieldMode.FILL), "UTM_SOURCE": ("yandex", FieldMode.FILL)}
    [lead] = of_role(desired, Role.CLAIM)
    assert (lead.take, stage_of(lead), lead.transfer) == ("900", "CONVERTED", True)


def test_a_claim_that_was_not_confirmed_is_made_again_whole() -> None:
    """A crash or a timeout can delay that; it never loses: source, lead and caller come with the next attempt."""
    lead = make_lead(contacts=("600",))
    world = World(lead, make_contact("600", "Иванова Ольга"))
    case = make_case(make_appointment())
    world.step(case, NOW, lose=True)
    assert world.own["ident/appointment/10"].claimed_lead == "900"
    world.step(case, NOW)
    card = world.card("ident/appointment/10")
    assert (card.lead, card.fields["UTM_SOURCE"]) == ("900", "yandex")
    assert card.contacts == (world.own["ident/patient/1"].target_id, "600")
    assert world.cards[LEAD_900].stage == lead_stage("CONVERTED")
    world.step(case, NOW)
    assert world.planned == []


# --- mode: move -------------------------------------------------------------------------------------------------------


def test_move_makes_the_claimed_card_the_visit_card() -> None:
    """`mode: move` (amoCRM's way) makes that card the visit card; it may leave the funnel of leads, at once."""
    world = World(make_claimable(), bridge=moving())
    card = only_visit(world.step(make_case(make_appointment()), NOW))
    assert (card.take, card.lead, card.transfer) == ("900", "", True)
    stands = world.cards[Entity.DEAL, "900"]
    assert (stands.stage, stands.key) == (stage("UPCOMING"), "ident/appointment/10")


def test_an_enquiry_card_keeps_its_key_when_it_is_moved() -> None:
    """A card's key is of the record that it was made for; written once, never rewritten."""
    lead = make_claimable(key="ident/enquiry/5")
    crm = Crm(lead, owners={(Entity.DEAL, "900"): "phone:ab12"})
    card = only_visit(crm.decide(make_case(make_appointment()), NOW, moving()))
    assert (card.key, card.take, card.members) == ("ident/enquiry/5", "900", ("ident/appointment/10",))


BACK = [(True, "9", "BOOKED"), (False, "1", "LOSE")]


@pytest.mark.parametrize(("back", "funnel", "code"), BACK)
def test_a_cancelled_claim_goes_back_only_if_the_mapping_says_so(back: bool, funnel: str, code: str) -> None:
    """A card that began as a claim goes back to its funnel only if `claim.return` says so; and comes again when the
    cancellation is taken back.
    """
    world = World(make_claimable(), bridge=moving(back=back))
    world.step(make_case(make_appointment()), NOW)
    world.step(make_case(make_appointment(cancelled_at=NOW)), NOW)
    there = world.card("ident/appointment/10").stage
    assert there is not None
    assert (there.funnel, there.stage) == (funnel, code)
    world.step(make_case(make_appointment()), NOW)
    assert world.card("ident/appointment/10").stage == stage("UPCOMING")


# --- whose contact ----------------------------------------------------------------------------------------------------

HUNG: list[tuple[str, str, bool]] = [
    ("an empty name", "", True),
    ("a phone as a name", PHONE, True),
    ("a nickname", "masha_2005", True),
    ("her first name alone", "Мария", True),
    ("a short first name alone", "Маша", True),
    ("a surname alone", "Иванова", True),
    ("the full name", "Иванова Мария", True),
    ("another full name", "Иванова Ольга", False),
    ("another surname alone", "Петрова", False),
    ("a relative, by the word", "мама Маши", False),
    ("a relative, by the first name", "Ольга", False),
]


@pytest.mark.parametrize(("name", "adopted"), [row[1:] for row in HUNG], ids=[row[0] for row in HUNG])
def test_the_contact_of_a_claimed_lead_is_adopted_if_its_name_allows(name: str, adopted: bool) -> None:
    """A contact that hangs on a claimed lead and belongs to no patient is adopted with it: there, an empty name, a phone
    as a name, a nickname and a first name alone are compatible. Read so: not the name of somebody else on this phone.
    """
    sister = make_patient("2", name="Ольга", birth_date=date(1985, 1, 1))
    crm = Crm(make_lead(contacts=("600",)), make_contact("600", name))
    desired = crm.decide(make_case(make_appointment(), family=(sister,), family_cards={"2": "777"}))
    contact = contact_of(desired)
    assert contact is not None
    assert contact.take == ("600" if adopted else "")


@pytest.mark.parametrize(("name", "overrule"), [("Маша", True), ("", True), ("Иванова Мария", False)])
def test_the_mis_overrules_a_nickname_at_once(name: str, overrule: bool) -> None:
    """A nickname gives way to the MIS's name; a contact with a full name is filled, not rewritten."""
    contact = contact_of(
        Crm(make_lead(contacts=("600",)), make_contact("600", name)).decide(make_case(make_appointment()))
    )
    assert contact is not None
    assert (contact.take, contact.overrule) == ("600", overrule)


CHILD_NAMES = [("Ольга", False), ("Пётр", True), ("", True)]


@pytest.mark.parametrize(("name", "adopted"), CHILD_NAMES)
def test_a_mother_who_writes_for_her_child_is_not_the_child(name: str, adopted: bool) -> None:
    """A mother's lead may become her child's visit; a first name that is not the child's is rather hers."""
    child = make_patient(name="Пётр", surname="Иванов", birth_date=date(2016, 1, 1))
    crm = Crm(make_lead(contacts=("600",)), make_contact("600", name))
    desired = crm.decide(make_case(make_appointment(), patient=child))
    contact = contact_of(desired)
    assert contact is not None
    assert contact.take == ("600" if adopted else "")
    assert only_visit(desired).contacts == (
        (CardRef(key=contact.key),) if adopted else (CardRef(key=contact.key), CardRef(target_id="600"))
    )


def test_a_contact_with_another_birth_date_is_not_adopted() -> None:
    """Nor is one that belongs to a patient, nor one with another patient's key."""
    lead = make_lead(contacts=("600",))
    other = make_contact("600", "Маша", birth_date=date(1980, 1, 1))
    keyed = make_contact("600", "Маша", key="ident/patient/9")
    owned = {(Entity.CONTACT, "600"): "patient:9"}
    for card, owners in ((other, {}), (keyed, {}), (make_contact("600", "Маша"), owned)):
        contact = contact_of(Crm(lead, card, owners=owners).decide(make_case(make_appointment())))
        assert contact is not None
        assert contact.take == ""


def test_the_caller_is_the_second_contact_even_with_a_contact_of_their_own() -> None:
    """The patient is then the card's main contact and the caller its second."""
    mother = make_patient("2", name="Ольга")
    crm = Crm(
        make_lead(contacts=("600",)),
        make_contact("600", "Иванова Ольга", key="ident/patient/2"),
        owners={(Entity.CONTACT, "600"): "patient:2"},
    )
    case = make_case(make_appointment(), family=(mother,), family_cards={"2": "600"}, cards=(own_contact(),))
    assert only_visit(crm.decide(case)).contacts == (CardRef(key="ident/patient/1"), CardRef(target_id="600"))


# --- leads that come later --------------------------------------------------------------------------------------------

AGAIN = frozenset({"leads"})
MINE = (own_contact(), own_visit(base=phase_base(Phase.UPCOMING)))

LATE: list[tuple[str, Card, dict[str, Any], str, str | None]] = [
    ("within two hours of the entry", make_lead(created="10.11 13:59", code="NEW"), {}, "900", "CONVERTED"),
    ("two hours after", make_lead(created="10.11 14:00", code="NEW"), {}, "900", "CONVERTED"),
    ("any later", make_lead(created="10.11 14:01", code="NEW"), {}, "", "ALREADY"),
    ("before, at a claimed stage", make_lead(created="09.11 12:00"), {}, "900", "CONVERTED"),
    ("before, at another stage", make_lead(created="09.11 12:00", code="NEW"), {}, "", "ALREADY"),
    (
        "the visit has a lead",
        make_lead(created="10.11 13:00", code="NEW"),
        {
            "cards": (
                own_contact(),
                own_visit(base=phase_base(Phase.UPCOMING, lead="800"), claimed_lead="800"),
            )
        },
        "800",
        "ALREADY",
    ),
    (
        "a walk-in, done already",
        make_lead(created="10.11 13:00", code="NEW"),
        {"appointments": (make_appointment(starts="10.11 12:00", ended_at=at("10.11 12:40")),)},
        "900",
        "CONVERTED",
    ),
]


@pytest.mark.parametrize(
    ("lead", "given", "taken", "lead_stands"), [r[1:] for r in LATE], ids=[r[0] for r in LATE]
)
def test_a_late_lead_is_the_visits_source_and_any_later_one_is_already_booked(
    lead: Card, given: dict[str, Any], taken: str, lead_stands: str | None
) -> None:
    """If the visit was entered at most `late` (2 h) before it and has no claim, the lead is taken as its source: source
    and UTM are copied, the lead is linked and converted. Any later lead of a patient with a visit ahead goes to "already
    booked".
    """
    case = make_case(make_appointment(), **{"cards": MINE, "look_again": AGAIN, **given})
    desired = Crm(lead).decide(case)
    card = only_visit(desired)
    assert card.claimed_lead == taken
    if taken == "900":
        assert (card.lead, card.fields["UTM_SOURCE"].value) == ("900", "yandex")
    [other] = [each for each in desired.cards if each.entity is Entity.LEAD and each.take == "900"]
    assert stage_of(other) == lead_stands


def test_a_lead_is_set_aside_for_the_next_visit_and_says_when() -> None:
    """It goes to "already booked" with a note that names the earliest visit ahead."""
    later = make_appointment("11", "25.11 10:00", created_at=at("09.11 10:00"))
    cards = (*MINE, own_visit("11", target_id="701", base=phase_base(Phase.UPCOMING, "25.11 10:00")))
    desired = Crm(make_lead(created="15.11 12:00", code="NEW")).decide(
        make_case(later, make_appointment(), cards=cards, look_again=AGAIN)
    )
    [aside] = of_role(desired, Role.WATCHED)
    assert [note.text for note in aside.notes] == ["Пациент уже записан на 20.11.2026 10:00"]
    assert aside.transfer


def test_a_lead_that_was_not_set_aside_yet_is_looked_for_again() -> None:
    """A crash or a timeout never loses it: the event is long past when it is tried again."""
    mine = OwnCard(key="lead:900", role=Role.WATCHED, entity=Entity.LEAD, target_id="900")
    lead = make_lead(created="15.11 12:00", code="NEW")
    again = Crm(lead).decide(make_case(make_appointment(), cards=(*MINE, mine)))
    assert [card.take for card in of_role(again, Role.WATCHED)] == ["900"]
    written = msgspec.structs.replace(mine, base=Base(stage=lead_stage("ALREADY")))
    crm = Crm(lead)
    assert of_role(crm.decide(make_case(make_appointment(), cards=(*MINE, written))), Role.WATCHED) == []
    assert not [each for each in crm.asked if isinstance(each, ByPhone) and each.entity is Entity.LEAD]


def test_an_enquiry_card_of_ours_is_set_aside_by_its_own_case() -> None:
    """One owner a card: the patient's case does not reach for it."""
    crm = Crm(make_lead(created="15.11 12:00", code="NEW"), owners={LEAD_900: "phone:ab12"})
    desired = crm.decide(make_case(make_appointment(), cards=MINE, look_again=AGAIN))
    assert of_role(desired, Role.WATCHED) == []


def test_where_linking_to_a_deal_that_stands_is_off_a_relation_field_holds_the_lead() -> None:
    """Linking to a deal that exists is unproved: a relation field stands in, behind a switch."""
    claim = ClaimPlan(
        entity=Entity.LEAD,
        stages=frozenset({lead_stage("BOOKED")}),
        converted=lead_stage("CONVERTED"),
        relation_field="UF_LEAD",
    )
    world = World(bridge=make_bridge(appointment=make_plan(claim=claim)))
    case = make_case(make_appointment())
    world.step(case, at("10.11 12:05"))
    lead = make_lead(created="10.11 13:00", code="NEW")
    world.cards[LEAD_900] = lead
    world.step(msgspec.structs.replace(case, look_again=AGAIN), at("10.11 13:01"))
    card = world.card("ident/appointment/10")
    assert (card.lead, card.fields["UF_LEAD"]) == ("", "900")
    assert world.cards[LEAD_900].stage == lead_stage("CONVERTED")
    world.step(case, at("10.11 13:02"))
    assert world.planned == []


MOVE_LATE = [("10.11 13:00", "16.11 09:00"), ("15.11 12:00", "16.11 09:00")]


@pytest.mark.parametrize(("created", "now"), MOVE_LATE)
def test_amocrms_younger_card_goes_to_already_booked_with_a_note(created: str, now: str) -> None:
    """amoCRM's younger card goes to "already booked" with a note."""
    lead = make_claimable(created_at=at(created))
    desired = Crm(lead).decide(make_case(make_appointment(), cards=MINE, look_again=AGAIN), at(now), moving())
    [aside] = of_role(desired, Role.WATCHED)
    assert (aside.take, stage_of(aside), len(aside.notes)) == ("900", "ALREADY", 1)
    assert only_visit(desired).take == ""


def test_the_conversion_is_not_a_clocks_doing() -> None:
    """A linked lead is converted because the MIS has the visit."""
    [lead] = of_role(Crm(make_lead()).decide(make_case(make_appointment())), Role.CLAIM)
    assert lead.stage is not None
    assert lead.stage.cause is Cause.MIS
