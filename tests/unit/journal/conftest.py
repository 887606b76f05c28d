import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kreslo.journal import BridgeJournal, Journal


@pytest.fixture(scope="session")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was migrated once, to be copied: its file and its key file."""
    folder = tmp_path_factory.mktemp("journal")
    with Journal.open(f"sqlite:///{folder}/journal.db", key=None):
        pass
    return folder


@pytest.fixture
def url(tmp_path: Path, empty_journal: Path, monkeypatch: pytest.MonkeyPatch) -> str:
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
