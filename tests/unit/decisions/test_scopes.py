"""What expressions see (`docs/mapping.md`): every name of a scope, with its value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kreslo.decisions.scope import appointment_scope, enquiry_scope, entry_scope, full_name, patient_scope
from kreslo.mapping.model import Phase
from kreslo.records import Appointment, Branch, Doctor, Entry, Patient, Phone, PhoneKind, Sex
from tests.unit.decisions.builders import (
    BRANCH,
    DOCTOR,
    NOW,
    PHONE,
    ZONE,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_enquiry,
    make_patient,
    phone_case,
)

OMSK = ZoneInfo("Asia/Omsk")
FAR = Branch(id="2", name="Омск", address="пр. Мира, 2", timezone="Asia/Omsk")
DOCTOR_SEEN = {
    "id": "7",
    "name": "Петров Пётр Петрович",
    "short_name": "Петров П. П.",
    "specialty": "терапевт",
}
NOBODY = {"id": "", "name": "", "short_name": "", "specialty": ""}
NOWHERE = {"id": "", "name": "", "address": ""}


def test_all_that_is_known_of_a_patient() -> None:
    """`patient.…`"""
    patient = Patient(
        id="1",
        surname="Иванова",
        name="Мария",
        patronymic="Петровна",
        phones=(Phone(PHONE, PhoneKind.MOBILE), Phone("+74951234567", PhoneKind.FIXED)),
        email="m@example.org",
        birth_date=date(1990, 11, 16),
        sex=Sex.FEMALE,
        address="ул. Ленина, 1",
        card_number="К-77",
        guardian="Иванова Ольга",
        policy="777",
        source="сайт",
        comment="боится",
        messages_refused=True,
        archived=True,
    )
    done = [
        make_appointment("1", "01.11 10:00"),
        make_appointment("2", "05.11 11:00", doctor=Doctor(id="8", name="Сидоров Семён", specialty="")),
        make_appointment("3", "07.11 11:00", doctor=None),
        make_appointment("4", "08.11 11:00", doctor=Doctor(id="9", name="", specialty="")),
        make_appointment("5", "10.11 12:00"),
    ]
    family = (make_patient("2", name="Пётр", patronymic=""), make_patient("3", surname="Сидорова"))
    case = make_case(patient=patient, family=family)
    scope = patient_scope(case, done, now=NOW, bridge=make_bridge())
    assert scope == {
        "id": "1",
        "surname": "Иванова",
        "name": "Мария",
        "patronymic": "Петровна",
        "full_name": "Иванова Мария Петровна",
        "short_name": "Иванова М. П.",
        "phones": (PHONE, "+74951234567"),
        "phone": PHONE,
        "email": "m@example.org",
        "birth_date": date(1990, 11, 16),
        "age": 36,
        "sex": "female",
        "address": "ул. Ленина, 1",
        "card_number": "К-77",
        "guardian": "Иванова Ольга",
        "policy": "777",
        "source": "сайт",
        "comment": "боится",
        "messages_refused": True,
        "archived": True,
        "doctors": ("Петров Пётр Петрович", "Сидоров Семён"),
        "family": "Иванова Пётр, Сидорова Мария Петровна",
        "first_visit_at": at("01.11 10:00"),
        "last_visit_at": at("10.11 12:00"),
        "visits": 5,
        "primary": False,
    }
    assert scope["first_visit_at"].tzinfo is ZONE
    assert scope["last_visit_at"].tzinfo is ZONE


def test_what_is_not_known_of_a_patient() -> None:
    """Empty texts and nulls, so that an expression needs no check of its own."""
    scope = patient_scope(make_case(patient=Patient(id="1")), [], now=NOW, bridge=make_bridge())
    empty = ("surname", "name", "patronymic", "full_name", "short_name", "phone", "sex", "family")
    assert [scope[each] for each in empty] == [""] * len(empty)
    nothing = ("age", "birth_date", "first_visit_at", "last_visit_at")
    assert [scope[each] for each in nothing] == [None] * len(nothing)
    assert (scope["visits"], scope["primary"], scope["doctors"], scope["phones"]) == (0, True, (), ())
    assert patient_scope(phone_case(), [], now=NOW, bridge=make_bridge()) == {}


def test_the_age_is_that_of_the_clinics_day() -> None:
    """Half past midnight in Moscow is yesterday in UTC."""
    born = make_case(patient=make_patient(birth_date=date(1990, 11, 17)))
    midnight = datetime(2026, 11, 16, 21, 30, tzinfo=UTC)
    assert patient_scope(born, [], now=midnight, bridge=make_bridge())["age"] == 36


VISIT = Appointment(
    id="10",
    patient_id="1",
    starts_at=at("20.11 10:00"),
    ends_at=at("20.11 11:00"),
    created_at=at("10.11 12:00"),
    doctor=DOCTOR,
    branch=FAR,
    room="3",
    registrar="Сова",
    appeared_at=at("20.11 09:50"),
    started_at=at("20.11 10:05"),
    ended_at=at("20.11 10:55"),
    billed_at=at("20.11 11:01"),
    cancelled_at=at("20.11 11:02"),
    cancel_reason="Заболел",
    cancel_comment="грипп",
    source="телефон",
    amount=Decimal(100),
    insurance_amount=Decimal(40),
    comment="окно",
    services=("Осмотр",),
)
SEEN: dict[str, Any] = {
    "id": "10",
    "starts_at": at("20.11 10:00"),
    "ends_at": at("20.11 11:00"),
    "created_at": at("10.11 12:00"),
    "appeared_at": at("20.11 09:50"),
    "started_at": at("20.11 10:05"),
    "ended_at": at("20.11 10:55"),
    "billed_at": at("20.11 11:01"),
    "cancelled_at": at("20.11 11:02"),
    "cancel_reason": "Заболел",
    "cancel_comment": "грипп",
    "doctor": DOCTOR_SEEN,
    "branch": {"id": "2", "name": "Омск", "address": "пр. Мира, 2"},
    "room": "3",
    "registrar": "Сова",
    "source": "телефон",
    "amount": Decimal(100),
    "insurance_amount": Decimal(40),
    "insured": None,
    "status": "arrived",
    "primary": True,
    "kind": "первичный",
    "comment": "окно",
    "services": ("Осмотр",),
    "moves": 2,
}


def test_all_that_is_known_of_a_visit() -> None:
    """`appointment.…`, `next_visit.…`, `last_visit.…`. Instants are local to the appointment's branch."""
    scope = appointment_scope(VISIT, Phase.ARRIVED, make_bridge(), primary=True, insured=None, moves=2)
    assert scope == SEEN
    assert {each.tzinfo for each in scope.values() if isinstance(each, datetime)} == {OMSK}


