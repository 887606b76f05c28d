"""DESIGN 6, identity and families: the MIS id decides; a phone alone never joins two patients."""

from datetime import date
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ByKey, ByPhone, Card, Entity, FieldType, Lookup
from kreslo.decisions.case import Answer, Base
from kreslo.decisions.desired import CardRef, Desired
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import (
    AdoptPlan,
    Bridge,
    ContactPlan,
    FamilyPlan,
    FieldMode,
    FieldRule,
    Phase,
    StageRule,
)
from tests.unit.decisions.builders import (
    NOW,
    PHONE,
    Crm,
    at,
    contact_of,
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

KEY = "ident/patient/1"
ADOPT = AdoptPlan(key_field="UF_OLD", key=Expression("patient.card_number"))


def standing(desired: Desired) -> str:
    """`take 500`, `create`, `own 500`, or `review <rule>`."""
    card = contact_of(desired)
    if card is None:
        return f"review {desired.reviews[0].rule}" if desired.reviews else "nothing"
    return f"take {card.take}" if card.take else "create"


def born(text: str) -> date:
    day, month, year = text.split(".")
    return date(int(year), int(month), int(day))


CANDIDATES: list[tuple[str, list[Card], str]] = [
    ("nobody", [], "create"),
    ("phone and name", [make_contact(name="Мария Иванова")], "take 500"),
    ("ё and case", [make_contact(name="ИВАНОВА мария")], "take 500"),
    ("a double surname", [make_contact(name="Иванова-Петрова Мария")], "take 500"),
    ("initials", [make_contact(name="Иванова М. П.")], "take 500"),
    ("a phone alone", [make_contact(name="")], "create"),
    ("a first name alone", [make_contact(name="Мария")], "create"),
    ("a surname alone", [make_contact(name="Иванова")], "create"),
    ("another person", [make_contact(name="Иванов Пётр")], "create"),
    ("another first name of the family", [make_contact(name="Иванова Ольга")], "create"),
    ("no name, the birth date", [make_contact(name="", birth_date=born("12.05.1990"))], "take 500"),
    (
        "a new surname, the birth date",
        [make_contact(name="Смирнова Мария", birth_date=born("12.05.1990"))],
        "take 500",
    ),
    ("a twin", [make_contact(name="Иванова Анна", birth_date=born("12.05.1990"))], "create"),
    ("another birth date", [make_contact(birth_date=born("01.01.1980"))], "review birth_date"),
    ("no name, another birth date", [make_contact(name="", birth_date=born("01.01.1980"))], "create"),
    ("two compatible", [make_contact("500"), make_contact("501", "Иванова М.П.")], "review several"),
    (
        "two, of which the birth date names one",
        [make_contact("500"), make_contact("501", birth_date=born("12.05.1990"))],
        "take 501",
    ),
    (
        "one, and one with another birth date",
        [make_contact("500"), make_contact("501", birth_date=born("1.1.1980"))],
        "review several",
    ),
    ("compatible and a stranger", [make_contact("500", "Петров Иван"), make_contact("501")], "take 501"),
    ("another phone", [make_contact(phones=())], "create"),
    ("our key", [make_contact("502", "Кто-то", phones=(), key=KEY), make_contact("500")], "take 502"),
    ("our key twice", [make_contact("502", key=KEY), make_contact("503", key=KEY)], "review key_twice"),
    ("the key of another patient", [make_contact(key="ident/patient/2")], "create"),
]


@pytest.mark.parametrize(("cards", "expected"), [r[1:] for r in CANDIDATES], ids=[r[0] for r in CANDIDATES])
def test_the_order_is_key_then_phone_and_name_or_birth_date_then_create(
    cards: list[Card], expected: str
) -> None:
    """Order: link in the journal → key in the CRM → phone and compatible name (ё=е, case, double surnames, initials) or
    birth date → create. A phone alone never joins two patients. Several compatible candidates, or a compatible name with
    a conflicting birth date: a review item. Read so: of several, one whose birth date is the patient's own is certain.
    """
    assert standing(Crm(*cards).decide(make_case(make_appointment()))) == expected


def test_the_journals_link_comes_first_and_asks_nothing() -> None:
    """Order: link in the journal → …: a contact that the case has is not looked for again."""
    crm = Crm(make_contact("501"))
    desired = crm.decide(make_case(make_appointment(), cards=(own_contact(), own_visit(base=Base()))))
    assert contact_of(desired) is not None
    assert not [
        each for each in crm.asked if isinstance(each, ByPhone | ByKey) and each.entity is Entity.CONTACT
    ]


def test_a_contact_of_another_patient_is_never_taken() -> None:
    """A CRM card belongs to one case: the same name on the same phone is a contact of its own."""
    crm = Crm(make_contact(), owners={(Entity.CONTACT, "500"): "patient:2"})
    assert standing(crm.decide(make_case(make_appointment()))) == "create"


FATHER = make_patient(
    "2", surname="Иванов", name="Иван", patronymic="Петрович", birth_date=born("01.01.1960")
)
SON = make_patient("1", surname="Иванов", name="Иван", patronymic="Иванович", birth_date=born("01.01.2010"))

RIVALS: list[tuple[str, Card, dict[str, Any], str]] = [
    ("two of one name", make_contact(name="Иванов Иван"), {}, "review twins"),
    ("the other has a contact", make_contact(name="Иванов Иван"), {"family_cards": {"2": "600"}}, "take 500"),
    ("the patronymic says which", make_contact(name="Иванов Иван Иванович"), {}, "take 500"),
    ("the patronymic is the other's", make_contact(name="Иванов Иван Петрович"), {}, "create"),
    (
        "the birth date says which",
        make_contact(name="Иванов Иван", birth_date=SON.birth_date),
        {},
        "take 500",
    ),
]


@pytest.mark.parametrize(("card", "known", "expected"), [r[1:] for r in RIVALS], ids=[r[0] for r in RIVALS])
def test_a_contact_that_fits_two_patients_of_the_phone_is_reviewed(
    card: Card, known: dict[str, Any], expected: str
) -> None:
    """A phone alone never joins two patients. Read so: where name and phone fit another patient as well, who has no
    contact yet, a person says whose it is.
    """
    case = make_case(make_appointment(), patient=SON, family=(FATHER,), **known)
    assert standing(Crm(card).decide(case)) == expected


def test_who_was_born_on_another_day_is_no_rival() -> None:
    """Of two of one name, the contact's birth date says whose it is not."""
    card = make_contact(name="Иванов Иван", birth_date=born("01.01.2010"))
    nobody = msgspec.structs.replace(SON, birth_date=None)
    assert standing(Crm(card).decide(make_case(make_appointment(), patient=nobody, family=(FATHER,)))) == (
        "take 500"
    )


def test_one_person_twice_in_the_mis_is_reviewed_under_a_new_surname_too() -> None:
    """The contact has the maiden name; both records have the birth date and the first name."""
    twice = make_patient("2", surname="Сидорова")
    card = make_contact(name="Орлова Мария", birth_date=born("12.05.1990"))
    assert standing(Crm(card).decide(make_case(make_appointment(), family=(twice,)))) == "review twins"


def test_two_first_names_are_no_surname_and_name() -> None:
    """The birth date speaks where the contact has the first names alone."""
    patient = make_patient(name="Анна Мария")
    card = make_contact(name="Анна Мария", birth_date=patient.birth_date)
    assert standing(Crm(card).decide(make_case(make_appointment(), patient=patient))) == "take 500"


class Lagging(Crm):
    """Its search by key has not caught up yet."""

    def answer(self, lookup: Lookup) -> tuple[Card, ...]:
        return () if isinstance(lookup, ByKey) else super().answer(lookup)


LAGGED: list[tuple[str, list[Card]]] = [
    ("by phone", [make_contact(key=KEY)]),
    ("by another system's key", [make_contact(name="Кто-то", phones=(), key=KEY, fields={"UF_OLD": "A-7"})]),
    ("on the claimed lead", [make_lead(contacts=("500",)), make_contact(name="Маша", phones=(), key=KEY)]),
]


@pytest.mark.parametrize("cards", [r[1] for r in LAGGED], ids=[r[0] for r in LAGGED])
def test_a_contact_of_ours_is_taken_wherever_it_is_seen_first(cards: list[Card]) -> None:
    """Nothing is made twice because a CRM's index lags."""
    bridge = make_bridge(contact=ContactPlan(adopt=ADOPT))
    case = make_case(make_appointment(), patient=make_patient(card_number="A-7"))
    assert standing(Lagging(*cards).decide(case, bridge=bridge)) == "take 500"


NOT_THEIRS: list[tuple[str, Card, dict[tuple[Entity, str], str]]] = [
    ("another patient's", make_contact("600", "Маша", phones=()), {(Entity.CONTACT, "600"): "patient:2"}),
    ("a relative", make_contact("600", "мама Маши", phones=()), {}),
    ("of another name", make_contact("600", "Петров Пётр", phones=()), {}),
]


@pytest.mark.parametrize(("card", "owners"), [r[1:] for r in NOT_THEIRS], ids=[r[0] for r in NOT_THEIRS])
def test_the_second_contact_of_a_claimed_lead_may_be_the_patient(
    card: Card, owners: dict[tuple[Entity, str], str]
) -> None:
    """Staff add people to a lead: the first of them need not be the one who comes."""
    crm = Crm(
        make_lead(contacts=("600", "500")),
        card,
        make_contact("500", "Мария", phones=()),
        owners=owners,
    )
    assert standing(crm.decide(make_case(make_appointment()))) == "take 500"


def test_twins_are_told_apart_by_their_first_names_only() -> None:
    """A birth date with a surname alone fits both twins."""
    twin = make_patient("2", name="Анна")
    card = make_contact(name="Иванова", birth_date=born("12.05.1990"))
    assert standing(Crm(card).decide(make_case(make_appointment(), family=(twin,)))) == "review twins"
    assert standing(Crm(card).decide(make_case(make_appointment()))) == "take 500"


def test_a_conflicting_name_on_the_phone_is_another_person_without_review() -> None:
    """Same phone and a conflicting name is another person (families): a contact of their own, no review."""
    desired = Crm(make_contact(name="Иванов Пётр")).decide(make_case(make_appointment()))
    assert (standing(desired), desired.reviews) == ("create", ())


def test_a_review_names_the_candidates_and_the_rule() -> None:
    """A review item with the candidates and the rule that fired."""
    [review] = (
        Crm(make_contact("500"), make_contact("501", "Иванова М.П."))
        .decide(make_case(make_appointment()))
        .reviews
    )
    assert (review.question, review.rule) == ("contact:1", "several")
    assert [(each.target_id, each.name, each.evidence) for each in review.candidates] == [
        ("500", "Иванова Мария", PHONE),
        ("501", "Иванова М.П.", PHONE),
    ]


def test_meanwhile_the_visit_has_its_card_without_a_contact_and_out_of_message_stages() -> None:
    """Meanwhile the visit has its card, without a contact and out of message stages, and the rest flows."""
    plan = make_plan()
    stages = {
        phase: msgspec.structs.replace(rule, message=phase is Phase.TOMORROW)
        for phase, rule in plan.stages.items()
    }
    bridge = make_bridge(appointment=make_plan(stages=stages))
    crm = Crm(make_contact("500"), make_contact("501", "Иванова М.П."))
    card = only_visit(crm.decide(make_case(make_appointment()), at("19.11 15:00"), bridge))
    assert card.contacts is None
    assert card.stage is not None
    assert (card.stage.stage, card.stage.initial, card.stage.occasion) == (None, stage("UPCOMING"), "")


def test_a_card_out_of_message_stages_never_starts_on_an_end() -> None:
    """Where `upcoming` speaks to the patient itself, the card starts on a quiet stage of a visit to come, or quietly."""
    plan = make_plan()
    ahead = {Phase.UPCOMING, Phase.TOMORROW}
    stages: dict[Phase, StageRule] = {
        phase: msgspec.structs.replace(rule, message=phase in ahead) for phase, rule in plan.stages.items()
    }
    bridge = make_bridge(appointment=make_plan(stages=stages))
    crm = Crm(make_contact("500"), make_contact("501", "Иванова М.П."))
    card = only_visit(crm.decide(make_case(make_appointment()), NOW, bridge))
    assert card.stage is not None
    assert (card.stage.initial, card.quiet) == (stage("UPCOMING"), True)


ANSWERS = [
    (("link", "501"), "take 501"),
    (("new", ""), "create"),
    (("never", ""), "nothing"),
    (("link", "999"), "review several"),  # that one is gone since
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_the_persons_answer_is_remembered(answer: tuple[str, str], expected: str) -> None:
    """The person's answer is remembered: the last one, as long as what it names is there."""
    said = (
        Answer(question="contact:1", choice="never"),
        Answer(question="contact:1", choice=answer[0], target_id=answer[1]),
    )
    crm = Crm(make_contact("500"), make_contact("501", "Иванова М.П."))
    assert standing(crm.decide(make_case(make_appointment(), answers=said))) == expected


# --- another system's key -------------------------------------------------------------------------------------------

OTHER_KEY: list[tuple[str, list[Card], str]] = [
    (
        "one",
        [make_contact("510", "Кто-то", phones=(), fields={"UF_OLD": "A-7"}), make_contact("500")],
        "take 510",
    ),
    ("none", [make_contact("500")], "take 500"),
    (
        "two",
        [make_contact("510", fields={"UF_OLD": "A-7"}), make_contact("511", fields={"UF_OLD": "A-7"})],
        "review key_twice",
    ),
    ("another's", [make_contact("510", "Кто-то", key="ident/patient/9", fields={"UF_OLD": "A-7"})], "create"),
]


@pytest.mark.parametrize(("cards", "expected"), [r[1:] for r in OTHER_KEY], ids=[r[0] for r in OTHER_KEY])
def test_contacts_are_adopted_by_another_systems_key(cards: list[Card], expected: str) -> None:
    """`adopt:` finds cards by another system's key field; doubtful ones go to review."""
    bridge = make_bridge(contact=ContactPlan(adopt=ADOPT))
    case = make_case(make_appointment(), patient=make_patient(card_number="A-7"))
    assert standing(Crm(*cards).decide(case, bridge=bridge)) == expected


def test_a_patient_without_a_number_is_not_looked_for_by_it() -> None:
    """An empty key is no key."""
    bridge = make_bridge(contact=ContactPlan(adopt=ADOPT))
    crm = Crm(make_contact("510", "Кто-то", phones=(), fields={"UF_OLD": ""}))
    assert standing(crm.decide(make_case(make_appointment()), bridge=bridge)) == "create"


# --- families ---------------------------------------------------------------------------------------------------------

MOTHER = make_patient("2", name="Анна", patronymic="Сергеевна", birth_date=born("03.03.1985"))
CHILD = make_patient(
    name="Пётр",
    surname="Иванов",
    patronymic="",
    birth_date=born("04.04.2016"),
    guardian="Иванова Анна Сергеевна",
)
BROTHER = make_patient("3", name="Павел", surname="Иванов", birth_date=born("05.05.2014"))


def family_bridge(by: str = "guardian") -> Bridge:
    bridge = make_bridge()
    assert bridge.contact is not None
    plan = FamilyPlan(by=by, phone_on_child=False)  # type: ignore[arg-type]
    return msgspec.structs.replace(bridge, contact=msgspec.structs.replace(bridge.contact, family=plan))


FAMILIES: list[tuple[str, str, dict[str, Any], list[CardRef], bool]] = [
    (
        "the guardian has a contact",
        "guardian",
        {"family": (MOTHER, BROTHER), "family_cards": {"2": "600", "3": "601"}},
        [CardRef(target_id="600"), CardRef(key=KEY)],
        False,
    ),
    (
        "the guardian's contact is to come: in an import both are made together",
        "guardian",
        {"family": (MOTHER,), "family_cards": {"2": ""}},
        [CardRef(key="ident/patient/2"), CardRef(key=KEY)],
        False,
    ),
    (
        "nobody of that name",
        "guardian",
        {"family": (BROTHER,), "family_cards": {"3": "601"}},
        [CardRef(key=KEY)],
        True,
    ),
    (
        "two of that name",
        "guardian",
        {
            "family": (MOTHER, msgspec.structs.replace(MOTHER, id="4")),
            "family_cards": {"2": "600", "4": "604"},
        },
        [CardRef(key=KEY)],
        True,
    ),
    (
        "by phone: the one grown-up, not the brother",
        "phone",
        {"family": (MOTHER, BROTHER), "family_cards": {"2": "600", "3": "601"}},
        [CardRef(target_id="600"), CardRef(key=KEY)],
        False,
    ),
    (
        "by phone: only a brother",
        "phone",
        {"family": (BROTHER,), "family_cards": {"3": "601"}},
        [CardRef(key=KEY)],
        True,
    ),
    (
        "by phone: two grown-ups",
        "phone",
        {"family": (MOTHER, FATHER), "family_cards": {"2": "600"}},
        [CardRef(key=KEY)],
        True,
    ),
    (
        "the guardian refused processing",
        "guardian",
        {"family": (msgspec.structs.replace(MOTHER, processing_refused=True),), "family_cards": {"2": ""}},
        [CardRef(key=KEY)],
        True,
    ),
]


@pytest.mark.parametrize(
    ("by", "known", "contacts", "phone"), [r[1:] for r in FAMILIES], ids=[r[0] for r in FAMILIES]
)
def test_the_representative_is_the_main_contact_and_the_child_the_second(
    by: str, known: dict[str, Any], contacts: list[CardRef], phone: bool
) -> None:
    """Each member is their own contact. `family:` links child and parent and can keep the phone off the child's card;
    then the representative is the visit card's main contact and the child its second. Where we had put it on the child's
    before the representative was known, it is taken back; a phone that staff put there stays.
    """
    desired = Crm().decide(make_case(make_appointment(), patient=CHILD, **known), bridge=family_bridge(by))
    assert list(only_visit(desired).contacts or ()) == contacts
    contact = contact_of(desired)
    assert contact is not None
    assert contact.fields["PHONE"].mode is (FieldMode.ADD if phone else FieldMode.MIS)
    assert bool(contact.fields["PHONE"].value) is phone
    assert contact.key == KEY


@pytest.mark.parametrize(
    ("by", "patient", "family", "wanted"),
    [
        ("guardian", MOTHER, (CHILD,), True),
        ("guardian", MOTHER, (BROTHER,), False),
        ("phone", MOTHER, (CHILD,), True),
        ("phone", MOTHER, (FATHER,), False),  # two grown-ups, no child
        ("phone", BROTHER, (CHILD,), False),  # a child represents nobody
        ("phone", MOTHER, (CHILD, FATHER), False),  # which of the two?
    ],
)
def test_a_representative_has_a_contact_without_visits_of_their_own(
    by: str, patient: Any, family: tuple[Any, ...], wanted: bool
) -> None:
    """So that messages reach the adult: the representative's contact is made for the child's card."""
    case = make_case(patient=patient, family=tuple(msgspec.structs.replace(m, id=f"9{m.id}") for m in family))
    assert (contact_of(Crm().decide(case, bridge=family_bridge(by))) is not None) is wanted


def test_a_grown_up_is_represented_by_nobody_on_their_phone() -> None:
    """By phone, only a child has a representative."""
    case = make_case(make_appointment(), family=(MOTHER,), family_cards={"2": "600"})
    assert only_visit(Crm().decide(case, bridge=family_bridge("phone"))).contacts == (CardRef(key=KEY),)


@pytest.mark.parametrize(("scope", "wanted"), [("horizon", False), ("all", True)])
def test_patients_without_visits_in_the_horizon(scope: str, wanted: bool) -> None:
    """`contact.scope`: horizon, or every patient of the MIS."""
    rule = FieldRule(code="NAME", title="Имя", type=FieldType.TEXT, value=Expression("patient.name"))
    bridge = make_bridge(contact=ContactPlan(scope=scope, fields=(rule,)))  # type: ignore[arg-type]
    old = make_appointment(starts="01.09 10:00", ended_at=at("01.09 11:00"))
    assert (contact_of(Crm().decide(make_case(old), bridge=bridge)) is not None) is wanted


def test_visits_adopted_by_another_key_have_one_card() -> None:
    """Identity is the MIS id: the same card is never planned twice in one decision."""
    desired = Crm(make_deal(key="ident/appointment/10")).decide(
        make_case(
            make_appointment(), cards=(own_contact(), own_visit(gone=True, base=phase_base(Phase.UPCOMING)))
        )
    )
    assert [(card.key, card.take) for card in visits_of(desired)] == [("ident/appointment/10", "700")]
