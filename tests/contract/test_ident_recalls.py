"""Invitations planned in iDent («пригласить позже»), on the file and through Microsoft's driver."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kreslo.connectors.testing.source_suite import given, latest, opened, settled
from kreslo.connectors.ticking import Ticking
from kreslo.records import RECALL, Branch, Doctor, Entry, RecordKind, RecordRef
from tests.contract.ident_clinic import Clinic
from tests.contract.ident_server import MICROSOFT, served


@pytest.fixture(params=["file", MICROSOFT])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    if request.param == "file":
        yield Clinic(tmp_path)
        return
    with served(tmp_path, request.param) as clinic:
        yield clinic


def ref(id_: str) -> RecordRef:
    return RecordRef(RecordKind.ENTRY, id_)


async def test_an_invitation_is_an_entry_of_its_patient(world: Clinic) -> None:
    patient = world.add_patient()
    id_ = world.add_recall(patient, Comment="Профосмотр")
    async with opened(world) as source:
        (read,) = await source.fetch([ref(id_)])
    assert read == Entry(
        id=id_,
        patient_id=patient,
        campaign=RECALL,
        created_at=world.clock.now(),
        changed_at=world.clock.now(),
        doctor=Doctor(id="1", name="Сидорова Анна Петровна", specialty="Ортопед"),
        branch=Branch(id="1", name="Центр"),
        comment="Профосмотр",
    )


@pytest.mark.parametrize(
    "column",
    [
        "ID_ReceptionsClose",
        "ID_DelayAppointmentsClose",
        "ID_ReceptionCancelReasons",
        "ID_CrmJobCommunicationCommentsClose",
    ],
)
async def test_whatever_closes_it_closes_it(world: Clinic, column: str) -> None:
    id_ = world.add_recall(world.add_patient())
    async with opened(world) as source:
        cursor = await settled(world, source)
        world.set(ref(id_), **{column: 5, "DateTimeChanged": world.local()})
        entry = latest([batch async for batch in source.read(cursor)])[ref(id_)]
    assert isinstance(entry, Entry)
    assert entry.closed_at == world.clock.now()


async def test_a_new_invitation_is_seen_by_a_tick(world: Clinic) -> None:
    patient = world.add_patient()
    world.add_recall(patient)
    async with opened(world) as source:
        cursor = await settled(world, source)
        new = world.add_recall(patient)
        assert isinstance(source, Ticking)
        assert given([batch async for batch in source.tick(cursor, ())]) == [ref(new)]


async def test_its_keys_are_those_that_were_planned_in_the_window(world: Clinic) -> None:
    patient = world.add_patient()
    old = world.add_recall(patient, DateTimeAdded=world.local(world.clock.now() - timedelta(days=9)))
    new = world.add_recall(patient)
    now, day = world.clock.now(), timedelta(days=1)
    async with opened(world) as source:
        assert await source.keys(RecordKind.ENTRY, now - day, now + day) == {new}
        assert await source.keys(RecordKind.ENTRY, now - 10 * day, now + day) == {old, new}


async def test_a_login_that_may_not_see_the_table_goes_on_without(tmp_path: Path) -> None:
    world = Clinic(tmp_path)
    world.run("DROP TABLE ScheduledReceptions")
    patient = world.add_patient()
    async with opened(world) as source:
        read = latest([batch async for batch in source.read(None)])
        assert RecordRef(RecordKind.PATIENT, patient) in read
        said = [problem.message for problem in await source.check() if not problem.fatal]
    assert any("goes on without recalls" in message for message in said), said
