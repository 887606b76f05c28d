"""The way back: a lead becomes a ticket in iDent, the front desk books it there, and the same lead is claimed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx

from kreslo.service.app import create_app
from tests.scenario.world import World

KEY = "k9PxQ2vT7mZc4RbW"
PHONE = "8 900 111-22-33"
EXCHANGE = f"""\
exchange:
  key: {KEY}
  tickets:
    from: {{leads: ["Записан на консультацию"]}}
    doctor_field: "Врач"
    time_field: "Удобное время"
    length: 45m
    comment: ["Филиал", "Комментарий к заявке"]
"""


async def switch_on(world: World) -> None:
    with world.mapping.open("a", encoding="utf-8") as file:
        file.write(EXCHANGE)
    await world.setup()


@asynccontextmanager
async def ident(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """iDent at a workplace of the clinic."""
    assert world.run
    app = create_app([], exchanges=[world.run])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://kreslo/ident",
        headers={"IDENT-Integration-Key": KEY},
    ) as client:
        yield client


async def tickets(world: World, **window: str) -> list[dict[str, Any]]:
    async with ident(world) as client:
        answer = await client.get("/GetTickets", params={"limit": "500", "offset": "0", **window})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def lead_fields(world: World, **fields: Any) -> None:
    (lead,) = (await world.state())["leads"]
    await world.staff("edit", entity="lead", id=lead["id"], fields=fields)


async def test_a_lead_goes_to_ident_as_a_ticket_and_its_booking_claims_the_same_lead(world: World) -> None:
    await switch_on(world)
    await world.lead(PHONE, stage="Новый", utm_source="yandex")
    wished = world.clock.now() + timedelta(days=3)
    await world.start()
    await world.settle()
    assert await tickets(world) == []  # not yet on the stage

    (lead,) = (await world.state())["leads"]
    fields = {
        "Врач": "Петров П. П.",
        "Удобное время": wished.isoformat(),
        "Филиал": "Центр",
    }
    await lead_fields(world, **fields)
    await world.staff("move", entity="lead", id=lead["id"], stage="Записан на консультацию")
    entered = world.clock.now()
    await world.settle()
    (ticket,) = await tickets(world)
    at = datetime.fromisoformat(ticket.pop("DateAndTime"))
    assert entered <= at <= world.clock.now() + timedelta(seconds=1)
    start, end = (datetime.fromisoformat(ticket.pop(name)) for name in ("PlanStart", "PlanEnd"))
    assert (start, end - start) == (wished.replace(microsecond=0), timedelta(minutes=45))
    assert ticket == {
        "Id": f"clinic-lead-{lead['id']}",
        "ClientPhone": "+79001112233",
        "ClientFullName": "Анна",
        "FormName": lead["title"],
        "DoctorName": "Петров П. П.",
        "Comment": "Филиал: Центр",
        "UtmSource": "yandex",
    }

    # The front desk sees it and books the patient in iDent.
    patient = world.clinic.add_patient(MobilePhone=PHONE)
    booked = world.clinic.add_appointment(patient, starts_at=wished)
    await world.settle()
    deal = await world.deal()
    (claimed,) = (await world.state())["leads"]
    assert deal["fields"]["UF_CRM_KRESLO_KEY"] == f"ident/appointment/{booked}"
    assert (str(deal["lead_id"]), claimed["semantic"]) == (str(lead["id"]), "S")
    assert deal["stage"] == "Записан на приём"
    assert len(await tickets(world)) == 1  # iDent never says that it has it


async def test_a_ticket_is_made_once_and_later_edits_do_not_change_it(world: World) -> None:
    await switch_on(world)
    await world.start()
    await world.settle()
    await world.lead(PHONE)
    await world.settle()
    before = await tickets(world)
    assert len(before) == 1
    (lead,) = (await world.state())["leads"]
    await lead_fields(world, Врач="Другой")
    await world.staff("move", entity="lead", id=lead["id"], stage="Новый")
    await world.settle()
    await world.staff("move", entity="lead", id=lead["id"], stage="Записан на консультацию")
    await world.settle()
    assert await tickets(world) == before
    await world.stop()
    await world.start()
    await world.settle()
    assert await tickets(world) == before


async def test_what_stands_on_the_stage_when_the_exchange_is_switched_on_is_served_too(world: World) -> None:
    await world.lead(PHONE)
    await world.start()
    await world.settle()
    await world.stop()
    await world.pass_time(3600)
    await switch_on(world)
    await world.start()
    await world.settle()
    assert [ticket["ClientPhone"] for ticket in await tickets(world)] == ["+79001112233"]


async def test_ident_asks_for_the_window_since_its_last_question_and_misses_none(world: World) -> None:
    await switch_on(world)
    await world.start()
    await world.settle()
    last, taken = world.clock.now(), []
    for number in range(3):
        await world.lead(f"8 900 111-22-3{number}")
        await world.settle()
        await world.pass_time(1.4)
        now = world.clock.now()
        window = {"dateTimeFrom": last.isoformat(), "dateTimeTo": now.isoformat()}
        taken += [ticket["ClientPhone"] for ticket in await tickets(world, **window)]
        last = now
    assert set(taken) == {"+79001112230", "+79001112231", "+79001112232"}
