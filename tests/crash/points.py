"""Numbered points of a life of Kreslo at which it can be killed: the boundaries of commits and of requests.

Nothing of this is in the product. It is laid around SQLAlchemy and httpx in a child process (`nursery.py`): each passage
of a point is written down, and at the N-th passage of the chosen one the process kills itself with SIGKILL, which no code
of ours can see coming.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")
_JOURNAL = "kreslo.journal"

_MOMENTS = {
    "http11.send_request_headers.started": "before the first byte",
    "http11.send_request_headers.complete": "in the middle of the request",
    "http11.send_request_body.complete": "after the request, before the answer",
    "http11.receive_response_headers.complete": "in the middle of the answer",
    "http11.receive_response_body.complete": "after the answer, before it is settled",
}
"""httpcore's own names of what happens on a connection (its documentation, «Extensions», `trace`)."""


class Aim(msgspec.Struct, frozen=True):
    """The `nth` passage of `point`, counted from 1, is the last thing that the process does."""

    point: str
    nth: int


class Points:
    """`trace`: where each passage is written, one a line, at once: it must survive the kill."""

    def __init__(self, trace: Path, aim: Aim | None) -> None:
        self._file = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._point = aim.point if aim else ""
        self._left = aim.nth if aim else 0
        self._sending = False

    def passed(self, point: str) -> None:
        os.write(self._file, f"{point}\n".encode())
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch_journal(self) -> None:
        """Each statement that writes, and both sides of each commit, under the name of the journal's method."""
        commit: Callable[..., None] = DefaultDialect.do_commit

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            method = _journal_method()
            if not method:
                commit(dialect, connection)
                return
            self.passed(f"before the commit of {method}")
            commit(dialect, connection)
            # What is sent from here to the next commit of outcomes is a write.
            self._sending = {"begin": True, "settle": False}.get(method, self._sending)
            self.passed(f"after the commit of {method}")

        def executes(
            _conn: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
        ) -> None:
            if statement.lstrip()[:6].upper().startswith(_WRITES) and (method := _journal_method()):
                self.passed(f"in the middle of {method}")

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        event.listen(Engine, "before_cursor_execute", executes)

    def watch_requests(self) -> None:
        """What happens to each request on its connection; those that write apart from those that read, and those that renew
        a login, which works once, apart from both.
        """
        send: Callable[..., Awaitable[httpx.Response]] = httpx.AsyncHTTPTransport.handle_async_request

        async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            login = request.url.path.startswith("/oauth/")
            trace = partial(self._on_the_wire, "login" if login else "")
            request.extensions = {**request.extensions, "trace": trace}
            return await send(transport, request)

        httpx.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign,assignment]

    async def _on_the_wire(self, what: str, name: str, _info: dict[str, Any]) -> None:
        if moment := _MOMENTS.get(name):
            self.passed(f"{what or ('write' if self._sending else 'read')}: {moment}")


def _journal_method() -> str:
    """The public method of the journal that is at work, "" where the statement is not the journal's."""
    frame = sys._getframe(2)
    while frame is not None:
        module, name = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        if module.startswith(_JOURNAL) and not name.startswith("_"):
            return name
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""
