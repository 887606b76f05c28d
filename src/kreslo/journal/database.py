"""Opening the state database: its address, its settings, its schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool

from kreslo.connectors.errors import ConfigurationError, OutageError
from kreslo.journal.migrations import HEAD

BUSY_SECONDS = 10
"""How long SQLite waits for another process's transaction before it says "locked"."""

READ = "kreslo_read"
"""Execution option of a transaction that only reads: it takes no write lock on SQLite."""


def parse(url: str) -> URL:
    """The address as SQLAlchemy has it, with the driver that is installed. Raises ConfigurationError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            'the journal\'s address cannot be read; write "sqlite:///path/to/journal.db" or "postgresql://user@host/name"'
        ) from error
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f'the journal cannot be kept in "{parsed.drivername}": it takes sqlite or postgresql'
        )
    return parsed


def file_of(url: URL) -> Path | None:
    """The database file, None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database))


def connect(url: URL) -> Engine:
    """An engine whose transactions are what they say. Raises ConfigurationError where a driver is missing."""
    if url.get_backend_name() == "sqlite":
        options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
        if file_of(url) is None:
            options["poolclass"] = StaticPool
        engine = create_engine(url, **options)
        event.listen(engine, "connect", _settle_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the journal's address is a PostgreSQL one, and {error.name} is not installed: install psycopg[binary]"
        ) from error


def _settle_sqlite(connection: SqliteConnection, _record: object) -> None:
    # The driver's own implicit BEGIN leaves DDL outside of transactions: we say BEGIN ourselves.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: a read transaction that turns into a write can fail without waiting.
    reads = connection.get_execution_options().get(READ)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the database's own errors into ours, with what to do."""
    try:
        yield
    except OperationalError as error:
        where = file_of(url) or url.render_as_string(hide_password=True)
        text = str(error.orig)
        if "locked" in text:
            raise OutageError(
                f"the journal {where} is locked by another process: stop that one, or wait until it is done",
                detail=text,
            ) from error
        if "readonly" in text or "unable to open" in text:
            raise ConfigurationError(
                f"the journal {where} cannot be written: check the directory's rights, and that the file system is not "
                "read-only",
                detail=text,
            ) from error
        if "disk is full" in text:
            raise OutageError(
                f"the journal {where} cannot be written: the disk is full", detail=text
            ) from error
        raise OutageError(f"the journal {where} does not answer: {text}", detail=text) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        where = file_of(url) or url.render_as_string(hide_password=True)
        raise ConfigurationError(
            f"the journal {where} is damaged or is no Kreslo database: restore it from a copy",
            detail=str(error.orig),
        ) from error


def upgrade(engine: Engine, url: URL, *, migrate: bool) -> None:
    """Bring the schema to what this Kreslo knows; with `migrate` False only check it. Raises ConfigurationError for a
    schema newer than we know, and for an older one that may not be migrated.
    """
    with explained(url), engine.begin() as connection:
        # In one write transaction: two processes that start at once do not both migrate.
        if schema_of(connection) != (HEAD,):
            # Imported where it is needed: alembic is a tenth of what a start takes, and nearly every start finds the
            # schema as it should be.
            from kreslo.journal.migrations.steps import take_steps  # noqa: PLC0415

            take_steps(connection, file_of(url) or url.database, migrate=migrate)


def schema_of(connection: Connection) -> tuple[str, ...]:
    """The revisions that the database says it has; none where it is new."""
    if not inspect(connection).has_table("alembic_version"):
        return ()
    return tuple(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
