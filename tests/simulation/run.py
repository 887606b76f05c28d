"""Runs seeds: `python -m tests.simulation.run --seeds 200`, `--seed 17` (one, replayed and told)."""

import argparse
import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.rules import RULES
from tests.simulation.world import Verdict, simulate, workshop

_TOLD = 60
"""Lines of a failing seed's history that are shown; `--whole` shows all."""

CHUNK = 5
"""Seeds that a process is given at once."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulate seeds of a clinic, a CRM and their network.")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="this one only: played twice, and told")
    parser.add_argument(
        "--mapping", choices=[rules.name for rules in RULES], help="only seeds of this mapping"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--whole", action="store_true", help="show the whole history of a failing seed")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _replay(asked.seed)
    names = [rules.name for rules in RULES]
    seeds = [
        seed
        for seed in range(asked.first, asked.first + asked.seeds)
        if asked.mapping in {None, names[seed % len(names)]}
    ]
    return _many(seeds, asked)


def _many(seeds: Sequence[int], asked: argparse.Namespace) -> int:
    began, rests, done, failed = time.perf_counter(), 0, 0, 0
    traces = hashlib.sha256()
    for verdict in verdicts(seeds, asked.jobs):
        done += 1
        rests += verdict.rests
        traces.update(verdict.trace.encode())
        if done % 50 == 0:
            print(f"… {done} seeds", file=sys.stderr, flush=True)
        if verdict.violations:
            failed += 1
            show(verdict, whole=asked.whole)
            if not asked.keep_going:
                break
    took = time.perf_counter() - began
    print(
        f"{done} seeds, judged {rests} times, {failed} failed, {took:.0f} s ({took / max(1, done):.2f} s a seed), "
        f"all requests together: {traces.hexdigest()[:16]}"
    )
    return 1 if failed else 0


def verdicts(seeds: Sequence[int], jobs: int) -> Iterator[Verdict]:
    """Each seed's verdict, in the order of the seeds. Whoever stops asking stops what has not begun yet."""
    if jobs == 1:
        with workshop() as folder:
            for seed in seeds:
                yield asyncio.run(simulate(seed, folder))
        return
    parts = iter([seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)])
    # Fresh processes: a seed must not depend on what this one has done before.
    with workshop() as whole, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_some, part, whole) for part in islice(parts, 2 * jobs)]
        try:
            while running:
                yield from running.pop(0).result()
                running += [pool.submit(_some, part, whole) for part in islice(parts, 1)]
        finally:
            for each in running:
                each.cancel()


def _some(seeds: Sequence[int], whole: Path) -> list[Verdict]:
    """A process has one folder for all its seeds: what is prepared once, a portal's tokens too, is prepared for it."""
    folder = whole / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return [asyncio.run(simulate(seed, folder)) for seed in seeds]


def _replay(seed: int) -> int:
    with workshop() as folder:
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
