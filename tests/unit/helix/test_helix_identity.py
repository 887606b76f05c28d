"""Whose row is it: people without ids, families, and ids that come later."""

from pathlib import Path
from typing import Any

import pytest

from connectors.helix import HelixSource
from kreslo.records import Appointment, Enquiry, Patient, Record
from tests.contract.helix_folder import Folder, gather

PROFILES = {
    "patients": {"row": "patient", "files": "patients*.csv"},
    "visits": {"row": "appointment", "files": "visits*.csv"},
    "done": {"row": "completed", "files": "done*.csv"},
    "forms": {"row": "enquiry", "files": "forms*.csv", "set": {"source": "Сайт"}},
}
MARIA = "Иванова Мария Петровна"
PHONE = "8 900 111-22-33"


class World(Folder):
    async def read(self) -> list[Record]:
        """Everything that is known now."""
        source: HelixSource = self.source(profiles=PROFILES)
        try:
            batches = await gather(source, None)
        finally:
            await source.close()
        self.parked = [item.reason for batch in batches for item in batch.rejected]
        return [record for batch in batches for record in batch.records]

    async def patients(self) -> list[Patient]:
        return [record for record in await self.read() if isinstance(record, Patient)]

    async def visits_read(self) -> list[Appointment]:
        return [record for record in await self.read() if isinstance(record, Appointment)]

    def rows(self, name: str, titles: str, *rows: str) -> None:
        self.drop(name, "\r\n".join((titles, *rows)) + "\r\n")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


VISIT = "ФИО;Телефон;Дата и время;Врач"


async def test_one_person_in_several_spellings_is_one_patient(world: World) -> None:
    world.rows(
        "visits.csv",
        VISIT,
        f"{MARIA};{PHONE};13.05.2026 10:00;Ким",
        "ИВАНОВА  мария петровна (ДМС);+7(900)111-22-33;14.05.2026 10:00;Ким",
        "Иванова Мaрия Петровна;89001112233 мама;15.05.2026 10:00;Ким",
    )
    (patient,) = await world.patients()
    assert patient.id.startswith("n-")


async def test_a_family_on_one_phone_is_each_their_own(world: World) -> None:
    world.rows(
        "visits.csv",
        VISIT,
        f"{MARIA};{PHONE};13.05.2026 10:00;Ким",
        f"Иванов Пётр Ильич;{PHONE};13.05.2026 10:00;Ли",
        f"Иванова Анна Ильинична;{PHONE};13.05.2026 11:00;Ли",
    )
    assert len(await world.patients()) == 3
    assert len(await world.visits_read()) == 3


async def test_namesakes_on_one_phone_are_told_apart_by_birth(world: World) -> None:
    titles = "ФИО;Телефон;Дата рождения;Дата и время"
    world.rows(
        "visits.csv",
        titles,
        f"Иванов Иван Иванович;{PHONE};01.02.1970;13.05.2026 10:00",
        f"Иванов Иван Иванович;{PHONE};03.04.2010;13.05.2026 11:00",
        f"Иванов Иван Иванович;{PHONE};;13.05.2026 12:00",
    )
    assert sorted(str(patient.birth_date) for patient in await world.patients()) == [
        "1970-02-01",
        "2010-04-03",
    ]
    (reason,) = world.parked
    assert "два пациента" in reason


async def test_a_birth_date_that_comes_later_is_learnt(world: World) -> None:
    world.rows("visits.csv", VISIT, f"{MARIA};{PHONE};13.05.2026 10:00;Ким")
    (before,) = await world.patients()
    world.rows("patients.csv", "ФИО;Телефон;Дата рождения", f"{MARIA};{PHONE};01.02.1980")
    (after,) = await world.patients()
    assert (after.id, str(after.birth_date)) == (before.id, "1980-02-01")


