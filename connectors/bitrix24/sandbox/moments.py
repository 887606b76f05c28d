"""Dates as the portal reads and writes them: anything `strtotime` takes comes in, server time with offset goes out."""

import re
from datetime import UTC, date, datetime, time, tzinfo

_RUSSIAN = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$")


def parse_datetime(text: str, zone: tzinfo) -> datetime | None:
    """An instant in UTC, to the second; without an offset the server's zone is meant. None: not a date."""
    moment = _parsed(text.strip())
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC).replace(microsecond=0)


def parse_date(text: str, zone: tzinfo) -> date | None:
    """A date; of an instant with an offset, the date it has in the server's zone. None: not a date."""
    moment = _parsed(text.strip())
    if moment is None:
        return None
    return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()


def _parsed(text: str) -> datetime | None:
    russian = _RUSSIAN.match(text)
    try:
        if russian:
            day, month, year, hour, minute, second = (int(part or 0) for part in russian.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller knows the zone
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def show_datetime(moment: datetime, zone: tzinfo) -> str:
    """`2024-08-15T10:38:21+03:00`."""
    return moment.astimezone(zone).replace(microsecond=0).isoformat()


def show_date(day: date, zone: tzinfo) -> str:
    """A date comes back as an instant: midnight moved by the server's offset (`2001-11-11T03:00:00+03:00`)."""
    offset = datetime.combine(day, time(), zone).utcoffset()
    if offset is None or offset.total_seconds() < 0:
        return datetime.combine(day, time(), zone).isoformat()
    return (datetime.combine(day, time(), zone) + offset).replace(tzinfo=zone).isoformat()
