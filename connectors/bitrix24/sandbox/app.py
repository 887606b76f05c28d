"""The ASGI side: reads requests as the portal does, strikes faults, serves the board and the control plane."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.bitrix24.sandbox import batch, xml
from connectors.bitrix24.sandbox.board import shown as board_shown
from connectors.bitrix24.sandbox.control import control_routes
from connectors.bitrix24.sandbox.dispatch import CutOffError, Reply, Request, handle, refuse_too_many
from connectors.bitrix24.sandbox.oauth import TECHNICAL_USER, about
from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.striking import answer_to
from kreslo.connectors.sandboxing import php
from kreslo.connectors.sandboxing.board import board_routes
from kreslo.connectors.sandboxing.striking import gateway_page, strike

JSON = "application/json; charset=utf-8"


def build_app(portal: Portal) -> ASGIApp:
    rest = _Rest(portal)
    webhook = Route("/rest/{uid}/{code}/{method:path}", rest, methods=["GET", "POST"])
    application = Route("/rest/{method}", rest, methods=["GET", "POST"])
    slashed = Route("/rest/{method}/", rest, methods=["GET", "POST"])
    oauth = Route("/oauth/token/", _oauth(portal), methods=["GET", "POST"])
    app = Starlette(
        routes=[
            webhook,
            application,
            slashed,
            oauth,
            *control_routes(portal),
            *board_routes(lambda: board_shown(portal)),
        ]
    )
    app.state.portal = portal
    return app


def _oauth(portal: Portal) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def token(http: HttpRequest) -> Response:
        form = php.decode((await http.body()).decode(errors="replace")) if http.method == "POST" else {}
        asked = {**php.decode(http.url.query), **form}
        told = portal.tokens.exchange(asked, str(http.base_url).rstrip("/"))
        return Response(php.encode(told.body), told.status, media_type=JSON)

    return token


class _Rest:
    """A raw ASGI endpoint: a fault may have to break the connection, which no response object can."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        if (new := self._portal.switches.renamed_to) and http.url.hostname != new:
            await RedirectResponse(str(http.url.replace(hostname=new)), 302)(scope, receive, send)
            return
        try:
            await self._answer(http, scope, receive, send)
        finally:
            base = str(http.base_url).rstrip("/")
            await self._portal.happenings.deliver(about(base))

    async def _answer(self, http: HttpRequest, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(http)
        as_xml = http.path_params["method"].rstrip("/").endswith(".xml")
        reply = refuse_too_many(self._portal, request)
        if reply is not None:
            await _response(reply, as_xml=as_xml)(scope, receive, send)
            return
        names = [request.method]
        if request.method.lower() == "batch":
            names += [batch.method_of(command) for _, command in batch.commands(request.params)]
        fault = self._portal.faults.strike(names)
        slow = fault is not None and fault.kind == "slow"
        if fault is None or fault.commits or slow:
            try:
                reply = await handle(self._portal, request, commands=fault.commands if fault else None)
            except CutOffError:
                await gateway_page("504 Gateway Time-out")(scope, receive, send)
                return
            if fault is not None and slow:
                await self._portal.clock.sleep(fault.hold)
            if fault is None or slow:
                await _response(reply, as_xml=as_xml)(scope, receive, send)
                return
        await strike(fault, answer_to(fault), scope, receive, send)


async def _read(http: HttpRequest) -> Request:
    params: dict[str, Any] = php.decode(http.url.query)
    content_type = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if http.method == "POST":  # a body on GET is not parsed, whatever it says it is
        if content_type == "application/json":
            params.update(await _json(http))
        elif content_type == "multipart/form-data":
            async with http.form() as form:
                texts = [
                    (key, value) for key, value in form.multi_items() if not isinstance(value, UploadFile)
                ]
            params.update(php.nest(texts))
        elif content_type == "application/x-www-form-urlencoded":
            params.update(php.decode((await http.body()).decode(errors="replace")))
    client = http.client
    return Request(
        user_id=http.path_params.get("uid", str(TECHNICAL_USER)),
        code=http.path_params.get("code", ""),
        method=http.path_params["method"].rstrip("/").removesuffix(".json").removesuffix(".xml"),
        params=params,
        address=client.host if client else "",
    )


async def _json(http: HttpRequest) -> dict[str, Any]:
    body = await http.body()
    try:
        sent = await http.json() if body.strip() else {}
    except ValueError:  # PHP's json_decode gives null, and the method sees no parameters
        return {}
    return dict(php.pairs(sent))


def _response(reply: Reply, *, as_xml: bool) -> Response:
    if as_xml:
        return Response(xml.encode(reply.body), reply.status, media_type="text/xml; charset=utf-8")
    return Response(php.encode(reply.body), reply.status, media_type=JSON)
