"""Kills the real process again and again, with both CRMs and with Helix's files at once: `python -m tests.crash.run --kills 300 --seed 1`.

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
from tests.crash.stage import Stage

OF_AMOCRM = 4
"""One kill in so many goes to the bridge with amoCRM."""
OF_HELIX = 5
"""One kill in so many goes to the bridge that reads Helix's files."""


def shares(kills: int) -> dict[str, int]:
    """How many kills each CRM has under iDent, and Helix."""
    amocrm, helix = max(1, kills // OF_AMOCRM), max(1, kills // OF_HELIX)
    return {"bitrix24": kills - amocrm - helix, "amocrm": amocrm, "helix": helix}


async def run(kills: int, seed: int) -> list[Toll]:
    with tempfile.TemporaryDirectory(prefix="kreslo-crash-") as place:
        parts = []
        for name, count in shares(kills).items():
            crm, kind = ("bitrix24", HelixStage) if name == "helix" else (name, Stage)
            folder = Path(place) / name
            folder.mkdir()
            parts.append(kill_often(crm, folder, kills=count, seed=seed, kind=kind))
        return await asyncio.gather(*parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill the real process at numbered points and at random")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tolls = asyncio.run(run(asked.kills, asked.seed))
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
