"""The sandbox CRM as a child process: its work takes nothing from the engine's loop, and it dies with its parent."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from kreslo.connectors.errors import OutageError

START_SECONDS = 60.0
STOP_SECONDS = 5.0


@asynccontextmanager
async def sandbox_process(
    crm: str, *, port: int, log: Path, switches: Mapping[str, Any] | None = None
) -> AsyncIterator[str]:
    """The address of a running sandbox. Its end of our pipe closes when we end, however we end, and it ends with it.
    `log`: where its stderr goes. Raises OutageError if it does not start.
    """
    command = [sys.executable, "-m", "kreslo", "sandbox", crm, "--child", "--port", str(port)]
    for key, value in (switches or {}).items():
        command += ["--switch", f"{key}={msgspec.json.encode(value).decode()}"]
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        yield await _address(process, crm, log)
    finally:
        await _end(process)


async def _address(process: asyncio.subprocess.Process, crm: str, log: Path) -> str:
    if process.stdout is None:
        raise RuntimeError("the child was started without a pipe")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
    except TimeoutError:
        line = b""
    if not line:
        raise OutageError(f"the {crm} sandbox did not start; {log} says why: {_last_line(log)}")
    return str(msgspec.json.decode(line)["url"])


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
