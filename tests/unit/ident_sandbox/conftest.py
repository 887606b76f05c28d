import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ident.sandbox import sandbox

NOW = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)
"""A Thursday, 12:30 in Moscow."""
SEED = 7
PATIENTS = 300


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clinic for all tests that only read."""
    path = tmp_path_factory.mktemp("clinic") / "clinic.db"
    sandbox.create(path, seed=SEED, now=NOW, patients=PATIENTS)
    return path


@pytest.fixture
def clinic(made: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    return Path(shutil.copy(made, tmp_path / "clinic.db"))


@pytest.fixture
def db(made: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(made)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
