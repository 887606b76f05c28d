"""Files as they really come: slowly, cut off, twice, late, or not at all."""

import asyncio
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from connectors.helix import HelixSource, drop
from kreslo.connectors.contract import Batch
from kreslo.connectors.errors import OutageError
from kreslo.connectors.noticing import Working
from kreslo.records import Appointment, Patient, RecordKind, RecordRef
from tests.contract.helix_folder import ZONE, Folder, gather, given

TITLES = ("ФИО", "Телефон", "Дата и время", "Врач", "Примечание")
MARIA = ("Иванова Мария Петровна", "8 900 111-22-33", "13.05.2026 10:00", "Ким", "")
PETR = ("Сидоров Пётр Ильич", "8 900 444-55-66", "13.05.2026 11:00", "Ким", "")
BAD = ("Сидоров Пётр Ильич", "8 900 444-55-66", "завтра", "Ким", "")


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def source(world: Folder, *, settle: str = "0s", **profile: Any) -> HelixSource:
    visits = {"row": "appointment", "files": "visits*", "mode": "snapshot", **profile}
    return world.source(settle=settle, profiles={"visits": visits})


class Reading:
    """A source that is read again and again, as the engine does."""

    def __init__(self, source: HelixSource) -> None:
        self.source = source
        self.cursor: str | None = None
        self.last: list[Batch] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.close()

    async def again(self) -> list[Any]:
        """What is new, records only."""
        self.last = await gather(self.source, self.cursor)
        self.cursor = self.last[-1].cursor
        return [record for batch in self.last for record in batch.records]

    @property
    def warnings(self) -> list[str]:
        return [problem.message for problem in self.last[-1].warnings]


def rejected(batches: list[Batch]) -> list[RecordRef]:
    return [item.ref for batch in batches for item in batch.rejected]


def visits(records: list[Any]) -> list[Appointment]:
    return [record for record in records if isinstance(record, Appointment)]


def names(records: list[Any]) -> list[str]:
    return sorted(record.surname for record in records if isinstance(record, Patient))


async def test_a_file_written_slowly_is_taken_when_it_stands_still(world: Folder) -> None:
    async with Reading(source(world, settle="10s")) as reading:
        await reading.again()
        for rows in ([TITLES], [TITLES, MARIA], [TITLES, MARIA, PETR]):
            world.drop("visits.csv", rows)
            assert await reading.again() == []
            world.pass_time(timedelta(seconds=6))
            assert await reading.again() == []
        world.pass_time(timedelta(seconds=6))
        assert names(await reading.again()) == ["Иванова", "Сидоров"]


async def test_history_that_lies_there_is_part_of_the_first_read(world: Folder) -> None:
    world.drop("visits.csv", [TITLES, MARIA])
    async with Reading(source(world, settle="10s")) as reading:
        assert names(await reading.again()) == ["Иванова"]
        assert world.clock.slept == 10


async def test_a_file_cut_off_is_waited_for_and_then_rewritten(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        whole = "\r\n".join(";".join(row) for row in (TITLES, MARIA, PETR)) + "\r\n"
        world.drop("visits.csv", whole[:-30])
        assert await reading.again() == []
        world.drop("visits.csv", whole)
        assert names(await reading.again()) == ["Иванова", "Сидоров"]
        assert rejected(reading.last) == []


async def test_a_text_without_its_last_line_end_is_taken_after_some_patience(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", "\r\n".join(";".join(row) for row in (TITLES, MARIA, PETR)))
        assert await reading.again() == []
        world.pass_time(timedelta(minutes=3))
        assert names(await reading.again()) == ["Иванова", "Сидоров"]


async def test_a_structure_that_is_never_finished_is_told_and_its_end_too(world: Folder) -> None:
    xml = "<Визиты><Визит><ФИО>Иванова Мария</ФИО><Телефон>89001112233</Телефон><Дата>13.05.2026 10:00</Дата></Визит>"
    async with Reading(source(world)) as reading:
        world.drop("visits.xml", xml)
        assert await reading.again() == []
        assert reading.warnings == []
        world.pass_time(timedelta(minutes=3))
        await reading.again()
        assert reading.warnings == [
            "visits: файл visits.xml не закончен: XML не дописан: нет закрывающего тега"
        ]
        world.drop("visits.xml", xml + "</Визиты>")
        assert names(await reading.again()) == ["Иванова"]
        assert reading.warnings == []


async def test_a_file_renamed_in_is_taken_at_once_and_its_temporary_name_never(world: Folder) -> None:
    async with Reading(source(world, settle="1h", ready="renamed")) as reading:
        temporary = world.drop("visits.csv.tmp", [TITLES, MARIA])
        assert await reading.again() == []
        temporary.rename(world.folder / "visits.csv")
        assert names(await reading.again()) == ["Иванова"]


async def test_a_marker_says_that_the_file_is_complete(world: Folder) -> None:
    async with Reading(source(world, settle="1h", ready="marker")) as reading:
        world.drop("visits.csv", [TITLES, MARIA])
        assert await reading.again() == []
        world.drop("visits.csv.ok", b"")
        assert names(await reading.again()) == ["Иванова"]


async def test_a_file_overwritten_while_it_is_copied_is_taken_later(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = drop._copied

    def slow(path: Path, target: Path) -> str:
        sha = copied(path, target)
        world.drop("visits.csv", [TITLES, MARIA, PETR])
        return sha

    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, MARIA])
        monkeypatch.setattr(drop, "_copied", slow)
        assert await reading.again() == []
        monkeypatch.setattr(drop, "_copied", copied)
        assert names(await reading.again()) == ["Иванова", "Сидоров"]


async def test_a_locked_file_is_tried_again(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = drop._copied

    def locked(*_: object) -> str:
        raise PermissionError(13, "The process cannot access the file")

    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, MARIA])
        monkeypatch.setattr(drop, "_copied", locked)
        for _ in range(6):
            assert await reading.again() == []
            world.pass_time(timedelta(minutes=5))
        assert "держит другая программа" in reading.warnings[0]
        monkeypatch.setattr(drop, "_copied", copied)
        assert names(await reading.again()) == ["Иванова"]
        assert reading.warnings == []


