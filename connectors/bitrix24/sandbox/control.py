"""/_control: drives the sandbox from outside the REST API; docs/sandboxes.md describes it.

It asks for no login: the sandbox is for 127.0.0.1 only.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.bitrix24.sandbox import staff
from connectors.bitrix24.sandbox.arrivals import arrive
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.faults import Fault
from connectors.bitrix24.sandbox.limits import Stats
from connectors.bitrix24.sandbox.portal import ROBOT_USER, Portal, Robot
from connectors.bitrix24.sandbox.staff import Order, WrongOrderError
from connectors.bitrix24.sandbox.state import card_state, state_of
from kreslo.connectors.sandboxes import Lead

T = TypeVar("T")


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    rate: float | None = None
    burst: float | None = None
    operating_limit: float | None = None
    operating_threshold: float | None = None


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class RobotOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`action`: message, or set with `field` (a legacy code) and `value`."""

    stage: str
    entity: str = "deal"
    funnel: str = ""
    action: str = "message"
    field: str = ""
    value: Any = None
    user_id: int = ROBOT_USER


def control_routes(portal: Portal) -> list[BaseRoute]:
    control = _Control(portal)
    routes: list[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = [
        ("GET", "state", control.state),
        ("GET", "stats", control.stats),
        ("DELETE", "stats", control.clear_stats),
        ("POST", "limits", control.limits),
        ("POST", "costs", control.costs),
        ("POST", "clock", control.clock),
        ("POST", "leads", control.lead),
        ("POST", "staff/{action}", control.staff),
        ("GET", "faults", control.faults),
        ("POST", "faults", control.add_faults),
        ("DELETE", "faults", control.clear_faults),
        ("POST", "robots", control.add_robot),
        ("DELETE", "robots", control.clear_robots),
    ]
    return [Route(f"/_control/{path}", _answering(act), methods=[verb]) for verb, path, act in routes]


def _answering(act: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return Response(msgspec.json.encode(await act(request)), media_type="application/json")
        except (WrongOrderError, msgspec.ValidationError, msgspec.DecodeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return answer


async def _body(request: Request, shape: type[T]) -> T:
    return msgspec.json.decode(await request.body(), type=shape)


class _Control:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def state(self, request: Request) -> dict[str, Any]:
        only = request.query_params.get("only", "")
        return state_of(self._portal, {part for part in only.split(",") if part})

    async def stats(self, _: Request) -> dict[str, Any]:
        return self._portal.stats.shown()

    async def clear_stats(self, request: Request) -> dict[str, Any]:
        self._portal.stats = Stats()
        return await self.stats(request)

    async def limits(self, request: Request) -> dict[str, float]:
        asked = await _body(request, Limits)
        bucket, operating = self._portal.bucket, self._portal.operating
        bucket.rate = bucket.rate if asked.rate is None else asked.rate
        bucket.burst = bucket.burst if asked.burst is None else asked.burst
        operating.limit = operating.limit if asked.operating_limit is None else asked.operating_limit
        if asked.operating_threshold is not None:
            operating.threshold = asked.operating_threshold
        shown = {"rate": bucket.rate, "burst": bucket.burst, "operating_limit": operating.limit}
        return {**shown, "operating_threshold": operating.threshold}

    async def costs(self, request: Request) -> dict[str, float]:
        asked = await _body(request, dict[str, float])
        self._portal.switches.costs.update({method.lower(): seconds for method, seconds in asked.items()})
        return self._portal.switches.costs

    async def clock(self, request: Request) -> dict[str, str]:
        advance = getattr(self._portal.clock, "advance", None)
        if advance is None:
            raise WrongOrderError("the sandbox runs on a clock that cannot be driven")
        moved = advance((await _body(request, Advance)).seconds)
        if inspect.isawaitable(moved):
            await moved
        return {"now": self._portal.clock.now().isoformat()}

    async def lead(self, request: Request) -> dict[str, Any]:
        lead = await _body(request, Lead)
        if lead.created_at.tzinfo is None:
            raise WrongOrderError("created_at needs an offset, such as 2025-03-01T10:00:00+03:00")
        return card_state(self._portal, arrive(self._portal, lead))

    async def staff(self, request: Request) -> dict[str, Any] | None:
        order = await _body(request, Order)
        card = staff.act(self._portal, request.path_params["action"], order)
        return None if card is None else card_state(self._portal, card)

    async def faults(self, _: Request) -> list[Fault]:
        return self._portal.faults.waiting()

    async def add_faults(self, request: Request) -> list[Fault]:
        asked = await _body(request, Fault | list[Fault])  # type: ignore[arg-type]
        for fault in asked if isinstance(asked, list) else [asked]:
            self._portal.faults.add(fault)
        return self._portal.faults.waiting()

    async def clear_faults(self, request: Request) -> list[Fault]:
        self._portal.faults.clear()
        return await self.faults(request)

    async def add_robot(self, request: Request) -> dict[str, int]:
        asked = await _body(request, RobotOrder)
        kind = staff.kind_of(asked.entity)
        if kind is Kind.CONTACT or asked.action not in {"message", "set"}:
            raise WrongOrderError("robots stand on stages of deals and leads; their action is message or set")
        if asked.action == "set" and asked.field not in self._portal.fields(kind):
            raise WrongOrderError(f"no field {asked.field!r} of a {kind.word}")
        rest = {
            name: getattr(asked, name) for name in ("stage", "funnel", "action", "field", "value", "user_id")
        }
        self._portal.robots.append(Robot(entity=kind, **rest))
        return {"robots": len(self._portal.robots)}

    async def clear_robots(self, _: Request) -> dict[str, int]:
        self._portal.robots.clear()
        return {"robots": 0}
