"""Birth dates and local times as a MIS prints them."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreslo.records.dates import age, parse_birth_date, parse_local

TODAY = date(2026, 5, 12)
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.03.1985", date(1985, 3, 12)),
        ("2.3.1985", date(1985, 3, 2)),
        ("2.3.85", date(1985, 3, 2)),
        ("12.05.26", date(2026, 5, 12)),
        ("13.05.26", date(1926, 5, 13)),
        ("01.02.00", date(2000, 2, 1)),
        ("1985-03-12", date(1985, 3, 12)),
        ("12/03/1985", date(1985, 3, 12)),
        ("12-03-1985", date(1985, 3, 12)),
        ("12.03.1985 0:00:00", date(1985, 3, 12)),
        ("12.03.1985 г.", date(1985, 3, 12)),
        ("1985-03-12 00:00:00.0000000", date(1985, 3, 12)),
        ("1985-03-12T03:00:00+03:00", date(1985, 3, 12)),
        ("1985-03-12T00:00:00Z", date(1985, 3, 12)),
        ("\u00a012.03.1985 ", date(1985, 3, 12)),
        ("12.05.1906", date(1906, 5, 12)),
        ("", None),
        ("  .  .    ", None),
        ("-", None),
        ("01.01.1900", None),
        ("1900-01-01 00:00:00", None),
        ("01.01.0001", None),
        ("01.01.0001 0:00:00", None),
        ("0001-01-01", None),
        ("00.00.0000", None),
        ("00.00.00", None),
        ("30.12.1899", None),
        ("1753-01-01", None),
    ],
)
def test_birth_dates(text: str, expected: date | None) -> None:
    assert parse_birth_date(text, today=TODAY) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("13.05.2026", "in the future"),
        ("12.03.2085", "in the future"),
        ("11.05.1905", "more than 120 years"),
        ("31.02.1985", "does not exist"),
        ("1985-13-01", "does not exist"),
        ("00.05.1985", "does not exist"),
        ("1985", "not readable"),
        ("12.03-1985", "not readable"),
        ("март 1985", "not readable"),
    ],
)
def test_impossible_birth_dates_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_birth_date(text, today=TODAY)
    assert text not in str(caught.value)


@given(st.one_of(st.text(), st.text(alphabet="0123456789.-/: TZг", max_size=25)))
def test_any_text_is_a_date_nothing_or_a_value_error_without_its_digits(text: str) -> None:
    try:
        born = parse_birth_date(text, today=TODAY)
    except ValueError as error:
        # A year may be named, and the shape of a date is all nines.
        digits = re.findall(r"[0-8][0-9]*", str(error).split("expected")[0])
        assert all(len(run) <= 4 for run in digits)
    else:
        assert born is None or 0 <= age(born, TODAY) <= 120


@given(st.dates(min_value=date(1907, 1, 1), max_value=TODAY))
def test_every_spelling_of_a_date_reads_as_that_date(born: date) -> None:
    for text in (
        f"{born:%d.%m.%Y}",
        f"{born.day}.{born.month}.{born.year}",
        born.isoformat(),
        f"{born}T00:00:00",
    ):
        assert parse_birth_date(text, today=TODAY) == born


@pytest.mark.parametrize(
    ("born", "today", "years"),
    [
        (date(2000, 5, 12), date(2026, 5, 11), 25),
        (date(2000, 5, 12), date(2026, 5, 12), 26),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2026, 5, 12), date(2026, 5, 12), 0),
    ],
)
def test_age(born: date, today: date, years: int) -> None:
    assert age(born, today) == years


def test_nobody_has_an_age_before_birth() -> None:
    with pytest.raises(ValueError, match="before the birth"):
        age(date(2026, 5, 13), TODAY)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-12 14:30:00", datetime(2026, 5, 12, 11, 30, tzinfo=UTC)),
        ("2026-05-12T14:30", datetime(2026, 5, 12, 11, 30, tzinfo=UTC)),
        ("2026-05-12 9:05", datetime(2026, 5, 12, 6, 5, tzinfo=UTC)),
        ("2026-05-12 14:30:00.1234567", datetime(2026, 5, 12, 11, 30, 0, 123456, tzinfo=UTC)),
        ("2026-05-12T14:30:00.5", datetime(2026, 5, 12, 11, 30, 0, 500000, tzinfo=UTC)),
        ("12.05.2026 9:05:07", datetime(2026, 5, 12, 6, 5, 7, tzinfo=UTC)),
        ("12.05.2026 14:30", datetime(2026, 5, 12, 11, 30, tzinfo=UTC)),
        ("12.05.2026", datetime(2026, 5, 11, 21, 0, tzinfo=UTC)),
        ("2026-05-12", datetime(2026, 5, 11, 21, 0, tzinfo=UTC)),
        ("2026-05-12T14:30:00Z", datetime(2026, 5, 12, 14, 30, tzinfo=UTC)),
        ("2026-05-12 14:30:00 +05:00", datetime(2026, 5, 12, 9, 30, tzinfo=UTC)),
        ("2026-05-12T14:30:00-0330", datetime(2026, 5, 12, 18, 0, tzinfo=UTC)),
        (datetime(2026, 5, 12, 14, 30), datetime(2026, 5, 12, 11, 30, tzinfo=UTC)),  # noqa: DTZ001 - what a driver gives
        (
            datetime(2026, 5, 12, 14, 30, tzinfo=timezone(timedelta(hours=5))),
            datetime(2026, 5, 12, 9, 30, tzinfo=UTC),
        ),
    ],
)
def test_local_times_become_utc(value: str | datetime, expected: datetime) -> None:
    found = parse_local(value, MOSCOW)
    assert found == expected
    assert found.tzinfo is UTC


def test_a_time_that_happens_twice_is_the_first_of_the_two() -> None:
    # Moscow set its clocks back on 26 October 2014 at 02:00 (UTC+4 to UTC+3).
    first = datetime(2014, 10, 25, 21, 30, tzinfo=UTC)
    assert parse_local("2014-10-26 01:30", MOSCOW) == first
    assert parse_local(datetime(2014, 10, 26, 1, 30, fold=1), MOSCOW) == first  # noqa: DTZ001 - what a driver gives


def test_a_time_that_never_happens_is_moved_on_by_the_gap() -> None:
    # Moscow set its clocks forward on 27 March 2011 from 02:00 to 03:00.
    assert parse_local("2011-03-27 02:30", MOSCOW) == datetime(2011, 3, 26, 23, 30, tzinfo=UTC)
    assert parse_local("2011-03-27 03:30", MOSCOW) == datetime(2011, 3, 26, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "14:30",
        "12.05.26 14:30",
        "2026-05-12 25:00",
        "2026-02-30",
        "20260512",
        "2026-W20",
        "2026-05-12T14:30+25:00",
        "0001-01-01 00:00",
    ],
)
def test_what_is_no_instant_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"not readable|does not exist|outside the years"):
        parse_local(value, MOSCOW)


@given(st.one_of(st.text(), st.text(alphabet="0123456789.-: TZ+", max_size=30)))
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        found = parse_local(text, MOSCOW)
    except ValueError:
        return
    assert found.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - naive on purpose
def test_a_driver_and_a_text_agree(local: datetime) -> None:
    assert parse_local(local, MOSCOW) == parse_local(local.isoformat(sep=" "), MOSCOW)
