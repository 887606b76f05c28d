"""GET /: what the bridges do, on one plain page that needs nothing from outside the house."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from kreslo.journal.model import IntentState
from kreslo.service.guard import PRIVATE, Guard
from kreslo.service.hosted import Hosted
from kreslo.service.told import Teller, choices_told
from kreslo.service.wire import parked_shown, reviews_shown

LAST_CHANGES = 20
WAITING = 20
"""Questions and parked items shown at once: those that are answered make room for the next."""

_STATES = {
    IntentState.PLANNED: "запланировано",
    IntentState.SENDING: "отправляется",
    IntentState.CONFIRMED: "подтверждено",
    IntentState.UNKNOWN: "исход неизвестен",
    IntentState.RETRY: "будет повторено",
    IntentState.PARKED: "отложено",
    IntentState.SUPERSEDED: "заменено новым решением",
}

_SAID = {
    "over": "Не принято: вопрос уже решён или больше не задаётся, или такой карточки в нём нет.",
    "busy": "Не принято: журнал занят. Повторите через минуту.",
}


class Link(msgspec.Struct, frozen=True):
    """A link of the page's head: the boards of the sandboxes in the demo."""

    title: str
    url: str


def page_routes(bridges: Sequence[Hosted], guard: Guard, *, links: Sequence[Link] = ()) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    pages = Environment(
        loader=PackageLoader("kreslo.service"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["moment"] = _moment
    pages.filters["choices"] = choices_told
    pages.filters["state"] = _STATES.__getitem__
    home = pages.get_template("home.html")
    tellers = {bridge.name: Teller(bridge.bridge) for bridge in bridges}

    @routes.get("/", dependencies=[Depends(guard.check_host)])
    async def show(said: str = "") -> HTMLResponse:
        shown: list[dict[str, Any]] = [
            {
                "status": bridge.status(),
                "changes": await asyncio.to_thread(bridge.journal.last_changes, LAST_CHANGES),
                "told": tellers[bridge.name].told,
                "reviews": reviews_shown(await bridge.reviews(WAITING)).reviews,
                "parked": parked_shown(await bridge.parked(WAITING)).parked,
            }
            for bridge in bridges
        ]
        text = home.render(bridges=shown, links=links, token=guard.token, said=_SAID.get(said, ""))
        return HTMLResponse(text, headers=PRIVATE)

    return routes


def _moment(value: datetime | None) -> str:
    return value.astimezone().strftime("%d.%m %H:%M:%S") if value else "ещё не было"
