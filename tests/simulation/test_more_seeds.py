"""The seeds up to 200, and that each lives the same life in any process: `make proofs`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.promise import ROOM, keep_the_promise


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(40, 200, ROOM))
def test_every_seed_keeps_the_promise(first: int, folder: Path) -> None:
    keep_the_promise(first, folder)


@pytest.mark.exhaustive
def test_a_seed_lives_the_same_life_in_any_process_and_after_any_other_seed() -> None:
    """Two processes at once are given five seeds each; one alone plays all ten, one after the other."""
    alone, together = (_all_requests("--seeds", "10", "--jobs", jobs) for jobs in ("1", "2"))
    assert alone == together


def _all_requests(*asked: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation.run", *asked],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"all requests together: (\w{16})", ran.stdout)
    assert found, ran.stdout
    return found[1]
