"""What the stand-in was asked, for tests to look at; and what they may have it do wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from connectors.ident.sandbox.tds.faults import ServerError
from connectors.ident.sandbox.tds.greeting import Login
from connectors.ident.sandbox.tds.statements import Kind


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One statement. `isolation`: the session's level when it came. `error`: the number of the answer, 0 for none."""

    text: str
    kind: Kind
    connection: int
    isolation: str
    seconds: float
    rows: int = 0
    error: int = 0


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """One login that was let in. `number`: the connection's."""

    number: int
    login: Login
    encrypted: bool


class Ledger:
    """Everything that was said and opened, in order. `most_open`: the most connections at one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.said: list[Said] = []
        self.opened: list[Opened] = []
        self.open_now = 0
        self.most_open = 0

    def write(self, said: Said) -> None:
        with self._lock:
            self.said.append(said)

    @contextmanager
    def connection(self, opened: Opened) -> Iterator[None]:
        with self._lock:
            self.opened.append(opened)
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        try:
            yield
        finally:
            with self._lock:
                self.open_now -= 1


class Switches:
    """What goes wrong, until it is switched off. `denied`: tables of dbo that the login may not read. `writable`: the
    login may change data. `snapshot`: the database keeps versions. `held`: somebody's transaction is open, whose locks
    a reader without versions runs into.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: list[tuple[str, ServerError | None]] = []
        self.denied: set[str] = set()
        self.writable = False
        self.snapshot = False
        self.held = False
        self.slow = 0.0

    def fail(self, error: ServerError, *, where: str = "") -> None:
        """The next SELECT whose text holds `where` is answered with this error."""
        with self._lock:
            self._next.append((where, error))

    def hang_up(self, *, where: str = "") -> None:
        """The next SELECT whose text holds `where` loses the link instead of an answer."""
        with self._lock:
            self._next.append((where, None))

    def strike(self, text: str) -> tuple[bool, ServerError | None]:
        """Whether this statement is struck, and by which error; True and None: the link is lost."""
        with self._lock:
            for index, (where, error) in enumerate(self._next):
                if where in text:
                    del self._next[index]
                    return True, error
        return False, None
