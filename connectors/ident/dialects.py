"""What differs between the clinic's SQL Server and a SQLite file: the engine, the session, the clock, the rights.

Everything else is the same text for both, so that the demo and the tests run what a clinic runs.
"""

import importlib
import re
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from connectors.ident.options import IdentOptions
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.seams import Clock

# Newest first. The last one is part of Windows and knows neither read-only intent nor long Unicode texts well.
_DRIVERS = (
    "ODBC Driver 18 for SQL Server",
    "ODBC Driver 17 for SQL Server",
    "ODBC Driver 13.1 for SQL Server",
    "ODBC Driver 13 for SQL Server",
    "ODBC Driver 11 for SQL Server",
    "SQL Server Native Client 11.0",
    "FreeTDS",
    "SQL Server",
)

_WINDOWS_OWN = "SQL Server"
_FREETDS = "FreeTDS"

_LOCK_TIMEOUT = timedelta(seconds=5)
_CONNECT_TIMEOUT = timedelta(seconds=15)

# A login that may do one of these can change the clinic's data, be it by a role, as an owner or by a single grant.
_WRITES = ("INSERT", "UPDATE", "DELETE", "ALTER")
_OURS = ("dbo.Receptions", "dbo.Patients", "dbo.Persons")


_SNAPSHOT = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"


class Dialect(Protocol):
    """One kind of database. `label`: which one, for a person, without its password. `text_instants`: it has no type
    for instants and keeps them as ISO texts.
    """

    label: str
    text_instants: bool

    def engine(self) -> Engine: ...

    def now(self, connection: Connection) -> datetime:
        """The database's clock, naive, as it stamps its rows."""
        ...

    def writable(self, connection: Connection) -> bool:
        """Whether our login could change the clinic's data."""
        ...

    def columns(self, connection: Connection) -> dict[str, dict[str, str]]:
        """The types of the columns of each table that we may see, as the database calls them."""
        ...

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        """What is worth knowing of this database, each a name and a value."""
        ...


def dialect_of(options: IdentOptions, clock: Clock) -> Dialect:
    """The dialect that `database` names. Raises ConfigurationError for what is neither."""
    value = options.database.get_secret_value().strip()
    if "://" not in value:
        if "=" not in value:
            raise ConfigurationError(
                "database: neither an SQLAlchemy URL nor an ODBC connection string; "
                r"write SERVER=clinic\PZSQLSERVER;DATABASE=PZ;UID=…;PWD=… or sqlite:///clinic.db"
            )
        said = odbc_text(value, trust_certificate=options.trust_certificate)
        return SqlServer(URL.create("mssql+pyodbc", query={"odbc_connect": said}), options)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        # The cause may hold the whole URL, password and all: it is left behind.
        raise ConfigurationError("database: not an SQLAlchemy URL; see connectors/ident/README.md") from None
    if url.get_backend_name() == "sqlite":
        return SqliteFile(url, options, clock)
    if url.drivername in {"mssql", "mssql+pyodbc"}:
        return SqlServer(url, options)
    raise ConfigurationError(
        f'database: iDent keeps its data in Microsoft SQL Server; "{url.drivername}" is not supported '
        "(mssql+pyodbc, or sqlite for the demo clinic)"
    )


