"""The clinic of tests behind TDS, and the drivers that are here to reach it."""

import ctypes
import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.ident.options import IdentOptions
from connectors.ident.sandbox.tds import Kind, StandIn
from tests.contract.ident_clinic import SCHEMA, ZONE, Clinic

_UNPACKED = Path(__file__).parents[2] / ".venv/odbc"
_MANAGER = ("libltdl.so.7", "libodbcinst.so.2", "libodbc.so.2")
_WHY = "no ODBC driver manager here ({}): .ci/odbc fetches it where there is apt, or install unixodbc"

MICROSOFT = "Microsoft's ODBC Driver 18"
FREETDS = "FreeTDS"


@cache
def _manager() -> str:
    """Why there is no driver manager; "" where pyodbc can be used."""
    folder = next(iter(_UNPACKED.glob("usr/lib/*/libodbc.so.2")), Path()).parent
    for name in _MANAGER:
        try:
            ctypes.CDLL(str(folder / name) if folder.name else name, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            return str(error)
    return ""


def driver(which: str) -> str:
    """The driver's file, for DRIVER={…}. Skips the test where it is not here, with the reason."""
    if why := _manager():
        pytest.skip(_WHY.format(why))
    if which == MICROSOFT:
        spec = importlib.util.find_spec("mssql_python_odbc")
        root = Path(spec.origin).parent if spec and spec.origin else Path()
        files = root.glob("libs/linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18*")
    else:
        files = (
            path for root in (_UNPACKED, Path("/")) for path in root.glob("usr/lib/*/odbc/libtdsodbc.so")
        )
    found = next(iter(files), None)
    if found is None:
        pytest.skip(f"{which} is not here")
    return str(found)


class ServedClinic(Clinic):
    """The same clinic, reached as a clinic's is: through a driver, over TLS, at a SQL Server's stand-in."""

    def __init__(self, folder: Path, server: StandIn, which: str) -> None:
        super().__init__(folder)
        self.server = server
        self.which = which

    def dsn(self, **parts: str) -> str:
        """The connection string that an administrator would write, with some parts given otherwise."""
        usual = {
            "DRIVER": f"{{{driver(self.which)}}}",
            "SERVER": f"{self.server.host},{self.server.port}",
            "DATABASE": self.server.database,
            "UID": self.server.user,
            "PWD": self.server.password,
        }
        if self.which == FREETDS:
            usual["Encryption"] = "require"
        return ";".join(f"{name}={value}" for name, value in {**usual, **parts}.items() if value)

    def options(self, **more: Any) -> IdentOptions:
        return super().options(**{"database": self.dsn(), "trust_certificate": True, **more})

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Somebody's work that is not committed yet: its locks stand, its rows are seen by nobody else."""
        with closing(sqlite3.connect(self.path)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("BEGIN IMMEDIATE")
            self.server.switches.held = True
            yield writer
            writer.commit()
            self.server.switches.held = False


@contextmanager
def served(folder: Path, which: str, **more: Any) -> Iterator[ServedClinic]:
    """A clinic behind a stand-in. When it ends, everything that the stand-in was asked is looked through."""
    driver(which)
    clinics: list[Clinic] = []
    server = StandIn(
        folder / "clinic.db",
        now=lambda: clinics[0].clock.now().astimezone(ZONE).replace(tzinfo=None),
        **more,
    )
    with server:
        clinic = ServedClinic(folder, server, which)
        clinics.append(clinic)
        yield clinic
        harmless = {Kind.SELECT, Kind.SETTING, Kind.TRANSACTION, Kind.CATALOG}
        assert [said.text for said in server.ledger.said if said.kind not in harmless] == []
        assert all(opened.login.read_only and opened.encrypted for opened in server.ledger.opened)


class RealClinic(Clinic):
    """The same clinic in a real SQL Server: KRESLO_TEST_MSSQL is an ODBC connection string to an EMPTY database made
    for this, with a login that may make tables there. Its tables of these names are dropped each time.
    """

    def __init__(self, folder: Path, dsn: str) -> None:
        _manager()
        import pyodbc

        self._dsn = dsn
        self._connection = pyodbc.connect(dsn, autocommit=True)
        self._connection.execute("SET DATEFORMAT ymd")  # whatever the login's language
        for statement in "\n".join(
            line.partition("--")[0] for line in SCHEMA.read_text(encoding="utf-8").splitlines()
        ).split(";"):
            if words := statement.split():
                self._connection.execute(
                    f"IF OBJECT_ID('dbo.{words[2]}') IS NOT NULL DROP TABLE dbo.{words[2]}"
                )
                self._connection.execute(statement)
        super().__init__(folder)
        self.clock._start = datetime.now(UTC)

    def options(self, **more: Any) -> IdentOptions:
        return super().options(
            **{"database": self._dsn, "trust_certificate": True, "allow_writable_login": True, **more}
        )

    def run(self, sql: str, values: Any = ()) -> int:
        self._connection.execute(sql, list(values))
        return 0

    def add(self, table: str, **values: Any) -> int:
        key = (
            "ID_Persons" if table == "Patients" else "ID_Orders" if table == "OrderPaymentsJournal" else "ID"
        )
        values.setdefault(key, self.next(table, key))
        super().add(table, **values)
        return int(values[key])

    def next(self, table: str, key: str = "ID") -> int:
        statement = f"SELECT COALESCE(MAX({key}), 0) + 1 FROM {table}"  # noqa: S608  the tests' own names
        return int(self._connection.execute(statement).fetchval())

    def close(self) -> None:
        self._connection.close()


def real_server() -> str:
    """KRESLO_TEST_MSSQL, or the test is skipped."""
    dsn = os.environ.get("KRESLO_TEST_MSSQL", "")
    if not dsn:
        pytest.skip("KRESLO_TEST_MSSQL names no SQL Server")
    return dsn
