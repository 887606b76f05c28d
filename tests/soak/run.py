"""A big clinic's day through one real process: 3,000 changes and 400 hooks, by default within 20 minutes.

    make soak [MINUTES=20] [CHANGES=3000] [HOOKS=400] [CRM=amocrm] [PATIENTS=1500]

`kreslo run` over sockets, the CRM's sandbox behind it with its real limits, and iDent's tables on disk. Resident memory,
open handles and the queue are sampled every two seconds; in the end the CRM is held against the clinic. One line of JSON;
exit code 1 if anything did not hold. It reads /proc, so it needs Linux.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.crash.lives import Life, story, whole_life
from tests.crash.stage import Stage, opened_stage
from tests.soak.changes import Day
from tests.soak.verdict import Figures, Sample, broken, shown

SAMPLE_SECONDS = 2.0
IMPORT_SECONDS = 1200.0
REFUSALS = ("limit_violations", "operating_refusals")


async def soak(
    folder: Path, *, crm: str, minutes: float, changes: int, hooks: int, patients: int
) -> dict[str, Any]:
    """The figures. AssertionError where the process ends by itself, or never comes to rest."""
    async with opened_stage(crm, folder, patients=patients, wide=False) as stage:
        life = await whole_life(stage)
        imported = await at_rest(life, stage, IMPORT_SECONDS)
        refused = refusals(await stage.stats())
        day, samples = Day(stage.database, seed=1), list[Sample]()
        seconds = minutes * 60
        watching = asyncio.ensure_future(sampled(life, stage, samples))
        # Staff write a little faster than they need to, so that their last hook is not late.
        writing = asyncio.ensure_future(stage.staff(every=seconds / hooks * 0.9, count=hooks))
        await day.pass_by(changes, seconds)
        await writing
        watching.cancel()
        await asyncio.wait({watching})
        if not watching.cancelled():
            watching.result()  # it failed before
        drained = await at_rest(life, stage, IMPORT_SECONDS)
        status = await stage.status() or {}
        assert await life.ended(signal.SIGTERM) == 0, story(stage)
        stats = await stage.stats()
        figures = Figures(
            samples=samples,
            drained_seconds=drained,
            parked=status["parked"],
            refusals=refusals(stats) - refused,
            violations=await stage.violations(),
        )
        return {
            "holds": not broken(figures),
            "broken": broken(figures),
            "crm": crm,
            "minutes": minutes,
            "changes": day.made.total(),
            "kinds": dict(day.made.most_common()),
            "staffs_hooks": stage.hooks,
            "import_seconds": round(imported, 1),
            "requests": stats["requests"],
            "confirmed": status["confirmed"],
            "review": status["review"],
            **shown(figures),
        }


def refusals(stats: dict[str, Any]) -> int:
    return sum(int(stats.get(name, 0)) for name in REFUSALS)


async def at_rest(life: Life, stage: Stage, limit: float) -> float:
    """Seconds until nothing waits, and nothing more comes for two seconds."""
    began = time.monotonic()
    since, confirmed = None, -1
    while True:
        assert time.monotonic() - began < limit, (
            f"it never came to rest: {await stage.status()}\n{story(stage)}"
        )
        assert await life.lasts(0.25), f"it ended by itself\n{story(stage)}"
        status = await stage.status()
        if status is None or not status["settled"] or status["confirmed"] != confirmed:
            since, confirmed = None, status["confirmed"] if status else -1
            continue
        since = since or time.monotonic()
        if time.monotonic() - since > 2:
            return since - began


async def sampled(life: Life, stage: Stage, samples: list[Sample]) -> None:
    """Goes on until cancelled."""
    while True:
        assert await life.lasts(SAMPLE_SECONDS), f"it ended by itself\n{story(stage)}"
        status = await stage.status()
        if status is not None:
            queue = status["waiting"] + status["sending"] + status["unknown"]
            samples.append(Sample(memory(life.pid), handles(life.pid), queue, status["lag_seconds"]))


def memory(pid: int) -> float:
    """Resident, in MB (proc(5), VmRSS in kB)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status says no VmRSS")


def handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description="A big clinic's day through one real process")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--changes", type=int, default=3000)
    parser.add_argument("--hooks", type=int, default=400)
    parser.add_argument("--patients", type=int, default=1500)
    parser.add_argument("--crm", choices=("bitrix24", "amocrm"), default="bitrix24")
    asked = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("make soak reads a process's memory and handles from /proc, which this system does not have")
    with tempfile.TemporaryDirectory(prefix="kreslo-soak-") as folder:
        figures = asyncio.run(
            soak(
                Path(folder),
                crm=asked.crm,
                minutes=asked.minutes,
                changes=asked.changes,
                hooks=asked.hooks,
                patients=asked.patients,
            )
        )
    print(msgspec.json.encode(figures).decode())
    sys.exit(0 if figures["holds"] else 1)


if __name__ == "__main__":
    main()
