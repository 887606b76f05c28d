"""`kreslo clinic …` from the outside, and what it leaves in the tables."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from connectors.ident.sandbox import commands, sandbox

NOW = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)  # a Thursday, 12:30 in Moscow


class Desk:
    """The commands at a clinic, at a time that can be put forward."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOW
        self.app = commands.commands(lambda: self.now)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(self.app, [*words, "--database", str(self.path)])

    def ok(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        return result.stderr

    def book(self, at: str = "завтра 21:30", *more: str) -> int:
        output = self.ok("book", "--name", "Орлова Мария", "--phone", "+7 900 123-45-67", "--at", at, *more)
        found = re.search(r"Записано: № (\d+)", output)
        assert found, output
        return int(found[1])

    def row(self, number: int) -> dict[str, Any]:
        return self.rows("SELECT * FROM Receptions WHERE ID = ?", number)[0]

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]

    def state(self, number: int) -> str:
        counted = sandbox.census(self.path, now=self.now, past=timedelta(days=30), future=timedelta(days=365))
        return next(chain.state for chain in counted.chains if chain.ids[-1] == str(number))


@pytest.fixture
def desk(clinic: Path) -> Desk:
    return Desk(clinic)


def test_book_enters_a_new_patient_and_a_visit(desk: Desk) -> None:
    number = desk.book()
    row = desk.row(number)
    assert row["PlanStart"] == "2025-11-21 21:30:00"
    assert row["PlanEnd"] == "2025-11-21 22:30:00"
    assert row["DateTimeAdded"] == "2025-11-20 12:30:00"
    assert row["DateTimeChanged"] is None
    (person,) = desk.rows(
        "SELECT * FROM Persons p JOIN Patients t ON t.ID_Persons = p.ID WHERE p.ID = ?", row["ID_Patients"]
    )
    assert (person["Surname"], person["Name"], person["MobilePhone"]) == (
        "Орлова",
        "Мария",
        "+7 900 123-45-67",
    )
    assert (person["CardNumber"], person["DateTimeChanged"]) == ("К-00301", "2025-11-20 12:30:00")
    assert desk.state(number) == "upcoming"


def test_book_knows_a_patient_by_name_and_phone_but_not_by_phone_alone(desk: Desk) -> None:
    first = desk.row(desk.book("завтра 21:30"))
    again = desk.row(desk.book("завтра 23:00"))
    assert again["ID_Patients"] == first["ID_Patients"]
    desk.ok("book", "--name", "Орлов Пётр", "--phone", "89001234567", "--at", "послезавтра 21:30")
    (last,) = desk.rows(
        "SELECT MAX(ID_Patients) AS who FROM Receptions WHERE PlanStart = '2025-11-22 21:30:00'"
    )
    assert last["who"] != first["ID_Patients"]


def test_book_takes_doctor_and_branch_by_part_of_the_name(desk: Desk) -> None:
    output = desk.ok(
        "book", "--name", "Орлова Мария", "--phone", "+79001234567", "--at", "2026-01-15T10:00",
        "--doctor", "зорина", "--branch", "ортодонтия",
    )  # fmt: skip
    assert "15.01.2026 10:00–11:00, запланирован" in output
    assert "Зорина Алина Михайловна; «Белый Парус» Ортодонтия" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--at", "вчера вечером"), "Время «вчера вечером» не читается"),
        (("--at", "завтра 25:00"), "Время «завтра 25:00» не читается"),
        (("--at", "завтра 21:30", "--doctor", "Айболит"), "Нет врача «Айболит». Есть врачи: 1 — Белозёрова"),
        (("--at", "завтра 21:30", "--doctor", "ова"), "«ова» подходит нескольким"),
        (("--at", "завтра 21:30", "--branch", "Луна"), "Нет филиала «Луна». Есть филиалы: 1 — "),
        (("--at", "завтра 21:30", "--phone", "12"), "Телефон «12» не читается"),
        (("--at", "завтра 21:30", "--name", "Мария"), "Имя «Мария»: напишите фамилию, имя"),
    ],
)
def test_book_says_what_it_cannot_read(desk: Desk, words: tuple[str, ...], message: str) -> None:
    given = ("--name", "Орлова Мария", "--phone", "+7 900 123-45-67")
    before = desk.rows("SELECT COUNT(*) FROM Persons")
    assert message in desk.refused("book", *given, *words)
    assert desk.rows("SELECT COUNT(*) FROM Persons") == before


