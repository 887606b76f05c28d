"""One process owns a bridge: the operating system holds the lock, so a crash frees it."""

import hashlib
import os
import re
import socket
import sys
from pathlib import Path
from typing import IO, Self

from sqlalchemy import URL, Connection, Engine, text

from kreslo.connectors.errors import ConfigurationError
from kreslo.journal.database import explained, file_of

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 1 << 30
"""Where Windows locks its byte: far behind the text, so that others can still read who holds it."""

_SIGN = "kreslo: "
_NAME_LENGTH = 63
"""PostgreSQL cuts an application's name here."""

_HOLDER = (
    "select a.application_name from pg_locks l join pg_stat_activity a on a.pid = l.pid "
    "where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = :n"
)

_here: set[str] = set()


class BridgeLock:
    """Released by `release`, at the end of a `with`, or by the end of the process."""

    def __init__(self, name: str, held: "IO[str] | Connection | None") -> None:
        self._name = name
        self._held = held

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        _here.discard(self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_bridge(engine: Engine, url: URL, bridge: str, owner: str) -> BridgeLock:
    if url.get_backend_name() == "postgresql":
        return _lock_postgresql(engine, url, bridge, owner)
    path = file_of(url)
    if path is None:
        return BridgeLock("", None)  # in memory: nobody else can see it
    return _lock_file(path, bridge, owner)


def _lock_file(database: Path, bridge: str, owner: str) -> BridgeLock:
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", bridge)
    # Two names may look the same once they are plain.
    mark = "" if plain == bridge else "-" + hashlib.sha256(bridge.encode()).hexdigest()[:8]
    path = database.with_name(f"{database.name}.{plain}{mark}.lock")
    name = str(path.resolve())
    if name in _here:
        raise _taken(bridge, f"this process, {os.getpid()}")
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the lock {path} of the bridge cannot be made: {error}") from error
    try:
        _take(file)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise _taken(bridge, holder or "another process") from error
    file.seek(0)
    file.truncate()
    file.write(_whoami(owner))
    file.flush()
    _here.add(name)
    return BridgeLock(name, file)


def _take(file: IO[str]) -> None:
    if sys.platform == "win32":
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_postgresql(engine: Engine, url: URL, bridge: str, owner: str) -> BridgeLock:
    number = int.from_bytes(hashlib.sha256(f"kreslo/{bridge}".encode()).digest()[:8], "big", signed=True)
    with explained(url):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        who = f"{_SIGN}{_whoami(owner)}"[:_NAME_LENGTH]
        connection.execute(text("select set_config('application_name', :who, false)"), {"who": who})
        if connection.execute(text("select pg_try_advisory_lock(:n)"), {"n": number}).scalar_one():
            connection.detach()  # its end is the lock's end: it never goes back to the pool
            return BridgeLock("", connection)
        holder = connection.execute(text(_HOLDER), {"n": number}).scalars().first()
        connection.close()
    raise _taken(bridge, (holder or "another process").removeprefix(_SIGN))


def _whoami(owner: str) -> str:
    return f"process {os.getpid()} on {socket.gethostname()} ({owner})"


def _taken(bridge: str, holder: str) -> ConfigurationError:
    return ConfigurationError(
        f'bridge "{bridge}" is run by {holder}: stop that one first, or use its page and commands'
    )