class SqliteFile:
    """A SQLite file in the tables of iDent: the demo clinic. Opened read-only, attached under the name `dbo`."""

    text_instants = True

    def __init__(self, url: URL, options: IdentOptions, clock: Clock) -> None:
        if not url.database or url.database == ":memory:":
            raise ConfigurationError("database: name the SQLite file, such as sqlite:///clinic.db")
        self._path = Path(url.database).absolute()
        self._clock = clock
        self._zone = ZoneInfo(options.timezone)
        self.label = str(self._path)

    def engine(self) -> Engine:
        # Opened anew each time: it costs nothing, and a file that was replaced is noticed.
        return create_engine("sqlite://", creator=self._open, poolclass=NullPool)

    def now(self, connection: Connection) -> datetime:  # noqa: ARG002  a file has no clock: ours stamps its rows
        return self._clock.now().astimezone(self._zone).replace(tzinfo=None)

    def writable(self, connection: Connection) -> bool:  # noqa: ARG002  the file is opened read-only
        return False

    def columns(self, connection: Connection) -> dict[str, dict[str, str]]:
        statement = (
            "SELECT T.name, C.name, C.type FROM dbo.sqlite_master AS T "
            "CROSS JOIN pragma_table_info(T.name, 'dbo') AS C WHERE T.type = 'table'"
        )
        return _by_table(connection, statement)

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        return [("SQLite", str(connection.execute(text("SELECT sqlite_version()")).scalar_one()))]

    def _open(self) -> sqlite3.Connection:
        # mode=ro: a missing file is an error instead of a new, empty clinic.
        connection = sqlite3.connect(
            "file::memory:", uri=True, timeout=_LOCK_TIMEOUT.total_seconds(), check_same_thread=False
        )
        try:
            connection.execute("ATTACH DATABASE ? AS dbo", (f"{self._path.as_uri()}?mode=ro",))
            connection.execute("SELECT COUNT(*) FROM dbo.sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


class SqlServer:
    """The clinic's SQL Server, 2012 and newer, read without holding anybody up."""

    text_instants = False

    def __init__(self, url: URL, options: IdentOptions) -> None:
        self._url = url
        self._added = (
            {} if "odbc_connect" in url.query else {"ApplicationIntent": "ReadOnly", "APP": "Kreslo"}
        )
        if self._added and options.trust_certificate:
            self._added["TrustServerCertificate"] = "yes"
        self._query_timeout = max(1, round(options.query_timeout.total_seconds()))
        self.label = _label(url)

    def engine(self) -> Engine:
        engine = create_engine(
            self._url,
            module=_odbc(),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"timeout": round(_CONNECT_TIMEOUT.total_seconds()), **self._added},
        )
        event.listen(engine, "connect", self._session)
        return engine

    def now(self, connection: Connection) -> datetime:
        # DATETIME, which every driver knows: the oldest give a DATETIME2 back as a text.
        value = connection.execute(text("SELECT GETDATE()")).scalar_one()
        if not isinstance(value, datetime):
            raise ConfigurationError(
                f"{self.label}: the ODBC driver gives the server's time as a text; install ODBC Driver 17 or 18"
            )
        return value

    def writable(self, connection: Connection) -> bool:
        places = [("DB_NAME()", "DATABASE"), *((f"'{table}'", "OBJECT") for table in _OURS)]
        checks = " + ".join(
            f"COALESCE(HAS_PERMS_BY_NAME({name}, '{kind}', '{right}'), 0)"
            for name, kind in places
            for right in _WRITES
        )
        return bool(connection.execute(text(f"SELECT {checks}")).scalar_one())

    def columns(self, connection: Connection) -> dict[str, dict[str, str]]:
        statement = (
            "SELECT C.TABLE_NAME, C.COLUMN_NAME, C.DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS AS C "
            "WHERE C.TABLE_SCHEMA = 'dbo'"
        )
        return _by_table(connection, statement)

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        version = connection.execute(
            text("SELECT CAST(SERVERPROPERTY('ProductVersion') AS VARCHAR(50))")
        ).scalar()
        state = connection.execute(text(_SNAPSHOT)).scalar()
        return [
            ("SQL Server", str(version)),
            ("snapshot isolation", "on" if state == 1 else "off: READ COMMITTED with a short lock timeout"),
        ]

    def _session(self, connection: Any, record: Any) -> None:  # noqa: ARG002  SQLAlchemy's event signature
        connection.timeout = self._query_timeout
        cursor = connection.cursor()
        try:
            snapshot = _has_snapshot(cursor)
            connection.commit()  # the level of isolation cannot change inside a transaction
            for statement in session_statements(snapshot=snapshot):
                cursor.execute(statement)
        finally:
            cursor.close()
        connection.commit()


