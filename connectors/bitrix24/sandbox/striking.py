"""How a fault looks on the wire: through a real socket, and through httpx.ASGITransport, which has no socket.

In process a lost connection is raised as the exception that a client would see; over a socket it is really lost.
"""

import asyncio

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from connectors.bitrix24.sandbox import php
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.faults import Fault

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
_PROMISED = 1000


async def strike(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the fault says; never a good answer."""
    if fault.kind in {"cut", "lose"}:
        await _cut(scope, send)
        return
    if fault.kind == "timeout":
        await _hold(fault, scope, receive)
    await _answer(fault)(scope, receive, send)


def _answer(fault: Fault) -> Response:
    if fault.kind == "502html":
        return HTMLResponse(_HTML.format("502 Bad Gateway"), 502)
    if fault.kind in {"504html", "timeout"}:
        return HTMLResponse(_HTML.format("504 Gateway Time-out"), 504)
    code, text, status = {
        "503": ("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
        "429": ("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429),
    }.get(fault.kind, ("INTERNAL_SERVER_ERROR", "Internal server error", 500))
    body = RestError(code, text).body()
    return Response(php.encode(body), status, media_type="application/json; charset=utf-8")


async def _cut(scope: Scope, send: Send) -> None:
    if _in_process(scope):
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    # A body shorter than promised: the server closes the socket on it.
    headers = [(b"content-type", b"application/json"), (b"content-length", str(_PROMISED).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _hold(fault: Fault, scope: Scope, receive: Receive) -> None:
    if _in_process(scope):
        raise httpx.ReadTimeout("The sandbox holds its answer back.")
    try:
        async with asyncio.timeout(fault.hold):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


def _in_process(scope: Scope) -> bool:
    # Servers say which version of the ASGI specification they speak; httpx's transport does not.
    return "spec_version" not in scope["asgi"]
