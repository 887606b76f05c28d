"""The ASGI side: reads requests as amoCRM does, strikes faults, serves the board and the control plane."""

import uuid
from collections.abc import MutableMapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.amocrm.sandbox import problems
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.board import shown as board_shown
from connectors.amocrm.sandbox.calls import Reply
from connectors.amocrm.sandbox.control import control_routes
from connectors.amocrm.sandbox.dispatch import Request, handle, verdict
from connectors.amocrm.sandbox.problems import ApiError, as_response
from connectors.amocrm.sandbox.tokens import OAuthRefusedError
from kreslo.connectors.sandboxing import php, striking
from kreslo.connectors.sandboxing.board import board_routes
from kreslo.connectors.sandboxing.faults import Fault

_PAGES = {
    "500": "500 Internal Server Error",
    "502html": "502 Bad Gateway",
    "503": "503 Service Temporarily Unavailable",
    "504html": "504 Gateway Time-out",
    "403html": "403 Forbidden",
    "429": "429 Too Many Requests",
}
_PROBLEMS = {
    "400system": problems.transient,
    "401": problems.unauthorized,
    "402": problems.unpaid,
    "403": problems.forbidden,
    "226": problems.gone,
    "244": problems.no_rights,
}


def build_app(account: Account) -> ASGIApp:
    verbs = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    app = Starlette(
        routes=[
            Route("/api/v4/{path:path}", _Api(account), methods=verbs),
            Route("/oauth2/access_token", _token_endpoint(account), methods=["POST"]),
            *control_routes(account),
            *board_routes(lambda: board_shown(account)),
        ]
    )
    app.state.account = account
    return app


class _Api:
    """A raw ASGI endpoint: a fault may have to break the connection, which no response object can."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        account = self._account
        http = HttpRequest(scope, receive)
        request = await _read(http)
        send = _stamped(send)
        gate = verdict(account, request)
        if gate == "blocked":
            await striking.gateway_page(_PAGES["403html"])(scope, receive, send)
            return
        if gate == "too many":
            if account.switches.too_many_applied:
                _answer(account, request)
            await _too_many(account)(scope, receive, send)
            return
        fault = account.faults.strike([request.name, f"{request.verb} /api/v4/{request.path}"])
        if fault is None:
            await _answer(account, request)(scope, receive, send)
            return
        good = _answer(account, request) if fault.commits or fault.kind == "slow" else None
        if fault.kind == "slow" and good is not None:
            await account.clock.sleep(fault.hold)
            await good(scope, receive, send)
            return
        await striking.strike(fault, _faulty(account, fault), scope, receive, send)


async def _read(http: HttpRequest) -> Request:
    client = http.client
    return Request(
        verb=http.method,
        base=str(http.base_url).rstrip("/"),
        path=http.path_params["path"].rstrip("/"),
        query=http.url.query,
        body=await http.body(),
        authorization=http.headers.get("authorization", ""),
        context_user=http.headers.get("x-context-user-id", ""),
        address=client.host if client else "",
    )


def _answer(account: Account, request: Request) -> Response:
    try:
        return _good(handle(account, request))
    except ApiError as error:
        return as_response(error)


def _good(reply: Reply) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status)
    return Response(msgspec.json.encode(reply.body), reply.status, media_type="application/hal+json")


def _too_many(account: Account) -> Response:
    """The gateway's own words: HTML, unless a switch says otherwise."""
    seconds = account.switches.too_many_retry_after
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    if account.switches.too_many_body == "json":
        body = {
            "title": "Too Many Requests",
            "status": 429,
            "detail": "Rate limit",
            "retry_after": seconds or 300,
        }
        return JSONResponse(body, 429, headers=headers)
    page = striking.gateway_page(_PAGES["429"])
    page.headers.update(headers)
    return page


def _faulty(account: Account, fault: Fault) -> Response:
    if fault.kind == "429":
        return _too_many(account)
    if fault.kind in _PROBLEMS:
        return as_response(_PROBLEMS[fault.kind]())
    return striking.gateway_page(_PAGES.get(fault.kind, _PAGES["504html"]))


def _stamped(send: Send) -> Send:
    """Every answer carries the number that support asks for."""

    async def stamped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", []), (b"x-request-id", uuid.uuid4().hex.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return stamped


def _token_endpoint(account: Account) -> Any:
    async def exchange(http: HttpRequest) -> Response:
        body = await http.body()
        if "json" in http.headers.get("content-type", ""):
            try:
                sent = msgspec.json.decode(body, type=dict[str, Any])
            except (msgspec.DecodeError, msgspec.ValidationError):
                sent = {}
        else:
            sent = php.decode(body.decode(errors="replace"))
        try:
            pair = account.tokens.exchange(sent, account.clock.now().timestamp(), http.url.netloc)
        except OAuthRefusedError as error:
            return JSONResponse(error.body, error.status, media_type="application/problem+json")
        return JSONResponse(pair)

    return exchange
