"""The side of SQL Server, as far as it can be seen without one: addresses, session, and what its errors mean."""

import sqlite3
from random import Random
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from connectors.ident import dialects
from connectors.ident.dialects import SqliteFile, SqlServer, dialect_of, odbc_text, session_statements
from connectors.ident.faults import MissingObjectError, fault
from connectors.ident.options import IdentOptions
from connectors.ident.source import IdentSource
from kreslo.connectors.contract import Seams
from kreslo.connectors.errors import ConfigurationError, KresloError, OutageError, PermissionDeniedError
from kreslo.connectors.testing.clock import HandClock


def options(database: str) -> IdentOptions:
    return IdentOptions(database=database, timezone="Europe/Moscow")


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    installed = ["SQL Server", "ODBC Driver 17 for SQL Server"]
    monkeypatch.setattr(dialects, "_odbc", lambda: SimpleNamespace(drivers=lambda: installed))
    return installed


def test_an_odbc_text_gets_the_newest_driver_and_says_that_we_only_read(drivers: list[str]) -> None:
    text = odbc_text(r"SERVER=clinic\PZSQLSERVER;DATABASE=PZ;UID=reader;PWD=x;")
    assert text == (
        r"DRIVER={ODBC Driver 17 for SQL Server};SERVER=clinic\PZSQLSERVER;DATABASE=PZ;UID=reader;PWD=x"
        ";ApplicationIntent=ReadOnly;APP=Kreslo"
    )


@pytest.mark.parametrize("text", ["DSN=ident;UID=a", "Driver={FreeTDS};Server=a", "FILEDSN=c:\\ident.dsn"])
def test_a_driver_that_is_named_stays(drivers: list[str], text: str) -> None:
    assert odbc_text(text).startswith(text)


@pytest.mark.parametrize(
    ("text", "part", "there"),
    [
        (r"SERVER=clinic\PZSQLSERVER,1433;UID=a", r"SERVER=clinic\PZSQLSERVER;", True),
        (r"SERVER=clinic\PZSQLSERVER,50026;UID=a", r"SERVER=clinic\PZSQLSERVER,50026;", True),
        ("SERVER=clinic,1433;UID=a", "SERVER=clinic,1433;", True),
        ("DRIVER={SQL Server};SERVER=clinic", "ApplicationIntent", False),
        ("DRIVER={FreeTDS};SERVER=clinic", "ClientCharset=UTF-8;TDS_Version=auto", False),
        ("DRIVER={FreeTDS};SERVER=clinic", "TDS_Version=auto;ClientCharset=UTF-8", True),
        ("SERVER=clinic;PWD={a;DRIVER=b}", "PWD={a;DRIVER=b}", True),
        ("SERVER=clinic;PWD={a;DRIVER=b}", "DRIVER={ODBC Driver 17 for SQL Server};", True),
        ("SERVER=clinic;app=Mine", "app=Mine", True),
        ("SERVER=clinic;app=Mine", "Kreslo", False),
        ("SERVER=clinic", "TrustServerCertificate", False),
    ],
)
def test_each_driver_gets_what_it_needs_and_was_not_given(
    drivers: list[str], text: str, part: str, there: bool
) -> None:
    assert (part in odbc_text(text)) is there


def test_a_certificate_is_trusted_only_by_consent(drivers: list[str]) -> None:
    assert odbc_text("SERVER=a", trust_certificate=True).endswith(";TrustServerCertificate=yes")
    said = odbc_text("SERVER=a;TrustServerCertificate=no", trust_certificate=True)
    assert said.count("TrustServerCertificate") == 1


@pytest.mark.parametrize(
    ("newest", "rest"),
    [
        ("ODBC Driver 18 for SQL Server", ["SQL Server", "ODBC Driver 17 for SQL Server"]),
        ("ODBC Driver 13 for SQL Server", ["FreeTDS", "SQL Server"]),
        ("FreeTDS", ["SQL Server", "PostgreSQL"]),
        ("SQL Server", ["PostgreSQL"]),
    ],
)
def test_the_best_installed_driver_is_taken(drivers: list[str], newest: str, rest: list[str]) -> None:
    drivers[:] = [*rest, newest]
    assert odbc_text("SERVER=a").startswith(f"DRIVER={{{newest}}};")


def test_without_a_driver_it_says_what_to_install(drivers: list[str]) -> None:
    drivers[:] = ["PostgreSQL Unicode"]
    with pytest.raises(ConfigurationError, match=r"install Microsoft's ODBC Driver 18.*PostgreSQL Unicode"):
        odbc_text("SERVER=clinic")


def test_without_odbc_at_all_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"libodbc.so.2: no {name}")

    monkeypatch.setattr(dialects.importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match="install unixODBC"):
        odbc_text("SERVER=clinic")


