"""The seeds up to 200: `make proofs`."""

from pathlib import Path

import pytest

from tests.simulation.promise import ROOM, keep_the_promise


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(40, 200, ROOM))
def test_every_seed_keeps_the_promise(first: int, folder: Path) -> None:
    keep_the_promise(first, folder)
