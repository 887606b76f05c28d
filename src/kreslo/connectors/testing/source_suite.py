"""What every source must hold. A connector's test subclasses `SourceSuite` and gives it a fixture `world`:

    class TestMySource(SourceSuite):
        @pytest.fixture
        def world(self, tmp_path): return MyWorld(tmp_path)

Call `pytest.register_assert_rewrite("kreslo.connectors.testing.source_suite")` before the import, for readable failures.
"""
# ruff: noqa: S101  a suite asserts

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from kreslo.connectors.contract import Batch, Source
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.seams import Clock
from kreslo.records import Appointment, Patient, Record, RecordKind, RecordRef, ref_of

_LATER = timedelta(hours=2)


class SourceWorld(Protocol):
    """The outside system as the suite drives it. What it does stands at once, stamped with `clock`'s time; between
    two acts time stands still unless `pass_time` moves it.
    """

    clock: Clock

    def source(self, *, page: int) -> Source:
        """A new source on this world; the suite closes it."""
        ...

    def add_patient(self) -> str: ...

    def add_appointment(self, patient_id: str, *, starts_at: datetime) -> str: ...

    def touch(self, ref: RecordRef) -> None:
        """Change something that the record shows."""
        ...

    def remove(self, ref: RecordRef) -> None:
        """Delete it without a trace."""
        ...

    def pass_time(self, span: timedelta) -> None: ...


class SourceSuite:
    """Reading from nothing, from a cursor, and by id."""

    async def test_check_finds_nothing_fatal(self, world: SourceWorld) -> None:
        async with opened(world) as source:
            assert [problem for problem in await source.check() if problem.fatal] == []

    async def test_an_empty_world_is_caught_up_at_once(self, world: SourceWorld) -> None:
        async with opened(world) as source:
            batches = await gather(source, None)
        assert [batch.caught_up for batch in batches] == [True]
        assert given(batches) == []

    async def test_a_first_read_gives_every_record_once(self, world: SourceWorld) -> None:
        refs = populate(world, patients=7, each=2)
        async with opened(world, page=3) as source:
            batches = await gather(source, None)
        assert sorted(given(batches)) == sorted(refs)
        assert rejected(batches) == []

    async def test_only_the_last_batch_is_caught_up(self, world: SourceWorld) -> None:
        populate(world, patients=7, each=2)
        async with opened(world, page=3) as source:
            batches = await gather(source, None)
        assert [batch.caught_up for batch in batches] == [False] * (len(batches) - 1) + [True]

    async def test_no_batch_is_larger_than_asked(self, world: SourceWorld) -> None:
        populate(world, patients=10, each=2)
        async with opened(world, page=4) as source:
            assert max(len(batch.records) for batch in await gather(source, None)) <= 4

    async def test_a_patient_comes_before_their_appointments(self, world: SourceWorld) -> None:
        populate(world, patients=5, each=2)
        async with opened(world, page=2) as source:
            records = [record for batch in await gather(source, None) for record in batch.records]
        known: set[str] = set()
        for record in records:
            if isinstance(record, Patient):
                known.add(record.id)
            elif isinstance(record, Appointment):
                assert record.patient_id in known

    async def test_reading_on_gives_nothing_where_nothing_changed(self, world: SourceWorld) -> None:
        populate(world, patients=3, each=2)
        async with opened(world) as source:
            cursor = await settled(world, source)
            assert given(await gather(source, cursor)) == []

    async def test_reading_on_gives_a_change(self, world: SourceWorld) -> None:
        refs = populate(world, patients=3, each=2)
        for ref in refs:
            async with opened(world) as source:
                cursor = await settled(world, source)
                before = await source.fetch([ref])
                world.touch(ref)
                read = latest(await gather(source, cursor))
                assert ref in read
                assert [read[ref]] != before
                assert [read[ref]] == await source.fetch([ref])

    async def test_reading_on_leaves_other_appointments_alone(self, world: SourceWorld) -> None:
        refs = appointments(populate(world, patients=4, each=2))
        async with opened(world) as source:
            cursor = await settled(world, source)
            world.touch(refs[3])
            assert appointments(given(await gather(source, cursor))) == [refs[3]]

    async def test_reading_on_gives_what_is_new_with_its_patient(self, world: SourceWorld) -> None:
        populate(world, patients=2, each=1)
        async with opened(world) as source:
            cursor = await settled(world, source)
            new = populate(world, patients=1, each=1)
            assert set(new) <= set(given(await gather(source, cursor)))

    async def test_a_change_is_given_once_it_stands_whatever_was_read_at_that_instant(
        self, world: SourceWorld
    ) -> None:
        first, second = appointments(populate(world, patients=1, each=2))
        async with opened(world) as source:
            cursor = await settled(world, source)
            world.touch(first)
            cursor = (await gather(source, cursor))[-1].cursor
            world.touch(second)  # in the same instant, after the pass
            assert second in given(await gather(source, cursor))

    async def test_changes_of_one_instant_over_many_pages_are_all_given(self, world: SourceWorld) -> None:
        refs = appointments(populate(world, patients=3, each=3))
        async with opened(world, page=2) as source:
            cursor = await settled(world, source)
            for ref in refs:
                world.touch(ref)
            assert set(refs) <= set(given(await gather(source, cursor)))

    @pytest.mark.parametrize("changes", [49, 50, 51, 101])
    async def test_the_change_on_a_pages_edge_is_given(self, world: SourceWorld, changes: int) -> None:
        refs = appointments(populate(world, patients=1, each=101))[:changes]
        async with opened(world, page=50) as source:
            cursor = await settled(world, source)
            for ref in refs:
                world.touch(ref)
            assert set(appointments(given(await gather(source, cursor)))) == set(refs)

    @pytest.mark.parametrize("first", [True, False], ids=["first read", "reading on"])
    async def test_what_changes_while_pages_are_read_is_not_lost(
        self, world: SourceWorld, first: bool
    ) -> None:
        refs = populate(world, patients=4, each=3)
        async with opened(world, page=2) as source:
            cursor = None if first else await settled(world, source)
            if not first:
                for ref in refs:
                    world.touch(ref)
            seen: dict[RecordRef, Record] = {}
            async for batch in source.read(cursor):
                seen |= latest([batch])
                cursor = batch.cursor
                world.pass_time(timedelta(minutes=1))
                if batch.records:
                    world.touch(ref_of(batch.records[0]))
                    world.touch(refs[-1])
            refs += populate(world, patients=1, each=1)
            seen |= latest(await gather(source, cursor))
            assert seen == {ref_of(record): record for record in await source.fetch(refs)}

    @pytest.mark.parametrize("first", [True, False], ids=["first read", "reading on"])
    async def test_reading_can_go_on_behind_any_batch(self, world: SourceWorld, first: bool) -> None:
        refs = populate(world, patients=4, each=3)
        async with opened(world, page=2) as source:
            cursor = None if first else await settled(world, source)
            if not first:
                for ref in refs:
                    world.touch(ref)
            batches = await gather(source, cursor)
        for count, batch in enumerate(batches, start=1):
            async with opened(world, page=3) as source:
                rest = await gather(source, batch.cursor)
            assert set(given(batches[:count])) | set(given(rest)) >= set(refs)
            assert rest[-1].caught_up

    async def test_a_cursor_can_be_used_twice(self, world: SourceWorld) -> None:
        refs = appointments(populate(world, patients=2, each=2))
        async with opened(world) as source:
            cursor = await settled(world, source)
            world.touch(refs[0])
            once = given(await gather(source, cursor))
            assert given(await gather(source, cursor)) == once

    async def test_a_cursor_of_something_else_is_refused(self, world: SourceWorld) -> None:
        async with opened(world) as source:
            with pytest.raises(ConfigurationError):
                await gather(source, "not a cursor")

    async def test_fetch_gives_what_exists_and_leaves_out_the_rest(self, world: SourceWorld) -> None:
        refs = populate(world, patients=2, each=2)
        absent = [RecordRef(kind, id_) for kind in RecordKind for id_ in ("999999", "no such id")]
        async with opened(world) as source:
            records = await source.fetch([*absent, *refs, refs[0]])
            assert await source.fetch([]) == []
        assert sorted(ref_of(record) for record in records) == sorted(refs)

    async def test_fetch_agrees_with_read(self, world: SourceWorld) -> None:
        refs = populate(world, patients=3, each=2)
        async with opened(world) as source:
            read = latest(await gather(source, None))
            assert {ref_of(record): record for record in await source.fetch(refs)} == read

    async def test_keys_are_all_of_the_window_and_no_appointment_besides(self, world: SourceWorld) -> None:
        now = world.clock.now()
        patient = world.add_patient()
        hours = range(-3, 4)
        ids = [world.add_appointment(patient, starts_at=now + timedelta(hours=hour)) for hour in hours]
        since, until = now - timedelta(hours=2), now + timedelta(hours=2)
        async with opened(world) as source:
            found = await source.keys(RecordKind.APPOINTMENT, since, until)
            assert found == frozenset(id_ for id_, hour in zip(ids, hours, strict=True) if -2 <= hour < 2)
            assert patient in await source.keys(RecordKind.PATIENT, since, until)

    async def test_what_is_deleted_is_neither_in_keys_nor_fetched(self, world: SourceWorld) -> None:
        refs = appointments(populate(world, patients=1, each=3))
        now = world.clock.now()
        world.remove(refs[1])
        async with opened(world) as source:
            found = await source.keys(RecordKind.APPOINTMENT, now - 10 * _LATER, now + 10 * _LATER)
            records = await source.fetch(refs)
        left = [refs[0], refs[2]]
        assert found == {ref.id for ref in left}
        assert sorted(ref_of(record) for record in records) == left


