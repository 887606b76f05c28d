"""What a card says as a ticket."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, StageRef
from kreslo.mapping.model import TicketPlan
from kreslo.records import Phone, PhoneKind
from kreslo.records.exchange import Ticket
from kreslo.sync.ticketing import ticket_of
from tests.unit.decisions.builders import ZONE, make_bridge

NOW = datetime(2026, 5, 12, 9, 0, tzinfo=UTC)
HERE = StageRef("", "WANTS")
MOBILE = Phone("+79001112233", PhoneKind.MOBILE)
FIXED = Phone("+74732001234", PhoneKind.FIXED)
FREE = Phone("+78005553535", PhoneKind.TOLL_FREE)
PLAN = TicketPlan(
    entity=Entity.LEAD,
    stages=frozenset({HERE}),
    doctor_field="DOCTOR",
    time_field="TIME",
    length=timedelta(minutes=45),
    comment=(("Филиал", "BRANCH"), ("Заметка", "NOTE")),
    utm={"source": "UTM_SOURCE", "content": "UTM_CONTENT"},
    email_field="EMAIL",
)


def made(*phones: Phone, contact: Card | None = None, now: datetime = NOW, **fields: Any) -> Ticket | None:
    card = Card(
        entity=Entity.LEAD, id="17", stage=HERE, title="Заявка", name="Анна", phones=phones, fields=fields
    )
    return ticket_of(make_bridge(), PLAN, card, contact, now)


def ticket(**fields: Any) -> Ticket:
    found = made(MOBILE, **fields)
    assert found
    return found


def test_a_mobile_goes_before_the_other_numbers() -> None:
    found = made(FREE, FIXED, MOBILE)
    assert found
    assert found.client_phone == MOBILE.e164
    fixed = made(FREE, FIXED)
    assert fixed
    assert fixed.client_phone == FIXED.e164


def test_without_a_phone_of_a_person_there_is_no_ticket() -> None:
    assert made() is None
    assert made(FREE) is None


def test_a_deal_without_a_phone_has_that_of_its_contact() -> None:
    contact = Card(entity=Entity.CONTACT, id="5", name="Синицына Анна", phones=(MOBILE,))
    deal = Card(entity=Entity.DEAL, id="9", stage=HERE, contacts=("5",))
    plan = msgspec.structs.replace(PLAN, entity=Entity.DEAL)
    found = ticket_of(make_bridge(), plan, deal, contact, NOW)
    assert found
    assert (found.client_phone, found.client_full_name) == (MOBILE.e164, "Синицына Анна")
    assert found.id.endswith("-deal-9")


@pytest.mark.parametrize(
    ("value", "number", "name"),
    [
        ("Петров П. П.", None, "Петров П. П."),
        ("7", 7, ""),
        (7, 7, ""),
        (7.0, 7, ""),
        (Decimal("7.00"), 7, ""),
        ("  ", None, ""),
        (None, None, ""),
        ("79001112233", None, "79001112233"),
    ],
)
def test_a_doctor_is_named_or_numbered(value: Any, number: int | None, name: str) -> None:
    found = ticket(DOCTOR=value)
    assert (found.doctor_id, found.doctor_name) == (number, name)


def test_the_planned_time_has_its_length_and_the_clinics_offset() -> None:
    found = ticket(TIME=NOW + timedelta(days=1))
    assert found.plan_start
    assert found.plan_end
    assert found.plan_start == NOW + timedelta(days=1)
    assert found.plan_start.utcoffset() == NOW.astimezone(ZONE).utcoffset()
    assert found.plan_end - found.plan_start == timedelta(minutes=45)
    without = ticket()
    assert (without.plan_start, without.plan_end) == (None, None)


def test_branch_and_notes_stand_in_the_comment_where_they_say_something() -> None:
    assert ticket(BRANCH="Центр", NOTE="после 18:00").comment == "Филиал: Центр\nЗаметка: после 18:00"
    assert ticket(NOTE=("а", "б")).comment == "Заметка: а, б"
    assert ticket(NOTE=date(2026, 5, 13)).comment == "Заметка: 13.05.2026"
    assert ticket(NOTE=True).comment == "Заметка: да"
    assert ticket().comment == ""


def test_source_and_address_go_along() -> None:
    found = ticket(UTM_SOURCE="vk", UTM_CONTENT=None, EMAIL=("a@example.org", "b@example.org"))
    assert (found.utm_source, found.utm_content, found.client_email) == ("vk", "", "a@example.org")
    assert (found.form_name, found.client_full_name, found.client_surname) == ("Заявка", "Анна", "")


def test_its_instant_is_a_whole_second_and_never_before_its_making() -> None:
    """A window that iDent has asked for already must not receive it afterwards."""
    at = {after: made(MOBILE, now=NOW + timedelta(seconds=after)) for after in (0.0, 0.2, 0.999)}
    assert [(found.date_and_time - NOW).total_seconds() for found in at.values() if found] == [0, 1, 1]
