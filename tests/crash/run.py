"""Kills the real process again and again, in four stages at once: iDent with each CRM, Helix's files, and iDent with its
tickets over HTTP beside an application that hears staff through Bitrix24's queue. `python -m tests.crash.run --kills 300 --seed 1`; `--only queue` for one of them.

One line of JSON a bridge, then one line for a person; exit code 1 if the oracle found anything.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from tests.crash.helix_stage import HelixStage
from tests.crash.killing import Toll, kill_often
from tests.crash.queue_stage import QueueStage
from tests.crash.stage import Stage

STAGES: dict[str, tuple[str, type[Stage]]] = {
    "bitrix24": ("bitrix24", Stage),
    "amocrm": ("amocrm", Stage),
    "helix": ("bitrix24", HelixStage),
    "queue": ("bitrix24", QueueStage),
}
"""By name: the CRM, and whose day it is."""

ONE_IN = {"amocrm": 5, "helix": 5, "queue": 4}
"""One kill in so many; the rest is the first one's."""


def shares(kills: int, only: str = "") -> dict[str, int]:
    """How many kills each stage has."""
    if only:
        return {only: kills}
    others = {name: max(1, kills // each) for name, each in ONE_IN.items()}
    return {"bitrix24": max(1, kills - sum(others.values())), **others}


async def run(kills: int, seed: int, *, only: str = "", place: Path) -> list[Toll]:
    """`place`: an empty folder."""
    parts = []
    for name, count in shares(kills, only).items():
        crm, kind = STAGES[name]
        folder = place / name
        folder.mkdir()
        parts.append(kill_often(crm, folder, kills=count, seed=seed, kind=kind))
    return await asyncio.gather(*parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the real process at numbered points and at random")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(STAGES), default="", help="one stage")
    parser.add_argument("--keep", type=Path, help="an empty folder; what the stages leave stays there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kreslo-crash-") as place:
        told = run(asked.kills, asked.seed, only=asked.only, place=asked.keep or Path(place))
        tolls = asyncio.run(told)
    points: Counter[str] = Counter()
    for toll in tolls:
        points.update(toll.aimed)
        print(msgspec.json.encode(toll).decode())
    violations = [each for toll in tolls for each in toll.violations]
    print(
        f"{sum(toll.kills for toll in tolls)} kills, {points.total()} of them at {len(points)} numbered points, "
        f"{sum(toll.confirmed for toll in tolls)} writes confirmed, {len(violations)} violations"
    )
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
