"""DESIGN 3, 6 and 7: the decision of a whole case: who has a card, who hangs on it, what is asked, what is said."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ByKey, Card, Entity, FieldType, StageRef
from kreslo.decisions.case import Answer, Base, Case, OwnCard, Role
from kreslo.decisions.desired import Candidate, CardRef, Desired, DesiredCard, FieldWish, ReviewWish
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import AdoptPlan, Bridge, ContactPlan, FamilyPlan, FieldRule, Phase
from kreslo.records import Appointment, Entry, Patient
from tests.unit.decisions.builders import (
    NOW,
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
    visits_of,
)

KEY, SECOND = "ident/appointment/10", "ident/appointment/11"
PATIENT = "ident/patient/1"
LEAD_900 = (Entity.LEAD, "900")


def field(code: str, value: str, type_: FieldType = FieldType.TEXT) -> FieldRule:
    return FieldRule(code=code, title=code, type=type_, value=Expression(value))


def contact_field(desired: Desired, code: str) -> Any:
    contact = contact_of(desired)
    assert contact is not None
    return contact.fields[code].value


# --- who is decided at all --------------------------------------------------------------------------------------------

ENTRY = Entry(id="3", patient_id="1", campaign="nps", created_at=NOW)
NOBODY = "its patient is not in the MIS"
REFUSED = "the patient refused the processing of their data"


def test_records_of_nobody_are_filtered_with_the_reason() -> None:
    """Every record applied, filtered with a reason, or parked."""
    orphan = make_case(make_appointment(), patient=None, entries=(ENTRY,))
    assert Crm().decide(orphan) == Desired(filtered={"10": NOBODY, "3": NOBODY})
    refused = make_case(make_appointment(), patient=make_patient(processing_refused=True), entries=(ENTRY,))
    assert Crm().decide(refused) == Desired(filtered={"1": REFUSED, "10": REFUSED, "3": REFUSED})


def test_without_an_appointment_section_the_contact_is_all() -> None:
    """A mapping may keep contacts alone."""
    bridge = make_bridge(appointment=None)
    desired = Crm().decide(make_case(make_appointment(), cards=(own_contact(),)), bridge=bridge)
    assert [card.role for card in desired.cards] == [Role.CONTACT]
    assert desired.filtered == {"10": "the mapping has no appointment section"}


def test_a_contact_in_full() -> None:
    """Contact, then card: the patient's key, their record, the mapping's fields."""
    bridge = make_bridge(contact=ContactPlan(fields=(field("NAME", "patient.name"),)))
    for crm, take, overrule in ((Crm(), "", False), (Crm(make_contact()), "500", False)):
        assert crm.decide(make_case(make_appointment()), bridge=bridge).cards[0] == DesiredCard(
            key=PATIENT,
            role=Role.CONTACT,
            entity=Entity.CONTACT,
            take=take,
            members=(PATIENT,),
            fields={"NAME": FieldWish(value="Мария", title="NAME")},
            overrule=overrule,
        )


# --- what expressions see of the other visits -------------------------------------------------------------------------

SCOPED = make_bridge(
    contact=ContactPlan(
        fields=(
            field("NEXT", "next_visit.id"),
            field("LAST", "last_visit.id"),
            field("VISITS", "patient.visits", FieldType.NUMBER),
        )
    )
)
ENDED = {"ended_at": NOW}
VISITS: list[tuple[str, list[Appointment], str | None, str | None, int]] = [
    ("the last that took place, in any order", [make_appointment("2", "05.11 10:00", **ENDED), make_appointment("1", "01.11 10:00", **ENDED)], None, "2", 2),
    ("billed is completed", [make_appointment("1", "01.11 10:00", billed_at=NOW)], None, "1", 1),
    ("cancelled is not", [make_appointment("1", "01.11 10:00", **ENDED, cancelled_at=NOW)], None, None, 0),
    ("the earliest to come", [make_appointment("2", "25.11 10:00"), make_appointment("1", "20.11 10:00")], "1", None, 0),
    ("one that begins just now is not to come", [make_appointment("1", "16.11 09:00"), make_appointment("2", "25.11 10:00")], "2", None, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("visits", "following", "last", "number"), [r[1:] for r in VISITS], ids=[r[0] for r in VISITS]
)
def test_what_a_contact_shows_of_its_visits(
    visits: list[Appointment], following: str | None, last: str | None, number: int
) -> None:
    """The contact's next visit is the earliest upcoming one; older ones feed the contact."""
    desired = Crm().decide(make_case(*visits, cards=(own_contact(),)), bridge=SCOPED)
    assert [contact_field(desired, code) for code in ("NEXT", "LAST", "VISITS")] == [following, last, number]