def populate(world: SourceWorld, *, patients: int, each: int) -> list[RecordRef]:
    """Patients with so many appointments each, all within a few hours from now."""
    refs = []
    for _ in range(patients):
        patient = world.add_patient()
        refs.append(RecordRef(RecordKind.PATIENT, patient))
        for number in range(each):
            starts_at = world.clock.now() + timedelta(minutes=1 + number)
            id_ = world.add_appointment(patient, starts_at=starts_at)
            refs.append(RecordRef(RecordKind.APPOINTMENT, id_))
    return refs


async def settled(world: SourceWorld, source: Source) -> str:
    """The cursor behind everything there is, with time passed since, so that no look back finds it again."""
    world.pass_time(_LATER)
    cursor = (await gather(source, None))[-1].cursor
    world.pass_time(_LATER)
    return cursor


async def gather(source: Source, cursor: str | None) -> list[Batch]:
    return [batch async for batch in source.read(cursor)]


def given(batches: Iterable[Batch]) -> list[RecordRef]:
    return [ref_of(record) for batch in batches for record in batch.records]


def latest(batches: Iterable[Batch]) -> dict[RecordRef, Record]:
    return {ref_of(record): record for batch in batches for record in batch.records}


def rejected(batches: Iterable[Batch]) -> list[RecordRef]:
    return [item.ref for batch in batches for item in batch.rejected]


def appointments(refs: Iterable[RecordRef]) -> list[RecordRef]:
    return [ref for ref in refs if ref.kind is RecordKind.APPOINTMENT]


@asynccontextmanager
async def opened(world: SourceWorld, *, page: int = 100) -> AsyncIterator[Source]:
    source = world.source(page=page)
    try:
        yield source
    finally:
        await source.close()
