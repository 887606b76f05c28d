"""Lives of Kreslo: short ones from the nursery, whole ones from the command line; and what they passed and died of."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.crash.nursery import Order, Told
from tests.crash.points import Aim
from tests.crash.stage import Stage

ROOT = Path(__file__).parents[2]


class Life(msgspec.Struct, frozen=True):
    """`end`: done when the process is gone, with its exit code or minus the signal."""

    pid: int
    end: "asyncio.Task[int]"

    async def lasts(self, seconds: float) -> bool:
        """True if it still lives after so many seconds."""
        done, _ = await asyncio.wait({self.end}, timeout=seconds)
        return not done

    async def ended(self, number: int = signal.SIGKILL) -> int:
        """It is sent the signal, if it still lives; how it ended."""
        if not self.end.done():
            with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(self.pid, number)
        return await self.end


def log_of(stage: Stage) -> Path:
    """What the lives say."""
    return stage.folder / "run.log"


async def whole_life(stage: Stage) -> Life:
    """As a user starts it: `python -m kreslo run …`."""
    command = [sys.executable, "-m", "kreslo", *stage.arguments]
    with log_of(stage).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=stage.folder, env=stage.environment, stdout=log, stderr=log
        )
    return Life(process.pid, asyncio.ensure_future(process.wait()))


def story(stage: Stage) -> str:
    """The end of what the lives said."""
    return log_of(stage).read_text(encoding="utf-8", errors="replace")[-4000:]


class Lives:
    """`passed`: in how many lives each point was passed. `killed`: how many ended there; `missed`: how many were
    to end there and did not come so far.
    """

    def __init__(self, stage: Stage, nursery: asyncio.subprocess.Process) -> None:
        self._stage = stage
        self._nursery = nursery
        self._ready = False
        self._trace = stage.folder / "points.log"
        self.passed: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    async def short(self, aim: Aim | None = None, *, full: Path | None = None) -> Life:
        self._trace.unlink(missing_ok=True)
        stage = self._stage
        order = Order(
            arguments=tuple(stage.arguments),
            environment=stage.environment,
            folder=str(stage.folder),
            log=str(log_of(stage)),
            trace=str(self._trace),
            aim=aim,
            full=str(full or ""),
        )
        if not self._ready:
            await self._told()
            self._ready = True
        assert self._nursery.stdin
        self._nursery.stdin.write(msgspec.json.encode(order) + b"\n")
        pid = (await self._told()).pid
        return Life(pid, asyncio.ensure_future(self._end()))

    def seen(self) -> Counter[str]:
        """How often the short life that runs, or the last one, has passed each point so far."""
        return Counter(self._trace.read_text(encoding="utf-8").splitlines() if self._trace.exists() else ())

    def count(self) -> Counter[str]:
        """Once a short life has ended: how often it passed each point."""
        seen = self.seen()
        self.passed += Counter(dict.fromkeys(seen, 1))
        self._most |= seen
        return seen

    def next_aim(self, chance: random.Random) -> Aim | None:
        """A passage of the point that was tried least, of those that lives do pass again; where something is written,
        twice as often as elsewhere. None as long as none is known.
        """
        known = [point for point in self.passed if self.passed[point] > 1 or _writes(point)]
        if not known:
            return None
        tried = self.killed + self.missed
        struck = {point: tried[point] / (2 if _writes(point) else 1) for point in known}
        least = min(struck.values())
        point = chance.choice(sorted(each for each in known if struck[each] == least))
        return Aim(point, min(chance.randint(1, self._most[point]), chance.choice((1, 1, 2, 3))))

    async def _end(self) -> int:
        told = await self._told()
        assert told.status is not None
        return told.status

    async def _told(self) -> Told:
        assert self._nursery.stdout
        return msgspec.json.decode(await self._nursery.stdout.readline(), type=Told)


def _writes(point: str) -> bool:
    return point.startswith(("write: ", "files: ")) or point.endswith(
        (" begin", " settle", " commit", " resolve")
    )


@asynccontextmanager
async def opened_nursery(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """It imports while the caller makes ready whatever else a day needs."""
    with (folder / "nursery.log").open("wb") as log:
        nursery = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.nursery", cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=log
        )
    assert nursery.stdin
    try:
        yield nursery
    finally:
        nursery.stdin.close()
        await nursery.wait()