def test_an_expression_of_a_visit_sees_the_patient_too() -> None:
    """Everything that expressions may name."""
    bridge = make_bridge(appointment=make_plan(fields=(field("WHO", 'patient.name + " " + appointment.id'),)))
    assert (
        only_visit(Crm().decide(make_case(make_appointment()), bridge=bridge)).fields["WHO"].value
        == "Мария 10"
    )


# --- children and grown-ups -------------------------------------------------------------------------------------------

FAMILY = FamilyPlan(by="phone", phone_on_child=False)
BY_NAME = FamilyPlan(by="guardian", phone_on_child=False)
BARE_FAMILY = FamilyPlan(by="phone", phone_on_child=True)
PHONE_RULE = FieldRule(code="PHONE", title="Т", type=FieldType.PHONE, value=Expression("patient.phones"))
MOTHER = make_patient("2", name="Анна", birth_date=date(1985, 3, 3))
CHILD = make_patient(name="Пётр", surname="Иванов", birth_date=date(2016, 4, 4))


def families(family: FamilyPlan | None = FAMILY, scope: str = "horizon") -> Bridge:
    fields = (field("NAME", "patient.name"), PHONE_RULE)
    plan = ContactPlan(fields=fields, family=family, scope=scope)  # type: ignore[arg-type]
    return make_bridge(contact=plan)


BIRTHDAYS = [(date(2008, 11, 16), False), (date(2008, 11, 17), True)]


@pytest.mark.parametrize(("born", "represented"), BIRTHDAYS)
def test_who_is_eighteen_today_speaks_for_themselves(born: date, represented: bool) -> None:
    """By phone: of a child, the one grown-up on the same phone. The day is the clinic's."""
    patient = msgspec.structs.replace(CHILD, birth_date=born)
    case = make_case(make_appointment(), patient=patient, family=(MOTHER,), family_cards={"2": "600"})
    early = datetime(2026, 11, 15, 22, 0, tzinfo=UTC)  # the 16th in Moscow
    contacts = only_visit(Crm().decide(case, early, families())).contacts
    mine = CardRef(key=PATIENT)
    assert contacts == ((CardRef(target_id="600"), mine) if represented else (mine,))


REPRESENTED: list[tuple[str, FamilyPlan | None, dict[str, str], tuple[CardRef, ...], bool]] = [
    ("she has a contact", FAMILY, {"2": "600"}, (CardRef(target_id="600"), CardRef(key=PATIENT)), False),
    ("hers is to come", FAMILY, {"2": ""}, (CardRef(key="ident/patient/2"), CardRef(key=PATIENT)), False),
    ("the phone stays", BARE_FAMILY, {"2": "600"}, (CardRef(target_id="600"), CardRef(key=PATIENT)), True),
    ("no family in the mapping", None, {"2": "600"}, (CardRef(key=PATIENT),), True),
]


@pytest.mark.parametrize(
    ("plan", "known", "contacts", "phone"), [r[1:] for r in REPRESENTED], ids=[r[0] for r in REPRESENTED]
)
def test_messages_reach_the_adult(
    plan: FamilyPlan | None, known: dict[str, str], contacts: tuple[CardRef, ...], phone: bool
) -> None:
    """The representative is the visit card's main contact and the child its second; the phone can be kept off the child."""
    case = make_case(make_appointment(), patient=CHILD, family=(MOTHER,), family_cards=known)
    desired = Crm().decide(case, bridge=families(plan))
    contact = contact_of(desired)
    assert contact is not None
    assert only_visit(desired).contacts == contacts
    assert bool(contact.fields["PHONE"].value) is phone
    assert contact.fields["PHONE"].title == "Т"
    assert contact.fields["NAME"].value == "Пётр"


