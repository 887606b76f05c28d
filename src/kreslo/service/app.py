"""The web application: health, status, hooks, people's decisions and the page of the bridges that this process runs."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import FastAPI

from kreslo import __version__
from kreslo.service.forms import form_routes
from kreslo.service.guard import Guard
from kreslo.service.health import health_routes
from kreslo.service.hooks import hook_routes
from kreslo.service.hosted import Hosted
from kreslo.service.ident_exchange import Exchanging, exchange_routes
from kreslo.service.metrics import metrics_routes
from kreslo.service.page import Link, page_routes
from kreslo.service.people import people_routes
from kreslo.service.slots import Timetabled, slot_routes


class Exchange(Exchanging, Timetabled, Protocol):
    """A bridge whose mapping has `exchange:`."""


def create_app(
    bridges: Sequence[Hosted],
    *,
    links: Sequence[Link] = (),
    hook_secret: str = "",
    names: Sequence[str] = (),
    exchanges: Sequence[Exchange] = (),
) -> FastAPI:
    """`links`: shown on the page. `hook_secret`: the last part of the hooks' addresses, "" where there is none.
    `names`: host names that the page and the API are opened by, besides `localhost` and addresses.
    `exchanges`: the bridges that iDent talks to; without any, its addresses are not there.
    """
    guard, by_name = Guard(names), {bridge.name: bridge for bridge in bridges}
    app = FastAPI(title="Kreslo", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(health_routes(bridges))
    app.include_router(metrics_routes(bridges))
    app.include_router(hook_routes(by_name, secret=hook_secret))
    app.include_router(people_routes(by_name, guard))
    app.include_router(form_routes(by_name, guard))
    app.include_router(page_routes(bridges, guard, links=links))
    if exchanges:
        app.include_router(exchange_routes(exchanges))
        app.include_router(slot_routes(exchanges))
    return app