def test_book_refuses_a_doctor_who_is_taken(desk: Desk) -> None:
    desk.book("завтра 21:30", "--doctor", "Савина")
    given = ("--name", "Орлова Мария", "--phone", "+7 900 123-45-67", "--doctor", "Савина")
    assert "На 21.11.2025 22:00 нет свободного врача" in desk.refused("book", *given, "--at", "завтра 22:00")


def test_move_cancels_the_old_row_and_links_a_new_one(desk: Desk) -> None:
    old = desk.book()
    desk.now += timedelta(minutes=5)
    output = desk.ok("move", str(old), "--at", "послезавтра 21:00")
    new = old + 1
    assert f"Перенесено: № {old} → № {new}" in output
    assert desk.row(old)["ReceptionCanceled"] == desk.row(new)["DateTimeAdded"] == "2025-11-20 12:35:00"
    assert desk.row(new)["ID_ReceptionsTransferFrom"] == old
    assert desk.row(new)["PlanStart"] == "2025-11-22 21:00:00"
    assert desk.row(new)["ID_Staffs"] == desk.row(old)["ID_Staffs"]
    assert desk.state(new) == "upcoming"
    assert f"Перенесён на запись № {new}" in desk.ok("show", str(old))


def test_move_by_half_an_hour_is_not_stopped_by_the_visit_itself(desk: Desk) -> None:
    old = desk.book("завтра 21:30")
    desk.ok("move", str(old), "--at", "завтра 22:00")
    assert desk.row(old + 1)["PlanStart"] == "2025-11-21 22:00:00"


def test_cancel_takes_a_reason_of_the_dictionary_or_free_words(desk: Desk) -> None:
    first, second, third = (
        desk.book("завтра 21:30"),
        desk.book("завтра 23:00"),
        desk.book("послезавтра 23:00"),
    )
    desk.ok("cancel", str(first), "--reason", "перенос")
    desk.ok("cancel", str(second), "--reason", "улетела в отпуск")
    assert "отменён: Отказ пациента" in desk.ok("cancel", str(third))
    assert (desk.row(first)["ID_ReceptionCancelReasons"], desk.row(first)["CancelReasonComment"]) == (4, None)
    assert desk.row(second)["CancelReasonComment"] == "улетела в отпуск"
    assert [desk.row(n)["ReceptionCanceled"] for n in (first, second, third)] == ["2025-11-20 12:30:00"] * 3


def test_arrive_and_finish_set_instants_and_leave_the_date_of_change_alone(desk: Desk) -> None:
    number = desk.book()
    desk.ok("arrive", str(number))
    assert desk.state(number) == "arrived"
    desk.now += timedelta(minutes=40)
    assert "Сумма: 4500 ₽" in desk.ok("finish", str(number), "--amount", "4500")
    row = desk.row(number)
    assert row["PatientAppeared"] == "2025-11-20 12:30:00"
    assert row["ReceptionStarted"] == row["ReceptionEnded"] == row["CheckIssued"] == "2025-11-20 13:10:00"
    assert row["DateTimeChanged"] is None
    assert desk.state(number) == "completed"
    (journal,) = desk.rows("SELECT * FROM OrderPaymentsJournal WHERE DateTimeBill = '2025-11-20 13:10:00'")
    assert (journal["Amount"], journal["HasInsurance"]) == (4500, 0)


def test_finish_again_corrects_the_amount_and_issues_the_bill_anew(desk: Desk) -> None:
    number = desk.book()
    desk.ok("finish", str(number), "--amount", "4500")
    desk.now += timedelta(hours=1)
    assert "Сумма: 3900 ₽" in desk.ok("finish", str(number), "--amount", "3900")
    assert len(desk.rows("SELECT * FROM Orders WHERE ID_Receptions = ?", number)) == 1
    assert desk.row(number)["CheckIssued"] == "2025-11-20 13:30:00"
    assert desk.row(number)["ReceptionEnded"] == "2025-11-20 12:30:00"


