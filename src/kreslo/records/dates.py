"""Dates and instants as a MIS prints them."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_OLDEST = 120
# What systems write where there is no date: 1C's, SQL Server's, OLE's and .NET's zero, and an empty input mask.
_NO_DATE = frozenset({(1, 1, 1), (1753, 1, 1), (1899, 12, 30), (1900, 1, 1), (0, 0, 0)})
_EMPTY_MASK = re.compile(r"[\s.\-/_:]*")
_TIME = (
    r"(?:[T\s]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"\s*(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})" + _TIME)
_DAY_FIRST = re.compile(
    r"(?P<day>[0-9]{1,2})(?P<mark>[./-])(?P<month>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4}|[0-9]{2})(?:\s*г(?:ода|\.)?)?"
    + _TIME
)


def parse_birth_date(text: str, *, today: date) -> date | None:
    """A birth date in any of the spellings `dd.mm.yyyy`, `d.m.yy`, ISO, each with or without a time that is left off.
    None for an empty text and for the zero dates of 1C, SQL Server and spreadsheets (01.01.1900, 01.01.0001, …).

    Two digits of a year mean the latest year that is not in the future. Raises ValueError for a text that is no date, a
    future date, and one more than 120 years ago. The messages never repeat the date: it is personal.
    """
    text = text.strip()
    if _EMPTY_MASK.fullmatch(text):
        return None
    match = _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    if not match:
        raise ValueError(
            f'the birth date is not readable (its shape is "{_shape(text)}"): expected dd.mm.yyyy or yyyy-mm-dd'
        )
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if len(match["year"]) == 2 and (year, month, day) != (0, 0, 0):
        year = _full_year(year, month, day, today)
    if (year, month, day) in _NO_DATE:
        return None
    try:
        born = date(year, month, day)
    except ValueError:
        raise ValueError("the birth date names a day that does not exist: correct it in the source") from None
    if born > today:
        raise ValueError(f"the birth date is in the future (year {year}): correct it in the source")
    if age(born, today) > _OLDEST:
        raise ValueError(
            f"the birth date is more than {_OLDEST} years ago (year {year}): correct it in the source"
        )
    return born


def age(birth_date: date, today: date) -> int:
    """Full years. Who was born on 29 February is a year older on 1 March. Raises ValueError before the birth."""
    if birth_date > today:
        raise ValueError("no age before the birth date")
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


def parse_local(value: str | datetime, zone: ZoneInfo) -> datetime:
    """An instant in UTC from a clinic's local time: ISO with a space or a `T`, fractions of any length (cut to
    microseconds), `dd.mm.yyyy h:mm:ss`; a date alone is its midnight. A value with an offset of its own keeps it.

    A local time that happens twice (clocks set back) is the first of the two; one that never happens (clocks set
    forward) is moved on by the length of the gap. Raises ValueError for a text that is no instant.
    """
    local = value if isinstance(value, datetime) else _instant_from(value.strip(), zone)
    if local.tzinfo is None:
        local = local.replace(tzinfo=zone, fold=0)
    try:
        return local.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999: correct it in the source") from None


def _instant_from(text: str, zone: ZoneInfo) -> datetime:
    match = _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    # Two digits of a year are enough for a birth date only: an appointment may be ahead or behind.
    if not match or len(match["year"]) == 2:
        raise ValueError(
            f'the time is not readable (its shape is "{_shape(text)}"): expected yyyy-mm-dd hh:mm:ss or dd.mm.yyyy h:mm'
        )
    try:
        return datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"] or 0),
            int(match["minute"] or 0),
            int(match["second"] or 0),
            int((match["fraction"] or "")[:6].ljust(6, "0")),
            tzinfo=_offset(match["offset"]) if match["offset"] else zone,
        )
    except ValueError:
        raise ValueError(
            "the time names a day or an hour that does not exist: correct it in the source"
        ) from None


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def _full_year(short: int, month: int, day: int, today: date) -> int:
    year = today.year - today.year % 100 + short
    return year - 100 if (year, month, day) > (today.year, today.month, today.day) else year


def _shape(text: str) -> str:
    """`31.02.1985` as `99.99.9999`: enough to see the format, nothing of the person."""
    kinds = ("9" if char.isdigit() else "a" if char.isalpha() else char for char in text[:40])
    return "".join(kinds)
