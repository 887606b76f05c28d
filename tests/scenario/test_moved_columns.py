"""iDent moves one column of a visit and nothing else: its card follows, whichever way the change is found.

`DateTimeChanged` of every visit here is long past and stays so.
"""

from datetime import timedelta
from typing import Any

import pytest

from tests.scenario.world import World, visit

OLD = "2026-01-01 10:00:00"
NOW = object()
ARRIVED, DONE, CANCELLED = "Пришёл", "Визит состоялся", "Визит отменён"

COLUMNS: list[tuple[str, Any, str]] = [
    ("PatientAppeared", NOW, ARRIVED),
    ("ReceptionStarted", NOW, ARRIVED),
    ("ReceptionEnded", NOW, DONE),
    ("CheckIssued", NOW, DONE),
    ("ReceptionCanceled", NOW, CANCELLED),
    ("ID_ReceptionCancelReasons", 4, CANCELLED),
]
INSTANTS = [column for column in COLUMNS if column[1] is NOW]


async def clinic_of_three(world: World, starts_in: timedelta) -> tuple[str, dict[str, str]]:
    """Three visits of three patients with their cards; the id of the middle one, and the stages of the other two."""
    text = world.mapping.read_text(encoding="utf-8")
    text = text.replace('    confirmed: "Визит', f'    arrived: "{ARRIVED}"\n    confirmed: "Визит')
    world.mapping.write_text(text, encoding="utf-8")
    world.clinic.run("INSERT INTO ReceptionCancelReasons VALUES (4, 'Заболел')")
    await world.setup()
    ids = [
        world.clinic.add_appointment(
            world.clinic.add_patient(),
            starts_at=world.clock.now() + starts_in + timedelta(hours=hours),
            DateTimeAdded=OLD,
            DateTimeChanged=OLD,
        )
        for hours in range(3)
    ]
    await world.start()
    await world.settle()
    stages = await stages_of(world)
    return ids[1], {id_: stages[id_] for id_ in (ids[0], ids[2])}


async def stages_of(world: World) -> dict[str, str]:
    """By the visit's id."""
    return {
        deal["fields"]["UF_CRM_KRESLO_KEY"].rsplit("/", 1)[-1]: deal["stage"] for deal in await world.deals()
    }


def move(world: World, id_: str, column: str, value: Any) -> None:
    world.clinic.set(visit(id_), **{column: world.clinic.local() if value is NOW else value})


@pytest.mark.parametrize(("column", "value", "stage"), COLUMNS)
async def test_a_column_of_a_visit_of_today_moves_its_card_within_a_tick(
    world: World, column: str, value: Any, stage: str
) -> None:
    middle, others = await clinic_of_three(world, timedelta(hours=2))
    move(world, middle, column, value)
    await world.settle(seconds=30)  # a tick reads every 5 s, a pass every 5 minutes
    assert await stages_of(world) == {**others, middle: stage}


@pytest.mark.parametrize(("column", "value", "stage"), INSTANTS)
async def test_a_column_of_a_visit_of_last_week_moves_its_card_with_the_next_pass(
    world: World, column: str, value: Any, stage: str
) -> None:
    middle, others = await clinic_of_three(world, -timedelta(days=7))
    move(world, middle, column, value)
    await world.settle()
    await world.pass_time(300)
    await world.settle()
    assert await stages_of(world) == {**others, middle: stage}


async def test_a_column_that_is_no_instant_of_a_visit_of_last_week_is_found_at_night(world: World) -> None:
    middle, others = await clinic_of_three(world, -timedelta(days=7))
    move(world, middle, "ID_ReceptionCancelReasons", 4)
    await world.pass_time(300)
    await world.settle()
    assert await stages_of(world) != {**others, middle: CANCELLED}, "no instant has moved"
    await world.pass_time(15.5 * 3600)  # half past three in the morning
    await world.settle()
    assert await stages_of(world) == {**others, middle: CANCELLED}
    assert world.run
    assert world.run.status().healed == 1


async def test_a_new_time_alone_is_a_move(world: World) -> None:
    middle, _ = await clinic_of_three(world, timedelta(hours=2))
    before = {deal["id"]: deal["title"] for deal in await world.deals()}
    world.clinic.set(visit(middle), PlanStart=world.clinic.local(world.clock.now() + timedelta(days=4)))
    await world.settle(seconds=30)
    after = {deal["id"]: deal["title"] for deal in await world.deals()}
    assert after.keys() == before.keys()
    assert sum(after[id_] != before[id_] for id_ in before) == 1


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        ("Orders", "ID", "DateTimeOrder"),
        ("Orders", "ID", "DateTimeBillFormed"),
        ("OrderPaymentsJournal", "ID_Orders", "DateTimeBill"),
    ],
)
async def test_an_instant_of_an_order_alone_brings_the_new_amount(
    world: World, table: str, key: str, column: str
) -> None:
    middle, _ = await clinic_of_three(world, timedelta(hours=-3))
    world.clinic.set(visit(middle), ReceptionEnded=world.clinic.local())
    order = world.clinic.add("Orders", ID_Receptions=int(middle), DateTimeOrder=OLD)
    world.clinic.add("OrderPaymentsJournal", ID_Orders=order, AmountWithDiscount=100)
    await world.settle()
    assert await budgets(world) == [0.0, 0.0, 100.0]
    world.clinic.update("OrderPaymentsJournal", "ID_Orders", order, AmountWithDiscount=250)
    world.clinic.update(table, key, order, **{column: world.clinic.local()})
    await world.pass_time(300)
    await world.settle()
    assert await budgets(world) == [0.0, 0.0, 250.0]


async def budgets(world: World) -> list[float]:
    return sorted(float(deal["fields"].get("OPPORTUNITY") or 0) for deal in await world.deals())


@pytest.mark.parametrize(("late", "night"), [(timedelta(minutes=4), False), (timedelta(hours=3), True)])
async def test_a_booking_committed_late_with_a_number_and_instants_behind_ours_gets_its_card(
    world: World, late: timedelta, night: bool
) -> None:
    """A long transaction took its number and its instants before bookings that were committed, and read, before it."""
    patient = world.clinic.add_patient()
    begun = world.clinic.local()
    starts = world.clock.now() + timedelta(days=2)
    world.clinic.add_appointment(patient, ID=50, starts_at=starts)
    await world.start()
    await world.settle()
    await world.pass_time(late.total_seconds())
    await world.settle()
    world.clinic.add_appointment(
        patient, ID=49, starts_at=starts + timedelta(days=1), DateTimeAdded=begun, DateTimeChanged=begun
    )
    await world.pass_time(300)
    await world.settle()
    assert ("49" in await stages_of(world)) is not night
    await world.pass_time(15.5 * 3600 - late.total_seconds())
    await world.settle()
    assert (await stages_of(world)).keys() == {"49", "50"}
