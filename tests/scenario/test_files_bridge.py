"""1C drops files, Bitrix24 shows cards: the whole way, and what a person is told when a file is late or wrong."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.helix_folder import ZONE, Folder
from tests.scenario.world import Stage

MAPPING = """\
bridge: files
source:
  connector: helix
  timezone: Europe/Moscow
  every: 5s
  folder: "FOLDER"
  state: "STATE"
  settle: 0s
  profiles:
    patients: {row: patient, files: "patients*", mode: snapshot}
    visits:
      {row: appointment, files: "visits*", mode: snapshot, minutes: 30, schedule: {at: ["14:00"], tolerance: 20m}}
    completed: {row: completed, files: "done*"}
target: {connector: bitrix24, webhook: "%(webhook)s"}
horizon: {past: 30d, future: 60d}
contact:
  scope: all
  family: {by: guardian, phone_on_child: false}
  fields:
    LAST_NAME: patient.surname
    NAME: patient.name
    SECOND_NAME: patient.patronymic
    PHONE: {value: patient.phones, mode: add}
    "Номер медкарты": {value: patient.card_number, never_clear: true}
    "Семья": patient.family
    "Визитов": patient.visits
    "Ближайший визит": next_visit.starts_at
appointment:
  funnel: "Оповещение о визите"
  title: "{appointment.starts_at:%%d.%%m %%H:%%M}, {appointment.doctor.short_name}"
  stages:
    upcoming: "Новый"
    tomorrow: {stage: "Записан", at: "14:00", message: true}
    completed: "Визит состоялся"
    cancelled: "Запись отменена"
    no_show: "Не пришёл"
