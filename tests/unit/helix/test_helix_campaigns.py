"""Rows of a campaign's list: whose they are, and when a line that comes again is the same line."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.helix import HelixSource
from kreslo.records import Entry, Patient, Record
from tests.contract.helix_folder import ZONE, Folder, gather

PROFILES: dict[str, Any] = {
    "recommendations": {"row": "campaign", "campaign": "recommendations", "files": "rec*.csv"},
    "checkup": {"row": "campaign", "campaign": "checkup", "files": "checkup*.csv", "mode": "snapshot"},
    "visits": {"row": "appointment", "files": "visits*.csv"},
}
WHO = "Ивлева Мария Петровна;8 900 111-22-33"
TITLES = "ФИО;Телефон;Дата и время;Врач;Специальность;Отметка"


class Lists(Folder):
    async def read(self) -> list[Record]:
        """Everything that is known now."""
        source: HelixSource = self.source(profiles=PROFILES)
        try:
            batches = await gather(source, None)
        finally:
            await source.close()
        self.parked = [item.reason for batch in batches for item in batch.rejected]
        return [record for batch in batches for record in batch.records]

    async def entries(self) -> list[Entry]:
        return [record for record in await self.read() if isinstance(record, Entry)]

    def rows(self, name: str, titles: str, *rows: str) -> None:
        self.drop(name, "\r\n".join((titles, *rows)) + "\r\n")


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path)


async def test_a_row_is_an_entry_of_the_patient_whom_the_other_files_know(lists: Lists) -> None:
    lists.rows("visits.csv", "ФИО;Телефон;Дата и время;Врач", f"{WHO};13.05.2026 10:00;Ким")
    row = f"{WHO};13.05.2026 10:00;Кравченко Олег Юрьевич;Хирург;Перед имплантацией"
    lists.rows("rec.csv", TITLES, row, "Ким;нет;13.05.2026 10:00;;;")
    records = await lists.read()
    (patient,) = [record for record in records if isinstance(record, Patient)]
    (entry,) = [record for record in records if isinstance(record, Entry)]
    assert entry.patient_id == patient.id
    assert entry.doctor is not None
    assert (entry.campaign, entry.mark, entry.doctor.specialty) == (
        "recommendations",
        "Перед имплантацией",
        "Хирург",
    )
    assert entry.starts_at is not None
    assert f"{entry.starts_at.astimezone(ZONE):%d.%m %H:%M}" == "13.05 10:00"
    assert patient.comment == ""
    assert ["телефон" in reason for reason in lists.parked] == [True]


async def test_a_line_that_comes_every_half_hour_is_one_entry_and_another_mark_is_another(
    lists: Lists,
) -> None:
    row = f"{WHO};13.05.2026 10:00;Ким;Хирург;"
    lists.rows("rec_1000.csv", TITLES, f"{row}Перед имплантацией")
    (first,) = await lists.entries()
    lists.pass_time(timedelta(minutes=30))
    lists.rows("rec_1030.csv", TITLES, f"{row}Перед имплантацией", f"{row}После удаления зуба")
    again = {entry.mark: entry for entry in await lists.entries()}
    assert len(again) == 2
    assert again["Перед имплантацией"] == first


async def test_a_list_without_dates_names_each_patient_once_a_turn(lists: Lists) -> None:
    lists.rows("checkup.csv", "ФИО;Телефон", WHO)
    (first,) = await lists.entries()
    for day in range(1, 31):
        lists.pass_time(timedelta(days=1))
        lists.rows("checkup.csv", "ФИО;Телефон", WHO, f"Ким Анна Львовна;8900777{day:04}")
        assert first in await lists.entries()
    lists.pass_time(timedelta(days=180))
    lists.rows("checkup.csv", "ФИО;Телефон", WHO)
    turns = [entry for entry in await lists.entries() if entry.patient_id == first.patient_id]
    assert len(turns) == 2


async def test_a_last_visit_tells_the_turns_apart(lists: Lists) -> None:
    titles = "ФИО;Телефон;Последний визит"
    lists.rows("checkup.csv", titles, f"{WHO};01.12.2025")
    lists.rows("checkup_2.csv", titles, f"{WHO};01.12.2025")
    (entry,) = await lists.entries()
    assert entry.starts_at is not None
    lists.rows("checkup_3.csv", titles, f"{WHO};20.03.2026")
    assert len(await lists.entries()) == 2
