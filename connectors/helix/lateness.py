"""When a profile's file should have come, and which of them has not. "The file of 14:00 is not here at 14:20"."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.helix.options import ScheduleOptions

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def last_due(schedule: ScheduleOptions, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The newest moment whose file should be here by now, its tolerance included."""
    limit = now - schedule.tolerance
    today = limit.astimezone(zone).date()
    for back in range(8):
        day = today - timedelta(days=back)
        if _DAYS[day.weekday()] not in schedule.days:
            continue
        moments = [
            moment
            for moment in _moments(schedule, datetime(day.year, day.month, day.day, tzinfo=zone))
            if moment <= limit
        ]
        if moments:
            return max(moments)
    return None


def late(
    schedule: ScheduleOptions,
    zone: ZoneInfo,
    *,
    now: datetime,
    arrived: datetime | None,
    watched_since: datetime,
) -> datetime | None:
    """The moment whose file is late, None where all is well. `arrived`: when the last file came. What was due before we
    began to watch is nobody's fault.
    """
    due = last_due(schedule, zone, now)
    if due is None or due < watched_since:
        return None
    # A clock that is a little ahead sends the file of 14:00 at 13:59.
    early = min(schedule.tolerance, schedule.every / 2 if schedule.every else schedule.tolerance)
    return due if arrived is None or arrived < due - early else None


def _moments(schedule: ScheduleOptions, midnight: datetime) -> list[datetime]:
    if schedule.every is None:
        return [midnight.replace(hour=at.hour, minute=at.minute) for at in schedule.at]
    moment = midnight.replace(hour=schedule.since.hour, minute=schedule.since.minute)
    end = midnight.replace(hour=schedule.until.hour, minute=schedule.until.minute)
    moments = []
    while moment <= end:
        moments.append(moment)
        moment += schedule.every
    return moments
