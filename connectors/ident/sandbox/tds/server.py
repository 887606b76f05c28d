"""A stand-in of Microsoft SQL Server: TDS 7.4 over the demo clinic's file, for the drivers that a clinic uses.

It is no SQL engine: it runs single SELECTs, takes settings of the session, and refuses all else as a login that may
only read is refused. It has no optimiser, no locks of its own and no rights but those that are switched off.
"""

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from connectors.ident.sandbox.tds import greeting, tokens
from connectors.ident.sandbox.tds.browser import Browser
from connectors.ident.sandbox.tds.calls import Call, batch, call
from connectors.ident.sandbox.tds.certificates import context
from connectors.ident.sandbox.tds.database import Catalog, Session
from connectors.ident.sandbox.tds.faults import ServerError, known
from connectors.ident.sandbox.tds.greeting import Encryption, Login
from connectors.ident.sandbox.tds.ledger import Ledger, Opened, Said, Switches
from connectors.ident.sandbox.tds.packets import HungUpError, Kind, Link
from connectors.ident.sandbox.tds.statements import Kind as What
from connectors.ident.sandbox.tds.statements import kind_of
from connectors.ident.sandbox.tds.tokens import Change, Done, Status
from connectors.ident.sandbox.tds.types import ConversionError

_LEVEL = re.compile(r"SET\s+TRANSACTION\s+ISOLATION\s+LEVEL\s+([A-Z ]+)", re.IGNORECASE)
_TICK_SECONDS = 0.02


