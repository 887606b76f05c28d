"""The promise, held against two hundred made-up clinics; and the simulation itself, held against planted faults."""

import asyncio
from pathlib import Path

import pytest

from tests.simulation.mutants import forget_the_chain, hunt
from tests.simulation.world import simulate

SEEDS = 200
ROOM = 10
"""Seeds one test runs, so that two workers share them."""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, ROOM))
def test_every_seed_keeps_the_promise(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + ROOM):
        verdict = asyncio.run(simulate(seed, tmp_path))
        story = "\n".join((*verdict.told[-40:], *map(str, verdict.violations)))
        assert not verdict.violations, f"make simulate SEED={seed}\n{story}"


def test_a_seed_replays_exactly(tmp_path: Path) -> None:
    first, second = (asyncio.run(simulate(6, tmp_path)) for _ in range(2))
    assert first == second


def test_a_planted_fault_is_found_and_told(tmp_path: Path) -> None:
    found = hunt(forget_the_chain, range(40), tmp_path)
    assert found is not None
    assert not isinstance(found, str)
    assert {violation.rule for violation in found.violations} & {"one card a visit", "the right stage"}
