"""Time as the clinic's program keeps it: naive local text, and what an administrator types."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE_NAME = "Europe/Moscow"
ZONE = ZoneInfo(ZONE_NAME)

_WORDS = {"сегодня": 0, "завтра": 1, "послезавтра": 2}
_SHORT_DATE = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})(?:\.(?P<year>\d{4}))?")
_TIME = re.compile(r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})")


class MomentError(ValueError):
    """The text says no moment that we understand."""


def local(instant: datetime) -> datetime:
    """An aware instant as naive clinic time, to the second."""
    return instant.astimezone(ZONE).replace(tzinfo=None, microsecond=0)


def instant(text: str) -> datetime:
    """A stored local time as an aware instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def spoken(text: str, now: datetime) -> datetime:
    """«завтра 10:00», «25.12 10:00», «25.12.2025 10:00» or ISO, as naive clinic time; `now` is naive local too.
    A date without a year is the next such day. Raises MomentError.
    """
    words = text.strip().lower().split()
    try:
        if len(words) == 2 and (clock := _TIME.fullmatch(words[1])):
            day = _day(words[0], now.date())
            if day is not None:
                return datetime.combine(day, time(int(clock["hour"]), int(clock["minute"])))
        if len(words) == 1 and (clock := _TIME.fullmatch(words[0])):
            return datetime.combine(now.date(), time(int(clock["hour"]), int(clock["minute"])))
        parsed = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise MomentError(text) from error
    return local(parsed) if parsed.tzinfo else parsed.replace(microsecond=0)


def _day(word: str, today: date) -> date | None:
    if word in _WORDS:
        return today + timedelta(days=_WORDS[word])
    if found := _SHORT_DATE.fullmatch(word):
        day = date(int(found["year"] or today.year), int(found["month"]), int(found["day"]))
        return day if found["year"] or day >= today else day.replace(year=today.year + 1)
    return None