async def test_the_same_content_dropped_twice_is_nothing_new(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, MARIA])
        await reading.again()
        world.drop("visits.csv", [TITLES, MARIA])
        assert await reading.again() == []
        world.drop("visits_copy.csv", [TITLES, MARIA])
        assert await reading.again() == []


async def test_a_snapshot_may_say_again_what_an_older_one_said(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        for doctor in ("Ким", "Ли", "Ким"):
            world.drop("visits.csv", [TITLES, (*MARIA[:3], doctor, "")])
            (visit,) = visits(await reading.again())
            assert visit.doctor is not None
            assert visit.doctor.name == doctor


async def test_yesterdays_file_dropped_once_more_undoes_nothing(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        old = world.drop("visits_1.csv", [TITLES, (*MARIA[:3], "Ли", "")])
        stamp = old.stat().st_mtime
        old.unlink()
        world.drop("visits_2.csv", [TITLES, MARIA])
        await reading.again()
        late = world.drop("visits_1.csv", [TITLES, (*MARIA[:3], "Ли", ""), PETR])
        os.utime(late, (stamp, stamp))
        assert names(await reading.again()) == ["Сидоров"]


async def test_a_late_file_is_an_alarm_and_its_coming_ends_it(world: Folder) -> None:
    schedule = {"at": ["14:00"], "tolerance": "20m"}
    async with Reading(source(world, schedule=schedule)) as reading:
        await reading.again()  # 12:00: we begin to watch
        world.pass_time(timedelta(hours=2, minutes=19))
        await reading.again()
        assert reading.warnings == []
        world.pass_time(timedelta(minutes=1))
        await reading.again()
        assert reading.warnings == [
            "visits: файла за 12.05 14:00 нет и в 14:20; проверьте расписание выгрузки в 1С"
        ]
        world.drop("visits.csv", [TITLES, MARIA])
        assert names(await reading.again()) == ["Иванова"]
        assert reading.warnings == []
        world.pass_time(timedelta(days=1))
        await reading.again()
        assert "13.05 14:00" in reading.warnings[0]
        world.drop("visits.csv", [TITLES, MARIA])  # nothing changed since yesterday, and the file came
        assert await reading.again() == []
        assert reading.warnings == []


async def test_a_share_that_vanishes_is_unknown_never_empty(world: Folder) -> None:
    async with Reading(source(world, absent="cancel", max_drop=1)) as reading:
        world.drop("visits.csv", [TITLES, MARIA, PETR])
        assert len(visits(await reading.again())) == 2
        shutil.move(world.folder, world.folder.with_name("away"))
        assert await reading.again() == []
        assert "недоступна" in reading.warnings[0]
        now = world.clock.now()
        with pytest.raises(OutageError, match="недоступна"):
            await reading.source.keys(RecordKind.APPOINTMENT, now, now + timedelta(days=9))
        world.folder.mkdir()  # mounted again, and empty still
        assert await reading.again() == []
        assert reading.warnings == []
        world.drop(
            "visits.csv", [TITLES, MARIA, PETR, ("Ким Анна", "89007770011", "13.05.2026 12:00", "Ли", "")]
        )
        assert names(await reading.again()) == ["Ким"]


async def test_a_share_that_was_never_seen_is_an_outage(world: Folder) -> None:
    world.folder.rmdir()
    async with Reading(source(world)) as reading:
        with pytest.raises(OutageError, match="сетевой диск"):
            await reading.again()
        assert any(problem.fatal for problem in await reading.source.check())


# --- rows that are parked ------------------------------------------------------------------------------------------


async def test_a_bad_row_is_parked_with_its_line_and_released_when_it_is_corrected(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, MARIA, BAD])
        assert names(await reading.again()) == ["Иванова"]
        (item,) = [item for batch in reading.last for item in batch.rejected]
        assert item.ref.id == "visits/visits.csv:3"
        assert item.reason == "visits.csv, строка 3: дата: не читается; нужно дд.мм.гггг ч:мм"
        world.drop("visits.csv", [TITLES, MARIA, PETR])
        assert names(await reading.again()) == ["Сидоров"]
        assert [ref for batch in reading.last for ref in batch.released] == [item.ref]


async def test_a_row_that_is_still_bad_stays_parked(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, BAD])
        await reading.again()
        world.drop("visits.csv", [TITLES, BAD, MARIA])
        await reading.again()
        assert [batch.released for batch in reading.last] == [()] * len(reading.last)
        assert [ref.id for ref in rejected(reading.last)] == ["visits/visits.csv:2"]


