"""A clinic's day during which Kreslo is killed again and again; then calm, one whole life, and the oracle."""

import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.crash.lives import Life, Lives, opened_nursery, story, whole_life
from tests.crash.stage import Stage, opened_stage

ROUNDS = ("after the commit of settle", "after the commit of save_event_cursor")
CHANCES = 4
"""So many batches may a life send, or listen to the CRM, to reach its point; then it is killed where it is."""

PATIENCE = 45.0
"""Seconds after which it is killed anyhow."""

TOLD_EVERY = 25
WHOLE_EVERY = 10
"""Every so manieth life is a whole process, killed at no point of our choosing."""

SETTLE_SECONDS = 300.0
KILLED = -int(signal.SIGKILL)


class Toll(msgspec.Struct, kw_only=True):
    """`aimed`: kills by point; `at_random`: the others. `seconds`: all of it; `settling`: of the last life."""

    source: str
    crm: str
    aimed: dict[str, int]
    at_random: int
    never_killed_at: list[str]
    confirmed: int
    hooks: int
    seconds: float
    settling: float
    violations: list[str]

    @property
    def kills(self) -> int:
        return sum(self.aimed.values()) + self.at_random


async def kill_often(
    crm: str,
    folder: Path,
    *,
    kills: int,
    seed: int,
    patients: int = 200,
    speed: float = 900.0,
    kind: type[Stage] = Stage,
) -> Toll:
    """AssertionError where a life ends in any other way than killed, or the last one never settles."""
    since = time.monotonic()
    chance = random.Random(f"{seed}/{crm}")
    async with (
        opened_nursery(folder) as nursery,
        opened_stage(crm, folder, patients=patients, kind=kind) as stage,
    ):
        lives, at_random, number = Lives(stage, nursery), 0, 0
        for day in range(1, kind.days + 1):
            async with stage.day(speed=speed):
                while number < kills * day // kind.days:
                    at_point = await _one(number, stage, lives, chance)
                    if at_point is None:
                        continue
                    at_random += not at_point
                    number += 1
                    if number % TOLD_EVERY == 0:
                        print(f"{stage.title}, {crm}: {number} kills", file=sys.stderr)
            calm = time.monotonic()
            status = await settle(stage)
        return Toll(
            source=stage.title,
            crm=crm,
            aimed=dict(lives.killed.most_common()),
            at_random=at_random,
            never_killed_at=sorted(set(lives.passed) - set(lives.killed)),
            confirmed=status["confirmed"],
            hooks=stage.hooks,
            seconds=round(time.monotonic() - since, 1),
            settling=round(time.monotonic() - calm, 1),
            violations=await stage.violations(),
        )


async def settle(stage: Stage) -> dict[str, Any]:
    """One whole life in calm, until nothing waits and nothing more comes; its last status. It is stopped politely."""
    life = await whole_life(stage)
    deadline, rest, confirmed = time.monotonic() + SETTLE_SECONDS, 0, -1
    while True:
        assert time.monotonic() < deadline, f"it never settled: {await stage.status()}\n{story(stage)}"
        lasts = await life.lasts(0.25)
        if stage.stuck or not lasts:
            assert await life.ended(signal.SIGTERM) == 0 or await stage.mends(story(stage)), story(stage)
            stage.stuck = False
            life = await whole_life(stage)
        status = await stage.status()
        quiet = status is not None and status["settled"] and status["confirmed"] == confirmed
        rest = rest + 1 if quiet else 0
        if status is not None:
            confirmed = status["confirmed"]
            if rest >= 6:
                break
    assert await life.ended(signal.SIGTERM) == 0, story(stage)
    return status


async def _one(number: int, stage: Stage, lives: Lives, chance: random.Random) -> bool | None:
    """One kill; whether it was at a point. None: the life gave up, for a good reason."""
    if number == 0:
        return await _in_the_import(stage, lives, chance)
    if number % WHOLE_EVERY == WHOLE_EVERY - 1:
        return await _whole(stage, chance)
    return await _short(stage, lives, chance)


async def _in_the_import(stage: Stage, lives: Lives, chance: random.Random) -> bool:
    """The first life reaches the writes of the first import, and shows by the way which points there are."""
    life = await lives.short()
    deadline = time.monotonic() + SETTLE_SECONDS
    while "after the commit of settle" not in lives.seen():
        assert time.monotonic() < deadline, f"it never wrote anything\n{story(stage)}"
        assert await life.lasts(0.05), f"it ended by itself\n{story(stage)}"
    await life.lasts(chance.random())
    assert await _is_killed(life, stage), story(stage)
    lives.count()
    return False


async def _short(stage: Stage, lives: Lives, chance: random.Random) -> bool | None:
    """Killed at the point that was struck least, at one of its passages; or, one time in five, at any moment."""
    aim = lives.next_aim(chance) if chance.random() < 0.8 else None
    life = await lives.short(aim)
    at_point = not await (
        life.lasts(chance.uniform(0.1, 2.0)) if aim is None else _misses(life, lives, stage)
    )
    killed = await _is_killed(life, stage)
    lives.count()
    if not killed:
        return None
    if aim:
        (lives.killed if at_point else lives.missed)[aim.point] += 1
    return bool(aim and at_point)


async def _misses(life: Life, lives: Lives, stage: Stage) -> bool:
    """False as soon as it is dead."""
    deadline = time.monotonic() + PATIENCE
    while await life.lasts(0.1):
        seen = lives.seen()
        if sum(seen[point] for point in ROUNDS) >= CHANCES or time.monotonic() > deadline or stage.stuck:
            return True
    return False


async def _whole(stage: Stage, chance: random.Random) -> bool | None:
    life = await whole_life(stage)
    await life.lasts(chance.uniform(1.0, 4.0))
    return False if await _is_killed(life, stage) else None


async def _is_killed(life: Life, stage: Stage) -> bool:
    """False where it ended by itself and was right to."""
    killed = await life.ended() == KILLED
    assert killed or await stage.mends(story(stage)), f"it ended by itself\n{story(stage)}"
    stage.stuck = False
    return killed
