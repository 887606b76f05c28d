"""One request, from the credentials to the body of the answer, with the checks in the portal's own order.

Bucket (503) · the method exists (404) · webhook · scope · operating time (429) · the method itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.bitrix24.sandbox import batch, methods, moments
from connectors.bitrix24.sandbox.calls import Answer, Call
from connectors.bitrix24.sandbox.errors import RestError, system_error
from connectors.bitrix24.sandbox.limits import cost_of
from connectors.bitrix24.sandbox.oauth import TECHNICAL_USER, WEBHOOK_CODE
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing import php

_SERVICE = ("auth", "state", "start")


class Request(msgspec.Struct, frozen=True):
    """`params`: query and body together, nested. `commands`: how many of a batch are to be done, None for all."""

    user_id: str
    code: str
    method: str
    params: dict[str, Any]
    address: str = ""

    @property
    def of_app(self) -> bool:
        """Made by an application, with its token (`auth`) instead of a webhook's code."""
        return not self.code


class Reply(msgspec.Struct, frozen=True):
    status: int
    body: dict[str, Any]


class CutOffError(Exception):
    """The request took longer than the gateway waits. What was done by then stays done."""


def refuse_too_many(portal: Portal, request: Request) -> Reply | None:
    """The bucket in front of everything: a refusal, or None."""
    now = portal.clock.monotonic()
    portal.stats.request(request.method, now)
    level = portal.bucket.take(request.address, now)
    if level is None:
        portal.stats.violations += 1
        return refusal(portal, system_error("QUERY_LIMIT_EXCEEDED", "Too many requests"))
    portal.stats.max_level = max(portal.stats.max_level, level)
    return None


def refusal(portal: Portal, error: RestError) -> Reply:
    return Reply(error.status(portal.switches.status_set), error.body())


async def handle(portal: Portal, request: Request, *, commands: int | None = None) -> Reply:
    """Answer a request that the bucket let through. Where work takes time, each command's passes before the next one
    begins. Raises CutOffError.
    """
    start = portal.clock.now().timestamp()
    spent = 0.0
    try:
        if request.method.lower() == "batch":
            _authorise(portal, request)
            result, spent = await _batch(portal, request, commands)
            return Reply(200, {"result": result, "time": _time(portal, start, spent)})
        answer, time = _call(portal, request, request.method, request.params)
        await _work(portal, time["duration"])
    except RestError as error:
        return refusal(portal, error)
    spent = time["duration"]
    if spent > portal.switches.request_limit:
        raise CutOffError
    body: dict[str, Any] = {"result": answer.result}
    if answer.next is not None:
        body["next"] = answer.next
    if answer.total is not None:
        body["total"] = answer.total
    return Reply(200, {**body, "time": time})


def _authorise(portal: Portal, request: Request) -> None:
    if portal.switches.closed:
        raise system_error("PORTAL_DELETED", "Portal was deleted")
    if portal.switches.overloaded:
        raise system_error("OVERLOAD_LIMIT", "REST API is blocked due to overload.")
    if not portal.switches.rest_by_plan:
        raise system_error("ACCESS_DENIED", "REST is available only by subscription.")
    if request.of_app:
        match portal.tokens.state(php.text(request.params.get("auth"))):
            case "expired":
                raise system_error("expired_token", "The access token provided has expired.")
            case "unknown":
                raise system_error("NO_AUTH_FOUND", "Wrong authorization data")
    elif not _is_webhook(portal, request):
        raise system_error("INVALID_CREDENTIALS", "Invalid request credentials")
    if not portal.switches.scopes:
        raise _no_scope()


def _is_webhook(portal: Portal, request: Request) -> bool:
    known = request.code == WEBHOOK_CODE and request.user_id == str(TECHNICAL_USER)
    return known and not portal.switches.webhook_expired


def _no_scope() -> RestError:
    text = "The request requires higher privileges than provided by the webhook token"
    return system_error("insufficient_scope", text)


async def _batch(portal: Portal, request: Request, limit: int | None) -> tuple[dict[str, Any], float]:
    spent = 0.0

    async def run(name: str, params: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        nonlocal spent
        if spent > portal.switches.request_limit:
            raise CutOffError
        portal.stats.command(name.lower())
        answer, time = _call(portal, request, name, params)
        spent += time["duration"]
        await _work(portal, time["duration"])
        return answer, time

    result = await batch.run(request.params, run, limit=limit)
    if spent > portal.switches.request_limit:
        raise CutOffError
    return result, spent


def _call(
    portal: Portal, request: Request, name: str, params: Mapping[str, Any]
) -> tuple[Answer, dict[str, Any]]:
    if portal.switches.closed:
        raise system_error("PORTAL_DELETED", "Portal was deleted")
    method = methods.find(name)
    if method is None:
        raise system_error("ERROR_METHOD_NOT_FOUND", "Method not found!")
    _authorise(portal, request)
    if not methods.in_scope(method, portal.switches.scopes):
        raise _no_scope()
    if method.app_only and not request.of_app:
        text = "Current authorization type is denied for this method"
        raise RestError("WRONG_AUTH_TYPE", text, status=403)
    credential = "app" if request.of_app else f"{request.user_id}/{request.code}"
    key = method.name.lower()
    clock = portal.clock.now().timestamp()
    if portal.operating.blocked(credential, key, clock):
        portal.stats.operating_refusals += 1
        raise system_error("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
    own = {name: value for name, value in params.items() if name not in _SERVICE}
    start = php.integer(params["start"]) if "start" in params else None
    cost = cost_of(portal.switches.costs, key) * method.items(own)
    portal.operating.spend(credential, key, clock, cost)
    with portal.happenings.caused_by(php.text(own.get("auth_connector"))):
        result = method.run(Call(portal, int(request.user_id), credential, own, start))
    answer = result if isinstance(result, Answer) else Answer(result)
    return answer, _time(portal, clock, cost, credential, key)


async def _work(portal: Portal, seconds: float) -> None:
    if portal.switches.work_takes_time:
        await portal.clock.sleep(seconds)


def _time(
    portal: Portal, start: float, cost: float, credential: str = "", method: str = ""
) -> dict[str, Any]:
    # Where the work takes no time of the clock's, it has ended when it began: a client sets its clock by `finish`.
    finish = start + cost if portal.switches.work_takes_time else start
    block: dict[str, Any] = {
        "start": start,
        "finish": finish,
        "duration": cost,
        "processing": cost,
        "date_start": _shown(portal, start),
        "date_finish": _shown(portal, finish),
    }
    if method:
        block["operating_reset_at"] = portal.operating.reset_at(credential, method, start)
        block["operating"] = portal.operating.total(credential, method, start)
    return block


def _shown(portal: Portal, at: float) -> str:
    return moments.show_datetime(datetime.fromtimestamp(at, UTC), portal.zone)
