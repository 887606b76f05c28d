"""/_control: drives the sandbox from outside the REST API; docs/sandboxes.md describes it."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from connectors.bitrix24.sandbox import staff
from connectors.bitrix24.sandbox.arrivals import arrive
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.happenings import Handler
from connectors.bitrix24.sandbox.limits import Stats
from connectors.bitrix24.sandbox.oauth import about
from connectors.bitrix24.sandbox.portal import ROBOT_USER, Portal, Robot
from connectors.bitrix24.sandbox.staff import Order
from connectors.bitrix24.sandbox.state import card_state, state_of
from connectors.bitrix24.sandbox.switches import TURNED, turn
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxing.control import WrongOrderError, advance, body, lead_of, routes
from kreslo.connectors.sandboxing.faults import fault_acts


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    rate: float | None = None
    burst: float | None = None
    operating_limit: float | None = None
    operating_threshold: float | None = None


class RobotOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`action`: message, or set with `field` (a legacy code) and `value`."""

    stage: str
    entity: str = "deal"
    funnel: str = ""
    action: str = "message"
    field: str = ""
    value: Any = None
    user_id: int = ROBOT_USER


class HookOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An outgoing webhook, as staff make it in the portal. `token`: its `application_token`."""

    url: str
    token: str
    events: list[str]


def control_routes(portal: Portal) -> list[BaseRoute]:
    control = _Control(portal)
    return routes(
        [
            ("GET", "state", control.state),
            ("GET", "stats", control.stats),
            ("DELETE", "stats", control.clear_stats),
            ("POST", "limits", control.limits),
            ("POST", "costs", control.costs),
            ("POST", "clock", control.clock),
            ("POST", "leads", control.lead),
            ("POST", "staff/{action}", control.staff),
            *fault_acts(portal.faults),
            ("POST", "robots", control.add_robot),
            ("DELETE", "robots", control.clear_robots),
            ("GET", "hooks", control.hooks),
            ("POST", "hooks", control.add_hook),
            ("POST", "install", control.install),
            ("POST", "switches", control.switches),
        ]
    )


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
        asked = await body(request, Limits)
        bucket, operating = self._portal.bucket, self._portal.operating
        bucket.rate = bucket.rate if asked.rate is None else asked.rate
        bucket.burst = bucket.burst if asked.burst is None else asked.burst
        operating.limit = operating.limit if asked.operating_limit is None else asked.operating_limit
        if asked.operating_threshold is not None:
            operating.threshold = asked.operating_threshold
        shown = {"rate": bucket.rate, "burst": bucket.burst, "operating_limit": operating.limit}
        return {**shown, "operating_threshold": operating.threshold}

    async def costs(self, request: Request) -> dict[str, float]:
        asked = await body(request, dict[str, float])
        self._portal.switches.costs.update({method.lower(): seconds for method, seconds in asked.items()})
        return self._portal.switches.costs

    async def clock(self, request: Request) -> dict[str, str]:
        return {"now": (await advance(self._portal.clock, request)).isoformat()}

    async def lead(self, request: Request) -> dict[str, Any]:
        return card_state(self._portal, arrive(self._portal, await lead_of(request)))

    async def staff(self, request: Request) -> dict[str, Any] | None:
        order = await body(request, Order)
        card = staff.act(self._portal, request.path_params["action"], order)
        return None if card is None else card_state(self._portal, card)

    async def add_robot(self, request: Request) -> dict[str, int]:
        asked = await body(request, RobotOrder)
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

    async def hooks(self, request: Request) -> dict[str, Any]:
        await self._portal.happenings.deliver(about(str(request.base_url).rstrip("/")))
        return {"deliveries": self._portal.happenings.sent}

    async def add_hook(self, request: Request) -> dict[str, Any]:
        asked = await body(request, HookOrder)
        number = self._portal.next_id("handler")
        events = [name.upper() for name in asked.events]
        hook = Handler(id=number, url=asked.url, token=asked.token, events=events)
        self._portal.happenings.handlers.append(hook)
        return {"id": number}

    async def switches(self, request: Request) -> dict[str, Any]:
        try:
            turn(self._portal.switches, await body(request, dict[str, Any]))
        except ConfigurationError as error:
            raise WrongOrderError(error.message) from error
        return {name: getattr(self._portal.switches, name) for name in sorted(TURNED)}

    async def install(self, request: Request) -> dict[str, Any]:
        return self._portal.tokens.install(str(request.base_url).rstrip("/"))
