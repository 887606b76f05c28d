"""/api/{bridge}/…: what waits for a person, their answers, and what a case came to."""

from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar

import msgspec
import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from kreslo.connectors.errors import DataError, ErrorKind, KresloError
from kreslo.service.guard import PRIVATE, Guard
from kreslo.service.hosted import Hosted
from kreslo.service.wire import Cases, case_shown, compared_shown, parked_shown, reviews_shown, typed_phone

_log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST = 500
"""Items shown at once; nobody works through more."""

_CODES = {
    ErrorKind.DATA: HTTPStatus.NOT_FOUND,
    ErrorKind.OUTAGE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorKind.LIMIT: HTTPStatus.SERVICE_UNAVAILABLE,
}


class AnswerBody(BaseModel):
    """`target_id`: which card, for "link". `by`: who decided."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    choice: Literal["link", "new", "never"]
    target_id: str = Field(default="", max_length=100)
    by: str = Field(min_length=1, max_length=100)


class CompareBody(BaseModel):
    """`heal`: mend what is found. `sure`: however many cards that moves."""

    model_config = ConfigDict(extra="forbid")

    heal: bool = False
    sure: bool = False


def people_routes(bridges: Mapping[str, Hosted], guard: Guard) -> APIRouter:
    """Errors are `{"detail": {"kind", "message"}}` where the bridge says no: 404 for a number that means nothing (any
    more), 409 for what cannot be now, 503 while a side does not answer.
    """
    routes = APIRouter(prefix="/api/{bridge}", tags=["people"], dependencies=[Depends(guard.check_host)])
    changing = [Depends(guard.changing)]

    def hosted(bridge: str) -> Hosted:
        if bridge not in bridges:
            raise _no(HTTPStatus.NOT_FOUND, f'no bridge "{bridge}" runs here; there are {", ".join(bridges)}')
        return bridges[bridge]

    Asked = Annotated[Hosted, Depends(hosted)]  # noqa: N806 - a type

    @routes.get("/reviews")
    async def reviews(asked: Asked, *, answered: bool = False) -> Response:
        return _told(reviews_shown(await _said(asked.reviews(MOST, answered=answered))))

    @routes.post("/reviews/{number}", dependencies=changing)
    async def answer(asked: Asked, number: int, body: AnswerBody) -> Response:
        if body.choice == "link" and not body.target_id:
            raise _no(HTTPStatus.UNPROCESSABLE_ENTITY, "which card is to be linked? Give target_id")
        await _said(asked.answer(number, body.choice, body.target_id, body.by))
        _log.info("answered", bridge=asked.name, review=number, choice=body.choice)
        return _told({"answered": number})

    @routes.get("/parked")
    async def parked(asked: Asked) -> Response:
        return _told(parked_shown(await _said(asked.parked(MOST))))

    @routes.post("/parked/{number}/release", dependencies=changing)
    async def release(asked: Asked, number: int) -> Response:
        await _said(asked.release(number))
        _log.info("released", bridge=asked.name, parked=number)
        return _told({"released": number})

    @routes.post("/reconcile", dependencies=changing)
    async def reconcile(asked: Asked, body: CompareBody | None = None) -> Response:
        wish = body or CompareBody()
        compared = await _said(asked.compare_now(heal=wish.heal, sure=wish.sure))
        _log.info("compared", bridge=asked.name, heal=wish.heal, sure=wish.sure, moves=compared.moves)
        return _told(compared_shown(compared))

    @routes.get("/cases")
    async def cases(
        asked: Asked,
        phone: Annotated[str, Query(max_length=100)] = "",
        card: Annotated[str, Query(max_length=100)] = "",
        last4: Annotated[str, Query(pattern="^([0-9]{4})?$")] = "",
        name: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        if not (phone or card or last4 or name.strip()):
            raise _no(HTTPStatus.UNPROCESSABLE_ENTITY, "give phone, last4, card or name")
        try:
            number = typed_phone(phone)
        except DataError as error:
            raise _no(HTTPStatus.UNPROCESSABLE_ENTITY, error.message) from error
        found = await _said(asked.find_cases(phone=number, last4=last4, card_number=card, name=name))
        return _told(Cases(list(found[:MOST])))

    @routes.get("/cases/{key:path}")
    async def case(asked: Asked, key: str) -> Response:
        said = await _said(asked.explain(key))
        if said is None:
            raise _no(HTTPStatus.NOT_FOUND, "there is no such case")
        return _told(case_shown(said))

    return routes


async def _said(asking: Awaitable[T]) -> T:
    try:
        return await asking
    except KresloError as error:
        raise _no(_CODES.get(error.kind, HTTPStatus.CONFLICT), error.message, error.kind) from error


def _no(code: HTTPStatus, message: str, kind: ErrorKind = ErrorKind.DATA) -> HTTPException:
    return HTTPException(code, {"kind": kind.value, "message": message})


def _told(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers=PRIVATE)
