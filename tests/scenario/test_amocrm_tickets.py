"""The way back with amoCRM: a deal of the sales funnel becomes a ticket, iDent books it, and the same deal moves."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.amocrm.sandbox import sandbox
from kreslo.service.app import create_app
from tests.contract.ident_clinic import Clinic
from tests.scenario.world import Stage, visit

KEY = "k9PxQ2vT7mZc4RbW"
PHONE = "8 900 111-22-33"
MAPPING = """\
bridge: clinic
source: {connector: ident, database: "sqlite:///%%(clinic)s", timezone: Europe/Moscow, every: 5s}
target: {connector: amocrm, address: "%%(address)s", token: "%%(token)s", state: "%(state)s"}
contact:
  fields: {name: patient.full_name, PHONE: {value: patient.phones, mode: add}}
appointment:
  funnel: "Приёмы"
  title: "Приём {appointment.starts_at:%%%%d.%%%%m %%%%H:%%%%M}"
  stages: {upcoming: "Записан на приём", completed: "Визит состоялся", cancelled: "Визит отменён"}
  claim: {from: {funnel: "Лиды", stages: ["Неразобранное", "Записан на консультацию"]}, within: 60d, mode: move}
exchange:
  key: k9PxQ2vT7mZc4RbW
  tickets: {from: {funnel: "Лиды", stages: ["Записан на консультацию"]}}
"""


class AmoWorld(Stage):
    def __init__(self, folder: Path) -> None:
        self.clinic = Clinic(folder)
        text = (MAPPING % {"state": folder}).replace("%(clinic)s", str(self.clinic.path))
        super().__init__(folder, self.clinic.clock, text, sandbox)

    async def tickets(self) -> list[dict[str, Any]]:
        """What iDent is served at a workplace of the clinic."""
        assert self.run
        app = create_app([], exchanges=[self.run])
        headers = {"IDENT-Integration-Key": KEY}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://kreslo/ident", headers=headers
        ) as ident:
            return list((await ident.get("/GetTickets")).json())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AmoWorld]:
    made = AmoWorld(tmp_path)
    await made.setup()
    try:
        yield made
    finally:
        await made.stop()
        await made.http.aclose()


async def test_a_deal_goes_to_ident_as_a_ticket_and_its_booking_moves_the_very_deal(world: AmoWorld) -> None:
    await world.lead(PHONE, name="Мария 🌸")
    lead = await world.deal()
    assert (lead["funnel"], lead["stage"]) == ("Лиды", "Записан на консультацию")
    await world.start()
    await world.settle()
    (ticket,) = await world.tickets()
    assert (ticket["Id"], ticket["ClientPhone"]) == (f"clinic-deal-{lead['id']}", "+79001112233")
    assert ticket["ClientFullName"].startswith("Мария")

    # The front desk sees it and books the patient in iDent.
    patient = world.clinic.add_patient(MobilePhone=PHONE)
    starts_at = world.clock.now() + timedelta(days=3)
    booked = world.clinic.add_appointment(patient, starts_at=starts_at)
    await world.settle()
    claimed = await world.deal()
    assert (claimed["id"], claimed["funnel"], claimed["stage"]) == (lead["id"], "Приёмы", "Записан на приём")
    assert claimed["fields"]["KRESLO_KEY"] == f"ident/appointment/{booked}"
    assert len((await world.state())["contacts"]) == 1, "the lead's contact became the patient's"

    world.clinic.set(visit(booked), ReceptionEnded=world.clinic.local())
    await world.settle()
    done = await world.deal()
    assert (done["id"], done["stage"]) == (lead["id"], "Визит состоялся")
    assert [each["Id"] for each in await world.tickets()] == [ticket["Id"]]
