"""The whole way in one process: a tiny iDent clinic, the engine, the Bitrix24 sandbox, one clock that tests move."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from connectors.bitrix24.sandbox import sandbox
from kreslo.connectors.contract import Seams
from kreslo.connectors.sandboxes import SandboxPlan, TargetSandbox
from kreslo.connectors.testing import HandClock
from kreslo.mapping.load import load
from kreslo.records import RecordKind, RecordRef
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.opening import build_target, open_bridge
from tests.contract.ident_clinic import Clinic
from tests.journals import lay_empty_journal

BASE = "http://127.0.0.1:1"
MAPPING = """\
bridge: clinic
source: {connector: ident, database: "sqlite:///%(clinic)s", timezone: Europe/Moscow, every: 5s}
target: {connector: bitrix24, webhook: "%(webhook)s"}
contact:
  fields:
    LAST_NAME: patient.surname
    NAME: patient.name
    PHONE: {value: patient.phones, mode: add}
    "Номер медкарты": patient.card_number
    "Ближайший визит": next_visit.starts_at
appointment:
  funnel: "Приёмы"
  title: "Приём {appointment.starts_at:%%d.%%m %%H:%%M}"
  stages:
    upcoming: "Записан на приём"
    tomorrow: {stage: "Визит завтра", at: "14:00"}
    confirmed: "Визит подтверждён"
    completed: "Визит состоялся"
    cancelled: "Визит отменён"
    rescheduled: "Визит перенесён"
    no_show: "Не пришёл"
  protect: ["Подтвердил по смс"]
  rebook: {window: 24h, same: doctor}
  claim:
    from: {leads: ["Записан на консультацию"]}
    within: 60d
    late: 2h
    mode: link
    copy: [SOURCE_ID, UTM_SOURCE]
  fields:
    OPPORTUNITY: {value: appointment.amount, when: appointment.status == "completed"}
enquiry:
  into: leads
  title: "Обращение {enquiry.phone}"
  stages: {new: "Новый", already_booked: "Пациент уже записан", stale: "Не записался"}
  fields:
    PHONE: {value: enquiry.phone, mode: add}
"""


_LONGEST_STEP = 16.0  # seconds


class Stage:
    """A bridge between a source that is driven by hand and a CRM's sandbox. `run`: the bridge. `http`: the sandbox's
    control plane. `text`: the mapping, with places for the sandbox's settings.
    """

    def __init__(self, folder: Path, clock: HandClock, text: str, crm: TargetSandbox = sandbox) -> None:
        self.folder = folder
        self.clock = clock
        app = crm.build(SandboxPlan(clock=self.clock))
        self.transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=self.transport, base_url=BASE)
        self.seams = Seams(clock=self.clock, chance=Random(7), transport=self.transport)
        self.mapping = folder / "clinic.yaml"
        self.mapping.write_text(text % crm.settings(BASE), encoding="utf-8")
        self.run: BridgeRun | None = None

    async def setup(self) -> None:
        mapping = load(self.mapping)
        target = build_target(mapping, self.seams)
        await target.setup(mapping.needed(), dry_run=False)
        await target.close()

    async def start(self) -> None:
        path = self.folder / "state.db"
        state = f"sqlite:///{path}" if path.exists() else lay_empty_journal(path)
        self.run = await open_bridge(self.mapping, state=state, seams=self.seams, in_place=True)

    async def stop(self) -> None:
        if self.run:
            await self.run.close()
            self.run = None

    async def settle(self, *, seconds: float = 600) -> None:
        """Turns, moving the clock, until the bridge says that nothing waits; it must come to that. Faster and faster while
        nothing happens.
        """
        assert self.run
        await self.pass_time(6)
        until = self.clock.now() + timedelta(seconds=seconds)
        step = 1.0
        while self.clock.now() < until:
            busy = await self.run.turn()
            if busy:
                step = 1.0
            elif self.run.status().settled:
                return
            else:
                self.clock.advance(step)
                step = min(2 * step, _LONGEST_STEP)
        raise AssertionError(f"did not settle: {self.run.status()}")

    async def turn(self, count: int = 1) -> None:
        assert self.run
        for _ in range(count):
            await self.run.turn()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def state(self) -> dict[str, Any]:
        return dict((await self.http.get("/_control/state")).json())

    async def deals(self) -> list[dict[str, Any]]:
        return list((await self.state())["deals"])

    async def deal(self) -> dict[str, Any]:
        deals = await self.deals()
        assert len(deals) == 1, [(deal["title"], deal["stage"]) for deal in deals]
        return deals[0]

    async def lead(self, phone: str, **more: Any) -> None:
        usual = {
            "name": "Анна",
            "created_at": self.clock.now().isoformat(),
            "stage": "Записан на консультацию",
        }
        answer = await self.http.post("/_control/leads", json={**usual, "phone": phone, **more})
        assert answer.is_success, answer.text

    async def staff(self, action: str, **body: Any) -> None:
        answer = await self.http.post(f"/_control/staff/{action}", json=body)
        assert answer.is_success, answer.text

    async def fault(self, **body: Any) -> None:
        answer = await self.http.post("/_control/faults", json=body)
        assert answer.is_success, answer.text

    async def requests(self) -> dict[str, int]:
        stats = (await self.http.get("/_control/stats")).json()
        return {**stats["by_method"], **stats["commands"]}


class World(Stage):
    """`clinic`: iDent's database."""

    def __init__(self, folder: Path) -> None:
        self.clinic = Clinic(folder)
        super().__init__(folder, self.clinic.clock, MAPPING.replace("%(clinic)s", str(self.clinic.path)))


def visit(visit_id: str) -> RecordRef:
    return RecordRef(RecordKind.APPOINTMENT, visit_id)


@asynccontextmanager
async def world_of(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    await world.setup()
    try:
        yield world
    finally:
        await world.stop()
        await world.http.aclose()
