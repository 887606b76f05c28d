"""The page's forms: an answer to a question, a parked item sent again. They lead back to the page, which says what
could not be done.
"""

from collections.abc import Awaitable, Mapping
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Form, HTTPException, Request, status
from fastapi.responses import RedirectResponse

from kreslo.connectors.errors import DataError, KresloError
from kreslo.service.guard import Guard
from kreslo.service.hosted import Hosted

_log = structlog.get_logger(__name__)


def form_routes(bridges: Mapping[str, Hosted], guard: Guard) -> APIRouter:
    """Raises HTTPException 403 for a form that is not our page's own, 404 for a bridge that does not run here."""
    routes = APIRouter(include_in_schema=False, dependencies=[Depends(guard.check_host)])

    def hosted(bridge: str) -> Hosted:
        if bridge not in bridges:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"Мост «{bridge}» здесь не работает.")
        return bridges[bridge]

    @routes.post("/answers/{bridge}/{number}")
    async def answer(
        request: Request,
        bridge: str,
        number: int,
        token: Annotated[str, Form()],
        choice: Annotated[Literal["link", "new", "never"], Form()],
        target_id: Annotated[str, Form(max_length=100)] = "",
    ) -> RedirectResponse:
        guard.form(request, token)
        # There are no logins yet: the machine is all that is known of who clicked.
        by = f"page, {request.client.host if request.client else 'unknown'}"
        _log.info("answer", bridge=bridge, review=number, choice=choice)
        return await _back(hosted(bridge).answer(number, choice, target_id.strip(), by))

    @routes.post("/released/{bridge}/{number}")
    async def release(
        request: Request, bridge: str, number: int, token: Annotated[str, Form()]
    ) -> RedirectResponse:
        guard.form(request, token)
        _log.info("release", bridge=bridge, parked=number)
        return await _back(hosted(bridge).release(number))

    return routes


async def _back(asking: Awaitable[None]) -> RedirectResponse:
    said = ""
    try:
        await asking
    except DataError:
        said = "over"
    except KresloError as error:
        _log.warning("a form could not be taken", kind=error.kind, message=error.message)
        said = "busy"
    return RedirectResponse(f"/?said={said}" if said else "/", status.HTTP_303_SEE_OTHER)
