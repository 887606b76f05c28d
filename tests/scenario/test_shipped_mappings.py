"""Each mapping that ships resolves in a fresh CRM once its own setup has been run there."""

from pathlib import Path
from random import Random

import httpx
import pytest

from kreslo.connectors.contract import Seams, Target, target_connector
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing import HandClock
from kreslo.mapping.load import load, resolve
from kreslo.mapping.model import Phase

BASE = "http://127.0.0.1:1"
MAPPINGS = sorted((Path(__file__).parents[2] / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name)
async def test_a_shipped_mapping_resolves_after_its_setup(path: Path, tmp_path: Path) -> None:
    file = load(path, judged=False)
    connector = target_connector(file.target.connector)
    clock = HandClock()
    app = connector.sandbox.build(SandboxPlan(clock=clock))
    seams = Seams(clock=clock, chance=Random(1), transport=httpx.ASGITransport(app))
    settings = connector.sandbox.settings(BASE)
    if "state" in connector.options.model_fields:
        settings["state"] = tmp_path
    target: Target = connector.build(connector.options.model_validate(settings), seams)
    try:
        await target.setup(file.needed(), dry_run=False)
        bridge = resolve(file, await target.catalog())
        assert await target.setup(file.needed(), dry_run=True) == []
    finally:
        await target.close()
    assert bridge.appointment is not None
    assert {Phase.UPCOMING, Phase.COMPLETED, Phase.CANCELLED} <= set(bridge.appointment.stages)
