"""The promise, held against forty made-up clinics; and the simulation itself, held against a planted fault."""

import asyncio
from pathlib import Path

import pytest

from tests.simulation.mutants import forget_the_chain, hunt
from tests.simulation.promise import ROOM, keep_the_promise
from tests.simulation.world import simulate


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 40, ROOM))
def test_every_seed_keeps_the_promise(first: int, folder: Path) -> None:
    keep_the_promise(first, folder)


def test_a_seed_replays_exactly(folder: Path) -> None:
    first, second = (asyncio.run(simulate(6, folder)) for _ in range(2))
    assert first == second


def test_a_planted_fault_is_found_and_told(folder: Path) -> None:
    found = hunt(forget_the_chain, range(40), folder)
    assert found is not None
    assert set(found.rules) & {"one card a visit", "the right stage"}
