"""/_control: drives a sandbox from outside its REST API. It asks for no login: a sandbox is for 127.0.0.1 only."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from kreslo.connectors.sandboxes import Lead
from kreslo.connectors.seams import Clock

T = TypeVar("T")
Act = Callable[[Request], Awaitable[Any]]


class WrongOrderError(Exception):
    """The control plane was asked for something that cannot be done; the text says what and why."""


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


def routes(acts: Iterable[tuple[str, str, Act]]) -> list[BaseRoute]:
    """`acts`: verb, path below /_control, and what answers it; a refusal is HTTP 400 with an `error`."""
    return [Route(f"/_control/{path}", _answering(act), methods=[verb]) for verb, path, act in acts]


def _answering(act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(msgspec.to_builtins(await act(request)))
        except (WrongOrderError, msgspec.ValidationError, msgspec.DecodeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return answer


async def body(request: Request, shape: type[T]) -> T:
    return msgspec.json.decode(await request.body(), type=shape)


async def lead_of(request: Request) -> Lead:
    """The lead that is to arrive. Raises WrongOrderError where its time has no offset."""
    lead = await body(request, Lead)
    if lead.created_at.tzinfo is None:
        raise WrongOrderError("created_at needs an offset, such as 2025-03-01T10:00:00+03:00")
    return lead


async def advance(clock: Clock, request: Request) -> datetime:
    """Move a clock that can be driven by the `seconds` asked for; the time it is then."""
    move = getattr(clock, "advance", None)
    if move is None:
        raise WrongOrderError("the sandbox runs on a clock that cannot be driven")
    moved = move((await body(request, _Advance)).seconds)
    if inspect.isawaitable(moved):
        await moved
    return clock.now()
