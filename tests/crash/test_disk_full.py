"""The disk under the journal is full: Kreslo says so and waits; when there is room again it goes on, killed or not."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.crash.killing import settle
from tests.crash.lives import Life, Lives, opened_nursery, story
from tests.crash.stage import TOKEN, Stage, opened_stage

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

SECONDS = 60.0
HOOK = {"event": "ONCRMDEALUPDATE", "auth[application_token]": TOKEN}


async def test_on_a_full_disk_it_says_so_and_loses_nothing_whether_it_is_killed_then_or_not(
    tmp_path: Path,
) -> None:
    full = tmp_path / "disk-is-full"
    async with opened_nursery(tmp_path) as nursery, opened_stage("bitrix24", tmp_path, patients=40) as stage:
        lives = Lives(stage, nursery)
        async with stage.day(speed=900):
            life = await lives.short(full=full)
            await until(life, stage, lambda status: status["confirmed"] > 10)
            full.touch()
            await until(life, stage, lambda status: "the disk is full" in status["paused"])
            assert await hooked(stage) == 503

            full.unlink()
            await until(life, stage, lambda status: not status["paused"])
            assert await hooked(stage) == 200

            full.touch()
            await until(life, stage, lambda status: "the disk is full" in status["paused"])
            await life.ended()

            # Started while there is still no room: it waits, or it ends with a message for a person.
            again = await lives.short(full=full)
            if await again.lasts(3):
                await again.ended()
            else:
                assert await again.end == 2
                assert "the disk is full" in story(stage)
            full.unlink()
        await settle(stage)
        assert await stage.violations() == []


async def until(life: Life, stage: Stage, holds: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        status = await stage.status()
        if status is not None and holds(status):
            return
        assert await life.lasts(0.1), f"it ended by itself\n{story(stage)}"
        assert time.monotonic() < deadline, f"{status}\n{story(stage)}"


async def hooked(stage: Stage) -> int:
    """Hooks of so many cards that they need room; how the last one was answered, or the first that was refused."""
    url = f"http://127.0.0.1:{stage.port}/hooks/demo/{TOKEN}"
    code = 0
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        for number in range(300):
            code = (await http.post(url, data={**HOOK, "data[FIELDS][ID]": str(10_000 + number)})).status_code
            if code != 200:
                break
    return code