@pytest.mark.parametrize(
    ("database", "kind", "label"),
    [
        (
            r"DRIVER={x};SERVER=clinic\PZSQLSERVER;DATABASE=PZ;UID=a;PWD=topsecret",
            SqlServer,
            r"clinic\PZSQLSERVER/PZ",
        ),
        ("DSN=ident;UID=a;PWD=topsecret", SqlServer, "ident"),
        ("mssql+pyodbc://a:topsecret@clinic/PZ?driver=x", SqlServer, "clinic/PZ"),
        ("sqlite:////data/clinic.db", SqliteFile, "/data/clinic.db"),
    ],
)
def test_an_address_is_told_apart_and_shown_without_its_password(
    database: str, kind: type, label: str
) -> None:
    dialect = dialect_of(options(database), HandClock())
    assert isinstance(dialect, kind)
    assert dialect.label == label


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("PZ", "neither an SQLAlchemy URL nor an ODBC"),
        ("postgresql://a:topsecret@h/db", "not supported"),
        ("sqlite://", "name the SQLite file"),
        ("mssql+pyodbc://a:topsecret@h:port/db", "not an SQLAlchemy URL"),
    ],
)
def test_anything_else_is_refused_without_showing_the_password(database: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        IdentSource(options(database), Seams(clock=HandClock(), chance=Random(1)))
    chain = [caught.value, caught.value.__cause__]
    assert "topsecret" not in "".join(str(error) for error in chain)


def test_a_session_waits_shortly_gives_way_and_never_reads_what_is_not_committed() -> None:
    plain, versions = session_statements(snapshot=False), session_statements(snapshot=True)
    assert plain[-1] == "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    assert versions[-1] == "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"
    assert {"SET LOCK_TIMEOUT 5000", "SET DEADLOCK_PRIORITY LOW"} <= set(plain) & set(versions)


@pytest.mark.parametrize(
    ("kept", "level"), [((1,), "SNAPSHOT"), ((0,), "READ COMMITTED"), (None, "READ COMMITTED")]
)
def test_a_new_connection_is_set_up_outside_of_any_transaction(
    drivers: list[str], kept: tuple[int] | None, level: str
) -> None:
    said: list[str] = []

    class Cursor:
        def execute(self, statement: str) -> "Cursor":
            said.append(statement)
            return self

        def fetchone(self) -> tuple[int] | None:
            return kept

        def close(self) -> None:
            said.append("close")

    connection = SimpleNamespace(cursor=Cursor, commit=lambda: said.append("commit"), timeout=0)
    dialect = dialect_of(options("SERVER=clinic;UID=a"), HandClock())
    assert isinstance(dialect, SqlServer)
    dialect._session(connection, None)
    assert connection.timeout == 60
    assert said[0].startswith("SELECT snapshot_isolation_state")
    assert said[1] == "commit"
    assert said[-3:] == [f"SET TRANSACTION ISOLATION LEVEL {level}", "close", "commit"]


def server(state: str, words: str) -> OperationalError:
    original = type("Error", (Exception,), {})(
        state, f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server]{words}"
    )
    return OperationalError("SELECT secret", {}, original)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            server("28000", "Login failed for user 'reader'. (18456) (SQLDriverConnect)"),
            PermissionDeniedError,
            "UID and PWD",
        ),
        (
            server("42000", 'Cannot open database "PZ" (4060) (SQLDriverConnect)'),
            PermissionDeniedError,
            "check DATABASE",
        ),
        (
            server(
                "42000",
                "The SELECT permission was denied on the object 'Persons', database 'PZ' (229) (SQLExecDirectW)",
            ),
            PermissionDeniedError,
            "may not read Persons",
        ),
        (
            server("42S02", "Invalid object name 'dbo.Receptions'. (208) (SQLExecDirectW)"),
            MissingObjectError,
            "dbo.Receptions is not there",
        ),
        (
            server("42S22", "Invalid column name 'CheckIssued'. (207) (SQLExecDirectW)"),
            MissingObjectError,
            "CheckIssued is not there",
        ),
        (
            server("08001", "TCP Provider: Error code 0x2749 (10061) (SQLDriverConnect)"),
            OutageError,
            "SQL Server Browser",
        ),
        (
            server("08S01", "Communication link failure (10054) (SQLExecDirectW)"),
            OutageError,
            "does not answer",
        ),
        (server("HYT00", "Login timeout expired (0) (SQLDriverConnect)"), OutageError, "does not answer"),
        (server("HYT00", "Query timeout expired (0) (SQLExecDirectW)"), OutageError, "too busy"),
        (
            server(
                "08001",
                "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate] (-1) "
                "(SQLDriverConnect)",
            ),
            ConfigurationError,
            "trust_certificate: true",
        ),
        (
            server(
                "08001", "SSL Provider: Цепочка выпущена ненадёжным центром. (-2146893019) (SQLDriverConnect)"
            ),
            ConfigurationError,
            "trust_certificate: true",
        ),
        (
            server("08001", "SSL Provider: [error:0A000102:SSL routines::unsupported protocol] (-1)"),
            ConfigurationError,
            "older driver",
        ),
        (server("40001", "was deadlocked (1205) (SQLExecDirectW)"), OutageError, "too busy"),
        (
            server("42000", "Lock request time out period exceeded. (1222) (SQLExecDirectW)"),
            OutageError,
            "too busy",
        ),
        (
            server("IM002", "Data source name not found (0) (SQLDriverConnect)"),
            ConfigurationError,
            "is not installed",
        ),
        (
            server("01000", "Can't open lib 'x.so' : file not found (0) (SQLDriverConnect)"),
            ConfigurationError,
            "is not installed",
        ),
        (server("HY000", "something odd (0)"), OutageError, "tries again"),
        (
            ProgrammingError("x", {}, sqlite3.OperationalError("no such table: dbo.Orders")),
            MissingObjectError,
            "dbo.Orders",
        ),
        (sqlite3.OperationalError("database is locked"), OutageError, "busy"),
    ],
)
def test_a_databases_error_says_what_to_do(error: Exception, kind: type[KresloError], said: str) -> None:
    found = fault(error, "clinic/PZ")
    assert type(found) is kind
    assert said in found.message
    assert found.message.startswith("clinic/PZ: ")
    assert "secret" not in found.message + found.detail


def test_a_cell_quoted_by_the_server_does_not_go_on() -> None:
    error = server(
        "22018",
        "Conversion failed when converting the nvarchar value 'Иванов' to data type int. (245) (SQLExecDirectW)",
    )
    found = fault(error, "clinic/PZ")
    assert isinstance(found, ConfigurationError)
    assert "Иванов" not in found.message + found.detail
