"""Real processes of ours on one account, over real sockets and by the real clock."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec

from connectors.amocrm import connector
from connectors.amocrm.sandbox import sandbox
from kreslo.connectors.contract import Seams
from kreslo.connectors.model import Needed
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.seams import SystemClock, system_chance
from kreslo.connectors.testing.serving import served

SECONDS = 2.0
WRITER = """
import asyncio, json, sys
from connectors.amocrm import connector
from kreslo.connectors.contract import Seams
from kreslo.connectors.model import Change, CreateCard, Entity
from kreslo.connectors.seams import SystemClock, system_chance

async def main(settings, seconds):
    clock = SystemClock()
    sys.stdin.readline()  # the first to come has its places first
    target = connector.build(connector.options.model_validate(settings), Seams(clock=clock, chance=system_chance()))
    print("; ".join(problem.message for problem in await target.check()), flush=True)
    sys.stdin.readline()  # until all are there
    end, made, said = clock.monotonic() + seconds, 0, set()
    while clock.monotonic() < end:
        deal = CreateCard(entity=Entity.DEAL, key=f"{sys.argv[2]}/{made}")
        (outcome,) = await target.apply([Change("0" * 12, deal)])
        made += outcome.kind == "confirmed"
        said.add(outcome.message)
        if outcome.message:
            await clock.sleep(0.1)
    await target.close()
    print(json.dumps([made, sorted(said)]), flush=True)

asyncio.run(main(json.loads(sys.argv[1]), float(sys.argv[3])))
"""


class Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def started(cls, settings: dict[str, Any], name: str) -> "Worker":
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-c", WRITER, msgspec.json.encode(settings).decode(), name, str(SECONDS))
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))

    async def line(self) -> str:
        assert self._process.stdout
        return (await self._process.stdout.readline()).decode()

    def go(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"\n")

    async def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()


async def test_three_processes_on_one_account_never_send_more_than_seven_a_second(tmp_path: Path) -> None:
    app: Any = sandbox.build(SandboxPlan(clock=SystemClock()))
    async with served(app) as base, httpx.AsyncClient() as http:
        await set_up(base, tmp_path)
        settings = {**sandbox.settings(base), "state": str(tmp_path)}
        told: list[str] = []
        rates = {"a": 2, "b": 3, "c": 5}
        workers = [await Worker.started({**settings, "rate": rate}, name) for name, rate in rates.items()]
        for worker in workers:
            worker.go()
            told.append(await worker.line())
        for worker in workers:
            worker.go()
        made = [msgspec.json.decode(await worker.line(), type=tuple[int, list[str]]) for worker in workers]
        for worker in workers:
            await worker.end()
        stats = (await http.get(f"{base}/_control/stats")).json()
        deals = (await http.get(f"{base}/_control/state?only=deals")).json()["deals"]
    assert told[:2] == ["\n", "\n"], "there is enough for both"
    assert "ничего не отправляет и ждёт" in told[2]
    assert stats["limit_violations"] == 0
    assert stats["max_per_second"] <= 7
    assert made[0][0] >= 1
    assert made[1][0] >= 1
    assert made[2][0] == 0
    assert "ничего не отправляет" in made[2][1][0]
    assert len(deals) == made[0][0] + made[1][0]


async def set_up(base: str, folder: Path) -> None:
    seams = Seams(clock=SystemClock(), chance=system_chance())
    options = connector.options.model_validate({**sandbox.settings(base), "state": str(folder), "rate": 7})
    target = connector.build(options, seams)
    await target.setup(Needed(), dry_run=False)
    await target.close()
