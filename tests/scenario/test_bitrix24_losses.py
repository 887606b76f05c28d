"""A portal behind a bad line: answers lost after the commit, batches cut at the gateway's sixty seconds."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.contract import Seams
from kreslo.connectors.sandboxing.faults import Fault
from tests.scenario.world import World, world_of

PATIENTS = 90
_WRITES = (b".add", b".update", b".import", b".batchImport", b".set")


class BadLine(httpx.AsyncBaseTransport):
    """One write in ten loses its answer, one batch of writes in twenty is cut after some of its commands."""

    def __init__(self, transport: httpx.AsyncBaseTransport, portal: Portal, seed: int) -> None:
        self._transport = transport
        self._portal = portal
        self._chance = Random(seed)
        self._seed = seed
        self._writes = 0
        self._batches = 0
        self.lost = 0
        self.cut = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        writes = any(name in body or name in request.url.path.encode() for name in _WRITES)
        if not writes or "/_control" in request.url.path:
            return await self._transport.handle_async_request(request)
        self._writes += 1
        self._batches += request.url.path.endswith("/batch")
        if request.url.path.endswith("/batch") and self._batches % 20 == 2 + self._seed:
            self.cut += 1
            done = self._chance.randrange(1, 10)
            self._portal.faults.add(Fault(kind="504html", commands=done))
            return await self._transport.handle_async_request(request)
        answer = await self._transport.handle_async_request(request)
        if self._writes % 10 == 2 * self._seed:
            self.lost += 1
            await answer.aclose()
            raise httpx.ReadError("the line broke", request=request)
        return answer


@pytest.mark.parametrize("seed", [1, 2])
async def test_answers_lost_and_batches_cut_double_no_card_and_lose_none(tmp_path: Path, seed: int) -> None:
    async with world_of(tmp_path) as world:
        patients = [world.clinic.add_patient(CardNumber=f"A-{number}") for number in range(PATIENTS)]
        _book(world, patients, timedelta(days=1))
        line = BadLine(world.transport, _portal(world), seed)
        world.seams = Seams(clock=world.clock, chance=Random(seed), transport=line)
        await world.start()
        await _settle(world)
        for day in range(4):
            _book(world, patients[:10], timedelta(days=20 + day))
            await _settle(world)
        state = await world.state()
        for section, count in (("contacts", PATIENTS), ("deals", PATIENTS + 40)):
            keys = sorted(row["fields"].get("UF_CRM_KRESLO_KEY", "") for row in state[section])
            assert len(keys) == len(set(keys)) == count, section
            assert all(keys)
        assert line.lost >= 1
        assert line.cut >= 1


async def _settle(world: World) -> None:
    """What is lost is looked for only after the portal has surely ended it: over a minute each time."""
    assert world.run
    world.clock.advance(6)
    for _ in range(600):
        if not await world.run.turn():
            if world.run.status().settled:
                return
            world.clock.advance(10)
    raise AssertionError(f"did not settle: {world.run.status()}")


def _portal(world: World) -> Portal:
    app: Any = world.transport.app
    portal = app.state.portal
    assert isinstance(portal, Portal)
    return portal


def _book(world: World, patients: list[str], ahead: timedelta) -> None:
    for number, patient in enumerate(patients):
        starts_at = world.clock.now() + ahead + timedelta(minutes=30 * number)
        world.clinic.add_appointment(patient, starts_at=starts_at)