async def test_an_id_that_comes_later_adopts_and_changes_no_record_id(world: World) -> None:
    world.rows("visits.csv", VISIT, f"{MARIA};{PHONE};13.05.2026 10:00;Ким")
    (before,) = await world.patients()
    world.rows("patients.csv", "Код пациента;ФИО;Телефон", f"778;{MARIA};{PHONE}")
    world.rows("patients_2.csv", "Код пациента;ФИО;Телефон", f"778;Петрова Мария Петровна;{PHONE}")
    (after,) = await world.patients()
    assert (after.id, after.surname) == (before.id, "Петрова")
    world.rows(
        "visits_2.csv", f"Код пациента;{VISIT}", f"778;Петрова Мария Петровна;{PHONE};14.05.2026 10:00;Ким"
    )
    assert {visit.patient_id for visit in await world.visits_read()} == {before.id}


async def test_two_ids_are_two_people_whatever_they_are_called(world: World) -> None:
    world.rows("patients.csv", "Код пациента;ФИО;Телефон", f"1;{MARIA};{PHONE}", f"2;{MARIA};{PHONE}")
    assert [patient.id for patient in await world.patients()] == ["1", "2"]


async def test_a_visit_of_a_patient_known_by_id_alone(world: World) -> None:
    world.rows("visits.csv", "Код пациента;Дата и время", "778;13.05.2026 10:00")
    (visit,) = await world.visits_read()
    world.rows("patients.csv", "Код пациента;ФИО;Телефон", f"778;{MARIA};{PHONE}")
    (patient,) = await world.patients()
    assert (visit.patient_id, patient.surname) == (patient.id, "Иванова")


async def test_nobody_is_known_by_a_name_alone(world: World) -> None:
    world.rows("visits.csv", VISIT, f"{MARIA};;13.05.2026 10:00;Ким")
    assert await world.read() == []
    assert "не понять, кто это" in world.parked[0]


async def test_nobody_is_known_by_a_number_that_is_nobodys(world: World) -> None:
    world.rows("visits.csv", VISIT, f"{MARIA};8-800-555-35-35;13.05.2026 10:00;Ким")
    assert await world.read() == []
    assert "8-800" in world.parked[0]


async def test_the_completed_visit_is_the_booked_one(world: World) -> None:
    world.rows("visits.csv", VISIT, f"{MARIA};{PHONE};11.05.2026 10:00;Ким")
    (booked,) = await world.visits_read()
    world.rows(
        "done.csv", f"{VISIT};Сумма", f"{MARIA};{PHONE};11.05.2026 10:00;Ким Анна Львовна;4\u00a0500,00"
    )
    (done,) = await world.visits_read()
    assert (done.id, str(done.amount), done.ended_at) == (booked.id, "4500.00", booked.starts_at)
    assert done.doctor is not None
    assert done.doctor.name == "Ким Анна Львовна"


async def test_a_completed_visit_without_an_hour_is_the_days_visit_of_that_doctor(world: World) -> None:
    world.rows(
        "visits.csv",
        VISIT,
        f"{MARIA};{PHONE};11.05.2026 10:00;Ким",
        f"{MARIA};{PHONE};11.05.2026 12:00;Ли",
    )
    world.rows("done.csv", "ФИО;Телефон;Дата;Врач;Сумма", f"{MARIA};{PHONE};11.05.2026;Ли Олег;100")
    visits = {visit.doctor.name: visit for visit in await world.visits_read() if visit.doctor}
    assert {name: visit.ended_at is not None for name, visit in visits.items()} == {
        "Ким": False,
        "Ли Олег": True,
    }
    world.rows("done_2.csv", "ФИО;Телефон;Дата;Сумма", f"{MARIA};{PHONE};11.05.2026;100")
    await world.read()
    assert "два приёма" in world.parked[0]


async def test_a_visit_with_an_id_moves_and_stays_itself(world: World) -> None:
    titles = f"Код записи;{VISIT}"
    world.rows("visits.csv", titles, f"5;{MARIA};{PHONE};13.05.2026 10:00;Ким")
    world.rows("visits_2.csv", titles, f"5;{MARIA};{PHONE};20.05.2026 16:00;Ким")
    (visit,) = await world.visits_read()
    assert (visit.id, visit.starts_at.day) == ("5", 20)


