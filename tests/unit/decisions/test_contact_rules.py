"""DESIGN 6: which contact a patient is, as one table: the standing, the rule that says so, and what a person is shown."""

from datetime import date
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ById, ByPhone, Card, Entity, Found, Lookup
from kreslo.decisions.asking import Asker, newest
from kreslo.decisions.case import Answer, Base, Case, Facts, OwnCard, Role
from kreslo.decisions.contacts import Identity, Standing, guardian_of, identity_of
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import AdoptPlan, Bridge, ContactPlan
from kreslo.records import Patient
from tests.unit.decisions.builders import (
    NOW,
    PHONE,
    Crm,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    make_lead,
    make_patient,
    own_contact,
    own_visit,
)

KEY = "ident/patient/1"
BORN, OTHERS = date(1990, 5, 12), date(1980, 1, 1)
CONTACT = (Entity.CONTACT, "500")
SHARED = {CONTACT: "patient:2"}


def identify(
    case: Case,
    *cards: Card,
    owners: dict[tuple[Entity, str], str] | None = None,
    bridge: Bridge | None = None,
    hung: tuple[str, ...] = (),
    **more: Any,
) -> Identity:
    """Who the patient is once every question is answered."""
    crm = Crm(*cards, owners=owners)
    found: dict[Lookup, Found] = {}
    assert case.patient is not None
    while True:
        asker = Asker(case, Facts(found=found, owners=crm.owners))
        identity = identity_of(
            case, case.patient, bridge or make_bridge(), asker, hung, **{"child": False, "scope": {}, **more}
        )
        if not asker.missing:
            return identity
        for lookup in asker.missing:
            found[lookup] = Found(lookup, crm.answer(lookup), NOW)


def said(choice: str, target_id: str = "", question: str = "contact:1") -> tuple[Answer, ...]:
    return (Answer(question=question, choice=choice, target_id=target_id),)


def deleting(on_deleted: str) -> Bridge:
    return make_bridge(contact=ContactPlan(on_deleted=on_deleted))  # type: ignore[arg-type]


OLD_KEY = AdoptPlan(key_field="UF_OLD", key=Expression("patient.card_number"))
BY_OLD_KEY = make_bridge(contact=ContactPlan(adopt=OLD_KEY))
SCOPE = {"scope": {"patient": {"card_number": "A-7"}}}
GONE = own_contact(gone=True)
GONE_QUESTION = f"deleted:{KEY}:500"
SURVIVOR = make_contact("600", "Кузнецова Вера", key="ident/patient/2")
SURVIVES = {(Entity.CONTACT, "600"): "patient:2"}
ON_CARD = own_visit("10", base=Base(contacts=("500",)))
BARE_CARD = own_visit("8", target_id="699", base=None)
STILL_CARD = own_visit("9", target_id="698", base=Base(contacts=("500",)))
MERGED_DEAL, STILL_DEAL = make_deal("700", contacts=("600",)), make_deal("698", contacts=("500", "600"))
TAKE, CREATE, REVIEW, NEVER = Standing.TAKE, Standing.CREATE, Standing.REVIEW, Standing.NEVER