def session_statements(*, snapshot: bool) -> list[str]:
    """What a session of ours says first: versions instead of locks where the database keeps them, else short locks,
    a short wait for others', and the first to give way in a deadlock.
    """
    return [
        "SET NOCOUNT ON",
        f"SET LOCK_TIMEOUT {_LOCK_TIMEOUT // timedelta(milliseconds=1)}",
        "SET DEADLOCK_PRIORITY LOW",
        f"SET TRANSACTION ISOLATION LEVEL {'SNAPSHOT' if snapshot else 'READ COMMITTED'}",
    ]


def odbc_text(value: str, *, trust_certificate: bool = False) -> str:
    """An ODBC connection string with what is missing: the newest installed driver with what that one needs, and that
    we only read. `trust_certificate`: take the server's certificate as it is.
    """
    parts = _parts(value)
    if not parts.keys() & {"driver", "dsn", "filedsn"}:
        parts = {"driver": ("DRIVER", f"{{{_installed_driver()}}}"), **parts}
    for key in parts.keys() & {"server", "addr", "address"}:
        name, address = parts[key]
        parts[key] = (name, _without_default_port(address))
    driver = Path(parts["driver"][1].strip("{}")).name if "driver" in parts else ""
    added = (
        [("ApplicationIntent", "ReadOnly")] if driver != _WINDOWS_OWN else []
    )  # the oldest has no word for it
    added.append(("APP", "Kreslo"))
    if "tdsodbc" in driver or driver == _FREETDS:
        added += [("TDS_Version", "auto"), ("ClientCharset", "UTF-8")]
    elif trust_certificate:
        added.append(("TrustServerCertificate", "yes"))
    for name, said in added:
        parts.setdefault(name.lower(), (name, said))
    return ";".join(f"{name}={said}" for name, said in parts.values())


def _parts(value: str) -> dict[str, tuple[str, str]]:
    """The parts of an ODBC connection string by their names in small letters. A value in braces may hold a semicolon."""
    found = re.findall(r"\s*([^=;{}]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)", value)
    return {name.lower(): (name, said.strip()) for name, said in found}


def _without_default_port(address: str) -> str:
    r"""`clinic\PZSQLSERVER,1433` without the port: drivers would go there and never ask for the instance, which
    listens elsewhere. Any other port is somebody's intention.
    """
    host, _, port = address.rpartition(",")
    return host.strip() if "\\" in host and port.strip() == "1433" else address


def _installed_driver() -> str:
    installed = _odbc().drivers()
    for name in _DRIVERS:
        if name in installed:
            return name
    raise ConfigurationError(
        "no ODBC driver for SQL Server is installed here; install Microsoft's ODBC Driver 18, "
        f"or name one by DRIVER={{…}} (installed: {', '.join(installed) or 'none'})"
    )


def _odbc() -> Any:
    """pyodbc, imported when a SQL Server is really meant: it needs the system's ODBC library, the demo does not.
    Raises ConfigurationError where that library is missing.
    """
    try:
        module: Any = importlib.import_module("pyodbc")
    except ImportError as error:
        raise ConfigurationError(
            f"ODBC is not installed on this machine ({error}); install unixODBC (Debian: unixodbc) and Microsoft's "
            "ODBC Driver 18"
        ) from error
    module.pooling = False  # one pool is enough: a driver manager's own would keep a second connection
    return module


def _by_table(connection: Connection, statement: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(text(statement)):
        found.setdefault(str(table), {})[str(column)] = str(type_).lower()
    return found


def _has_snapshot(cursor: Any) -> bool:
    row = cursor.execute(_SNAPSHOT).fetchone()
    return row is not None and row[0] == 1


def _label(url: URL) -> str:
    odbc = url.query.get("odbc_connect")
    if not isinstance(odbc, str):
        return f"{url.host or 'DSN'}/{url.database or ''}".rstrip("/")
    parts = {key: said.strip("{}") for key, (_, said) in _parts(odbc).items()}
    server = parts.get("server") or parts.get("addr") or parts.get("dsn") or "SQL Server"
    return f"{server}/{parts.get('database', '')}".rstrip("/")
