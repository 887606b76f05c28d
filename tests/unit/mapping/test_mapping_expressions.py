"""Expressions: what a name gives, what CEL gives, and what an absent value does."""

import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kreslo.mapping.expressions import EvaluationError, Expression, ExpressionError
from kreslo.mapping.model import Phase
from kreslo.records import Doctor, Phone

STARTS = datetime(2025, 3, 1, 10, tzinfo=ZoneInfo("Europe/Moscow"))
SCOPE: dict[str, Any] = {
    "appointment": {
        "amount": Decimal(0),
        "starts_at": STARTS,
        "doctor": Doctor("7", "Петрова Анна", "терапевт"),
        "insured": None,
        "services": ("чистка", "осмотр"),
        "status": Phase.COMPLETED,
        "source": "Сайт",
    },
    "patient": {
        "policy": "77-1",
        "birth_date": date(1990, 1, 2),
        "phones": ("+79001234567",),
        "age": 35,
        "first": Phone("+79001234567"),
    },
    "next_visit": None,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("appointment.starts_at", STARTS),
        ("patient.birth_date", date(1990, 1, 2)),
        ("appointment.amount", Decimal(0)),
        ("patient.phones", ("+79001234567",)),
        (" appointment . doctor . name ", "Петрова Анна"),
    ],
)
def test_one_name_gives_the_value_untouched(source: str, value: object) -> None:
    found = Expression(source).evaluate(SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("appointment.amount == 0", True),
        ("appointment.amount + 1.5", 1.5),
        ("patient.age >= 18", True),
        ('appointment.status == "completed"', True),
        ('patient.birth_date < "2000-01-01"', True),
        ('appointment.services.exists(each, each == "чистка")', True),
        ('"осмотр" in appointment.services', True),
        ("appointment.services[1]", "осмотр"),
        ('join(appointment.services, " + ")', "чистка + осмотр"),
        ('lower(appointment.source) + "!"', "сайт!"),
        ('appointment.doctor.name.startsWith("Петр")', True),
        ("appointment.starts_at.getHours()", 10),
        ('patient.first == "+79001234567"', True),
        ('appointment.source == "a.b.c" ? 1 : 2', 2),
        ("has(appointment.source)", True),
        ("has( next_visit.starts_at )", False),
        ("appointment.services.filter(each, each != '')", ("чистка", "осмотр")),
        ('"patient.nothing"', "patient.nothing"),
    ],
)
def test_computed_values(source: str, value: object) -> None:
    assert Expression(source).evaluate(SCOPE) == value


def test_an_instant_moves_by_a_duration_and_keeps_its_offset() -> None:
    later = Expression('appointment.starts_at + duration("90m")').evaluate(SCOPE)
    assert later == STARTS + timedelta(minutes=90)
    assert later.utcoffset() == timedelta(hours=3)


@pytest.mark.parametrize(
    "source",
    [
        "next_visit.starts_at",
        "next_visit.doctor.name",
        "next_visit.starts_at > appointment.starts_at",
        'next_visit.source + "!"',
        "!appointment.insured",
        "appointment.insured || false",
        "upper(next_visit.source)",
        'join(next_visit.services, ", ")',
        "appointment.services[9]",
        "nobody.knows",
    ],
)
def test_what_is_computed_from_nothing_is_nothing(source: str) -> None:
    assert Expression(source).evaluate(SCOPE) is None


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("next_visit == null", True),
        ("next_visit.starts_at == null", True),
        ("appointment != null", True),
        ("next_visit.source == ''", False),
        ('appointment.insured || (appointment.amount == 0 && patient.policy != "")', True),
    ],
)
def test_nothing_can_be_asked_for(source: str, value: object) -> None:
    assert Expression(source).evaluate(SCOPE) is value


def test_a_value_of_the_wrong_kind_is_an_error_that_shows_the_authors_text() -> None:
    with pytest.raises(
        EvaluationError, match=r"cannot compute `appointment\.amount \+ 1`: Unsupported operation"
    ):
        Expression("appointment.amount + 1").evaluate(SCOPE)


def test_an_error_never_shows_the_patients_value() -> None:
    with pytest.raises(EvaluationError) as caught:
        Expression("int(patient.policy) > 1").evaluate(SCOPE)
    assert "77-1" not in str(caught.value)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(EvaluationError, match="without a time zone"):
        Expression("a.at > timestamp('2025-01-01T00:00:00Z')").evaluate({"a": {"at": datetime(2025, 1, 1)}})  # noqa: DTZ001


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("", "an expression is missing here", 0),
        ("  ", "an expression is missing here", 0),
        ('"привет" ==', "the expression ends too early", 11),
        ('"привет" == )', '")" is not expected here', 12),
        ('("я" == "x"', 'the expression ends without its closing ")"', 11),
        ("appointment.source == 'x", "this text has no closing quote", 22),
        ("appointment.starts_at\n  == ]", '"]" is not expected here', 27),
        ("1 ? 2", 'a "?" needs its ":" and a value after it', 0),
        ("patient.name.contans('a')", 'no function "contans"; did you mean "contains"?', 13),
        ("now() > 1", 'no function "now"', 0),
        (
            "patient.a_b == patient.a.b",
            "two names of this expression differ only in a dot and an underscore",
            0,
        ),
    ],
)
def test_errors_name_their_place(source: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(source)
    assert (str(caught.value), caught.value.offset) == (message, offset)


def test_names_and_where_they_stand() -> None:
    names = Expression('appointment.source.contains("patient.name") && has(patient.age)').names
    assert [(str(name), name.offset) for name in names] == [("appointment.source", 0), ("patient.age", 51)]


def test_names_bound_by_a_macro_are_not_names_of_the_scope() -> None:
    names = Expression("appointment.services.exists(each, each.size() > 3)").names
    assert [str(name) for name in names] == ["appointment.services"]


def test_expressions_are_values() -> None:
    expression = Expression("patient.age > 3")
    assert expression == Expression("patient.age > 3")
    assert pickle.loads(pickle.dumps(expression)).evaluate(SCOPE) is True  # noqa: S301


def test_utc_instants_compare_with_local_ones() -> None:
    scope = {"a": {"x": STARTS, "y": STARTS.astimezone(UTC)}}
    assert Expression("a.x == a.y").evaluate(scope) is True
