import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kreslo.journal import BridgeJournal, Journal

POSTGRES = os.environ.get("KRESLO_TEST_POSTGRES", "")
"""Address of an empty PostgreSQL database that the tests may wipe; without it they run on SQLite."""


@pytest.fixture(scope="session")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was migrated once, to be copied: its file and its key file."""
    folder = tmp_path_factory.mktemp("journal")
    with Journal.open(f"sqlite:///{folder}/journal.db"):
        pass
    return folder


@pytest.fixture
def url(tmp_path: Path, empty_journal: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if POSTGRES:
        monkeypatch.setenv("KRESLO_KEY", "17" * 32)
        engine = create_engine(POSTGRES)
        with engine.begin() as conn:
            conn.execute(text("DROP SCHEMA public CASCADE"))
            conn.execute(text("CREATE SCHEMA public"))
        engine.dispose()
        return POSTGRES
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    for file in empty_journal.iterdir():
        shutil.copy2(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal.open(url) as opened:
        yield opened


@pytest.fixture
def book(journal: Journal) -> BridgeJournal:
    return journal.bridge("clinic", "ident")