class StandIn:
    """`with StandIn(path, now=…) as server:` listens at `server.host`, `server.port`. `now`: its clock, naive.
    `encrypted` False: the server has no certificate at all. `instance`: its name, told by a SQL Server Browser at
    UDP 1434 of the same host, as of a named instance whose port changes.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], datetime],
        host: str = "127.0.0.1",
        database: str = "PZ",
        user: str = "reader",
        password: str = "demo-only",  # noqa: S107  of a made-up clinic
        encrypted: bool = True,
        instance: str = "",
    ) -> None:
        self.host = host
        self.port = 0
        self.database = database
        self.user = user
        self.password = password
        self.ledger = Ledger()
        self.switches = Switches()
        self._now = now
        self._browser = Browser(host, instance) if instance else None
        self._catalog = Catalog(path, database)
        self._context: ssl.SSLContext | None = context(host) if encrypted else None
        self._listening: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._links: set[Link] = set()
        self._closing = False
        self._count = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server((self.host, self.port))
        self.port = self._listening.getsockname()[1]
        self._start(self._accept)
        if self._browser is not None:
            self._browser.open(self.port)
            self._start(self._browser.run)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        if self._browser is not None:
            self._browser.close()
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.hang_up()
        for thread in self._threads:
            thread.join(timeout=5)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True, name="tds")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        listening = self._listening
        while listening is not None and not self._closing:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve, Link(sock))

    def _serve(self, link: Link) -> None:
        self._links.add(link)
        try:
            login, encrypted = self._greet(link)
            self._count += 1
            opened = Opened(number=self._count, login=login, encrypted=encrypted)
            with self.ledger.connection(opened):
                conversation = Conversation(self, link, opened.number)
                try:
                    conversation.run()
                finally:
                    conversation.close()
        except HungUpError:
            return
        finally:
            self._links.discard(link)
            link.close()

    def _greet(self, link: Link) -> tuple[Login, bool]:
        wish = greeting.wish(link.read()[1])
        encrypted = self._context is not None and wish is not Encryption.NOT_SUPPORTED
        link.write(greeting.prelogin(Encryption.REQUIRED if encrypted else Encryption.NOT_SUPPORTED))
        if self._context is not None and encrypted:
            link.secure(self._context)
        login = greeting.login(link.read()[1])
        if (login.user, login.password) != (self.user, self.password):
            self._turn_away(link, known(18456, login.user))
        if login.database and login.database != self.database:
            self._turn_away(link, known(4060, login.database))
        link.write(tokens.greeting(self.database))
        return login, encrypted

    def _turn_away(self, link: Link, error: ServerError) -> None:
        link.write(
            tokens.error(error.number, error.message, error.severity) + tokens.done(status=Status.ERROR)
        )
        raise HungUpError(error.message)

    def session(self) -> Session:
        return Session(self._catalog, self.switches, self._now)


class Conversation:
    """One client, from its login to its end."""

    def __init__(self, server: StandIn, link: Link, number: int) -> None:
        self._ledger = server.ledger
        self._switches = server.switches
        self._link = link
        self._number = number
        self._session = server.session()
        self._prepared: dict[int, str] = {}
        self._transaction = 0

    def run(self) -> None:
        while True:
            kind, payload = self._link.read()
            if kind is Kind.BATCH:
                self._link.write(self._said(batch(payload), {}, Done.BATCH))
            elif kind is Kind.RPC:
                self._link.write(self._called(call(payload)))
            elif kind is Kind.TRANSACTION:
                self._link.write(self._transacted(payload))
            elif kind is Kind.ATTENTION:
                self._link.write(tokens.done(status=Status.ATTENTION))
            else:
                raise HungUpError(f"a message of type {kind} in the middle")

    def close(self) -> None:
        self._session.close()

    def _called(self, asked: Call) -> bytes:
        values = {each.name.lstrip("@"): each.value for each in asked.parameters}
        given = [each.value for each in asked.parameters]
        head = b""
        match asked.name.lower():
            case "sp_executesql":
                text, own = str(given[0]), asked.parameters[2:]
            case "sp_prepexec":
                number = len(self._prepared) + 1
                text, own = str(given[2]), asked.parameters[3:]
                self._prepared[number] = text
                head = tokens.handle(number)
            case "sp_prepare":
                number = len(self._prepared) + 1
                self._prepared[number] = str(given[2])
                return tokens.returned(0) + tokens.handle(number) + tokens.done(Done.PROCEDURE)
            case "sp_execute":
                prepared = self._prepared.get(given[0])
                if prepared is None:
                    return self._wrong(known(8179, str(given[0])), Done.PROCEDURE)
                text, own = prepared, asked.parameters[1:]
            case "sp_unprepare":
                return tokens.returned(0) + tokens.done(Done.PROCEDURE)
            case _:
                return self._wrong(known(2812, asked.name), Done.PROCEDURE)
        values = {each.name.lstrip("@") or f"P{index}": each.value for index, each in enumerate(own, start=1)}
        answer = self._said(text, values, Done.INSIDE)
        return answer + tokens.returned(0) + head + tokens.done(Done.PROCEDURE)

    def _said(self, text: str, values: dict[str, Any], ending: Done) -> bytes:
        what, level, began = kind_of(text), self._session.isolation, time.monotonic()
        more = Status.MORE if ending is Done.INSIDE else Status.FINAL
        rows = number = 0
        try:
            if what is What.SETTING:
                self._set(text)
                return tokens.done(ending, more)
            if what is What.TRANSACTION:
                return self._ended() + tokens.done(ending, more)
            if what is What.CATALOG:
                raise known(2812, "sp_datatype_info")
            if self._slow():
                return tokens.done(status=Status.ATTENTION)
            struck, error = self._switches.strike(text) if what is What.SELECT else (False, None)
            if error is not None:
                raise error
            if struck:
                self._link.cut()
                raise HungUpError("as it was told to")
            columns, found = self._session.select(text, values)
            body, rows = tokens.rows(columns, found)
            return tokens.columns(columns) + bytes(body) + tokens.done(ending, more | Status.COUNT, rows)
        except ServerError as error:
            number = error.number
            return self._wrong(error, ending)
        except ConversionError:
            number = 241
            return self._wrong(known(241), ending)
        finally:
            seconds = time.monotonic() - began
            self._ledger.write(
                Said(
                    text=text,
                    kind=what,
                    connection=self._number,
                    isolation=level,
                    seconds=seconds,
                    rows=rows,
                    error=number,
                )
            )

    def _wrong(self, error: ServerError, ending: Done) -> bytes:
        more = Status.MORE if ending is Done.INSIDE else Status.FINAL
        return tokens.error(error.number, error.message, error.severity) + tokens.done(
            ending, Status.ERROR | more
        )

    def _slow(self) -> bool:
        """Waits as long as it was told to; True: the client gave up meanwhile."""
        until = time.monotonic() + self._switches.slow
        while (left := until - time.monotonic()) > 0:
            if self._link.waiting(min(left, _TICK_SECONDS)):
                kind, _ = self._link.read()
                return kind is Kind.ATTENTION
        return False

    def _set(self, text: str) -> None:
        for match in _LEVEL.finditer(text):
            self._session.isolation = " ".join(match[1].upper().split())

    def _ended(self) -> bytes:
        if not self._transaction:
            return b""
        ended, self._transaction = self._transaction, 0
        return tokens.transaction(Change.ROLLED_BACK, ended)

    def _transacted(self, payload: bytes) -> bytes:
        """A request of the driver's own to begin, commit or roll back: there is nothing to commit, it is agreed to."""
        start = int.from_bytes(payload[:4], "little")
        what = int.from_bytes(payload[start : start + 2], "little")
        if what == 5:
            self._transaction = 1
            return tokens.transaction(Change.BEGUN, 1) + tokens.done()
        changed = tokens.transaction(
            Change.COMMITTED if what == 7 else Change.ROLLED_BACK, self._transaction or 1
        )
        self._transaction = 0
        return changed + tokens.done()
