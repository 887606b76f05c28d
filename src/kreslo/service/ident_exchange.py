"""/ident/…: iDent's own exchange with external services («вариант с HTTP»). iDent is always the client: it takes tickets
and calls, and posts its timetable. Its rules: the key in a header; 401 with a plain text, which iDent shows in its
exchange log; every other failure 4xx or 5xx; 200 is success.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog
from fastapi import APIRouter, Request, Response, status
from fastapi.responses import PlainTextResponse

from kreslo.connectors.errors import DataError, KresloError
from kreslo.records.exchange import Ticket, TimeTable
from kreslo.service.ident_wire import answer, instant, number, timetable_of, wants_xml

_log = structlog.get_logger(__name__)

KEY_HEADER = "IDENT-Integration-Key"
MOST_BYTES = 16_000_000
"""A month of one clinic of seven doctors is 0.7 MB."""


class Exchanging(Protocol):
    """The bridge, as far as iDent meets it."""

    name: str

    @property
    def exchange_key(self) -> str: ...

    async def tickets(
        self, since: datetime | None, until: datetime | None, limit: int | None, offset: int
    ) -> list[Ticket]: ...

    async def take_timetable(self, table: TimeTable) -> None: ...


def exchange_routes(bridges: Sequence[Exchanging]) -> APIRouter:
    """The key says which bridge is meant."""
    routes = APIRouter(prefix="/ident", tags=["ident"])

    def known(request: Request) -> Exchanging | None:
        given = request.headers.get(KEY_HEADER, "").encode()
        # All are compared, so that the time tells nothing of which one came near.
        found = [each for each in bridges if each.exchange_key and _same(given, each.exchange_key.encode())]
        return found[0] if found else None

    async def guarded(request: Request, work: Callable[[Exchanging], Awaitable[Response]]) -> Response:
        bridge = known(request)
        if bridge is None:
            given = KEY_HEADER in request.headers
            _log.warning("iDent was refused", reason="wrong key" if given else "no key")
            return _refusal(
                status.HTTP_401_UNAUTHORIZED,
                f"Kreslo: заголовок {KEY_HEADER} не подходит, сверьте ключ с настройкой exchange: key"
                if given
                else f"Kreslo: в запросе нет заголовка {KEY_HEADER}",
            )
        try:
            return await work(bridge)
        except DataError as error:
            _log.warning("a request of iDent was refused", bridge=bridge.name, reason=error.message)
            return _refusal(status.HTTP_400_BAD_REQUEST, f"Kreslo: {error.message}")
        except _TooLargeError:
            return _refusal(
                status.HTTP_413_CONTENT_TOO_LARGE,
                f"Kreslo: the body is larger than {MOST_BYTES // 1_000_000} MB",
            )
        except KresloError as error:
            _log.warning("iDent could not be served", bridge=bridge.name, message=error.message)
            return _refusal(status.HTTP_503_SERVICE_UNAVAILABLE, f"Kreslo: {error.message}")

    @routes.get("/GetTickets")
    async def get_tickets(request: Request) -> Response:
        async def work(bridge: Exchanging) -> Response:
            since, until, limit, offset = _window(request)
            return _listed(request, await bridge.tickets(since, until, limit, offset), of="Ticket")

        return await guarded(request, work)

    @routes.get("/GetFinishedCalls")
    async def get_finished_calls(request: Request) -> Response:
        return await guarded(request, lambda _: _no_calls(request))

    @routes.get("/GetOngoingCalls")
    async def get_ongoing_calls(request: Request) -> Response:
        return await guarded(request, lambda _: _no_calls(request))

    @routes.post("/PostTimeTable")
    async def post_timetable(request: Request) -> Response:
        async def work(bridge: Exchanging) -> Response:
            table = timetable_of(await _body(request))
            await bridge.take_timetable(table)
            _log.info("iDent posted its timetable", bridge=bridge.name, count=len(table.intervals))
            return PlainTextResponse("OK")

        return await guarded(request, work)

    return routes


async def _no_calls(request: Request) -> Response:
    """Kreslo has no telephony; iDent is told so with an empty list, not with an error."""
    return _listed(request, [], of="Call")


def _window(request: Request) -> tuple[datetime | None, datetime | None, int | None, int]:
    asked = request.query_params
    since = instant("dateTimeFrom", asked.get("dateTimeFrom"))
    until = instant("dateTimeTo", asked.get("dateTimeTo"))
    limit = number("limit", asked.get("limit"), least=1)
    return since, until, limit, number("offset", asked.get("offset"), least=0) or 0


def _listed(request: Request, items: Sequence[Ticket], *, of: str) -> Response:
    body, kind = answer(items, xml=wants_xml(request.headers.get("Accept", "")), of=of)
    return Response(body, media_type=kind, headers={"Cache-Control": "no-store"})


def _same(given: bytes, key: bytes) -> bool:
    return hmac.compare_digest(given, key)


def _refusal(code: int, reason: str) -> Response:
    return PlainTextResponse(reason, status_code=code)


class _TooLargeError(Exception):
    pass


async def _body(request: Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DataError("the body is compressed; post it as it is")
    taken = bytearray()
    async for piece in request.stream():
        taken += piece
        if len(taken) > MOST_BYTES:
            raise _TooLargeError
    return bytes(taken)
