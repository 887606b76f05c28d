"""The operating system's word that something happened in a folder: a nudge to look now. It is never relied on: such events
do not come from shares, and a folder is polled all the same.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path

import structlog
from watchfiles import awatch

from kreslo.connectors.seams import Clock

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
"""After a folder could not be heard, or went away."""

_QUIET_MS = 200
"""What happens within so long of each other is one nudge."""


async def nudges(folders: Iterable[Path], clock: Clock, settle: float) -> AsyncIterator[None]:
    """One when something has happened, and one more when it has stood still for `settle` seconds. Goes on until cancelled."""
    wanted = sorted(set(folders))
    while True:
        there = [folder for folder in wanted if folder.is_dir()]
        try:
            if there:
                # A file is written to many times: the watcher gathers what comes close together.
                events = awatch(*there, watch_filter=None, debounce=_QUIET_MS, recursive=False)
                async with aclosing(events):
                    async for _ in events:
                        yield
                        await clock.sleep(settle)
                        yield
        except OSError as error:
            log.info("helix.not_heard", error=type(error).__name__)
        await clock.sleep(AGAIN_SECONDS)