async def test_a_file_that_cannot_be_read_is_told_until_one_can(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", "<html><table>")
        await reading.again()
        assert "это HTML" in reading.warnings[0]
        world.drop("visits.csv", [TITLES, MARIA])
        assert names(await reading.again()) == ["Иванова"]
        assert reading.warnings == []


async def test_a_corrected_profile_reads_again_what_it_could_not_read(world: Folder) -> None:
    titles = ("Больной", "Телефон", "Дата и время", "Врач", "Статус")
    world.drop("visits.csv", [titles, (*MARIA[:4], "Записан"), PETR])
    async with Reading(source(world)) as reading:
        await reading.again()
        assert "«ФИО»" in reading.warnings[0]
        cursor = reading.cursor
    async with Reading(source(world, columns={"name": "Больной", "birth_date": "Врач"})) as reading:
        reading.cursor = cursor
        assert names(await reading.again()) == ["Иванова", "Сидоров"]
        assert not any("не прочитан" in warning for warning in reading.warnings)


async def test_parked_rows_are_released_by_a_corrected_profile(world: Folder) -> None:
    titles = ("ФИО", "Телефон", "Дата и время", "Записано на", "Врач")
    world.drop("visits.csv", [titles, (*MARIA[:2], "", "13.05.2026 10:00", "Ким")])
    async with Reading(source(world)) as reading:
        assert await reading.again() == []
        (ref,) = rejected(reading.last)
        cursor = reading.cursor
    async with Reading(source(world, columns={"starts_at": "Записано на"})) as reading:
        reading.cursor = cursor
        assert names(await reading.again()) == ["Иванова"]
        assert [each for batch in reading.last for each in batch.released] == [ref]


async def test_a_file_that_a_person_takes_away_is_no_worry_any_more(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        path = world.drop("visits.csv", "<html><table>")
        await reading.again()
        assert len(reading.warnings) == 1
        path.unlink()
        await reading.again()
        assert reading.warnings == []


# --- snapshots -----------------------------------------------------------------------------------------------------

MANY = [
    (f"Иванова Мария {letter}на", f"8 900 111-22-{n:02}", "13.05.2026 10:00", "Ким", "")
    for n, letter in enumerate(("Петров", "Львов", "Павлов", "Глебов", "Олегов"))
]


async def test_a_visit_that_a_newer_snapshot_lacks_is_cancelled_where_it_was_agreed(world: Folder) -> None:
    async with Reading(source(world, absent="cancel")) as reading:
        world.drop("visits.csv", [TITLES, *MANY])
        await reading.again()
        world.drop("visits.csv", [TITLES, *MANY[1:]])
        (gone,) = visits(await reading.again())
        assert (gone.cancelled_at, gone.cancel_reason) == (world.clock.now(), "Нет в новом файле")
        world.drop("visits.csv", [TITLES, *MANY])
        (back,) = visits(await reading.again())
        assert (back.id, back.cancelled_at) == (gone.id, None)


@pytest.mark.parametrize(
    ("rows", "why"), [(MANY[3:], "не хватает 3 из 5"), ([*MANY[2:], BAD], "часть строк не прочитана")]
)
async def test_too_much_missing_or_a_bad_row_cancels_nobody(world: Folder, rows: list[Any], why: str) -> None:
    async with Reading(source(world, absent="cancel")) as reading:
        world.drop("visits.csv", [TITLES, *MANY])
        await reading.again()
        world.drop("visits.csv", [TITLES, *rows])
        assert visits(await reading.again()) == []
        assert why in reading.warnings[0]
        world.drop("visits.csv", [TITLES, *MANY])
        await reading.again()
        assert reading.warnings == []


async def test_without_agreement_absence_means_nothing(world: Folder) -> None:
    async with Reading(source(world)) as reading:
        world.drop("visits.csv", [TITLES, *MANY])
        await reading.again()
        world.drop("visits.csv", [TITLES, *MANY[1:]])
        assert visits(await reading.again()) == []


# --- resuming, pruning ---------------------------------------------------------------------------------------------


async def test_an_import_goes_on_where_it_was_broken_off(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.helix.intake.STEP", 10)
    rows = [
        (f"Иванова Мария {n}", f"8 900 1{n // 100:02}-{n % 100:02}-00", "13.05.2026 10:00", "Ким", "")
        for n in range(100, 165)
    ]
    world.drop("visits_1.csv", [TITLES, *rows[:35]])
    world.drop("visits_2.csv", [TITLES, *rows[35:]])
    first = source(world)
    await first._run(lambda desk: (desk.look(), desk.step(), desk.step()))
    await first.close()  # killed within the first file
    (world.folder / "visits_1.csv").unlink()
    (world.folder / "visits_2.csv").unlink()
    async with Reading(source(world)) as reading:
        records = await reading.again()
        assert len(visits(records)) == 65
        assert len(given(reading.last)) == len(set(given(reading.last))) == 130


async def test_a_long_import_says_what_it_is_at(world: Folder) -> None:
    for year in (2019, 2020):
        rows = [
            (f"Иванова Мария {year}", f"8 900 111-{n // 100:02}-{n % 100:02}", *MARIA[2:])
            for n in range(1500)
        ]
        world.drop(f"visits_{year}.csv", [TITLES, *rows])
    said: list[str] = []
    async with Reading(source(world, mode="append")) as reading:
        assert isinstance(reading.source, Working)
        importing = asyncio.create_task(reading.again())
        while not importing.done():
            said.append(reading.source.doing())
            await asyncio.sleep(0)
        await importing
        assert {"файл visits_2019.csv: строк 1000; файлов впереди 1", ""} <= set(said)
        assert reading.source.doing() == ""


async def test_a_lost_state_gives_the_same_ids_again(world: Folder) -> None:
    world.drop("visits.csv", [TITLES, MARIA, PETR])
    async with Reading(source(world)) as reading:
        await reading.again()
        before, cursor = given(reading.last), reading.cursor
    shutil.rmtree(world.state)
    async with Reading(source(world)) as again:
        again.cursor = cursor
        await again.again()
        assert sorted(given(again.last)) == sorted(before)


async def test_copies_are_pruned_and_only_ours_can_read_them(world: Folder) -> None:
    world.drop("visits.csv", [TITLES, MARIA])
    async with Reading(source(world)) as reading:
        await reading.again()
        (copy,) = (world.state / "inbox").iterdir()
        assert copy.stat().st_mode & 0o077 == 0
        world.pass_time(timedelta(days=8))
        await reading.again()
        assert list((world.state / "inbox").iterdir()) == []
    assert b"\xd0\x98\xd0\xb2\xd0\xb0" not in (world.state / "helix.db").read_bytes(), "no name in plain text"


async def test_a_file_is_deleted_at_its_source_only_where_it_was_agreed(world: Folder) -> None:
    world.drop("visits.csv", [TITLES, MARIA])
    async with Reading(source(world, after="delete")) as reading:
        assert names(await reading.again()) == ["Иванова"]
    assert list(world.folder.iterdir()) == []


def test_a_late_file_is_judged_by_the_clinics_day() -> None:
    from connectors.helix.lateness import last_due
    from connectors.helix.options import ScheduleOptions

    workdays = ScheduleOptions.model_validate({"at": "14:00", "days": ["mon", "tue", "wed", "thu", "fri"]})
    sunday = datetime(2026, 5, 17, 15, tzinfo=ZONE)
    assert last_due(workdays, ZONE, sunday) == datetime(2026, 5, 15, 14, tzinfo=ZONE)
    often = ScheduleOptions.model_validate(
        {"every": "30m", "since": "08:00", "until": "20:00", "tolerance": "10m"}
    )
    assert last_due(often, ZONE, datetime(2026, 5, 12, 9, 39, tzinfo=ZONE)) == datetime(
        2026, 5, 12, 9, 0, tzinfo=ZONE
    )
    assert last_due(often, ZONE, datetime(2026, 5, 12, 7, 0, tzinfo=ZONE)) == datetime(
        2026, 5, 11, 20, tzinfo=ZONE
    )
