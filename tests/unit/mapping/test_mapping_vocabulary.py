"""The vocabulary: no two names become one, each place sees its own, and values fit the fields that they go into."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kreslo.connectors.model import FieldType
from kreslo.mapping.expressions import EvaluationError, Expression, Template
from kreslo.mapping.model import FieldRule
from kreslo.mapping.values import FITS, fitted
from kreslo.mapping.vocabulary import GROUPS, WORDS, Place, Privacy, known_at, sample_scopes
from kreslo.records import Phone, Sex

AT = datetime(2025, 3, 1, 22, 30, tzinfo=UTC)


def test_names_stay_apart_when_dots_become_underscores() -> None:
    flat = {name.replace(".", "_") for name in (*WORDS, *GROUPS)}
    assert len(flat) == len(WORDS) + len(GROUPS)


def test_what_needs_a_legal_basis() -> None:
    guarded = {path for path, word in WORDS.items() if word.privacy.guarded}
    of_a_visit = ("comment", "services", "cancel_comment", "doctor.specialty")
    roots = ("appointment", "next_visit", "last_visit")
    assert guarded == {
        "patient.comment",
        "patient.policy",
        *(f"{root}.{name}" for root in roots for name in of_a_visit),
        *(f"entry.{name}" for name in ("mark", "comment", "services", "doctor.specialty")),
    }
    assert WORDS["patient.policy"].privacy is Privacy.DOCUMENTS


def test_each_place_sees_its_own_names() -> None:
    assert "appointment.starts_at" not in known_at(Place.CONTACT)
    assert "next_visit.starts_at" in known_at(Place.CONTACT)
    assert "appointment.starts_at" not in known_at(Place.ENTRY)
    assert {"entry.mark", "patient.id", "next_visit.id"} <= set(known_at(Place.ENTRY))
    assert set(known_at(Place.ENQUIRY)) == {path for path in WORDS if path.startswith("enquiry.")}


@pytest.mark.parametrize("path", sorted(WORDS))
def test_every_name_has_samples_that_fit_a_field_of_its_type(path: str) -> None:
    word = WORDS[path]
    first, second = (Expression(path).evaluate(scope) for scope in sample_scopes())
    assert first != second
    assert word.type in FITS[type(first)]
    assert fitted(first, word.type, multiple=word.many) is not None


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (None, FieldType.TEXT, None),
        ("", FieldType.TEXT, None),
        ((), FieldType.PHONE, None),
        (("а", "", "б"), FieldType.TEXT, "а, б"),
        (("+79001234567", Phone("+79007654321")), FieldType.PHONE, ("+79001234567", "+79007654321")),
        ("a@example.com", FieldType.EMAIL, ("a@example.com",)),
        (Sex.MALE, FieldType.TEXT, "male"),
        (True, FieldType.BOOLEAN, True),
        (False, FieldType.BOOLEAN, False),
        (True, FieldType.TEXT, "да"),
        (0, FieldType.NUMBER, 0),
        (Decimal(0), FieldType.MONEY, Decimal(0)),
        (0.1, FieldType.MONEY, Decimal("0.1")),
        (3, FieldType.MONEY, Decimal(3)),
        (Decimal("1500.00"), FieldType.TEXT, "1500"),
        (AT, FieldType.DATE, date(2025, 3, 1)),
        (AT, FieldType.DATETIME, AT),
        (date(2025, 3, 1), FieldType.DATE, date(2025, 3, 1)),
        ("2025-03-01", FieldType.DATE, date(2025, 3, 1)),
        ("2025-03-01T22:30:00+00:00", FieldType.DATETIME, AT),
        (date(2025, 3, 1), FieldType.TEXT, "01.03.2025"),
    ],
)
def test_values_fit_fields(value: Any, to: FieldType, expected: object) -> None:
    found = fitted(value, to)
    assert found == expected
    assert type(found) is type(expected)


def test_a_field_of_several_values_takes_a_tuple() -> None:
    assert fitted("терапевт", FieldType.ENUM, multiple=True) == ("терапевт",)


@pytest.mark.parametrize(
    ("value", "to"),
    [
        ("много", FieldType.MONEY),
        (True, FieldType.NUMBER),
        ("да", FieldType.BOOLEAN),
        ("завтра", FieldType.DATE),
        (date(2025, 3, 1), FieldType.DATETIME),
        ("2025-03-01T22:30:00", FieldType.DATETIME),
    ],
)
def test_what_does_not_fit_is_an_error_without_the_value(value: Any, to: FieldType) -> None:
    with pytest.raises(EvaluationError, match=f"does not fit a field of type {to}") as caught:
        fitted(value, to)
    assert str(value) not in str(caught.value)


def test_a_rule_computes_its_field() -> None:
    scope = {"appointment": {"amount": Decimal("1500.00"), "status": "completed", "room": ""}}
    paid = FieldRule(
        code="OPPORTUNITY",
        title="Сумма",
        type=FieldType.MONEY,
        value=Expression("appointment.amount"),
        when=Expression('appointment.status == "completed"'),
    )
    assert paid.applies(scope)
    assert paid.compute(scope) == Decimal(1500)
    assert not paid.applies({"appointment": {"status": "cancelled"}})
    assert not paid.applies({"appointment": None}), "what cannot be told is not true"
    room = FieldRule(
        code="ROOM", title="Кабинет", type=FieldType.TEXT, value=Template("каб. {appointment.room}")
    )
    assert room.applies(scope)
    assert room.compute(scope) == "каб."
