"""The world of the scenarios over each CRM there is, with one mapping and one way to look at what stands there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec

from connectors.amocrm.sandbox import sandbox as amocrm
from connectors.bitrix24.sandbox import sandbox as bitrix24
from kreslo.connectors.contract import Seams
from kreslo.connectors.model import Entity, StageRef
from kreslo.connectors.sandboxes import SandboxPlan
from tests.contract.ident_clinic import Clinic
from tests.scenario.world import BASE, World

MAPPING = """\
bridge: clinic
source: {connector: ident, database: "sqlite:///%(clinic)s", timezone: Europe/Moscow, every: 5s}
target: %(target)s
reconcile: {percent: 100}
contact:
  fields:
    %(surname)s: patient.surname
    %(name)s: patient.name
    PHONE: {value: patient.phones, mode: add}
    "Номер медкарты": patient.card_number
    "Канал": {value: patient.source, mode: fill}
appointment:
  funnel: "Приёмы"
  title: "Приём {appointment.starts_at:%%d.%%m %%H:%%M}"
  stages:
    upcoming: {stage: "Записан на приём", message: true}
    tomorrow: {stage: "Визит завтра", at: "14:00", message: true}
    confirmed: "Визит подтверждён"
    completed: "Визит состоялся"
    cancelled: "Визит отменён"
    no_show: {stage: "Не пришёл", semantic: open}
%(more)s  fields:
    "Врач": appointment.doctor.name
    "Кабинет": {value: appointment.room, mode: until_touched}
    "Дата и время приёма": appointment.starts_at
"""


class Crm(msgspec.Struct, frozen=True):
    """`key`: code of the field that carries our key."""

    name: str
    sandbox: Any
    key: str
    surname: str
    first_name: str


CRMS = {
    "bitrix24": Crm("bitrix24", bitrix24, "UF_CRM_KRESLO_KEY", "LAST_NAME", "NAME"),
    "amocrm": Crm("amocrm", amocrm, "KRESLO_KEY", "last_name", "first_name"),
}


class CrmWorld(World):
    """`more`: lines of the mapping's `appointment:`, indented by two."""

    def __init__(self, folder: Path, name: str, *, more: str = "") -> None:
        self.folder = folder
        self.crm = CRMS[name]
        self.clinic = Clinic(folder)
        self.clock = self.clinic.clock
        self.app: Any = self.crm.sandbox.build(SandboxPlan(clock=self.clock))
        self.transport = httpx.ASGITransport(self.app)
        self.http = httpx.AsyncClient(transport=self.transport, base_url=BASE)
        self.seams = Seams(clock=self.clock, chance=Random(7), transport=self.transport)
        self.mapping = folder / "clinic.yaml"
        self.run = None
        options = {"connector": name, **self.crm.sandbox.settings(BASE)}
        if name == "amocrm":
            options["state"] = str(folder)
        names = {"surname": self.crm.surname, "name": self.crm.first_name}
        target = msgspec.json.encode(options).decode()
        text = MAPPING % {"clinic": self.clinic.path, "target": target, "more": more, **names}
        self.mapping.write_text(text, encoding="utf-8")

    async def cards(self, section: str = "deals") -> dict[str, dict[str, Any]]:
        """What stands in the CRM, by our key; cards without one under their id."""
        rows = (await self.state())[section]
        return {row["fields"].get(self.crm.key) or str(row["id"]): row for row in rows}

    async def only(self, section: str = "deals") -> dict[str, Any]:
        (card,) = (await self.cards(section)).values()
        return card

    async def stage(self, name: str) -> StageRef:
        """By its name, in the visits' funnel."""
        assert self.run
        (funnel,) = [each for each in (await self.run.target.catalog()).funnels if each.name == "Приёмы"]
        return StageRef(funnel.id, next(stage.id for stage in funnel.stages if stage.name == name))

    async def edit(self, card: dict[str, Any], entity: Entity = Entity.DEAL, **fields: Any) -> None:
        await self.staff("edit", entity=entity.value, id=card["id"], fields=fields)

    async def notes(self) -> list[str]:
        """Texts of all notes."""
        state = await self.state()
        return [
            str(row.get("comment") or row.get("text") or row.get("params"))
            for row in state.get("comments", state.get("notes"))
        ]

    async def silently(self) -> None:
        """What happened so far is heard by nobody: the bridge was away for longer than the CRM remembers."""
        assert self.run
        self.clock.advance(60)
        self.run.journal.save_event_cursor(self.run.target.now())


@asynccontextmanager
async def crm_world(folder: Path, name: str, *, more: str = "") -> AsyncIterator[CrmWorld]:
    world = CrmWorld(folder, name, more=more)
    await world.setup()
    try:
        yield world
    finally:
        await world.stop()
        await world.http.aclose()
