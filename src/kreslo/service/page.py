"""GET /: what the bridges do, on one plain page that needs nothing from outside the house."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from kreslo.journal.model import IntentState
from kreslo.service.hosted import Hosted
from kreslo.service.told import Teller

LAST_CHANGES = 20

_STATES = {
    IntentState.PLANNED: "запланировано",
    IntentState.SENDING: "отправляется",
    IntentState.CONFIRMED: "подтверждено",
    IntentState.UNKNOWN: "исход неизвестен",
    IntentState.RETRY: "будет повторено",
    IntentState.PARKED: "отложено",
    IntentState.SUPERSEDED: "заменено новым решением",
}


class Link(msgspec.Struct, frozen=True):
    """A link of the page's head: the boards of the sandboxes in the demo."""

    title: str
    url: str


def page_routes(bridges: Sequence[Hosted], *, links: Sequence[Link] = ()) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    pages = Environment(
        loader=PackageLoader("kreslo.service"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["moment"] = _moment
    pages.filters["state"] = _STATES.__getitem__
    home = pages.get_template("home.html")
    tellers = {bridge.name: Teller(bridge.bridge) for bridge in bridges}

    @routes.get("/")
    async def show(_request: Request) -> HTMLResponse:
        shown: list[dict[str, Any]] = [
            {
                "status": bridge.status(),
                "changes": await asyncio.to_thread(bridge.journal.last_changes, LAST_CHANGES),
                "told": tellers[bridge.name].told,
            }
            for bridge in bridges
        ]
        return HTMLResponse(home.render(bridges=shown, links=links))

    return routes


def _moment(value: datetime | None) -> str:
    return value.astimezone().strftime("%d.%m %H:%M:%S") if value else "ещё не было"
