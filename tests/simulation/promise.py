"""What the tests of seeds share."""

import asyncio
from pathlib import Path

from tests.simulation.world import simulate

ROOM = 10
"""Seeds that one test runs."""


def keep_the_promise(first: int, folder: Path) -> None:
    """Fails with the seed, the rule and the end of the story."""
    for seed in range(first, first + ROOM):
        verdict = asyncio.run(simulate(seed, folder))
        story = "\n".join((*verdict.told[-40:], *map(str, verdict.violations)))
        assert not verdict.violations, f"make simulate SEED={seed}\n{story}"
