"""When a source is read: every so many seconds, or by a cron line in the clinic's time zone."""

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from kreslo.connectors.errors import ConfigurationError
from kreslo.mapping.model import EndpointSettings


class Schedule(Protocol):
    def after(self, moment: datetime) -> datetime:
        """The next time to read after `moment` (aware)."""
        ...


class Every:
    def __init__(self, seconds: float) -> None:
        self._step = timedelta(seconds=seconds)

    def after(self, moment: datetime) -> datetime:
        return moment + self._step


class Cron:
    def __init__(self, line: str, zone: ZoneInfo) -> None:
        try:
            self._trigger = CronTrigger.from_crontab(line, timezone=zone)
        except ValueError as error:
            raise ConfigurationError(f'source: cron "{line}" is not a cron line: {error}') from error

    def after(self, moment: datetime) -> datetime:
        found: datetime | None = self._trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
        if found is None:
            raise ConfigurationError("source: cron names a time that never comes")
        return found.astimezone(UTC)


def schedule_of(settings: EndpointSettings, zone: ZoneInfo) -> Schedule:
    return Cron(settings.cron, zone) if settings.cron else Every(settings.every)
