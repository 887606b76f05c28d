"""Events: what happened to a card, told to an outgoing webhook and kept in offline queues.

Only the card's number is told. A delivery is tried once; own writes fire too; a move of a deal to another funnel fires
ONCRMDEALMOVETOCATEGORY alone. An offline queue holds one record a distinct event and data; a change made by a call with
the queue's own `auth_connector` is not put into it. Deliveries go to this machine only.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from kreslo.connectors.sandboxing import php

_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT = 5.0
PING = "ONOFFLINEEVENT"
"""Told to an online handler when a record comes into an offline queue; it names no card."""
_PLAIN = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # never used: http on this machine; the default one is slow to make


class Handler(msgspec.Struct, kw_only=True):
    """An outgoing webhook (or an application's online handler)."""

    id: int
    url: str
    token: str
    events: list[str]


class Queued(msgspec.Struct, kw_only=True):
    id: int
    at: Any
    name: str
    data: dict[str, Any]
    connector: str
    process_id: str = ""
    error: bool = False

    @property
    def message_id(self) -> str:
        return hashlib.md5(f"{self.name}|{json.dumps(self.data)}".encode(), usedforsecurity=False).hexdigest()


class Happenings:
    """`connector`: the `auth_connector` of the call that is being done. `bound`: offline bindings, event → connectors."""

    def __init__(self) -> None:
        self.connector = ""
        self.handlers: list[Handler] = []
        self.bound: dict[str, list[str]] = {}
        self.queue: list[Queued] = []
        self.sent: list[dict[str, Any]] = []
        self._waiting: list[tuple[str, dict[str, Any], int]] = []
        self._last = 0
        self._processes = 0
        self._turn = asyncio.Lock()

    @contextlib.contextmanager
    def caused_by(self, connector: str) -> Iterator[None]:
        """What happens meanwhile is the doing of a call with this `auth_connector`, "" of somebody else."""
        before, self.connector = self.connector, connector
        try:
            yield
        finally:
            self.connector = before

    def tell(self, name: str, fields: dict[str, Any], at: Any, now: int) -> None:
        """Something has happened: `fields` by their names, the card's number first."""
        data = {"FIELDS": fields}
        if self.handlers:
            self._waiting.append((name, fields, now))
        for connector in self.bound.get(name, []):
            if not connector or connector != self.connector:
                self._put(name, data, connector, at)

    def _put(self, name: str, data: dict[str, Any], connector: str, at: Any) -> None:
        for row in self.queue:
            if (row.name, row.data, row.connector, row.process_id) == (name, data, connector, ""):
                row.at = at
                return
        self._last += 1
        if any(PING in handler.events for handler in self.handlers):
            self._waiting.append((PING, {}, int(at.timestamp())))
        self.queue.append(Queued(id=self._last, at=at, name=name, data=data, connector=connector))

    def take(self, limit: int, connector: str, *, clear: bool) -> tuple[str | None, list[Queued]]:
        """The oldest records. `clear`: they are gone at once; else they are hidden under a process id."""
        rows = [row for row in self.queue if not row.process_id and row.connector == connector][:limit]
        if clear:
            self.queue = [row for row in self.queue if row not in rows]
            return None, rows
        self._processes += 1
        process = hashlib.md5(f"process {self._processes}".encode(), usedforsecurity=False).hexdigest()
        for row in rows:
            row.process_id = process
        return process, rows

    def confirm(self, process: str, ids: list[int], messages: list[str]) -> None:
        """Records of the process are done with; all of them where none are named."""
        self.queue = [
            row for row in self.queue if not (row.process_id == process and _named(row, ids, messages))
        ]

    def put_back(self, process: str, messages: list[str]) -> None:
        for row in self.queue:
            if row.process_id == process and _named(row, [], messages):
                row.process_id, row.error = "", True

    async def deliver(self, auth: dict[str, Any]) -> None:
        """One try for each; what fails is lost. Returns when nothing is on its way."""
        async with self._turn:
            waiting, self._waiting = self._waiting, []
            if waiting:
                await self._deliver(waiting, auth)

    async def _deliver(self, waiting: list[tuple[str, dict[str, Any], int]], auth: dict[str, Any]) -> None:
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(verify=_PLAIN), timeout=_TIMEOUT
        ) as http:
            for name, fields, now in waiting:
                for handler in self.handlers:
                    if name in handler.events:
                        await self._send(http, handler, name, fields, now, auth)

    async def _send(
        self,
        http: httpx.AsyncClient,
        handler: Handler,
        name: str,
        fields: dict[str, Any],
        now: int,
        auth: dict[str, Any],
    ) -> None:
        form = {"event": name, "event_handler_id": str(handler.id), "ts": str(now)}
        form |= {f"data[FIELDS][{code}]": php.text(value) for code, value in fields.items()}
        form |= {
            f"auth[{code}]": value for code, value in {**auth, "application_token": handler.token}.items()
        }
        code = 0
        if urlsplit(handler.url).hostname in _HERE:
            try:
                code = (await http.post(handler.url, data=form)).status_code
            except httpx.HTTPError:
                code = 0
        self.sent.append({"event": name, "url": handler.url, "fields": fields, "status": code})


def _named(row: Queued, ids: list[int], messages: list[str]) -> bool:
    return (not ids and not messages) or row.id in ids or row.message_id in messages
