"""Lives of Kreslo: short ones from the nursery, whole ones from the command line; and what they passed and died of."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.crash.nursery import Order, Told
from tests.crash.points import Aim
from tests.crash.stage import Stage

ROOT = Path(__file__).parents[2]
REMEMBERED = 6


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


class Lives:
    """`passed`: how often each point was passed in all lives. `killed`: how often a life ended at each point."""

    def __init__(self, stage: Stage, nursery: asyncio.subprocess.Process) -> None:
        self._stage = stage
        self._nursery = nursery
        self._ready = False
        self._trace = stage.folder / "points.log"
        self.log = stage.folder / "run.log"
        self.passed: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self._last: deque[Counter[str]] = deque(maxlen=REMEMBERED)

    async def short(self, aim: Aim | None = None, *, full: Path | None = None) -> Life:
        self._trace.unlink(missing_ok=True)
        stage = self._stage
        order = Order(
            arguments=tuple(stage.arguments),
            environment=stage.environment,
            folder=str(stage.folder),
            log=str(self.log),
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

    async def whole(self) -> Life:
        """As a user starts it: `python -m kreslo run …`."""
        with self.log.open("ab") as log:
            stage = self._stage
            command = [sys.executable, "-m", "kreslo", *stage.arguments]
            process = await asyncio.create_subprocess_exec(
                *command, cwd=stage.folder, env=stage.environment, stdout=log, stderr=log
            )
        return Life(process.pid, asyncio.ensure_future(process.wait()))

    def seen(self) -> Counter[str]:
        """How often the short life that runs, or the last one, has passed each point so far."""
        return Counter(self._trace.read_text(encoding="utf-8").splitlines() if self._trace.exists() else ())

    def count(self) -> Counter[str]:
        """Once a short life has ended: how often it passed each point."""
        passed = self.seen()
        self.passed += passed
        self._last.append(passed)
        return passed

    def within_reach(self) -> Counter[str]:
        """How often one of the last lives passed each point, at most: what another life is likely to pass too."""
        most: Counter[str] = Counter()
        for passed in self._last:
            most |= passed
        return most

    def story(self) -> str:
        """The end of what the lives said."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    async def _end(self) -> int:
        told = await self._told()
        assert told.status is not None
        return told.status

    async def _told(self) -> Told:
        assert self._nursery.stdout
        return msgspec.json.decode(await self._nursery.stdout.readline(), type=Told)


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
