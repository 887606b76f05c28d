"""`kreslo run`, from its start to its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from kreslo.service.host import listen

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def port() -> int:
    with listen("127.0.0.1", 0) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def started(
    kreslo: Run, mapping: Path, clinic: str, webhook: str, port: int, tmp_path: Path
) -> Iterator["subprocess.Popen[str]"]:
    """A bridge between the small clinic and the sandbox, set up and started."""
    text = mapping.read_text(encoding="utf-8").replace("sqlite:///nowhere.db", clinic)
    mapping.write_text(text, encoding="utf-8")
    assert kreslo("setup", str(mapping), env={"PORTAL": webhook}).returncode == 0
    command = [sys.executable, "-m", "kreslo", "run", str(mapping), "--port", str(port)]
    env = {**os.environ, "PORTAL": webhook, "KRESLO_LOG_FILE": str(tmp_path / "kreslo.log")}
    with subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _live(port: int) -> httpx.Response:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False, timeout=10)
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the service does not answer")


def test_run_answers_owns_its_bridge_and_stops_cleanly(
    started: "subprocess.Popen[str]", kreslo: Run, mapping: Path, webhook: str, port: int, tmp_path: Path
) -> None:
    assert _live(port).status_code == 200
    status = kreslo("status", "--url", f"http://127.0.0.1:{port}")
    assert status.returncode == 0
    assert "clinic" in status.stdout

    second = kreslo("run", str(mapping), "--port", "0", env={"PORTAL": webhook})
    assert second.returncode == 2
    assert "Traceback" not in second.stderr

    started.send_signal(signal.SIGTERM)
    assert started.wait(30) == 0
    assert (tmp_path / ".kreslo" / "clinic.db").exists()
    assert "Иванов" not in (tmp_path / "kreslo.log").read_text(encoding="utf-8")
