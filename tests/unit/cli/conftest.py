"""`kreslo` as a user starts it: a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kreslo.connectors.contract import source_connector, target_connector

Kreslo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kreslo(tmp_path: Path) -> Kreslo:
    """Runs `kreslo ARGS` in an empty folder; `env` adds variables. Nothing of the developer's own environment."""

    def run(
        *args: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("KRESLO_", "IDENT_", "BITRIX24_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "kreslo", *args],
            env={**kept, "COLUMNS": "200", **(env or {})},
            cwd=cwd or tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def portal() -> Iterator[str]:
    """The address of a running Bitrix24 sandbox."""
    command = [sys.executable, "-m", "kreslo", "sandbox", "bitrix24", "--child", "--port", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a small made-up clinic."""
    path = tmp_path_factory.mktemp("clinic") / "clinic.db"
    sandbox = source_connector("ident").sandbox
    sandbox.create(path, seed=1, now=datetime(2026, 11, 21, 9, tzinfo=UTC), patients=120)
    return str(sandbox.settings(path)["database"])


@pytest.fixture
def webhook(portal: str) -> str:
    return str(target_connector("bitrix24").sandbox.settings(portal)["webhook"])


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    """A small mapping that is right; it points at a clinic that is not there and at a port where nobody listens."""
    path = tmp_path / "clinic.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


MAPPING = """\
bridge: clinic
source: {connector: ident, database: "sqlite:///nowhere.db", timezone: Europe/Moscow}
target: {connector: bitrix24, webhook: "${PORTAL:-http://127.0.0.1:9/rest/1/secret/}"}
appointment:
  funnel: "Приёмы"
  title: "Приём {appointment.starts_at:%d.%m %H:%M}"
  stages:
    upcoming: "Записан на приём"
    tomorrow: {stage: "Визит завтра", at: "14:00", message: true}
    completed: "Визит состоялся"
    cancelled: "Визит отменён"
    rescheduled: "Визит перенесён"
  status: {reschedule_reasons: ["Перенос"], no_show_after: 3h}
enquiry:
  into: leads
  title: "Обращение: {enquiry.phone}"
  stages: {new: "Новый", stale: "Не записался"}
  stale_after: 3d
"""