def test_what_is_not_known_of_a_visit() -> None:
    """A visit without doctor and branch; its instants are local to the bridge."""
    bare = Appointment(id="10", patient_id="1", starts_at=at("20.11 10:00"))
    scope = appointment_scope(bare, Phase.UPCOMING, make_bridge(), primary=False, insured=True, moves=0)
    assert (scope["doctor"], scope["branch"], scope["kind"], scope["insured"]) == (
        NOBODY,
        NOWHERE,
        "повторный",
        True,
    )
    assert (scope["starts_at"].tzinfo, scope["ends_at"]) == (ZONE, None)
    placed = msgspec.structs.replace(bare, branch=Branch(id="1", name="", address="", timezone=""))
    there = appointment_scope(placed, Phase.UPCOMING, make_bridge(), primary=False, insured=None, moves=0)
    assert there["starts_at"].tzinfo is ZONE


STATUS = [
    (Phase.UPCOMING, "upcoming"),
    (Phase.TOMORROW, "upcoming"),
    (Phase.TODAY, "upcoming"),
    (Phase.CONFIRMED, "confirmed"),
    (Phase.NO_SHOW, "no_show"),
]


@pytest.mark.parametrize(("phase", "status"), STATUS)
def test_the_status_is_without_the_clocks_shades(phase: Phase, status: str) -> None:
    """`appointment.status`: tomorrow and today are upcoming."""
    scope = appointment_scope(VISIT, phase, make_bridge(), primary=True, insured=None, moves=0)
    assert scope["status"] == status


def test_a_doctor_by_one_word_or_two() -> None:
    """The short name has the initials that are known."""
    for name, short in (("Петров", "Петров"), ("Петров Пётр", "Петров П."), ("", "")):
        visit = make_appointment(doctor=Doctor(id="7", name=name, specialty=""))
        scope = appointment_scope(visit, Phase.UPCOMING, make_bridge(), primary=True, insured=None, moves=0)
        assert scope["doctor"]["short_name"] == short


def test_all_that_is_known_of_an_enquiry() -> None:
    """`enquiry.…` of the last of a phone's enquiries; the name is the last one that was given."""
    asked = [
        make_enquiry("4", "13.11 12:00", name="Оля", source="сайт"),
        make_enquiry("5", "14.11 12:00", name="Ольга"),
        make_enquiry("6", "15.11 12:00", result="думает", source="звонок"),
    ]
    scope = enquiry_scope(asked, PHONE, make_bridge())
    assert scope == {
        "id": "6",
        "created_at": at("15.11 12:00"),
        "name": "Ольга",
        "phone": PHONE,
        "result": "думает",
        "source": "звонок",
        "count": 3,
    }
    assert scope["created_at"].tzinfo is ZONE
    assert enquiry_scope(asked[2:], PHONE, make_bridge())["name"] == ""


def test_all_that_is_known_of_a_line_of_a_list() -> None:
    """`entry.…`"""
    entry = Entry(
        id="3",
        patient_id="1",
        campaign="nps",
        created_at=at("15.11 12:00"),
        starts_at=at("14.11 10:00"),
        ends_at=at("14.11 11:00"),
        closed_at=at("16.11 08:00"),
        doctor=DOCTOR,
        branch=BRANCH,
        mark="гигиена",
        services=("Осмотр",),
        source="МИС",
        comment="ещё",
    )
    scope = entry_scope(entry, make_bridge(), ahead=True)
    assert scope == {
        "id": "3",
        "created_at": at("15.11 12:00"),
        "starts_at": at("14.11 10:00"),
        "ends_at": at("14.11 11:00"),
        "ahead": True,
        "closed": True,
        "doctor": DOCTOR_SEEN,
        "branch": {"id": "1", "name": "Центр", "address": "ул. Ленина, 1"},
        "mark": "гигиена",
        "services": ("Осмотр",),
        "source": "МИС",
        "comment": "ещё",
    }
    bare = Entry(id="3", patient_id="1", campaign="nps", created_at=at("15.11 12:00"), branch=FAR)
    seen = entry_scope(bare, make_bridge(), ahead=False)
    assert (seen["closed"], seen["ahead"], seen["starts_at"], seen["doctor"]) == (False, False, None, NOBODY)
    assert seen["created_at"].tzinfo == OMSK


def test_a_name_is_written_with_what_is_known() -> None:
    """Surname, name, patronymic, without gaps."""
    assert full_name(make_patient(patronymic="")) == "Иванова Мария"
