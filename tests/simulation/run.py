"""Runs seeds: `python -m tests.simulation.run --seeds 200`, `--seed 17` (one, replayed and told)."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from tests.simulation.world import Verdict, simulate, workshop

_TOLD = 60
"""Lines of a failing seed's history that are shown; `--whole` shows all."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulate seeds of a clinic, a CRM and their network.")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="this one only: played twice, and told")
    parser.add_argument("--whole", action="store_true", help="show the whole history of a failing seed")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    asked = parser.parse_args()
    with workshop() as folder:
        if asked.seed is not None:
            return _replay(asked.seed, folder)
        return _many(range(asked.first, asked.first + asked.seeds), folder, asked)


def _many(seeds: range, folder: Path, asked: argparse.Namespace) -> int:
    began, rests, failed = time.perf_counter(), 0, 0
    for seed in seeds:
        verdict = asyncio.run(simulate(seed, folder))
        rests += verdict.rests
        if seed % 25 == 24:
            print(f"… {seed + 1 - seeds.start} seeds", file=sys.stderr, flush=True)
        if verdict.violations:
            failed += 1
            show(verdict, whole=asked.whole)
            if not asked.keep_going:
                break
    took = time.perf_counter() - began
    done = seed - seeds.start + 1
    print(f"{done} seeds, judged {rests} times, {failed} failed, {took:.0f} s ({took / done:.2f} s a seed)")
    return 1 if failed else 0


def _replay(seed: int, folder: Path) -> int:
    first, second = (asyncio.run(simulate(seed, folder)) for _ in range(2))
    show(first, whole=True)
    if first.trace != second.trace:
        print(f"the replay differs: {first.trace}, {second.trace}")
        return 2
    return 1 if first.violations else 0


def show(verdict: Verdict, *, whole: bool = False) -> None:
    """The seed, the rule, and what happened."""
    told = verdict.told if whole else verdict.told[-_TOLD:]
    if len(told) < len(verdict.told):
        print(f"… {len(verdict.told) - len(told)} lines before")
    print("\n".join(told))
    print(
        f"seed {verdict.seed} (mapping {verdict.rules}, trace {verdict.trace}, {verdict.requests} requests)"
    )
    for violation in verdict.violations:
        print(f"  VIOLATED {violation}")
    print("  again: make simulate SEED=" + str(verdict.seed))


if __name__ == "__main__":
    # Sets of texts are walked in another order in each process unless this is set: a seed must replay exactly.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