def test_finish_for_an_insurer_says_so_in_the_journal(desk: Desk) -> None:
    number = desk.book()
    desk.ok("finish", str(number), "--amount", "2700", "--insured")
    (journal,) = desk.rows(
        "SELECT j.* FROM OrderPaymentsJournal j JOIN Orders o ON o.ID = j.ID_Orders WHERE o.ID_Receptions = ?",
        number,
    )
    assert (journal["HasInsurance"], journal["InsuranceAmount"]) == (1, 2700)
    assert desk.rows("SELECT 1 FROM PaymentsIn WHERE DateTimePayment = '2025-11-20 12:30:00'") == []


def test_enquiry_is_entered(desk: Desk) -> None:
    found = re.search(r"№ (\d+)", desk.ok("enquiry", "--phone", "8 900 123-45-67", "--name", "Мария"))
    assert found
    (row,) = desk.rows("SELECT * FROM KresloDemoEnquiries WHERE ID = ?", int(found[1]))
    assert (row["Phone"], row["Name"], row["DateTimeAdded"]) == (
        "8 900 123-45-67",
        "Мария",
        "2025-11-20 12:30:00",
    )


def test_show_lists_what_comes_next(desk: Desk) -> None:
    lines = desk.ok("show").splitlines()
    assert 5 < len(lines) <= 20
    assert all(re.match(r"№ \d+ +\d\d\.\d\d\.2025 \d\d:\d\d–\d\d:\d\d  \S+", line) for line in lines)


@pytest.mark.parametrize(
    "command",
    [("cancel",), ("arrive",), ("show",), ("finish", "--amount", "1"), ("move", "--at", "завтра 21:00")],
)
def test_an_unknown_number_is_said_so(desk: Desk, command: tuple[str, ...]) -> None:
    assert desk.refused(command[0], "999999", *command[1:]) == "Нет записи № 999999\n"


def test_blocked_time_is_no_visit(desk: Desk) -> None:
    (row,) = desk.rows("SELECT ID FROM Receptions WHERE ID_Patients IS NULL LIMIT 1")
    assert "не приём, а занятое время" in desk.refused("cancel", str(row["ID"]))


def test_what_is_over_cannot_be_done_again(desk: Desk) -> None:
    gone, done = desk.book("завтра 21:30"), desk.book("завтра 23:00")
    desk.ok("cancel", str(gone))
    desk.ok("finish", str(done), "--amount", "100")
    assert f"Запись № {gone} уже отменена 20.11.2025 12:30" in desk.refused("cancel", str(gone))
    assert f"Запись № {gone} отменена" in desk.refused("move", str(gone), "--at", "завтра 20:00")
    assert f"Запись № {gone} отменена" in desk.refused("finish", str(gone), "--amount", "1")
    assert f"Приём № {done} уже завершён" in desk.refused("move", str(done), "--at", "завтра 20:00")
    assert f"Приём № {done} уже завершён" in desk.refused("arrive", str(done))
    assert desk.row(gone)["ReceptionEnded"] is None


def test_a_finished_visit_can_still_be_cancelled_as_a_late_correction(desk: Desk) -> None:
    number = desk.book()
    desk.ok("finish", str(number), "--amount", "100")
    desk.ok("cancel", str(number), "--reason", "Ошибка записи")
    assert desk.state(number) == "cancelled"


def test_a_missing_or_strange_file_is_said_so(tmp_path: Path) -> None:
    missing = Desk(tmp_path / "no.db")
    assert f"Нет базы клиники: {missing.path}" in missing.refused("show")
    strange = Desk(tmp_path / "strange.db")
    strange.path.write_text("not a database, but long enough to look like one " * 20)
    assert "не база демо-клиники" in strange.refused("show")
    strange.path.write_bytes(b"")
    assert "не база демо-клиники" in strange.refused("show")


def test_the_database_comes_from_the_environment(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRESLO_DEMO_CLINIC", str(clinic))
    result = CliRunner().invoke(commands.commands(lambda: NOW), ["show", "1"])
    assert result.exit_code == 0
    assert "Приём № 1:" in result.output
