"""`python -m tests.mutation.run`: faults planted in the decisions and the merging, one after the other.

Each small fault of each line should make one of the tests fail that hold these modules. What survives counts against the
score; where it changes nothing, `survivors.yaml` says why. Ends with 1 below 90 %, or where that page is out of date.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.mutation import workshop
from tests.mutation.mutants import Module, Mutant, read
from tests.mutation.survivors import Key, explained, key_of, stale

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = ("decisions", "merging")
TESTS = [f"tests/unit/{package}" for package in PACKAGES]
TOO_WIDE = "tests/unit/decisions/test_histories.py"
"""Random histories kill much and say little: a mutant should fail at a sentence. They would also triple the time."""
WANTED = 90.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as decisions.chains; all if none is named")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    os.chdir(HOUSE)
    modules = [module for module in all_modules() if not given.modules or module.name[7:] in given.modules]
    unknown = set(given.modules) - {module.name[7:] for module in modules}
    if unknown:
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    reasons = explained()
    codes = _run(modules, given.jobs, reasons)
    return _tell(modules, codes, reasons, time.monotonic() - begun)


def all_modules() -> list[Module]:
    found = []
    for package in PACKAGES:
        for path in sorted((HOUSE / "src" / "kreslo" / package).glob("*.py")):
            module = read(f"kreslo.{package}.{path.stem}", path)
            found += [module] if module.mutants else []
    return found


def _run(modules: list[Module], jobs: int, reasons: dict[Key, str]) -> dict[Mutant, int]:
    codes: dict[Mutant, int] = {}
    waiting = list(modules)

    def report(mutant: Mutant, code: int) -> None:
        codes[mutant] = code
        while waiting and all(each in codes for each in waiting[0].mutants):
            _tell_module(waiting.pop(0), codes, reasons)

    with tempfile.TemporaryDirectory() as scratch:
        plugin = workshop.Workshop(modules, jobs, report, Path(scratch))
        quiet = ["-qq", *workshop.QUICK, f"--ignore={TOO_WIDE}"]
        ended = pytest.main([*quiet, *TESTS], plugins=[plugin])
    if ended != pytest.ExitCode.OK:
        raise SystemExit(f"the tests could not be run: pytest ended with {ended}")
    return codes


def _tell_module(module: Module, codes: dict[Mutant, int], reasons: dict[Key, str]) -> None:
    alive = [each for each in module.mutants if codes[each] == workshop.SURVIVED]
    open_ = [each for each in alive if key_of(each) not in reasons]
    told = f"{len(module.mutants) - len(alive)} of {len(module.mutants)} killed"
    print(f"{module.name}: {told}, {len(alive) - len(open_)} survive for a reason", flush=True)
    for each in open_:
        print(
            f"  survives: line {each.lines.start}: {each.function or '(module)'}: {each.change}", flush=True
        )


def _tell(modules: list[Module], codes: dict[Mutant, int], reasons: dict[Key, str], seconds: float) -> int:
    broken = [each for each, code in codes.items() if code == workshop.BROKEN]
    for each in broken:
        print(f"not planted: {key_of(each)}")
    killed = [key_of(each) for each, code in codes.items() if code == workshop.KILLED]
    survived = [key_of(each) for each, code in codes.items() if code == workshop.SURVIVED]
    old = stale(reasons, killed, survived, {module.name for module in modules})
    for line in old:
        print(f"survivors.yaml: {line}")
    score = 100 * len(killed) / len(codes)
    known = sum(key in reasons for key in survived)
    print(
        f"{score:.1f} % killed: {len(killed)} of {len(codes)} mutants; of {len(survived)} survivors {known} are explained; {seconds:.0f} s"
    )
    return 1 if score < WANTED or broken or old else 0


if __name__ == "__main__":
    sys.exit(main())
