"""The web application: health, status, hooks and the page of the bridges that this process runs."""

from collections.abc import Sequence

from fastapi import FastAPI

from kreslo import __version__
from kreslo.service.health import health_routes
from kreslo.service.hooks import hook_routes
from kreslo.service.hosted import Hosted
from kreslo.service.page import Link, page_routes


def create_app(bridges: Sequence[Hosted], *, links: Sequence[Link] = (), hook_secret: str = "") -> FastAPI:
    """`links`: shown on the page. `hook_secret`: the last part of the hooks' addresses, "" where there is none."""
    app = FastAPI(title="Kreslo", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(health_routes(bridges))
    app.include_router(hook_routes({bridge.name: bridge for bridge in bridges}, secret=hook_secret))
    app.include_router(page_routes(bridges, links=links))
    return app
