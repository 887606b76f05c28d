"""A portal behind a bad line: answers lost after the commit, batches cut at the gateway's sixty seconds."""

import json
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

_WRITES = (".add", ".update", ".import", ".batchImport", ".set")
_LOST, _CUT = 1 / 10, 1 / 20
_GATEWAY = 60.0
_ADD_SECONDS = 2.0  # of an add: a batch is fifteen of them, so that an import is many requests


class BadLine(httpx.AsyncBaseTransport):
    """Of the requests that write, one answer in ten is lost after the portal has done it all; of the batches among them,
    one in twenty is cut after some of its commands, a minute later.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._transport = world.transport
        self._clock = world.clock
        self._portal = _portal(world)
        self._chance = Random(seed)
        self.writes = self.batches = self.lost = self.cut = self.halved = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        commands = _commands(request)
        if not any(command.partition("?")[0].endswith(_WRITES) for command in commands):
            return await self._transport.handle_async_request(request)
        self.writes += 1
        self.batches += len(commands) > 1
        if len(commands) > 1 and self._chance.random() < _CUT:
            self.cut += 1
            done = self._chance.randrange(len(commands))
            self.halved += done > 0
            self._portal.faults.add(Fault(kind="504html", commands=done))
            self._clock.advance(_GATEWAY)
            return await self._transport.handle_async_request(request)
        answer = await self._transport.handle_async_request(request)
        if self._chance.random() >= _LOST:
            return answer
        self.lost += 1
        await answer.aclose()
        raise httpx.ReadError("the line broke", request=request)


def _commands(request: httpx.Request) -> list[str]:
    """The methods of a request, with their parameters where it is a batch."""
    method = request.url.path.rsplit("/", 1)[-1]
    if method != "batch":
        return [method]
    return list(json.loads(request.content)["cmd"].values())


@pytest.mark.parametrize(
    ("patients", "seed", "least"),
    [
        (240, 1, 3),
        pytest.param(1000, 2, 15, marks=pytest.mark.exhaustive),
        pytest.param(1000, 3, 15, marks=pytest.mark.exhaustive),
    ],
)
async def test_answers_lost_and_batches_cut_double_no_card_and_lose_none(
    tmp_path: Path, patients: int, seed: int, least: int
) -> None:
    """`least`: answers that must have been lost, or the test has shown nothing."""
    async with world_of(tmp_path) as world:
        costs = {"*.add": _ADD_SECONDS, "crm.item.import": _ADD_SECONDS, "crm.item.batchimport": _ADD_SECONDS}
        _portal(world).switches.costs.update(costs | {"crm.contact.add": _ADD_SECONDS})
        known = [world.clinic.add_patient(CardNumber=f"A-{number}") for number in range(patients)]
        _book(world, known, timedelta(days=1))
        line = BadLine(world, seed)
        world.seams = Seams(clock=world.clock, chance=Random(seed), transport=line)
        await world.start()
        await _settle(world)
        for day in range(4):
            _book(world, known[:10], timedelta(days=60 + day))
            await _settle(world)
        state = await world.state()
        for section, count in (("contacts", patients), ("deals", patients + 40)):
            keys = sorted(row["fields"].get("UF_CRM_KRESLO_KEY", "") for row in state[section])
            assert len(keys) == len(set(keys)) == count, section
            assert all(keys)
        assert line.lost >= max(least, 0.06 * line.writes), (line.lost, line.writes)
        assert line.cut >= max(least / 3, 0.025 * line.batches), (line.cut, line.batches)
        assert line.halved >= line.cut / 2


async def _settle(world: World) -> None:
    """What is lost is looked for only after the portal has surely ended it: over a minute each time."""
    assert world.run
    world.clock.advance(6)
    for _ in range(6000):
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
