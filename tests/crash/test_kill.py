"""The real process on real files and sockets, killed with SIGKILL in the middle of the import and started again."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.ident.sandbox import sandbox as clinic
from kreslo.connectors.contract import Seams, target_connector
from kreslo.connectors.seams import SystemClock, system_chance
from kreslo.mapping.load import MappingFile, load, resolve
from kreslo.mapping.model import Bridge
from kreslo.sandbox.audit import Moment, audit, rules_of
from kreslo.sandbox.crm import SandboxCrm, SeenCard
from kreslo.sync.opening import build_target

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash")]

KRESLO = [sys.executable, "-m", "kreslo"]
PATIENTS = 400
KILLS = int(os.environ.get("KILLS", "3"))
DEMO = Path(__file__).parents[2] / "mappings" / "demo.yaml"


@contextmanager
def portal(log: Path) -> Iterator[str]:
    """The address of a Bitrix24 sandbox in a process of its own; its limits are wide, the kills are what is tested."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*KRESLO, "sandbox", "bitrix24", "--child", "--port", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            assert process.stdout
            yield str(json.loads(process.stdout.readline())["url"]).rstrip("/")
        finally:
            process.kill()
            process.communicate()


def ask(port: int) -> dict[str, Any] | None:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/status", timeout=5, trust_env=False)
    except httpx.TransportError:
        return None
    return dict(answer.json()["bridges"][0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_killed_in_the_import_and_started_again_no_card_is_doubled_and_none_is_missing(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    database = tmp_path / "clinic.db"
    mapping = tmp_path / "clinic.yaml"
    # The stand-in runs no request longer than a moment, so what is unknown is known sooner.
    text = DEMO.read_text(encoding="utf-8")
    mapping.write_text(
        text.replace("{connector: bitrix24,", "{connector: bitrix24, settle: 3,"), encoding="utf-8"
    )
    clinic.create(database, seed=5, now=now, patients=PATIENTS)
    chance = random.Random(5)
    with portal(tmp_path / "portal.log") as base:
        httpx.post(f"{base}/_control/limits", json={"rate": 1000, "burst": 1000}, trust_env=False)
        webhook = target_connector("bitrix24").sandbox.settings(base)["webhook"]
        env = {
            **os.environ,
            "KRESLO_DEMO_CLINIC": clinic.settings(database)["database"],
            "KRESLO_DEMO_WEBHOOK": webhook,
        }
        for lead in clinic.leads(database, seed=5, now=now)[:40]:
            body = {"name": lead.name, "phone": lead.phone, "stage": lead.stage, "source": lead.source}
            made = httpx.post(
                f"{base}/_control/leads",
                json={**body, "created_at": lead.created_at.isoformat()},
                trust_env=False,
            )
            assert made.is_success, made.text
        subprocess.run([*KRESLO, "setup", str(mapping)], env=env, check=True, capture_output=True)

        state = f"sqlite:///{tmp_path / 'state.db'}"
        killed = 0
        deadline = time.monotonic() + 180 + 30 * KILLS
        while time.monotonic() < deadline:
            port = free_port()
            command = [*KRESLO, "run", str(mapping), "--port", str(port), "--state", state]
            with (tmp_path / "run.log").open("ab") as log:
                process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            try:
                if killed < KILLS:
                    # Somewhere in the work: after this run's first cards stand, at no moment of our choosing.
                    before = cards(base)
                    while process.poll() is None and cards(base) == before and time.monotonic() < deadline:
                        time.sleep(0.02)
                    assert process.poll() is None, (tmp_path / "run.log").read_text(encoding="utf-8")[-3000:]
                    time.sleep(chance.random() * 0.4)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    killed += 1
                    continue
                while time.monotonic() < deadline:
                    status = ask(port)
                    if status and status["settled"]:
                        break
                    assert process.poll() is None, (tmp_path / "run.log").read_text(encoding="utf-8")[-3000:]
                    time.sleep(0.2)
                break
            finally:
                process.kill()
                process.wait()
        assert killed == KILLS
        check(base, mapping, env, database, now)


def cards(base: str) -> int:
    stats = httpx.get(f"{base}/_control/stats", trust_env=False).json()["commands"]
    return sum(count for name, count in stats.items() if name.endswith((".add", ".import")))


def check(base: str, path: Path, env: dict[str, str], database: Path, began: datetime) -> None:
    found, bridge = asyncio.run(_look(base, load(path, environ=env)))
    assert bridge.appointment
    rules = rules_of(bridge.appointment, source_id=bridge.source_id, zone=bridge.zone, enquiries=True)
    horizon = bridge.horizon
    moments = [
        Moment(at, clinic.census(database, now=at, past=horizon.past, future=horizon.future))
        for at in (began, datetime.now(UTC))
    ]
    result = audit(found, rules, before=moments[0], after=moments[1])
    assert result.violations == ()
    assert result.chains == result.cards > 50


async def _look(base: str, mapping: MappingFile) -> tuple[list[SeenCard], Bridge]:
    target = build_target(mapping, Seams(clock=SystemClock(), chance=system_chance()))
    try:
        catalog = await target.catalog()
        async with SandboxCrm(base) as crm:
            return await crm.cards(catalog.key_fields), resolve(mapping, catalog)
    finally:
        await target.close()