"""
VISITS = ("ФИО", "Телефон", "Дата и время", "Врач")
MARIA = ("Ивлева Мария Петровна", "8 900 111-22-33", "13.05.2026 10:00", "Ким")
PETR = ("Сидоров Пётр Ильич", "8 900 444-55-66", "13.05.2026 11:00", "Ким")


class FilesWorld(Stage):
    """`files`: the folder that 1C writes to."""

    def __init__(self, folder: Path) -> None:
        self.files = Folder(folder)
        text = MAPPING.replace("FOLDER", str(self.files.folder)).replace("STATE", str(self.files.state))
        super().__init__(folder, self.files.clock, text)

    @property
    def notices(self) -> list[str]:
        assert self.run
        return self.run.status().notices


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FilesWorld]:
    made = FilesWorld(tmp_path)
    await made.setup()
    try:
        yield made
    finally:
        await made.stop()
        await made.http.aclose()


async def test_eight_years_of_files_are_cards_and_nobody_is_reminded_of_what_is_past(
    world: FilesWorld,
) -> None:
    answer = await world.http.post("/_control/robots", json={"stage": "Записан"})
    assert answer.is_success, answer.text
    people = ("Код пациента", "ФИО", "Телефон", "Дата рождения", "Представитель", "Номер медкарты")
    world.files.drop(
        "patients.csv",
        [
            people,
            ("1", MARIA[0], MARIA[1], "01.02.1985", "", "К-00001"),
            ("2", "Ивлева Анна Игоревна", MARIA[1], "03.04.2018", MARIA[0], "К-00002"),
        ],
    )
    for year in range(2018, 2026):
        world.files.drop(f"done_{year}.csv", [VISITS, (*MARIA[:2], f"10.03.{year} 9:30:00", "Ким")])
    # The file of a day that is over lay there, too: «завтра» of two weeks ago.
    world.files.drop("visits_0429.csv", [VISITS, (*MARIA[:2], "29.04.2026 10:00", "Ким")])
    world.files.drop("done_0429.csv", [VISITS, (*MARIA[:2], "29.04.2026 10:00", "Ким")])
    world.files.drop(
        "visits.csv", [VISITS, MARIA, ("Ивлева Анна Игоревна", *MARIA[1:2], "13.05.2026 10:30", "Ким")]
    )
    await world.start()
    await world.settle()
    state = await world.state()
    contacts = {contact["named"]["Номер медкарты"]: contact for contact in state["contacts"]}
    mother, child = contacts["К-00001"], contacts["К-00002"]
    assert (len(mother["phones"]), child["phones"]) == (1, [])
    assert (mother["named"]["Семья"], child["named"]["Семья"]) == (
        "Ивлева Анна Игоревна",
        "Ивлева Мария Петровна",
    )
    assert float(mother["named"]["Визитов"]) == 9
    assert state["messages"] == []
    stages = sorted(deal["stage"] for deal in state["deals"])
    assert stages == ["Визит состоялся", "Новый", "Новый"], "what is older than the horizon has no card"
    await world.pass_time(timedelta(hours=3).total_seconds())  # 15:00 of the day before
    await world.settle()
    said = (await world.state())["messages"]
    assert [message["stage"] for message in said] == ["Записан", "Записан"]


async def test_a_childs_phone_is_taken_back_when_the_parent_becomes_known(world: FilesWorld) -> None:
    people = ("Код пациента", "ФИО", "Телефон", "Дата рождения", "Представитель")
    child = ("2", "Ивлева Анна Игоревна", MARIA[1], "03.04.2018", MARIA[0])
    world.files.drop("patients.csv", [people, child])
    await world.start()
    await world.settle()
    (contact,) = (await world.state())["contacts"]
    assert contact["phones"] == ["+79001112233"], "until then nobody else could be called"
    world.files.drop("patients.csv", [people, child, ("1", MARIA[0], MARIA[1], "01.02.1985", "")])
    await world.settle()
    phones = {each["title"]: each["phones"] for each in (await world.state())["contacts"]}
    assert phones[MARIA[0]] == ["+79001112233"]
    assert phones["Ивлева Анна Игоревна"] == []


async def test_a_late_file_is_a_notice_of_the_bridge_and_so_is_its_end(world: FilesWorld) -> None:
    await world.start()
    await world.settle()
    await world.pass_time(timedelta(hours=2, minutes=21).total_seconds())
    await world.settle()
    late = "visits: файла за 12.05 14:00 нет и в 14:20; проверьте расписание выгрузки в 1С"
    assert world.notices == [late]
    world.files.drop("visits.csv", [VISITS, MARIA])
    await world.settle()
    now = world.clock.now().astimezone(ZONE)
    assert world.notices == [f"{late} (прошло в {now:%H:%M})"]
    assert (await world.deal())["stage"] == "Записан"
    await world.pass_time(3700)
    await world.settle()
    assert world.notices == []


async def test_a_bad_row_is_parked_with_its_place_until_the_file_is_corrected(world: FilesWorld) -> None:
    world.files.drop("visits.csv", [VISITS, MARIA, (*PETR[:2], "завтра", "Ким")])
    await world.start()
    assert world.run
    await world.settle()
    (item,) = await world.run.parked(9)
    assert "visits.csv, строка 3: дата" in item.reason
    assert world.run.status().parked == 1
    assert len(await world.deals()) == 1
    world.files.drop("visits.csv", [VISITS, MARIA, PETR])
    await world.settle()
    assert await world.run.parked(9) == []
    assert len(await world.deals()) == 2


async def test_a_broken_newest_file_stops_no_start(world: FilesWorld) -> None:
    world.files.drop("visits.csv", [VISITS, MARIA])
    await world.start()
    await world.settle()
    await world.stop()
    world.files.drop("visits_2.csv", "<html><table>")
    await world.start()
    await world.settle()
    assert ["это HTML" in notice for notice in world.notices] == [True]
    assert len(await world.deals()) == 1


async def test_a_share_that_is_away_stops_no_start(world: FilesWorld) -> None:
    world.files.drop("visits.csv", [VISITS, MARIA])
    world.files.drop("patients.csv", [("ФИО", "Телефон"), MARIA[:2]])
    world.files.drop("done.csv", [VISITS, (*MARIA[:2], "01.05.2026 10:00", "Ким")])
    await world.start()
    await world.settle()
    await world.stop()
    away = world.files.folder.rename(world.files.folder.with_name("away"))
    await world.start()
    await world.settle()
    assert any("недоступна" in notice for notice in world.notices)
    away.rename(world.files.folder)
    world.files.drop("visits.csv", [VISITS, MARIA, PETR])
    await world.settle()
    assert len(await world.deals()) == 3
    assert all("прошло" in notice for notice in world.notices)


async def test_a_file_is_read_when_it_is_heard_of_before_its_time(world: FilesWorld) -> None:
    text = world.mapping.read_text(encoding="utf-8")
    world.mapping.write_text(text.replace("every: 5s", "every: 300d"), encoding="utf-8")
    await world.start()
    assert world.run
    await world.settle()
    stop = asyncio.Event()
    running = asyncio.create_task(world.run.run(stop))
    for number in range(100):
        world.files.drop("visits.csv", [VISITS, (*MARIA[:3], f"Ким {number}")])
        await asyncio.sleep(0.1)
        if world.run.status().read:
            break
    stop.set()
    await asyncio.wait_for(running, 10)
    assert world.run.status().read > 0
