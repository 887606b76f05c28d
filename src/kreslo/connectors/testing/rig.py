"""A target before its sandbox, in one process: no sockets, no real time."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from starlette.types import ASGIApp

from kreslo.connectors.contract import Seams, Target, TargetConnector
from kreslo.connectors.model import Card, Catalog, Change, Entity, Found, Funnel, Lookup, Outcome, StageRef
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing.clock import HandClock

_BASE = "http://127.0.0.1"


class TargetRig(msgspec.Struct):
    """`settings`: the options that reach the sandbox, by which another target of the same sandbox can be built.
    `catalog` is that of the last `refresh`.
    """

    connector: TargetConnector
    app: ASGIApp
    clock: HandClock
    target: Target
    settings: dict[str, Any]
    catalog: Catalog
    intents: int = 0

    # --- the sandbox's own side --------------------------------------------------------------------------------

    async def control(self, verb: str, path: str, body: Any = None) -> Any:
        """One request to the sandbox's `/_control`; its answer as JSON."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=_BASE) as client:
            answer = await client.request(verb, f"/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text  # noqa: S101
        return answer.json()

    async def fault(self, kind: str, **rest: Any) -> None:
        """The next request (or `match`, `times`) goes wrong in this way."""
        await self.control("POST", "faults", {"kind": kind, **rest})

    async def state(self, section: str) -> Any:
        return (await self.control("GET", f"state?only={section}"))[section]

    async def staff(self, action: str, **order: Any) -> Any:
        """What a member of staff does by hand in the CRM."""
        return await self.control("POST", f"staff/{action}", order)

    # --- the target -------------------------------------------------------------------------------------------

    def build(self, **settings: Any) -> Target:
        """Another target before the same sandbox, with other settings. The caller closes it."""
        return _build(self.connector, {**self.settings, **settings}, self.clock, self.app)

    async def refresh(self) -> Catalog:
        self.catalog = await self.target.catalog()
        return self.catalog

    def change(self, action: Any) -> Change:
        self.intents += 1
        return Change(f"i{self.intents}", action)

    async def apply(self, *actions: Any) -> list[Outcome]:
        changes = [self.change(action) for action in actions]
        outcomes = await self.target.apply(changes)
        assert [one.intent for one in outcomes] == [one.intent for one in changes]  # noqa: S101
        return outcomes

    async def find(self, lookup: Lookup) -> tuple[Card, ...]:
        found: list[Found] = await self.target.find([lookup])
        assert [one.lookup for one in found] == [lookup]  # noqa: S101
        return found[0].cards

    def funnel(self, entity: Entity, name: str) -> Funnel:
        return next(one for one in self.catalog.funnels if one.entity is entity and one.name == name)

    def stage(self, entity: Entity, funnel: str, stage: str) -> StageRef:
        found = self.funnel(entity, funnel)
        return StageRef(found.id, next(one.id for one in found.stages if one.name == stage))

    def code(self, entity: Entity, title: str) -> str:
        return next(one.code for one in self.catalog.fields if one.entity is entity and one.title == title)


@asynccontextmanager
async def open_rig(
    connector: TargetConnector,
    *,
    switches: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
) -> AsyncIterator[TargetRig]:
    """A fresh sandbox and a target before it, the catalog read."""
    clock = HandClock()
    app = connector.sandbox.build(SandboxPlan(clock=clock, switches=switches or {}))
    reached = {**connector.sandbox.settings(_BASE), **(settings or {})}
    target = _build(connector, reached, clock, app)
    try:
        catalog = await target.catalog()
        yield TargetRig(connector, app, clock, target, reached, catalog)
    finally:
        await target.close()


def _build(connector: TargetConnector, settings: dict[str, Any], clock: HandClock, app: ASGIApp) -> Target:
    options = connector.options.model_validate(settings)
    seams = Seams(clock=clock, chance=random.Random(7), transport=httpx.ASGITransport(app))
    return connector.build(options, seams)