async def test_a_status_is_a_fact(world: World) -> None:
    titles = f"{VISIT};Статус"
    cases = {
        "Отменён": "cancelled_at",
        "Пришёл": "appeared_at",
        "Подтверждён": "confirmed_at",
        "Завершён": "ended_at",
    }
    world.rows(
        "visits.csv",
        titles,
        *(f"{MARIA};{PHONE};{13 + n}.05.2026 10:00;Ким;{word}" for n, word in enumerate(cases)),
        f"{MARIA};{PHONE};20.05.2026 10:00;Ким;Не пришёл",
    )
    facts = ("cancelled_at", "appeared_at", "confirmed_at", "ended_at")
    visits = sorted(await world.visits_read(), key=lambda visit: visit.starts_at)
    found = [[fact for fact in facts if getattr(visit, fact)] for visit in visits]
    assert found == [*([fact] for fact in cases.values()), []]


async def test_forms_of_the_site_are_enquiries(world: World) -> None:
    titles = "Имя;Телефон;Дата заявки;Комментарий"
    world.rows("forms.csv", titles, f"Оля;{PHONE};12.05.2026 9:05;", "Саша;нет;12.05.2026 9:06;")
    enquiries = [record for record in await world.read() if isinstance(record, Enquiry)]
    assert [(each.name, each.source, each.phones[0].e164) for each in enquiries] == [
        ("Оля", "Сайт", "+79001112233")
    ]
    assert world.parked[0].endswith("телефон: нет ни одного номера, по которому можно перезвонить")
    world.rows("forms_2.csv", "Имя;Телефон", f"Оля;{PHONE}")
    world.rows("forms_3.csv", "Имя;Телефон", f"Оля;{PHONE}", "Ян;89007770011")
    enquiries = [record for record in await world.read() if isinstance(record, Enquiry)]
    assert len(enquiries) == 3, "a list without instants gives each caller once"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Иванова", "нет имени"),
        ("Мария", "нет фамилии"),
        ("Иванова Мария (не звонить)", "в имени есть лишнее"),
        ("Ivanova Maria", "в имени латинские буквы"),
        ("Ли Вэй Мин", "разделены наугад"),
    ],
)
async def test_names_that_look_wrong_are_listed_by_their_place(world: World, name: str, why: str) -> None:
    world.rows(
        "visits.csv", VISIT, f"{MARIA};{PHONE};13.05.2026 10:00;Ким", f"{name};{PHONE};13.05.2026 10:00;Ким"
    )
    await world.read()
    source = world.source(profiles=PROFILES)
    (problem,) = [each for each in await source.check() if "имена" in each.message]
    await source.close()
    assert f"visits.csv, строка 3: {why}" in problem.message.replace("фамилия, имя и отчество ", "")
    assert name not in problem.message
    listed = (world.state / "names.csv").read_text(encoding="utf-8-sig")
    assert listed.splitlines()[1].startswith("visits.csv;3;")
    assert name not in listed
    world.rows("visits.csv", VISIT, f"{MARIA};{PHONE};13.05.2026 10:00;Ким")
    await world.read()
    source = world.source(profiles=PROFILES)
    assert [each for each in await source.check() if "имена" in each.message] == []
    assert not (world.state / "names.csv").exists()
    await source.close()


async def test_a_file_of_visits_fills_in_and_takes_nothing_away(world: World) -> None:
    patients: Any = "ФИО;Телефон;Дата рождения;Представитель;Примечание"
    world.rows(
        "patients.csv", patients, f"{MARIA};{PHONE}, 8 473 200-12-34;01.02.1980;Иванова Ольга;ждёт звонка"
    )
    (before,) = await world.patients()
    world.rows("visits.csv", f"{VISIT};Примечание", f"{MARIA};{PHONE};13.05.2026 10:00;Ким;о приёме")
    (after,) = await world.patients()
    assert after == before
    assert (before.guardian, before.comment, len(before.phones)) == ("Иванова Ольга", "ждёт звонка", 2)
