"""/board: a sandbox's stages and cards as a plain page, to look at while the demo runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def board_routes(show: Callable[[], dict[str, Any]]) -> list[BaseRoute]:
    """`show` gives what board.html shows: `title`, `now`, `contacts` (how many), `boards` (each with `name`, `count` and
    `columns` of `name`, `color`, `count`, `cards`), the last `messages` and `message_count`.
    """

    async def board(_: Request) -> HTMLResponse:
        return HTMLResponse(_TEMPLATES.get_template("board.html").render(show()))

    return [Route("/board", board)]


def rubles(amount: Any) -> str:
    """`15 000` with no-break spaces; "" for nothing."""
    return f"{amount:,.0f}".replace(",", "\u00a0") if amount else ""
