from collections.abc import Iterator
from pathlib import Path

import pytest

from kreslo.journal import BridgeJournal, Journal


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal.open(url) as opened:
        yield opened


@pytest.fixture
def book(journal: Journal) -> BridgeJournal:
    return journal.bridge("clinic", "ident")
