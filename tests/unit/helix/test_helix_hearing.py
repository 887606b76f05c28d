"""A file that comes is heard of where the system tells; the schedule reads all the same."""

import asyncio
from pathlib import Path

from connectors.helix import hearing
from kreslo.connectors.seams import SystemClock


async def test_a_file_that_comes_is_a_nudge_and_another_when_it_stands_still(tmp_path: Path) -> None:
    heard = hearing.nudges([tmp_path, tmp_path / "not there"], SystemClock(), 0.01)
    first = asyncio.ensure_future(anext(heard))
    # The watcher needs a moment to begin; until then nobody promises anything.
    for number in range(100):
        (tmp_path / f"visits_{number}.csv").write_text("ФИО", encoding="utf-8")
        if (await asyncio.wait([first], timeout=0.1))[0]:
            break
    await asyncio.wait_for(first, 1)
    await asyncio.wait_for(anext(heard), 1)
    await heard.aclose()


async def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    heard = hearing.nudges([tmp_path / "away"], SystemClock(), 0)
    waiting = asyncio.ensure_future(anext(heard))
    assert not (await asyncio.wait([waiting], timeout=0.05))[0]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
