"""How a fault looks on the wire: through a real socket, and through httpx.ASGITransport, which has no socket.

In process a lost connection is raised as the exception that a client would see; over a socket it is really lost.
"""

import asyncio

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from kreslo.connectors.sandboxing.faults import Fault

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
_PROMISED = 1000


def gateway_page(title: str) -> HTMLResponse:
    """A gateway's own page, such as `502 Bad Gateway`; the status is the title's number."""
    return HTMLResponse(_HTML.format(title), int(title.split(maxsplit=1)[0]))


async def strike(fault: Fault, answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Cut the connection, hold it, or give `answer`, as the fault says."""
    if fault.kind in {"cut", "lose"}:
        await _cut(scope, send)
        return
    if fault.kind == "timeout":
        await _hold(fault, scope, receive)
        answer = gateway_page("504 Gateway Time-out")
    await answer(scope, receive, send)


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
