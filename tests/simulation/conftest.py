from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.world import workshop


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where the worlds of all seeds keep their journals, one after the other; what is prepared once is prepared for it."""
    with workshop() as made:
        yield made