WANTED: list[tuple[str, Patient, tuple[Patient, ...], tuple[OwnCard, ...], Bridge, bool]] = [
    ("no visit, no card", MOTHER, (), (), families(), False),
    ("every patient", MOTHER, (), (), families(scope="all"), True),
    ("every patient, merged away", msgspec.structs.replace(MOTHER, merged_into="9"), (), (), families(scope="all"), False),
    ("merged away, with a contact", msgspec.structs.replace(MOTHER, merged_into="9"), (), (own_contact(),), families(), True),
    ("a child's mother", MOTHER, (msgspec.structs.replace(CHILD, id="9"),), (), families(), True),
    ("a child's mother, no family in the mapping", MOTHER, (msgspec.structs.replace(CHILD, id="9"),), (), families(None), False),
    ("a child's mother of the same name", MOTHER, (msgspec.structs.replace(MOTHER, id="9", guardian="Иванова Анна"),), (), families(BY_NAME), True),
    ("a grown-up's mother", MOTHER, (msgspec.structs.replace(MOTHER, id="9"),), (), families(), False),
    ("the second's mother", MOTHER, (msgspec.structs.replace(CHILD, id="8", birth_date=None), msgspec.structs.replace(CHILD, id="9")), (), families(), True),
    ("the child's brother", CHILD, (msgspec.structs.replace(CHILD, id="9"), MOTHER), (), families(), False),
    ("no contacts in the mapping", MOTHER, (), (own_contact(),), make_bridge(contact=None), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("patient", "family", "cards", "bridge", "wanted"), [r[1:] for r in WANTED], ids=[r[0] for r in WANTED]
)
def test_who_has_a_contact(
    patient: Patient, family: tuple[Patient, ...], cards: tuple[OwnCard, ...], bridge: Bridge, wanted: bool
) -> None:
    """Which patients get contacts: those with cards, all if the mapping says so, and who represents a child."""
    desired = Crm().decide(make_case(patient=patient, family=family, cards=cards), bridge=bridge)
    assert (contact_of(desired) is not None) is wanted


def test_a_visit_goes_without_a_contact_where_the_mapping_keeps_none() -> None:
    """The rest flows."""
    card = only_visit(Crm().decide(make_case(make_appointment()), bridge=make_bridge(contact=None)))
    assert card.contacts is None


# --- who hangs on a claimed card --------------------------------------------------------------------------------------

CALLERS: list[tuple[str, tuple[str, ...], list[Card], dict[str, Any], tuple[CardRef, ...]]] = [
    ("a stranger", ("600",), [make_contact("600", "Петров Пётр", phones=())], {}, (CardRef(key=PATIENT), CardRef(target_id="600"))),
    ("the patient", ("500",), [], {"cards": (own_contact(),)}, (CardRef(key=PATIENT),)),
    ("the patient, and a stranger", ("500", "600"), [make_contact("600", "Петров Пётр", phones=())], {"cards": (own_contact(),)}, (CardRef(key=PATIENT), CardRef(target_id="600"))),
    ("the patient, found just now", ("600",), [make_contact("600", "Маша", phones=())], {}, (CardRef(key=PATIENT),)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hung", "cards", "given", "contacts"), [r[1:] for r in CALLERS], ids=[r[0] for r in CALLERS]
)
def test_the_caller_is_second_unless_they_are_the_patient(
    hung: tuple[str, ...], cards: list[Card], given: dict[str, Any], contacts: tuple[CardRef, ...]
) -> None:
    """The patient is then the card's main contact and the caller its second."""
    desired = Crm(make_lead(contacts=hung), *cards).decide(make_case(make_appointment(), **given))
    assert only_visit(desired).contacts == contacts


def test_the_mother_who_called_is_there_once() -> None:
    """A mother's lead may become her child's visit: she represents the child already."""
    case = make_case(make_appointment(), patient=CHILD, family=(MOTHER,), family_cards={"2": "600"})
    crm = Crm(make_lead(contacts=("600",)), make_contact("600", "Иванова Анна", key="ident/patient/2"))
    contacts = only_visit(crm.decide(case, bridge=families())).contacts
    assert contacts == (CardRef(target_id="600"), CardRef(key=PATIENT))


def test_while_a_person_is_asked_who_it_is_nobody_hangs_on_the_card() -> None:
    """Meanwhile the visit has its card, without a contact."""
    crm = Crm(
        make_lead(contacts=("600",)),
        make_contact("500"),
        make_contact("501"),
        make_contact("600", "Ива", phones=(), birth_date=date(1970, 1, 1)),
    )
    assert only_visit(crm.decide(make_case(make_appointment()))).contacts is None


def test_a_contact_that_is_shared_hangs_there_by_its_own_number() -> None:
    """A person said: another patient's contact; the visits hang on it, its fields are not ours."""
    answers = (Answer(question="contact:1", choice="link", target_id="500"),)
    crm = Crm(make_contact(), owners={(Entity.CONTACT, "500"): "patient:2"})
    desired = crm.decide(make_case(make_appointment(), answers=answers))
    assert contact_of(desired) is None
    assert only_visit(desired).contacts == (CardRef(target_id="500"),)
    never = (Answer(question="contact:1", choice="never"),)
    left = Crm().decide(make_case(make_appointment(), answers=never))
    assert only_visit(left).contacts is None
    assert contact_of(left) is None


def test_a_first_name_is_a_parents_only_where_the_patient_is_surely_a_child() -> None:
    """A mother's lead may become her child's visit: of whom nobody knows the age, the first name may be their own."""
    crm = Crm(make_lead(contacts=("600",)), make_contact("600", "Ольга", phones=()))
    for born, take in ((None, "600"), (date(2016, 1, 1), "")):
        contact = contact_of(crm.decide(make_case(make_appointment(), patient=make_patient(birth_date=born))))
        assert contact is not None
        assert contact.take == take


FROZEN: list[tuple[dict[str, Any], str, bool]] = [
    ({"shared": True}, "review", True),
    ({}, "review", False),
    ({"shared": True, "gone": True}, "recreate", False),
]


@pytest.mark.parametrize(("own", "on_deleted", "frozen"), FROZEN)
def test_the_fields_of_two_on_one_contact_freeze(own: dict[str, Any], on_deleted: str, frozen: bool) -> None:
    """Two patients on one contact after a merge: the person's fields freeze, until somebody parts them."""
    rules = (field("NAME", "patient.name"),)
    bridge = make_bridge(contact=ContactPlan(fields=rules, on_deleted=on_deleted))  # type: ignore[arg-type]
    contact = contact_of(
        Crm().decide(make_case(make_appointment(), cards=(own_contact(**own),)), bridge=bridge)
    )
    assert contact is not None
    assert ("NAME" not in contact.fields) is frozen


def test_an_answer_whose_card_is_gone_is_asked_about_again() -> None:
    """A card that was chosen and is not there any more is no answer, whatever the mapping does with deleted ones."""
    gone = own_visit(gone=True, base=phase_base(Phase.UPCOMING))
    answers = (Answer(question=f"deleted:{KEY}:700", choice="link", target_id="799"),)
    case = make_case(make_appointment(), cards=(own_contact(), gone), answers=answers)
    desired = Crm().decide(case, bridge=make_bridge(appointment=make_plan(on_deleted="ignore")))
    assert desired.filtered == {"10": "its card was deleted in the CRM, a person is asked"}


# --- claims -----------------------------------------------------------------------------------------------------------


def test_a_doubtful_or_declined_visit_claims_nothing() -> None:
    """Doubtful ones go to review without a card, and the lead waits with them."""
    mine: dict[str, Any] = {"contacts": ("500",), "fields": {"UF_AT": at("20.11 10:00")}}
    bridge = make_bridge(appointment=make_plan(adopt=AdoptPlan(time_field="UF_AT")))
    doubtful = Crm(make_deal("701", **mine), make_deal("702", **mine), make_lead()).decide(
        make_case(make_appointment(), cards=(own_contact(),)), bridge=bridge
    )
    assert (visits_of(doubtful), doubtful.claims) == ([], {})
    answers = (Answer(question=f"visit:{KEY}", choice="never"),)
    case = make_case(make_appointment(), cards=(own_contact(),), answers=answers)
    declined = Crm(make_lead()).decide(case, bridge=bridge)
    assert (visits_of(declined), declined.claims) == ([], {})
    assert declined.filtered == {"10": "a person wants no card for it"}


def test_a_visit_that_is_there_already_leaves_the_lead_to_the_next() -> None:
    """Of two visits the first entered has the lead: unless it has a card of its own in the CRM."""
    first, second = (
        make_appointment("10", created_at=at("10.11 09:00")),
        make_appointment("11", "21.11 10:00"),
    )
    crm = Crm(make_lead(), make_deal("701", key=KEY))
    desired = crm.decide(make_case(first, second, cards=(own_contact(),)))
    assert [(card.key, card.claimed_lead) for card in visits_of(desired)] == [(KEY, ""), (SECOND, "900")]


def test_each_unwritten_claim_is_made_again() -> None:
    """One that is written does not hide the next."""
    visits = make_appointment("10", created_at=at("10.11 09:00")), make_appointment("11", "21.11 10:00")
    cards = (
        own_contact(),
        own_visit("10", target_id="701", claimed_lead="899", base=phase_base(Phase.UPCOMING, lead="899")),
        own_visit("11", target_id="702", claimed_lead="900", base=None),
    )
    _, second = visits_of(Crm(make_lead("899"), make_lead()).decide(make_case(*visits, cards=cards)))
    assert second.fields["UTM_SOURCE"].value == "yandex"


def test_one_that_is_withheld_does_not_hold_the_others() -> None:
    """What waits does not hold the rest up."""
    visits = make_appointment("10"), make_appointment("11", "21.11 10:00")
    gone = own_visit("10", gone=True, base=phase_base(Phase.UPCOMING))
    rests = make_appointment("9", "10.10 10:00", created_at=at("01.10 10:00"), ended_at=at("10.10 11:00"))
    facts = only_visit(Crm().decide(make_case(rests, cards=(own_contact(),)), at("10.10 12:00"))).facts
    old = own_visit("9", target_id="699", base=phase_base(Phase.COMPLETED, "10.10 10:00", facts=facts))
    desired = Crm().decide(make_case(rests, *visits, cards=(own_contact(), old, gone)))
    assert [card.key for card in visits_of(desired)] == [SECOND]
    assert [review.question for review in desired.reviews] == [f"deleted:{KEY}:700"]
    assert desired.filtered == {"10": "its card was deleted in the CRM, a person is asked"}


def test_a_late_claim_is_told_to_the_shell_with_the_time_of_entry() -> None:
    """Two cases want one lead: the visit entered first in the MIS has it."""
    case = make_case(
        make_appointment(),
        cards=(own_contact(), own_visit(base=phase_base(Phase.UPCOMING))),
        look_again=frozenset({"leads"}),
    )
    assert Crm(make_lead(created="10.11 13:00")).decide(case).claims == {"900": at("10.11 12:00")}


MINE = (own_contact(), own_visit(base=phase_base(Phase.UPCOMING)))
AGAIN: list[tuple[str, dict[str, Any], str | None]] = [
    ("not written", {"base": None}, "yandex"),
    ("written", {"base": phase_base(Phase.UPCOMING, lead="900")}, None),
    ("its card is gone", {"base": None, "gone": True}, None),
]


@pytest.mark.parametrize(("own", "source"), [r[1:] for r in AGAIN], ids=[r[0] for r in AGAIN])
def test_a_claim_is_made_again_from_its_lead_until_it_is_written(
    own: dict[str, Any], source: str | None
) -> None:
    """A crash or a timeout can delay that; it never loses: source and UTM come with the next attempt."""
    card = own_visit(claimed_lead="900", **own)
    bridge = make_bridge(appointment=make_plan(on_deleted="recreate"))
    crm = Crm(make_lead(contacts=()))
    wished = only_visit(crm.decide(make_case(make_appointment(), cards=(own_contact(), card)), bridge=bridge))
    found = wished.fields.get("UTM_SOURCE")
    assert (found.value if found else None) == source
    assert wished.claimed_lead == "900"


def test_a_claim_of_a_mapping_that_claims_no_more_is_let_be() -> None:
    """The lead that the visit was linked to is remembered; it is not looked for."""
    card = own_visit(claimed_lead="900")
    crm = Crm(make_lead(contacts=()))
    bridge = make_bridge(appointment=make_plan(claim=None))
    case = make_case(make_appointment(), cards=(own_contact(), card))
    assert only_visit(crm.decide(case, bridge=bridge)).claimed_lead == "900"


OLD = make_appointment("1", "01.10 10:00", ended_at=at("01.10 11:00"))
FOUND_AGAIN: list[tuple[str, dict[str, Any], str, bool, bool]] = [
    ("its card was seen", {"look_again": frozenset({"701"})}, "ident/appointment/1", True, True),
    ("another card was seen", {"look_again": frozenset({"701"})}, "", True, False),
    ("its own card was seen", {"look_again": frozenset({"700"})}, "", False, False),
    ("a lead was seen", {"look_again": frozenset({"leads"})}, "ident/appointment/1", False, False),
    ("nothing was seen", {}, "ident/appointment/1", False, False),
]


@pytest.mark.parametrize(
    ("given", "key", "asks", "taken"), [r[1:] for r in FOUND_AGAIN], ids=[r[0] for r in FOUND_AGAIN]
)
def test_an_old_visit_is_looked_for_only_where_a_card_was_seen_that_nobody_knows(
    given: dict[str, Any], key: str, asks: bool, taken: bool
) -> None:
    """A journal that was lost takes its cards back; else nobody asks the CRM for years of visits."""
    crm = Crm(make_deal("701", key=key))
    desired = crm.decide(make_case(OLD, make_appointment(), cards=MINE, **given))
    keys = {each.key for each in crm.asked if isinstance(each, ByKey) and each.entity is Entity.DEAL}
    assert keys == ({"ident/appointment/1"} if asks else set())
    assert [card.take for card in visits_of(desired) if card.take] == (["701"] if taken else [])
    assert desired.filtered == ({} if taken else {"1": "older than the horizon"})


def test_an_old_chain_is_found_by_the_key_of_any_of_its_members() -> None:
    """All members of a chain link to its card."""
    moved = msgspec.structs.replace(OLD, id="2", predecessor_id="1", starts_at=at("02.10 10:00"))
    first = make_appointment("1", "01.10 10:00", cancelled_at=at("30.09 10:00"))
    crm = Crm(make_deal("701", key="ident/appointment/2"))
    case = make_case(first, moved, cards=(own_contact(),), look_again=frozenset({"701"}))
    assert only_visit(crm.decide(case)).take == "701"


def test_the_lead_of_a_visit_keeps_the_key_under_which_it_is_known() -> None:
    """A key is written once: the claim's card in the journal says which."""
    claim = OwnCard(key="ident/enquiry/5", role=Role.CLAIM, entity=Entity.LEAD, target_id="900", base=Base())
    other = OwnCard(key="lead:800", role=Role.CLAIM, entity=Entity.LEAD, target_id="800", base=Base())
    watched = OwnCard(key="lead:x", role=Role.WATCHED, entity=Entity.LEAD, target_id="900", base=Base())
    visit = own_visit(claimed_lead="900", base=phase_base(Phase.UPCOMING, lead="900"))
    for cards, key in (((watched, other, claim), "ident/enquiry/5"), ((other,), "lead:900")):
        desired = Crm(make_lead()).decide(make_case(make_appointment(), cards=(own_contact(), visit, *cards)))
        assert [card.key for card in desired.cards if card.role is Role.CLAIM] == [key]


def test_where_leads_are_not_converted_the_lead_is_left_alone() -> None:
    """Sets the lead converted: where the mapping names a stage for that."""
    claim = make_plan().claim
    assert claim is not None
    bridge = make_bridge(appointment=make_plan(claim=msgspec.structs.replace(claim, converted=None)))
    desired = Crm(make_lead()).decide(make_case(make_appointment()), bridge=bridge)
    assert [card.role for card in desired.cards] == [Role.CONTACT, Role.VISIT]


def test_a_card_that_moved_is_not_converted() -> None:
    """`mode: move` makes that card the visit card: there is no lead beside it."""
    claim = make_plan().claim
    assert claim is not None
    stages = frozenset({StageRef("9", "BOOKED")})
    moving = msgspec.structs.replace(claim, mode="move", entity=Entity.DEAL, stages=stages)
    bridge = make_bridge(appointment=make_plan(claim=moving))
    visit = own_visit(claimed_lead="900", base=phase_base(Phase.UPCOMING, lead="900"))
    desired = Crm().decide(make_case(make_appointment(), cards=(own_contact(), visit)), bridge=bridge)
    assert [card.role for card in desired.cards] == [Role.CONTACT, Role.VISIT]


# --- patients merged, twins, rules ------------------------------------------------------------------------------------

MERGED_TEXT = "Пациенты объединены в МИС: проверьте их контакты в CRM"
MERGED: list[tuple[str, dict[str, Any], list[str] | None]] = [
    ("both have contacts", {"cards": (own_contact(),), "family_cards": {"2": "600"}}, ["500", "600"]),
    ("the survivor has none", {"cards": (own_contact(),)}, ["500"]),
    ("its own is gone", {"cards": (own_contact(gone=True),), "family_cards": {"2": "600"}}, None),
    ("it had none", {"family_cards": {"2": "600"}}, None),
    (
        "answered",
        {"cards": (own_contact(),), "answers": (Answer(question="merged:1", choice="never"),)},
        None,
    ),
]


@pytest.mark.parametrize(("given", "ids"), [r[1:] for r in MERGED], ids=[r[0] for r in MERGED])
def test_what_a_person_is_asked_of_merged_patients(given: dict[str, Any], ids: list[str] | None) -> None:
    """Patients merged in the MIS: the CRM's two contacts go to review."""
    desired = Crm().decide(make_case(patient=make_patient(merged_into="2"), **given))
    asked = [each for each in desired.reviews if each.rule == "merged_patients"]
    candidates = tuple(Candidate(target_id=each, name="", evidence=f"contact {each}") for each in ids or ())
    wish = ReviewWish(question="merged:1", rule="merged_patients", text=MERGED_TEXT, candidates=candidates)
    assert asked == ([] if ids is None else [wish])


def test_who_is_not_merged_is_not_asked_about() -> None:
    """A patient of their own."""
    assert Crm().decide(make_case(make_appointment(), cards=(own_contact(),))).reviews == ()


def test_a_younger_card_that_is_gone_needs_no_closing() -> None:
    """The other is closed with a note: if it is there."""
    chain = make_appointment("1", cancelled_at=NOW), make_appointment("2", predecessor_id="1")
    cards = (
        own_contact(),
        own_visit("1", target_id="701", base=phase_base(Phase.UPCOMING)),
        own_visit("2", target_id="702", gone=True, base=phase_base(Phase.UPCOMING)),
    )
    assert [card.key for card in visits_of(Crm().decide(make_case(*chain, cards=cards)))] == [
        "ident/appointment/1"
    ]


def case_of_rules() -> Case:
    old = make_appointment("1", cancelled_at=at("15.11 12:00"), created_at=at("09.11 12:00"))
    new = make_appointment("2", "21.11 10:00", created_at=at("15.11 13:00"))
    third = make_appointment("3", "25.11 10:00", created_at=at("15.11 18:00"), doctor=None)
    return make_case(old, new, third)


def test_what_fired_is_told_without_names() -> None:
    """`kreslo explain`: ids only, no personal data."""
    crm = Crm(make_lead(created="08.11 12:00"), make_deal("701", key="ident/appointment/3"))
    assert crm.decide(case_of_rules()).rules == (
        "contact: create (create)",
        "visit 1 → 2 (a link was inferred): upcoming; claims lead 900",
        "visit 3: upcoming; takes deal 701",
    )
    assert Crm().decide(make_case(make_appointment()), bridge=make_bridge(contact=None)).rules == (
        "visit 10: upcoming",
    )


def test_the_clock_wakes_for_the_earliest_change_to_come() -> None:
    """`wake_at`: phases change by the clock, and at its start the next visit is another one."""
    far = make_appointment("11", "30.11 10:00")
    cards = (
        own_contact(),
        own_visit("10", base=phase_base(Phase.UPCOMING)),
        own_visit("11", base=phase_base(Phase.UPCOMING)),
    )
    case = make_case(make_appointment(), far, cards=cards)
    assert Crm().decide(case).wake_at == at("19.11 14:00")
    confirmed = make_case(make_appointment(confirmed_at=NOW), cards=(own_contact(),))
    assert Crm().decide(confirmed).wake_at == at("20.11 10:00")
    ended = make_case(make_appointment(cancelled_at=NOW), cards=(own_contact(),))
    assert Crm().decide(ended).wake_at is None


# --- leads that are set aside -----------------------------------------------------------------------------------------

LATE_NOTE = "Пациент уже записан на 20.11.2026 10:00"
NEW = {"code": "NEW"}
LEADS: list[tuple[str, list[Card], dict[str, Any], Bridge, list[tuple[str, str, str | None]]]] = [
    ("a later one", [make_lead(created="15.11 12:00", **NEW)], {}, make_bridge(), [("lead:900", LATE_NOTE, "ALREADY")]),
    ("one with a key of its own", [make_lead(created="15.11 12:00", key="x/5", **NEW)], {}, make_bridge(), [("x/5", LATE_NOTE, "ALREADY")]),
    ("no stage for it", [make_lead(created="15.11 12:00", **NEW)], {}, make_bridge(enquiry=msgspec.structs.replace(make_bridge().enquiry, already_booked=None)), [("lead:900", LATE_NOTE, None)]),  # type: ignore[type-var]
    ("no enquiries in the mapping", [make_lead(created="15.11 12:00", **NEW)], {}, make_bridge(enquiry=None), []),
    ("in another funnel", [make_lead(created="15.11 12:00", stage=stage("NEW"))], {}, make_bridge(), []),
    ("on no stage", [make_lead(created="15.11 12:00", stage=None)], {}, make_bridge(), []),
    ("of no known age", [make_lead(created_at=None, **NEW)], {}, make_bridge(), [("lead:900", LATE_NOTE, "ALREADY")]),
    ("nothing is ahead", [make_lead(created="15.11 12:00", **NEW)], {"appointments": (make_appointment(cancelled_at=NOW),)}, make_bridge(), []),
    ("the event was of something else", [make_lead(created="15.11 12:00", **NEW)], {"look_again": frozenset({"700"})}, make_bridge(), []),
    ("no claims in the mapping", [make_lead(created="15.11 12:00", **NEW)], {}, make_bridge(appointment=make_plan(claim=None)), []),
    ("no phone", [make_lead(created="15.11 12:00", **NEW)], {"patient": make_patient(phones=())}, make_bridge(), []),
    ("two later ones", [make_lead("901", "14.11 12:00", **NEW), make_lead(created="15.11 12:00", **NEW)], {}, make_bridge(), [("lead:900", LATE_NOTE, "ALREADY"), ("lead:901", LATE_NOTE, "ALREADY")]),
    ("one of another patient, one later", [make_lead("901", "15.11 13:00", **NEW), make_lead(created="15.11 12:00", **NEW)], {"owners": {(Entity.LEAD, "901"): "patient:2"}}, make_bridge(), [("lead:900", LATE_NOTE, "ALREADY")]),
    ("two in time: the newer is the source", [make_lead("901", "10.11 13:00", **NEW), make_lead(created="10.11 13:30", **NEW)], {}, make_bridge(), [("lead:901", LATE_NOTE, "ALREADY")]),
    ("long before the visit, on the stage", [make_lead(created="10.09 12:00")], {}, make_bridge(), [("lead:900", LATE_NOTE, "ALREADY")]),
    ("sixty days before, on the stage", [make_lead(created="11.09 12:00")], {}, make_bridge(), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("leads", "given", "bridge", "expected"), [r[1:] for r in LEADS], ids=[r[0] for r in LEADS]
)
def test_which_leads_are_set_aside(
    leads: list[Card], given: dict[str, Any], bridge: Bridge, expected: list[tuple[str, str, str | None]]
) -> None:
    """Any later lead of a patient with a visit ahead goes to "already booked"."""
    given = {
        "cards": MINE,
        "appointments": (make_appointment(),),
        "look_again": frozenset({"leads"}),
        **given,
    }
    crm = Crm(*leads, owners=given.pop("owners", None))
    aside = [
        card for card in crm.decide(make_case(**given), bridge=bridge).cards if card.role is Role.WATCHED
    ]
    seen = [
        (card.key, card.notes[0].text, card.stage.stage.stage if card.stage and card.stage.stage else None)
        for card in aside
    ]
    assert seen == expected
    assert all(card.transfer and card.notes[0].marker == f"late:{card.take}" for card in aside)


def test_a_second_lead_in_full() -> None:
    """Two open leads on one phone: the newest, the other gets a note; its stage is left to staff."""
    crm = Crm(make_lead("899", "08.11 12:00"), make_lead())
    [second] = [card for card in crm.decide(make_case(make_appointment())).cards if card.role is Role.WATCHED]
    assert (second.key, second.entity, second.take, second.stage, second.transfer) == (
        "lead:899",
        Entity.LEAD,
        "899",
        None,
        True,
    )
    assert [note.marker for note in second.notes] == ["second:899"]


def test_a_lead_is_claimed_or_set_aside_and_not_both() -> None:
    """A lead has one place: what is claimed now, or gets a note now, is not looked at a second time."""
    claimed, second = make_lead(), make_lead("899", "08.11 12:00")
    later = make_lead("901", "15.11 12:00", **NEW)
    case = make_case(make_appointment(), cards=(own_contact(),), look_again=frozenset({"leads"}))
    roles = [(card.role, card.take) for card in Crm(claimed, second, later).decide(case).cards]
    assert roles == [
        (Role.CONTACT, ""),
        (Role.VISIT, ""),
        (Role.CLAIM, "900"),
        (Role.WATCHED, "899"),
        (Role.WATCHED, "901"),
    ]


TAKERS: list[tuple[str, dict[str, Any], str]] = [
    ("free", {}, "900"),
    ("gone", {"gone": True}, ""),
    ("has a lead", {"claimed_lead": "800", "base": phase_base(Phase.UPCOMING, lead="800")}, "800"),
    ("was a lead itself", {"claimed_from": lead_stage("BOOKED")}, ""),
]


@pytest.mark.parametrize(("own", "lead"), [r[1:] for r in TAKERS], ids=[r[0] for r in TAKERS])
def test_which_visits_take_a_late_lead(own: dict[str, Any], lead: str) -> None:
    """If the visit was entered at most `late` (2 h) before it and has no claim, the lead is taken as its source."""
    bridge = make_bridge(appointment=make_plan(on_deleted="recreate"))
    card = own_visit(**{"base": phase_base(Phase.UPCOMING), **own})
    case = make_case(make_appointment(), cards=(own_contact(), card), look_again=frozenset({"leads"}))
    assert only_visit(Crm(make_lead(created="10.11 13:00")).decide(case, bridge=bridge)).claimed_lead == lead


def test_two_visits_take_two_late_leads() -> None:
    """Each lead is one visit's; a cancelled visit takes none."""
    first = make_appointment("9", "19.11 10:00", cancelled_at=NOW)
    second, third = make_appointment("10"), make_appointment("11", "21.11 10:00")
    base = phase_base(Phase.UPCOMING)
    cards = (
        own_contact(),
        *(own_visit(each, target_id=f"70{each}", base=base) for each in ("9", "10", "11")),
    )
    case = make_case(first, second, third, cards=cards, look_again=frozenset({"leads"}))
    crm = Crm(make_lead("901", "10.11 13:00"), make_lead("900", "10.11 13:30"))
    bridge = make_bridge(appointment=make_plan(rebook=None))
    assert [card.claimed_lead for card in visits_of(crm.decide(case, bridge=bridge))] == ["", "900", "901"]
