"""/_control: drives the sandbox from outside the API; docs/sandboxes.md describes it."""

import secrets
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from connectors.amocrm.sandbox import staff
from connectors.amocrm.sandbox.account import Account, Robot
from connectors.amocrm.sandbox.arrivals import arrive
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.people import INTEGRATION_USER, ROBOT_USER
from connectors.amocrm.sandbox.staff import Order
from connectors.amocrm.sandbox.state import card_state, state_of
from connectors.amocrm.sandbox.tokens import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, token
from kreslo.connectors.sandboxing.control import WrongOrderError, advance, body, lead_of, routes
from kreslo.connectors.sandboxing.counting import RequestCount
from kreslo.connectors.sandboxing.faults import fault_acts


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`blocked` false unblocks the API, as support would; true blocks it."""

    rate: int | None = None
    account_rate: int | None = None
    block_after: int | None = None
    block_window: float | None = None
    blocked: bool | None = None


class TokenOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A long-lived token for so many seconds, or the end of one."""

    seconds: float = 86_400.0
    user_id: int = INTEGRATION_USER
    revoke: str = ""


class UnpaidOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    seconds: float
    reads: bool = False


class HookOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which bodies go astray: every so manieth, 0 none."""

    lose_every: int | None = None
    repeat_every: int | None = None
    reverse: bool | None = None


class RobotOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`action`: message, or set with `field` (a code, an id or a title) and `value`."""

    stage: str
    entity: str = "deal"
    funnel: str = ""
    action: str = "message"
    field: str = ""
    value: Any = None
    user_id: int = ROBOT_USER


def control_routes(account: Account) -> list[BaseRoute]:
    control = _Control(account)
    return routes(
        [
            ("GET", "state", control.state),
            ("GET", "stats", control.stats),
            ("DELETE", "stats", control.clear_stats),
            ("POST", "limits", control.limits),
            ("POST", "clock", control.clock),
            ("POST", "leads", control.lead),
            ("POST", "staff/{action}", control.staff),
            *fault_acts(account.faults),
            ("POST", "robots", control.add_robot),
            ("DELETE", "robots", control.clear_robots),
            ("POST", "tokens", control.tokens),
            ("POST", "codes", control.codes),
            ("POST", "unpaid", control.unpaid),
            ("GET", "hooks", control.hooks),
            ("POST", "hooks", control.set_hooks),
        ]
    )


class _Control:
    def __init__(self, account: Account) -> None:
        self._account = account

    async def state(self, request: Request) -> dict[str, Any]:
        only = request.query_params.get("only", "")
        return state_of(self._account, {part for part in only.split(",") if part})

    async def stats(self, _: Request) -> dict[str, Any]:
        limits = self._account.limits
        served = {"max_served_per_second": limits.max_served, "blocked": limits.blocked}
        return {**self._account.stats.shown(), **served}

    async def clear_stats(self, request: Request) -> dict[str, Any]:
        self._account.stats = RequestCount()
        self._account.limits.max_served = 0
        return await self.stats(request)

    async def limits(self, request: Request) -> dict[str, Any]:
        asked = await body(request, Limits)
        limits = self._account.limits
        for name in ("rate", "account_rate", "block_after", "block_window", "blocked"):
            if getattr(asked, name) is not None:
                setattr(limits, name, getattr(asked, name))
        if asked.blocked is False:
            limits.unblock()
        shown = {"rate": limits.rate, "account_rate": limits.account_rate, "block_after": limits.block_after}
        return {**shown, "block_window": limits.block_window, "blocked": limits.blocked}

    async def clock(self, request: Request) -> dict[str, str]:
        now = await advance(self._account.clock, request)
        await self._account.hooks.settle()
        return {"now": now.isoformat()}

    async def lead(self, request: Request) -> dict[str, Any]:
        return card_state(self._account, arrive(self._account, await lead_of(request)))

    async def staff(self, request: Request) -> dict[str, Any] | None:
        order = await body(request, Order)
        card = staff.act(self._account, request.path_params["action"], order)
        return None if card is None else card_state(self._account, card)

    async def add_robot(self, request: Request) -> dict[str, int]:
        asked = await body(request, RobotOrder)
        if staff.kind_of(asked.entity) is not Kind.LEAD or asked.action not in {"message", "set"}:
            raise WrongOrderError("robots stand on stages of deals; their action is message or set")
        field = ""
        if asked.action == "set":
            field = str(staff.field_named(self._account, Kind.LEAD, asked.field).id)
        robot = Robot(
            stage=asked.stage,
            funnel=asked.funnel,
            action=asked.action,
            field=field,
            value=asked.value,
            user_id=asked.user_id,
        )
        self._account.robots.append(robot)
        return {"robots": len(self._account.robots)}

    async def clear_robots(self, _: Request) -> dict[str, int]:
        self._account.robots.clear()
        return {"robots": 0}

    async def tokens(self, request: Request) -> dict[str, Any]:
        asked = await body(request, TokenOrder)
        if asked.revoke:
            self._account.tokens.revoke(asked.revoke)
            return {"revoked": True}
        now = self._account.clock.now().timestamp()
        until = now + asked.seconds
        made = token(asked.user_id, now, until, request.url.netloc, id=secrets.token_hex(20))
        return {"token": made, "exp": int(until)}

    async def codes(self, _: Request) -> dict[str, str]:
        """What the consent page would hand over, with the integration's own settings beside it."""
        integration = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": REDIRECT_URI}
        return {**integration, "code": self._account.tokens.code(self._account.clock.now().timestamp())}

    async def unpaid(self, request: Request) -> dict[str, Any]:
        asked = await body(request, UnpaidOrder)
        unpaid = self._account.unpaid
        unpaid.until = self._account.clock.monotonic() + asked.seconds
        unpaid.reads = asked.reads
        return {"seconds": asked.seconds, "reads": asked.reads}

    async def hooks(self, _: Request) -> dict[str, Any]:
        hooks = self._account.hooks
        await hooks.settle()
        return {"deliveries": hooks.sent, "waiting": len(hooks.waiting())}

    async def set_hooks(self, request: Request) -> dict[str, Any]:
        asked = await body(request, HookOrder)
        switches = self._account.switches
        for name in ("lose_every", "repeat_every", "reverse"):
            if getattr(asked, name) is not None:
                setattr(switches, f"hook_{name}", getattr(asked, name))
        return {name: getattr(switches, f"hook_{name}") for name in ("lose_every", "repeat_every", "reverse")}
