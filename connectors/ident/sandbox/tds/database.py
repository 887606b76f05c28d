"""The stand-in's data: the demo clinic's SQLite file, dressed as SQL Server to one session."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.ident.sandbox.tds.calls import for_sqlite
from connectors.ident.sandbox.tds.faults import denied, known
from connectors.ident.sandbox.tds.ledger import Switches
from connectors.ident.sandbox.tds.statements import Select, Tables, translate
from connectors.ident.sandbox.tds.tokens import Column
from connectors.ident.sandbox.tds.types import type_of, type_of_value

_SYSTEM: dict[str, dict[str, dict[str, str]]] = {
    "sys": {
        "databases": {"name": "NVARCHAR(128)", "snapshot_isolation_state": "INT"},
        "system_views": {"name": "NVARCHAR(128)"},
        "dm_exec_sessions": {"session_id": "INT", "transaction_isolation_level": "INT"},
    },
    "INFORMATION_SCHEMA": {
        "COLUMNS": {
            "TABLE_SCHEMA": "NVARCHAR(128)",
            "TABLE_NAME": "NVARCHAR(128)",
            "COLUMN_NAME": "NVARCHAR(128)",
            "DATA_TYPE": "NVARCHAR(128)",
        }
    },
}
_LEVELS = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}
_SPID = 51

_KNOWN_TEXTS = 1000
_SELECTS: dict[tuple[str, str, bytes], Select] = {}
"""What was translated, by text and tables: it takes long, and every client says the same."""
_LOCK = threading.Lock()


class Catalog:
    """The file's tables; shared by all sessions."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._lock = threading.Lock()
        self._version = -1
        self._tables: Tables = {}

    def tables(self) -> Tables:
        """As they are now."""
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA schema_version").fetchone()
            with self._lock:
                if version != self._version:
                    names = connection.execute(
                        "SELECT name FROM sqlite_master WHERE type = 'table'"
                    ).fetchall()
                    dbo = {name: _columns(connection, name) for (name,) in names}
                    self._tables, self._version = {**_SYSTEM, "dbo": dbo}, version
                return self._tables

    def select(self, text: str) -> Select:
        """Raises ServerError for what is no SELECT, or names what is not there."""
        tables = self.tables()
        key = (text, self.name, msgspec.json.encode(tables))
        with _LOCK:
            found = _SELECTS.get(key)
        if found is None:
            found = translate(text, tables, self.name)
            with _LOCK:
                if len(_SELECTS) > _KNOWN_TEXTS:
                    _SELECTS.clear()
                _SELECTS[key] = found
        return found


class Session:
    """One connection's view of the file. Opened read-only: nothing that is said here can write."""

    def __init__(self, catalog: Catalog, switches: Switches, now: Callable[[], datetime]) -> None:
        self._catalog = catalog
        self._switches = switches
        self._now = now
        self.isolation = "READ COMMITTED"
        self._connection = sqlite3.connect("file::memory:", uri=True, timeout=5, check_same_thread=False)
        self._connection.execute("ATTACH DATABASE ? AS dbo", (f"{catalog.path.absolute().as_uri()}?mode=ro",))
        for schema, tables in _SYSTEM.items():
            self._connection.execute(f"ATTACH DATABASE ':memory:' AS {schema}")
            for table, columns in tables.items():
                self._connection.execute(f"CREATE TABLE {schema}.{table} ({', '.join(columns)})")
        self._functions()

    def select(self, text: str, values: dict[str, Any]) -> tuple[list[Column], Iterator[Sequence[Any]]]:
        """Columns and rows. Raises ServerError."""
        select = self._catalog.select(text)
        if refused := sorted(select.tables & self._switches.denied):
            raise denied("SELECT", refused[0], self._catalog.name)
        if self._switches.held and select.tables and self.isolation != "SNAPSHOT":
            raise known(1222)
        if not select.tables:
            self._fill()
        try:
            cursor = self._connection.execute(
                select.sql, {name: for_sqlite(value) for name, value in values.items()}
            )
            rows = cursor.fetchall()
        except sqlite3.OperationalError as error:
            raise _as_server(str(error)) from error
        return [
            Column(name, type_of(declared) if declared else _guess(rows, index))
            for index, (name, declared) in enumerate(zip(select.names, select.types, strict=True))
        ], iter(rows)

    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()

    def _functions(self) -> None:
        rights = {"SELECT": 1}
        make = self._connection.create_function
        make("DB_NAME", 0, lambda: self._catalog.name)
        make("SCHEMA_NAME", 0, lambda: "dbo")
        make("SERVERPROPERTY", 1, lambda _: "11.0.3128.0")
        make("tds_now", 0, lambda: self._now().isoformat(" "))
        make("HAS_PERMS_BY_NAME", 3, lambda *of: rights.get(of[2], int(self._switches.writable)))
        make("tds_spid", 0, lambda: _SPID)
        make("tds_trancount", 0, lambda: 0)
        make("tds_instant", 1, _instant, deterministic=True)

    def _fill(self) -> None:
        """System tables, as they stand at this moment."""
        put = self._connection.execute
        for schema, tables in _SYSTEM.items():
            for table in tables:
                put(f"DELETE FROM {schema}.{table}")  # noqa: S608  our own names
        put("INSERT INTO sys.databases VALUES (?, ?)", (self._catalog.name, int(self._switches.snapshot)))
        put("INSERT INTO sys.system_views VALUES ('dm_exec_sessions')")
        put("INSERT INTO sys.dm_exec_sessions VALUES (?, ?)", (_SPID, _LEVELS.get(self.isolation, 2)))
        self._connection.executemany(
            "INSERT INTO INFORMATION_SCHEMA.COLUMNS VALUES ('dbo', ?, ?, ?)",
            [
                (table, column, declared.partition("(")[0].strip().lower().replace("integer", "int"))
                for table, columns in self._catalog.tables()["dbo"].items()
                for column, declared in columns.items()
            ],
        )
        self._connection.commit()


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] or "NVARCHAR(4000)" for row in connection.execute(f'PRAGMA table_info("{table}")')}


def _guess(rows: Sequence[Sequence[Any]], index: int) -> Any:
    return type_of_value(next((row[index] for row in rows if row[index] is not None), None))


def _instant(value: Any) -> str | None:
    """An instant in one shape, so that texts compare as instants do."""
    return None if value is None else datetime.fromisoformat(str(value)).isoformat(" ", "milliseconds")


def _as_server(words: str) -> Exception:
    what, _, name = words.partition(": ")
    if what == "no such column":
        return known(207, name.rpartition(".")[2])
    if what == "no such table":
        return known(208, name)
    if "user-defined function raised" in words:
        return known(241)
    return known(1222) if "locked" in words else known(102, words)
