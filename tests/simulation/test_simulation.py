"""The promise, held against two hundred made-up clinics; and the simulation itself, held against a planted fault."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.mutants import forget_the_chain, hunt
from tests.simulation.world import simulate

SHARE = 40
ROOM = 10
"""Seeds that one test runs."""


class Seeds:
    """`first` of a share: a class each, so that the processes which run the tests can divide them."""

    first: int

    @pytest.mark.slow
    @pytest.mark.parametrize("further", range(0, SHARE, ROOM))
    def test_every_seed_keeps_the_promise(self, further: int, folder: Path) -> None:
        begin = self.first + further
        for seed in range(begin, begin + ROOM):
            verdict = asyncio.run(simulate(seed, folder))
            story = "\n".join((*verdict.told[-40:], *map(str, verdict.violations)))
            assert not verdict.violations, f"make simulate SEED={seed}\n{story}"


class TestSeedsFrom0(Seeds):
    first = 0


class TestSeedsFrom40(Seeds):
    first = 40


class TestSeedsFrom80(Seeds):
    first = 80


class TestSeedsFrom120(Seeds):
    first = 120


class TestSeedsFrom160(Seeds):
    first = 160


def test_a_seed_replays_exactly(folder: Path) -> None:
    first, second = (asyncio.run(simulate(6, folder)) for _ in range(2))
    assert first == second


def test_a_planted_fault_is_found_and_told(folder: Path) -> None:
    found = hunt(forget_the_chain, range(40), folder)
    assert found is not None
    assert set(found.rules) & {"one card a visit", "the right stage"}


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
