"""Amounts as 1C, SQL Server and spreadsheets print them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreslo.records.money import parse_money


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50", "1234.50"),
        ("12\u202f345\u00a0678,9", "12345678.90"),
        ("1234.5", "1234.50"),
        ("1500.0000", "1500.00"),
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1,234,567", "1234567.00"),
        ("0,125", "0.13"),
        ("833.333", "833.33"),
        ("3 500 руб.", "3500.00"),
        ("3500р.", "3500.00"),
        ("3500 ₽", "3500.00"),
        ("3500 RUB", "3500.00"),
        ("12 рублей", "12.00"),
        ("12 руб. 5 коп.", "12.05"),
        ("-500,00", "-500.00"),
        ("\u2212500", "-500.00"),
        ("0", "0.00"),
        ("-0", "0.00"),
        (0, "0.00"),
        (1500, "1500.00"),
        (1234.5, "1234.50"),
        (0.1 + 0.2, "0.30"),
        (Decimal("99.995"), "100.00"),
    ],
)
def test_amounts(value: str | float | Decimal, expected: str) -> None:
    found = parse_money(value)
    assert str(found) == expected


@pytest.mark.parametrize("value", [None, "", " \u00a0", "-", "—", "руб."])
def test_an_empty_cell_is_no_amount(value: str | None) -> None:
    assert parse_money(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1,234", "thousands or a fraction"),
        ("12-34", "not an amount"),
        ("бесплатно", "not an amount"),
        ("#N/A", "not an amount"),
        ("1e5", "not an amount"),
        ("1.2.3", "not an amount"),
        ("NaN", "not an amount"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        ("9" * 40, "below"),
        (True, "yes or no"),
    ],
)
def test_what_is_no_amount_is_refused(value: str | float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_money(value)


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="0123456789 .,-руб\u00a0\u202f", max_size=25),
        st.floats(),
        st.integers(),
        st.decimals(),
    )
)
def test_anything_is_an_amount_nothing_or_a_value_error(value: str | float | Decimal) -> None:
    try:
        found = parse_money(value)
    except ValueError:
        return
    assert found is None or found == found.quantize(Decimal("0.01"))


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_the_russian_print_of_an_amount_reads_back(amount: Decimal) -> None:
    printed = f"{amount:,.2f}".replace(",", "\u00a0").replace(".", ",")
    assert parse_money(printed) == amount
    assert parse_money(f"{printed} руб.") == amount
