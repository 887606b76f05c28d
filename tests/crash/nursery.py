"""Children of `kreslo run` with everything imported already: a life begins in milliseconds, so it can be a short one.

`python -m tests.crash.nursery` reads one order a line on stdin, forks, and tells the child's number and, when it has
ended, how. The child is a process of its own that runs the real command line; only the points are laid around it.
"""

import os
import select
import signal
import sys
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, event

from kreslo import cli
from kreslo.cli.app import build_app
from kreslo.connectors.contract import source_connector, target_connector
from kreslo.journal.database import file_of
from tests.crash.helix_points import watch_files
from tests.crash.points import Aim, Points

MOST_PAGES = 1_073_741_823
"""SQLite's own default for max_page_count."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One life. `folder`: where it runs. `log`: its stdout and stderr. `trace`: the points that it passes. `full`: while
    this file is there, the journal's disk is full: the database cannot grow.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    log: str
    trace: str
    aim: Aim | None = None
    full: str = ""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """`pid` when it is born; `status` when it has ended: its exit code, or minus the signal."""

    pid: int = 0
    status: int | None = None


def main() -> None:
    for name in ("bitrix24", "amocrm"):
        target_connector(name)
    for name in ("ident", "helix"):
        source_connector(name)
    build_app(["run"])
    _tell(Told())
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if pid == 0:
            _live(msgspec.json.decode(line, type=Order))
        _tell(Told(pid=pid))
        _tell(Told(pid=pid, status=os.waitstatus_to_exitcode(_end_of(pid))))


def _live(order: Order) -> None:
    """Never returns."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, file in ((0, nothing), (1, log), (2, log)):
        os.dup2(file, number)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = ["kreslo", *order.arguments]
    points = Points(Path(order.trace), order.aim)
    points.watch_journal()
    points.watch_requests()
    watch_files(points)
    if order.full:
        event.listen(Engine, "begin", _Disk(Path(order.full)))
    code = 70
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Disk:
    """SQLite says "database or disk is full" where a page more is needed than it may have: the same error, from the same
    place, as for a disk without room.
    """

    def __init__(self, full: Path) -> None:
        self._full = full

    def __call__(self, connection: Connection) -> None:
        if connection.dialect.name == "sqlite" and file_of(connection.engine.url):
            pages = 1 if self._full.exists() else MOST_PAGES  # never less than there are
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def _end_of(pid: int) -> int:
    """The child's wait status. If whoever ordered it is gone (stdin is closed), the child goes too."""
    watched = [sys.stdin]
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        ready, _, _ = select.select(watched, [], [], 0.01)
        if ready:
            # No order is given while a child lives, so this is the end of the input.
            watched = []
            os.kill(pid, signal.SIGKILL)


def _tell(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
