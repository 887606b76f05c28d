"""Templates: holes, formats, and the tidying of what absent values leave behind."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kreslo.mapping.expressions import EvaluationError, ExpressionError, Template

SCOPE: dict[str, Any] = {
    "visit": {
        "starts_at": datetime(2025, 3, 1, 9, 5, tzinfo=ZoneInfo("Asia/Yekaterinburg")),
        "doctor": {"short_name": "Иванов И. И."},
        "amount": Decimal("1500.50"),
        "round": Decimal("1500.00"),
        "services": ("чистка", "", "осмотр"),
        "primary": True,
        "born": date(1990, 1, 2),
        "room": "  5  ",
    },
    "none": None,
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Приём {visit.starts_at:%d.%m %H:%M}, {visit.doctor.short_name}", "Приём 01.03 09:05, Иванов И. И."),
        ("{visit.starts_at}", "01.03.2025 09:05"),
        ("{visit.born} {visit.amount} {visit.round}", "02.01.1990 1500.50 1500"),
        ("{visit.amount:.0f} руб.", "1500 руб."),
        ("{visit.services}", "чистка, осмотр"),
        ("{visit.primary}", "да"),
        ('{visit.primary ? "первый: да}" : "{нет"}', "первый: да}"),
        ('{visit.primary ? "a" : "b":>3}', "a"),
        ("{{{visit.doctor.short_name}}}", "{Иванов И. И.}"),
        ("кабинет {visit.room}!", "кабинет 5 !"),
        ("просто текст", "просто текст"),
        ("раз -\nдва,", "раз -\nдва,"),
    ],
)
def test_filled(source: str, text: str) -> None:
    assert Template(source).render(SCOPE) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Приём {none.x:%d.%m %H:%M}, {visit.doctor.short_name}", "Приём, Иванов И. И."),
        ("Приём {visit.starts_at:%d.%m}, {none.x}", "Приём 01.03"),
        ("{none.x} - {visit.doctor.short_name}", "Иванов И. И."),
        ("А {none.x}, {none.y}, {visit.doctor.short_name}", "А, Иванов И. И."),
        ("А ({none.x}) Б", "А Б"),
        ("А — {none.x} — Б", "А — Б"),
        ("Врач: {none.x}", "Врач"),
        ("раз\n{none.x}\nдва", "раз\nдва"),
        ("{none.x}", ""),
        ("{none.x}, {none.y}", ""),
    ],
)
def test_absent_values_leave_no_rubbish(source: str, text: str) -> None:
    assert Template(source).render(SCOPE) == text


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("а {visit.x", 'a "{" without its "}"; a brace that is text is written "{{"', 2),
        ("а } б", 'a "}" without its "{"; a brace that is text is written "}}"', 2),
        ("а {} б", "an expression is missing here", 3),
        ("а { visit. }", "the expression ends too early", 10),
        ("а {visit.x} {foo(visit.x)}", 'no function "foo"', 13),
    ],
)
def test_errors_name_their_place_in_the_whole_text(source: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Template(source)
    assert (str(caught.value), caught.value.offset) == (message, offset)


def test_a_format_that_does_not_fit_is_said() -> None:
    with pytest.raises(EvaluationError, match=r'the format ":%d" does not fit the value of `visit.room`'):
        Template("{visit.room:%d}").render(SCOPE)


def test_names_are_placed_in_the_whole_text() -> None:
    names = Template("Приём { visit.starts_at:%H}, {visit.room}").names
    assert [(str(name), name.offset) for name in names] == [("visit.starts_at", 8), ("visit.room", 30)]
