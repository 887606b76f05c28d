"""Ticks: light readings between two passes, on the file and through drivers."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.ident.source import IdentSource
from kreslo.connectors.contract import Batch
from kreslo.connectors.testing.source_suite import given, latest, opened, populate, rejected, settled
from kreslo.connectors.ticking import Ticking
from kreslo.records import Appointment, RecordKind, RecordRef
from tests.contract.ident_clinic import Clinic
from tests.contract.ident_server import FREETDS, MICROSOFT, ServedClinic, served


@pytest.fixture(params=["file", MICROSOFT, FREETDS])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    if request.param == "file":
        yield Clinic(tmp_path)
        return
    with served(tmp_path, request.param) as clinic:
        yield clinic


async def tick(source: object, cursor: str, watched: Collection[RecordRef] = ()) -> list[Batch]:
    assert isinstance(source, Ticking)
    return [batch async for batch in source.tick(cursor, watched)]


def visits(refs: Collection[RecordRef]) -> list[RecordRef]:
    return [ref for ref in refs if ref.kind is RecordKind.APPOINTMENT]


async def test_a_tick_gives_what_is_new_with_its_patient_and_only_once(world: Clinic) -> None:
    populate(world, patients=3, each=2)
    async with opened(world) as source:
        cursor = await settled(world, source)
        new = populate(world, patients=1, each=1)
        batches = await tick(source, cursor)
        assert set(given(batches)) == set(new)
        assert batches[-1].caught_up
        assert given(await tick(source, batches[-1].cursor)) == []


async def test_what_is_new_over_many_pages_is_all_given_and_can_go_on_behind_any(world: Clinic) -> None:
    populate(world, patients=1, each=1)
    async with opened(world, page=2) as source:
        cursor = await settled(world, source)
        new = populate(world, patients=1, each=7)
        batches = await tick(source, cursor)
        assert set(given(batches)) == set(new)
        for count, batch in enumerate(batches, start=1):
            rest = await tick(source, batch.cursor)
            assert set(given(batches[:count])) | set(given(rest)) == set(new)


async def test_a_watched_visit_is_given_when_it_looks_otherwise_whatever_its_instants_say(
    world: Clinic,
) -> None:
    refs = visits(populate(world, patients=2, each=3))
    async with opened(world) as source:
        cursor = await settled(world, source)
        assert set(refs) <= set(given(await tick(source, cursor, refs))), "at first nothing is known of them"
        assert given(await tick(source, cursor, refs)) == []
        world.set(refs[4], Comment="no instant moves")
        read = latest(await tick(source, cursor, refs))
        assert list(read) == [refs[4]]
        assert [read[refs[4]]] == await source.fetch([refs[4]])
        assert given(await tick(source, cursor, refs)) == []


async def test_a_move_between_two_questions_of_a_tick_is_not_told_as_a_cancellation(tmp_path: Path) -> None:
    """It is one transaction of the MIS: the old booking cancelled, the new one entered."""
    moment, asked = 0, 1
    while moment < asked:
        folder = tmp_path / str(moment)
        folder.mkdir()
        asked, cancelled, entered = await _moved_at(Clinic(folder), moment)
        assert entered or not cancelled, f"question {moment} of {asked}"
        moment += 1
    assert moment > 4


async def _moved_at(world: Clinic, moment: int) -> tuple[int, bool, bool]:
    """A visit is moved before that question of a tick: how many there were, and whether the tick told the old booking's
    end and the new booking.
    """
    patient, old = populate(world, patients=1, each=1)
    async with opened(world) as source:
        assert isinstance(source, IdentSource)
        cursor = await settled(world, source)
        await tick(source, cursor, [old])
        asked, ask = 0, source._read

        async def moving(question: Any) -> Any:
            nonlocal asked
            if asked == moment:
                world.set(old, ReceptionCanceled=world.local())
                world.add_appointment(patient.id, ID_ReceptionsTransferFrom=int(old.id))
            asked += 1
            return await ask(question)

        source._read = moving  # type: ignore[method-assign]
        read = latest(await tick(source, cursor, [old]))
        told = read.get(old)
        cancelled = isinstance(told, Appointment) and told.cancelled_at is not None
        return asked, cancelled, any(ref != old for ref in visits([*read]))


async def test_a_watched_visits_patient_is_watched_with_it(world: Clinic) -> None:
    patient, *refs = populate(world, patients=1, each=2)
    async with opened(world) as source:
        cursor = await settled(world, source)
        await tick(source, cursor, refs)
        world.update("Persons", "ID", patient.id, MobilePhone="8 900 999-88-77")
        assert given(await tick(source, cursor, refs)) == [patient]


async def test_what_was_not_taken_is_given_again(world: Clinic) -> None:
    refs = visits(populate(world, patients=1, each=2))
    async with opened(world) as source:
        assert isinstance(source, IdentSource)
        cursor = await settled(world, source)
        await tick(source, cursor, refs)
        world.set(refs[0], Comment="changed")
        async for batch in source.tick(cursor, refs):
            if batch.records:
                break  # whoever reads failed here
        assert given(await tick(source, cursor, refs)) == [refs[0]]


async def test_a_new_order_gives_its_visit(world: Clinic) -> None:
    (old,) = visits(populate(world, patients=1, each=1))
    first = world.add("Orders", ID_Receptions=int(old.id), DateTimeOrder=world.local())
    async with opened(world) as source:
        cursor = await settled(world, source)
        assert world.add("Orders", ID_Receptions=int(old.id), DateTimeOrder=world.local()) > first
        assert visits(given(await tick(source, cursor))) == [old]


async def test_the_first_rows_of_a_dataset_that_was_empty_are_given(world: Clinic) -> None:
    patient, *_ = populate(world, patients=1, each=0)
    async with opened(world) as source:
        cursor = await settled(world, source)
        first = RecordRef(
            RecordKind.APPOINTMENT, world.add_appointment(patient.id, DateTimeAdded="2020-01-01 10:00:00")
        )
        batches = await tick(source, cursor)
        assert visits(given(batches)) == [first]
        assert given(await tick(source, batches[-1].cursor)) == []


async def test_a_pass_after_ticks_misses_nothing_that_they_did_not_see(world: Clinic) -> None:
    refs = visits(populate(world, patients=2, each=2))
    async with opened(world) as source:
        cursor = await settled(world, source)
        world.touch(refs[1])  # not watched
        world.add_appointment("2", ID=50)
        for _ in range(3):
            cursor = (await tick(source, cursor))[-1].cursor
            world.pass_time(timedelta(minutes=20))
        world.add_appointment("2", ID=20, DateTimeAdded=world.local())  # a lower key, committed late
        read = given([batch async for batch in source.read(cursor)])
        assert {refs[1], RecordRef(RecordKind.APPOINTMENT, "20")} <= set(read)


async def test_a_watched_row_that_cannot_be_read_is_put_aside_once(tmp_path: Path) -> None:
    world = Clinic(tmp_path)
    good, bad = visits(populate(world, patients=1, each=2))
    async with opened(world) as source:
        cursor = await settled(world, source)
        await tick(source, cursor, [good, bad])
        world.set(bad, PlanStart=None)
        batches = await tick(source, cursor, [good, bad])
        assert rejected(batches) == [bad]
        assert rejected(await tick(source, cursor, [good, bad])) == []


async def test_an_idle_tick_asks_by_primary_keys_alone(tmp_path: Path) -> None:
    with served(tmp_path, MICROSOFT) as world:
        assert isinstance(world, ServedClinic)
        refs = visits(populate(world, patients=3, each=2))
        async with opened(world) as source:
            cursor = await settled(world, source)
            await tick(source, cursor, refs)
            before = len(world.server.ledger.said)
            await tick(source, cursor, refs)
        said = [each.text for each in world.server.ledger.said[before:] if "dbo." in each.text]
        empty = [text for text in said if "max(q." in text]
        assert len(empty) == 3, "orders, enquiries and recalls have no rows: their highest key is looked for"
        conditions = [text.rpartition(") AS q")[2] for text in said if text not in empty]
        keys = ("q.patient_id", "q.appointment_id", "q.order_id", "q.enquiry_id")
        assert len(conditions) == 5, (
            "new patients and visits, what keys are like, watched visits, their patients"
        )
        assert all(
            condition.split("WHERE", 1)[1].split()[0] in keys and " OR " not in condition
            for condition in conditions
        )
