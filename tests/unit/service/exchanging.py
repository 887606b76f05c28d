"""A bridge as iDent meets it: a real journal, a clock that stands."""

from datetime import datetime
from zoneinfo import ZoneInfo

from kreslo.journal import BridgeJournal
from kreslo.mapping.model import Bridge, Horizon
from kreslo.records.exchange import Ticket, TimeTable


class FakeExchange:
    def __init__(self, name: str, key: str, journal: BridgeJournal, now: datetime) -> None:
        self.name = name
        self.exchange_key = key
        self.journal = journal
        self.moment = now
        self.fail: Exception | None = None
        self.bridge = Bridge(
            name=name,
            source_id="ident",
            zone=ZoneInfo("Europe/Moscow"),
            horizon=Horizon(),
            contact=None,
            appointment=None,
            enquiry=None,
        )

    def now(self) -> datetime:
        return self.moment

    async def tickets(
        self, since: datetime | None, until: datetime | None, limit: int | None, offset: int
    ) -> list[Ticket]:
        if self.fail:
            raise self.fail
        return self.journal.tickets(since, until, limit=limit, offset=offset)

    async def take_timetable(self, table: TimeTable) -> None:
        if self.fail:
            raise self.fail
        self.journal.put_timetable(table, self.moment)

    async def timetable(self) -> tuple[TimeTable, datetime] | None:
        return self.journal.timetable()