ROWS: list[tuple[str, dict[str, Any], list[Card], dict[str, Any], tuple[Standing, str, str]]] = [
    # link in the journal
    ("its own", {"cards": (own_contact(),)}, [], {}, (Standing.OWN, "500", "link")),
    ("its own was superseded", {"cards": (own_contact(closed=True),)}, [], {}, (CREATE, "", "create")),
    ("its own is gone", {"cards": (GONE,)}, [], {}, (REVIEW, "", "deleted_contact")),
    ("gone: make it again", {"cards": (GONE,)}, [], {"bridge": deleting("recreate")}, (CREATE, "", "create")),
    ("gone: leave it", {"cards": (GONE,)}, [], {"bridge": deleting("ignore")}, (NEVER, "", "deleted")),
    ("gone, and no contacts are kept", {"cards": (GONE,)}, [], {"bridge": make_bridge(contact=None)}, (CREATE, "", "create")),
    ("gone, another fits", {"cards": (GONE,)}, [make_contact("501")], {}, (TAKE, "501", "phone and name")),
    ("gone into another patient's", {"cards": (GONE,)}, [make_contact("501")], {"owners": {(Entity.CONTACT, "501"): "patient:2"}}, (REVIEW, "", "shared")),
    ("gone into one with another's key", {"cards": (GONE,)}, [make_contact("501", key="ident/patient/2")], {}, (REVIEW, "", "shared")),
    ("gone, another patient's is somebody else", {"cards": (GONE,)}, [make_contact("501", "Иванов Пётр", key="ident/patient/2")], {}, (REVIEW, "", "deleted_contact")),
    ("gone, another patient's is of another birth date", {"cards": (GONE,)}, [make_contact("501", key="ident/patient/2", birth_date=OTHERS)], {}, (REVIEW, "", "deleted_contact")),
    ("another patient's contact", {}, [make_contact("501", key="ident/patient/2")], {}, (CREATE, "", "create")),
    # a person's answer
    ("answered: a new one", {"answers": said("new")}, [make_contact()], {}, (CREATE, "", "answer: new")),
    ("answered: never", {"answers": said("never")}, [make_contact()], {}, (NEVER, "", "answer: never")),
    ("answered: this one", {"answers": said("link", "501")}, [make_contact("501", "Кто-то")], {}, (TAKE, "501", "answer: link")),
    ("answered: another patient's", {"answers": said("link", "500")}, [make_contact()], {"owners": SHARED}, (Standing.SHARED, "500", "answer: link")),
    ("answered: one that is gone", {"answers": said("link", "502")}, [make_contact()], {}, (TAKE, "500", "phone and name")),
    ("answered on another question", {"answers": said("never", question="contact:2")}, [], {}, (CREATE, "", "create")),
    ("answered on the deleted one", {"cards": (GONE,), "answers": said("new", "", GONE_QUESTION)}, [], {}, (CREATE, "", "answer: new")),
    # merged in the CRM: another patient's contact stands where ours stood
    ("merged, called otherwise", {"cards": (GONE, ON_CARD)}, [MERGED_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "shared")),
    ("merged, the card is no visit's", {"cards": (GONE, msgspec.structs.replace(ON_CARD, role=Role.CAMPAIGN))}, [MERGED_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("merged, the card is gone too", {"cards": (GONE, msgspec.structs.replace(ON_CARD, gone=True))}, [MERGED_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("merged, seen on the second card", {"cards": (GONE, BARE_CARD, STILL_CARD, ON_CARD)}, [STILL_DEAL, MERGED_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "shared")),
    ("it stood nowhere", {"cards": (GONE, BARE_CARD)}, [msgspec.structs.replace(MERGED_DEAL, id="699"), SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("it stands there still", {"cards": (GONE, STILL_CARD)}, [STILL_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("the survivor was there before", {"cards": (GONE, msgspec.structs.replace(ON_CARD, base=Base(contacts=("500", "600"))))}, [MERGED_DEAL, SURVIVOR], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("the survivor is nobody's", {"cards": (GONE, ON_CARD)}, [MERGED_DEAL, SURVIVOR], {}, (REVIEW, "", "deleted_contact")),
    ("the survivor has not her number", {"cards": (GONE, ON_CARD)}, [MERGED_DEAL, msgspec.structs.replace(SURVIVOR, phones=())], {"owners": SURVIVES}, (REVIEW, "", "deleted_contact")),
    ("she has no number", {"cards": (GONE, ON_CARD), "patient": make_patient(phones=())}, [MERGED_DEAL, msgspec.structs.replace(SURVIVOR, phones=())], {"owners": SURVIVES}, (REVIEW, "", "shared")),
    # keys
    ("its key", {}, [make_contact("502", "Кто-то", key=KEY)], {}, (TAKE, "502", "key")),
    ("its key on another patient's", {}, [make_contact(key=KEY)], {"owners": SHARED}, (REVIEW, "", "shared")),
    ("its key twice", {}, [make_contact("502", key=KEY), make_contact("503", key=KEY)], {}, (REVIEW, "", "key_twice")),
    ("another system's key", {}, [make_contact("510", "Кто-то", phones=(), fields={"UF_OLD": "A-7"})], {"bridge": BY_OLD_KEY, **SCOPE}, (TAKE, "510", "another system's key")),
    ("another system's key twice", {}, [make_contact("510", fields={"UF_OLD": "A-7"}), make_contact("511", fields={"UF_OLD": "A-7"})], {"bridge": BY_OLD_KEY, **SCOPE}, (REVIEW, "", "key_twice")),
    ("another system's key on what is hers", {}, [make_contact("510", "Кто-то", phones=(), key=KEY, fields={"UF_OLD": "A-7"})], {"bridge": BY_OLD_KEY, **SCOPE}, (TAKE, "510", "key")),
    ("another system's key on another's", {}, [make_contact("510", "Кто-то", phones=(), key="ident/patient/9", fields={"UF_OLD": "A-7"})], {"bridge": BY_OLD_KEY, **SCOPE}, (CREATE, "", "create")),
    ("no field for another key", {}, [make_contact("510", "Кто-то", phones=(), fields={"": "A-7"})], {"bridge": make_bridge(contact=ContactPlan(adopt=AdoptPlan(key=OLD_KEY.key))), **SCOPE}, (CREATE, "", "create")),
    ("no value for another key", {}, [make_contact("510", "Кто-то", phones=(), fields={"UF_OLD": "A-7"})], {"bridge": make_bridge(contact=ContactPlan(adopt=AdoptPlan(key_field="UF_OLD"))), **SCOPE}, (CREATE, "", "create")),
    ("no contacts are kept", {}, [], {"bridge": make_bridge(contact=None)}, (CREATE, "", "create")),
    # the contact of a claimed lead
    ("hung: her own name", {}, [make_contact("600", phones=())], {"hung": ("600",)}, (TAKE, "600", "contact of the claimed lead")),
    ("hung: a nickname", {}, [make_contact("600", "masha_2005", phones=())], {"hung": ("600",)}, (TAKE, "600", "contact of the claimed lead")),
    ("hung: her key", {}, [make_contact("600", "Маша", phones=(), key="ident/patient/9")], {"hung": ("600",)}, (CREATE, "", "create")),
    ("hung: another patient's", {}, [make_contact("500", "Маша", phones=())], {"hung": ("500",), "owners": SHARED}, (CREATE, "", "create")),
    ("hung: another birth date", {}, [make_contact("600", "Маша", phones=(), birth_date=OTHERS)], {"hung": ("600",)}, (CREATE, "", "create")),
    ("hung: her birth date", {}, [make_contact("600", "Маша", phones=(), birth_date=BORN)], {"hung": ("600",)}, (TAKE, "600", "contact of the claimed lead")),
    ("hung: the second, behind another's", {}, [make_contact("500", "Маша", phones=()), make_contact("601", "Маша", phones=())], {"hung": ("500", "601"), "owners": SHARED}, (TAKE, "601", "contact of the claimed lead")),
    ("hung: the second, behind a relative", {}, [make_contact("600", "мама", phones=()), make_contact("601", "Маша", phones=())], {"hung": ("600", "601")}, (TAKE, "601", "contact of the claimed lead")),
    ("hung: the second fits", {}, [make_contact("600", "Петров Пётр", phones=()), make_contact("601", "Маша", phones=())], {"hung": ("600", "601")}, (TAKE, "601", "contact of the claimed lead")),
    ("hung: a relative's word in guillemets", {}, [make_contact("600", "«мама»", phones=())], {"hung": ("600",)}, (CREATE, "", "create")),
    ("hung: another first name of a grown-up", {}, [make_contact("600", "Ольга", phones=())], {"hung": ("600",)}, (TAKE, "600", "contact of the claimed lead")),
    ("hung: another first name, a child", {}, [make_contact("600", "Ольга", phones=())], {"hung": ("600",), "child": True}, (CREATE, "", "create")),
    ("hung: a nickname, a child", {}, [make_contact("600", "зайка77", phones=())], {"hung": ("600",), "child": True}, (TAKE, "600", "contact of the claimed lead")),
    # phone and name, phone and birth date
    ("phone and name", {}, [make_contact()], {}, (TAKE, "500", "phone and name")),
    ("phone, name and birth date", {}, [make_contact(birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
    ("no phone", {"patient": make_patient(phones=())}, [make_contact()], {}, (CREATE, "", "create")),
    ("a name of two words in one", {"patient": make_patient(name="Анна Мария", birth_date=BORN)}, [make_contact(name="Сидорова Анна", birth_date=BORN)], {}, (CREATE, "", "create")),
    ("no first name in the MIS", {"patient": make_patient(name="", patronymic="")}, [make_contact(name="Сидорова Анна", birth_date=BORN)], {}, (CREATE, "", "create")),
    ("ё in a first name", {"patient": make_patient(name="Алёна", patronymic="")}, [make_contact(name="Смирнова Алена", birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
    ("a contact's birth date, none in the MIS", {"patient": make_patient(birth_date=None)}, [make_contact(birth_date=BORN)], {}, (TAKE, "500", "phone and name")),
    ("the other's birth date says more", {"family": (make_patient("2", birth_date=OTHERS), make_patient("3", birth_date=None))}, [make_contact(birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
    ("a twin of another first name, who fits less", {"family": (make_patient("2", name="Анна"),)}, [make_contact(name="Смирнова Мария", birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
    ("one of the same first name and birth date", {"family": (make_patient("2", surname="Смирнова"),)}, [make_contact(name="Иванова Мария", birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
    ("two of her birth date", {}, [make_contact("500", birth_date=BORN), make_contact("501", birth_date=BORN)], {}, (REVIEW, "", "several")),
    ("a twin who is merged away", {"family": (make_patient("2", merged_into="1"),)}, [make_contact()], {}, (TAKE, "500", "phone and name")),
    ("a twin who refused processing", {"family": (make_patient("2", processing_refused=True),)}, [make_contact()], {}, (TAKE, "500", "phone and name")),
    ("one person twice in the MIS", {"family": (make_patient("2"),)}, [make_contact()], {}, (REVIEW, "", "twins")),
    ("the other fits worse", {"family": (make_patient("2", name="Марина", patronymic=""),)}, [make_contact(name="Иванова Мария Петровна")], {}, (TAKE, "500", "phone and name")),
    ("the other's birth date conflicts", {"family": (make_patient("2", birth_date=OTHERS),)}, [make_contact(birth_date=BORN)], {}, (TAKE, "500", "phone, name and birth date")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "cards", "how", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_who_a_patient_is_and_by_which_rule(
    case: dict[str, Any], cards: list[Card], how: dict[str, Any], expected: tuple[Standing, str, str]
) -> None:
    """Order: link in the journal → key in the CRM → phone and compatible name or birth date → create. A contact that
    hangs on a claimed lead and belongs to no patient is adopted with it. What is doubtful goes to review.
    """
    identity = identify(make_case(**case), *cards, **how)
    assert (identity.standing, identity.target_id, identity.rule) == expected
    assert identity.key == KEY
    assert (identity.review is not None) is (identity.standing is REVIEW)


def test_the_key_of_a_contact_is_written_once() -> None:
    """Whatever is merged since: the key is that of the record that it was made for."""
    for gone in (False, True):
        own = own_contact(gone=gone)
        card = OwnCard(
            **{**{each: getattr(own, each) for each in own.__struct_fields__}, "key": "ident/patient/99"}
        )
        assert identify(make_case(cards=(card,))).key == "ident/patient/99"


OVERRULES = [
    ("masha_2005", True),
    ("Маша", True),
    ("", True),
    ("Иванова Мария", False),
    ("Иванова М.", False),
]


@pytest.mark.parametrize(("name", "overrule"), OVERRULES)
def test_a_nickname_gives_way_to_the_name_of_the_mis(name: str, overrule: bool) -> None:
    """There, an empty name, a phone as a name, a nickname and a first name alone are compatible."""
    identity = identify(make_case(), make_contact("600", name, phones=()), hung=("600",))
    assert (identity.target_id, identity.overrule) == ("600", overrule)


def test_one_who_is_asked_about_waits() -> None:
    """A decision that asked for anything missing is made again with the answers."""
    case = make_case()
    assert case.patient is not None
    asker = Asker(case, Facts())
    identity = identity_of(case, case.patient, make_bridge(), asker, (), child=False, scope={})
    assert (identity.standing, identity.key, identity.rule) == (Standing.WAIT, KEY, "")
    assert asker.missing


def test_a_question_shows_each_candidate_with_its_evidence() -> None:
    """A review item with the candidates and the rule that fired."""
    first = make_contact("500", birth_date=OTHERS)
    identity = identify(make_case(), first)
    assert identity.review == ReviewWish(
        question="contact:1",
        rule="birth_date",
        text="Телефон и имя совпадают, а дата рождения другая",
        candidates=(Candidate(target_id="500", name="Иванова Мария", evidence=f"{PHONE}, 01.01.1980"),),
    )
    several = identify(make_case(), make_contact("501"), first, make_contact("502")).review
    assert several is not None
    assert [each.target_id for each in several.candidates] == ["501", "502", "500"]
    twins = identify(make_case(family=(make_patient("2"),)), make_contact()).review
    assert twins is not None
    assert [each.target_id for each in twins.candidates] == ["500"]
    assert (several.shared, twins.shared) == ("", "")
    shared = identify(make_case(cards=(GONE, ON_CARD)), MERGED_DEAL, SURVIVOR, owners=SURVIVES).review
    assert shared is not None
    assert (shared.shared, [each.target_id for each in shared.candidates]) == ("600", ["600"])
    gone = identify(make_case(cards=(GONE,))).review
    assert gone == ReviewWish(
        question=GONE_QUESTION,
        rule="deleted_contact",
        text="Контакт пациента удалён в CRM. Создать заново?",
    )


# --- whose child ------------------------------------------------------------------------------------------------------

MOTHER = make_patient("2", name="Анна", patronymic="Сергеевна", birth_date=date(1985, 3, 3))
FATHER = make_patient("3", surname="Иванов", name="Иван", patronymic="", birth_date=date(1984, 3, 3))
BROTHER = make_patient("4", surname="Иванов", name="Павел", birth_date=date(2014, 5, 5))
CHILD = make_patient(
    surname="Иванов", name="Пётр", patronymic="", birth_date=date(2016, 4, 4), guardian="Иванова А. С."
)

GUARDIANS: list[tuple[str, Patient, list[Patient], str, str]] = [
    ("by name", CHILD, [BROTHER, MOTHER], "guardian", "2"),
    ("nobody is named", msgspec.structs.replace(CHILD, guardian=""), [MOTHER], "guardian", ""),
    ("two of the name", CHILD, [MOTHER, msgspec.structs.replace(MOTHER, id="9")], "guardian", ""),
    (
        "she refused processing",
        CHILD,
        [msgspec.structs.replace(MOTHER, processing_refused=True)],
        "guardian",
        "",
    ),
    ("she was merged away", CHILD, [msgspec.structs.replace(MOTHER, merged_into="9")], "guardian", ""),
    ("by phone", CHILD, [BROTHER, MOTHER], "phone", "2"),
    ("by phone, two grown-ups", CHILD, [FATHER, MOTHER], "phone", ""),
    ("by phone, no birth date", msgspec.structs.replace(CHILD, birth_date=None), [MOTHER], "phone", ""),
    ("by phone, grown up", FATHER, [MOTHER], "phone", ""),
    ("by phone, she was merged away", CHILD, [msgspec.structs.replace(MOTHER, merged_into="9")], "phone", ""),
]


@pytest.mark.parametrize(
    ("patient", "family", "by", "expected"), [r[1:] for r in GUARDIANS], ids=[r[0] for r in GUARDIANS]
)
def test_who_represents_a_child(patient: Patient, family: list[Patient], by: str, expected: str) -> None:
    """`family:` in the mapping links child and parent: the one member who bears the guardian's name, or of a child the one
    grown-up on the phone.
    """
    found = guardian_of(
        patient,
        family,
        by=by,
        grown_up=lambda member: bool(member.birth_date and member.birth_date.year < 2000),
    )
    assert (found.id if found else "") == expected


# --- asking -----------------------------------------------------------------------------------------------------------


def test_nobody_asks_for_a_patient_without_a_phone() -> None:
    """A phone alone never joins two patients, and none joins nobody."""
    case = make_case(patient=make_patient(phones=()))
    assert case.patient is not None
    asker = Asker(case, Facts())
    identity_of(case, case.patient, make_bridge(), asker, (), child=False, scope={})
    assert [each for each in asker.missing if isinstance(each, ByPhone)] == []


def test_what_is_not_known_is_asked_once() -> None:
    """It takes the answers it has and collects the questions it still has."""
    lookup = ById(Entity.CONTACT, "500")
    asker = Asker(make_case(), Facts(owners={CONTACT: "patient:1", (Entity.LEAD, "500"): "patient:2"}))
    assert (asker.ask(lookup), asker.ask(lookup), list(asker.missing)) == ((), (), [lookup])
    known = Asker(make_case(), Facts(found={lookup: Found(lookup, (), NOW)}))
    assert (known.ask(lookup), known.missing) == ((), {})
    owners = [
        asker.owner(Entity.CONTACT, "500"),
        asker.owner(Entity.LEAD, "500"),
        asker.owner(Entity.DEAL, "500"),
    ]
    assert owners == ["", "patient:2", ""]


def test_the_newest_card_comes_first_whatever_the_crms_order() -> None:
    """By creation; one of which nobody knows when it was made is the oldest, and the number breaks ties."""
    cards = (
        make_lead("901", created_at=None),
        make_lead("902", created="09.11 12:00"),
        make_lead("904", created="08.11 12:00"),
        make_lead("903", created="09.11 12:00"),
    )
    assert [card.id for card in newest(cards)] == ["903", "902", "904", "901"]
    assert [card.id for card in newest(cards[::-1])] == ["903", "902", "904", "901"]


def test_a_rule_that_speaks_of_nothing_needs_no_scope() -> None:
    """`adopt:` with a key that is the same for all."""
    bridge = make_bridge(contact=ContactPlan(adopt=AdoptPlan(key_field="UF_OLD", key=Expression('"A-7"'))))
    there = make_contact("510", "Кто-то", phones=(), fields={"UF_OLD": "A-7"})
    assert identify(make_case(), there, bridge=bridge).target_id == "510"


def test_explain_says_each_standing_in_a_word() -> None:
    """`kreslo explain`: contact: take (phone and name)."""
    assert [each.value for each in Standing] == ["own", "take", "create", "review", "never", "shared", "wait"]


def test_a_contact_is_told_from_a_visits_card() -> None:
    """The case's contact is its card of that role, whatever stands before it."""
    assert identify(make_case(cards=(own_visit(), own_contact()))).target_id == "500"
