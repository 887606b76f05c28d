"""GET /slots: free times by branch, doctor and day, for the clinic's site. Nothing in it is about a patient."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import JSONResponse

from kreslo.connectors.errors import DataError, KresloError
from kreslo.mapping.model import Bridge
from kreslo.records.exchange import TimeTable, free_slots
from kreslo.service.ident_wire import number

_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=30"}
"""Any site may ask: it is told what is free, which the clinic says to everybody who calls."""


class Timetabled(Protocol):
    name: str

    @property
    def bridge(self) -> Bridge: ...

    def now(self) -> datetime: ...

    async def timetable(self) -> tuple[TimeTable, datetime] | None: ...


def slot_routes(bridges: Sequence[Timetabled]) -> APIRouter:
    """`bridge` needs to be named only where there are several. 503 until iDent has posted its timetable."""
    routes = APIRouter(tags=["slots"])

    @routes.get("/slots")
    async def slots(request: Request) -> Response:
        try:
            return await _slots(request, bridges)
        except DataError as error:
            return _told(status.HTTP_400_BAD_REQUEST, error.message)
        except KresloError as error:
            return _told(status.HTTP_503_SERVICE_UNAVAILABLE, error.message)

    return routes


async def _slots(request: Request, bridges: Sequence[Timetabled]) -> Response:
    asked = request.query_params
    named = [each for each in bridges if asked.get("bridge", each.name) == each.name]
    if len(named) != 1:
        raise DataError("bridge must name one of the bridges that exchange with iDent")
    bridge = named[0]
    branch = number("branch", asked.get("branch"), least=0)
    doctor = number("doctor", asked.get("doctor"), least=0)
    day = _day(asked.get("day"))
    stored = await bridge.timetable()
    if stored is None:
        return _told(status.HTTP_503_SERVICE_UNAVAILABLE, "iDent has not posted its timetable yet")
    table, posted_at = stored
    zone = bridge.bridge.zone
    since, until = bridge.now(), None
    if day:
        since = max(since, datetime.combine(day, time(), zone))
        until = datetime.combine(day + timedelta(days=1), time(), zone)
    found = free_slots(table, since, until=until, branch=branch, doctor=doctor)
    body: dict[str, Any] = {
        "posted_at": _local(posted_at, zone),
        "branches": [{"id": each.id, "name": each.name} for each in table.branches],
        "doctors": [{"id": each.id, "name": each.name} for each in table.doctors],
        "slots": [
            {
                "branch": slot.branch_id,
                "doctor": slot.doctor_id,
                "starts_at": _local(slot.starts_at, zone),
                "minutes": slot.minutes,
            }
            for slot in found
        ],
    }
    return JSONResponse(body, headers=_HEADERS)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise DataError("day must be a date such as 2026-05-12") from None
    if not 2000 <= day.year < 2200:
        raise DataError("day must be a date such as 2026-05-12")
    return day


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat(timespec="seconds")


def _told(code: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=code, headers={"Access-Control-Allow-Origin": "*"})
