"""The clinic as it is made: the same by seed, sound, and with nothing from the future."""
# ruff: noqa: S608 - the names put into SQL are this file's own

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ident.sandbox import phones, sandbox
from kreslo.connectors.errors import ConfigurationError

NOW = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_same_seed_makes_the_same_clinic_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        sandbox.create(tmp_path / name, seed=seed, now=NOW, patients=60)
    assert dump(tmp_path / "one") == dump(tmp_path / "two")
    assert dump(tmp_path / "one") != dump(tmp_path / "other")


def test_has_as_many_patients_as_asked_for(db: sqlite3.Connection) -> None:
    assert db.execute("SELECT COUNT(*), COUNT(DISTINCT CardNumber) FROM Patients").fetchone()[:] == (300, 300)


def test_is_in_wal_mode_and_leaves_no_half_made_file(made: Path, db: sqlite3.Connection) -> None:
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert not list(made.parent.glob("*.part"))


def test_has_two_branches_six_chairs_and_twelve_doctors_one_with_two_living_professions(
    db: sqlite3.Connection,
) -> None:
    chairs = db.execute("SELECT ID_OwnCompanies, COUNT(*) FROM Armchairs GROUP BY 1 ORDER BY 1").fetchall()
    assert [tuple(row) for row in chairs] == [(1, 4), (2, 2)]
    doctors = db.execute(
        "SELECT i.ID_Staffs, COUNT(*) AS n FROM Items i JOIN ProfessionNames p ON p.ID = i.ID_ProfessionNames"
        " WHERE p.ID_Roles = 8 AND p.Archive = 0 GROUP BY 1"
    ).fetchall()
    assert len(doctors) == 12
    assert sorted(row["n"] for row in doctors) == [1] * 11 + [2]


@pytest.mark.parametrize(
    ("table", "column", "target"),
    [
        ("Patients", "ID_Persons", "Persons.ID"),
        ("Patients", "ID_InfoSources", "InfoSources.ID"),
        ("Staffs", "ID_Persons", "Persons.ID"),
        ("Items", "ID_Staffs", "Staffs.ID_Persons"),
        ("Items", "ID_ProfessionNames", "ProfessionNames.ID"),
        ("Armchairs", "ID_OwnCompanies", "OwnCompanies.ID"),
        ("Receptions", "ID_Patients", "Patients.ID_Persons"),
        ("Receptions", "ID_Staffs", "Staffs.ID_Persons"),
        ("Receptions", "ID_Armchairs", "Armchairs.ID"),
        ("Receptions", "ID_StaffsReceptionAdded", "Staffs.ID_Persons"),
        ("Receptions", "ID_ReceptionCancelReasons", "ReceptionCancelReasons.ID"),
        ("Receptions", "ID_AppointmentSources", "AppointmentSources.ID"),
        ("Receptions", "ID_ReceptionsTransferFrom", "Receptions.ID"),
        ("Orders", "ID_Receptions", "Receptions.ID"),
        ("Orders", "ID_OwnCompanies", "OwnCompanies.ID"),
        ("OrderServiceRelation", "ID_Orders", "Orders.ID"),
        ("OrderServiceRelation", "ID_ServicePrices", "ServiceItemPrices.ID"),
        ("ServiceItemPrices", "ID_ServiceItems", "ServiceItems.ID"),
        ("OrderPaymentsJournal", "ID_Orders", "Orders.ID"),
        ("OrderPaymentsJournal", "ID_Patients", "Patients.ID_Persons"),
        ("PaymentsIn", "ID_Patients", "Patients.ID_Persons"),
    ],
)
def test_every_reference_leads_somewhere(
    db: sqlite3.Connection, table: str, column: str, target: str
) -> None:
    other, key = target.split(".")
    used = f"SELECT COUNT(*) FROM {table} WHERE {column} IS NOT NULL"
    lost = f"{used} AND {column} NOT IN (SELECT {key} FROM {other})"
    assert db.execute(used).fetchone()[0] > 0
    assert db.execute(lost).fetchone()[0] == 0


@pytest.mark.parametrize(
    "column",
    ["DateTimeAdded", "DateTimeChanged", "DateTimeNotified", "PatientAppeared", "ReceptionStarted", "ReceptionEnded",
     "CheckIssued", "ReceptionCanceled"],
)  # fmt: skip
def test_nothing_has_happened_after_now(db: sqlite3.Connection, column: str) -> None:
    latest = db.execute(f"SELECT MAX({column}) FROM Receptions").fetchone()[0]
    assert latest is not None
    assert latest <= "2025-11-20 12:30:00"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("PlanStart", "PlanEnd"), ("DateTimeAdded", "ReceptionCanceled"), ("ReceptionStarted", "ReceptionEnded"),
     ("ReceptionEnded", "CheckIssued"), ("PatientAppeared", "ReceptionStarted"), ("DateTimeAdded", "DateTimeNotified")],
)  # fmt: skip
def test_things_happen_in_their_order(db: sqlite3.Connection, earlier: str, later: str) -> None:
    wrong = db.execute(f"SELECT ID FROM Receptions WHERE {later} < {earlier}").fetchall()
    assert wrong == []


def test_a_move_is_entered_when_the_old_visit_is_cancelled_and_stays_with_the_patient(
    db: sqlite3.Connection,
) -> None:
    pairs = db.execute(
        "SELECT n.DateTimeAdded, o.ReceptionCanceled, n.ID_Patients, o.ID_Patients, o.ID_ReceptionCancelReasons"
        " FROM Receptions n JOIN Receptions o ON o.ID = n.ID_ReceptionsTransferFrom"
    ).fetchall()
    assert len(pairs) > 50
    assert all(row[0] == row[1] and row[2] == row[3] and row[4] == 4 for row in pairs)


def test_no_visit_is_moved_to_two_places(db: sqlite3.Connection) -> None:
    rows = db.execute(
        "SELECT COUNT(*) FROM Receptions WHERE ID_ReceptionsTransferFrom IS NOT NULL"
        " GROUP BY ID_ReceptionsTransferFrom HAVING COUNT(*) > 1"
    )
    assert rows.fetchall() == []


def test_journal_and_lines_of_an_order_agree(db: sqlite3.Connection) -> None:
    wrong = db.execute(
        "SELECT j.ID_Orders FROM OrderPaymentsJournal j JOIN OrderServiceRelation l ON l.ID_Orders = j.ID_Orders"
        " JOIN ServiceItemPrices p ON p.ID = l.ID_ServicePrices GROUP BY j.ID_Orders"
        " HAVING SUM(l.CountService * p.Price - l.DiscountSum) <> j.AmountWithDiscount"
    )
    assert wrong.fetchall() == []


def test_insured_visits_show_by_the_flag_or_by_a_zero_sum_alone(db: sqlite3.Connection) -> None:
    flagged, silent = db.execute(
        "SELECT SUM(HasInsurance = 1 AND InsuranceAmount = AmountWithDiscount AND Amount > 0),"
        " SUM(HasInsurance = 0 AND Amount = 0) FROM OrderPaymentsJournal"
    ).fetchone()
    assert flagged > 50
    assert silent > 50


def test_some_visits_have_two_orders_and_some_are_ended_without_a_bill(db: sqlite3.Connection) -> None:
    doubles = db.execute("SELECT 1 FROM Orders GROUP BY ID_Receptions HAVING COUNT(*) = 2").fetchall()
    unbilled = db.execute(
        "SELECT 1 FROM Receptions WHERE ReceptionEnded IS NOT NULL AND CheckIssued IS NULL"
    ).fetchall()
    assert doubles
    assert unbilled


def test_phones_are_only_of_the_invented_ranges(db: sqlite3.Connection) -> None:
    cells = [cell for row in db.execute("SELECT MobilePhone, Phone FROM Persons") for cell in row]
    numbers = [number for cell in cells for number in phones.written(cell)]
    assert len(numbers) > 250
    assert {number[:6] for number in numbers} <= {"+79001", "+74730"}


def test_phone_cells_and_birth_dates_come_in_many_shapes(db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT MobilePhone, Birthday, Phone FROM Persons WHERE ID > 100").fetchall()
    cells = [row["MobilePhone"] for row in rows]
    assert any(cell and "мама" in cell for cell in cells)
    assert any(len(phones.written(cell)) == 2 for cell in cells)
    assert any(not cell for cell in cells)
    assert any(cell and cell.startswith("9") for cell in cells)
    assert any(row["Phone"] and len(row["Phone"]) == len("012-34-56") for row in rows)
    shapes = {"".join("9" if char.isdigit() else char for char in row["Birthday"] or "") for row in rows}
    assert {"", "99.99.9999", "9999-99-99", "99.99.9999 9:99:99"} <= shapes


def test_families_share_phones_and_children_name_a_parent_who_is_a_patient(db: sqlite3.Connection) -> None:
    adults = {
        f"{row['Surname']} {row['Name']} {row['Patronymic'] or ''}".strip(): set(
            phones.written(row["MobilePhone"])
        )
        for row in db.execute(
            "SELECT p.* FROM Persons p JOIN Patients t ON t.ID_Persons = p.ID WHERE ParentSNP IS NULL"
        )
    }
    children = db.execute(
        "SELECT p.MobilePhone, t.ParentSNP FROM Patients t JOIN Persons p ON p.ID = t.ID_Persons WHERE ParentSNP > ''"
    ).fetchall()
    # A household can be parted at the edge of the cast of scenes.py, whose members are re-made.
    known = [row for row in children if row["ParentSNP"] in adults]
    assert len(known) > 30
    assert len(known) >= 0.9 * len(children)
    shared = [row for row in known if set(phones.written(row["MobilePhone"])) & adults[row["ParentSNP"]]]
    assert len(shared) > 20


def test_blocked_time_has_no_patient(db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT Comment, PatientAppeared FROM Receptions WHERE ID_Patients IS NULL").fetchall()
    assert rows
    assert all(row["Comment"] and row["PatientAppeared"] is None for row in rows)


def test_no_doctor_works_at_two_chairs_at_once_on_a_planned_day(db: sqlite3.Connection) -> None:
    clashes = db.execute(
        "SELECT a.ID, b.ID FROM Receptions a JOIN Receptions b ON b.ID_Staffs = a.ID_Staffs AND b.ID > a.ID"
        " AND b.PlanStart < a.PlanEnd AND a.PlanStart < b.PlanEnd AND b.ID_Armchairs <> a.ID_Armchairs"
        " WHERE a.PlanStart < '2025-10-01' AND b.PlanStart < '2025-10-01'"
    )
    assert clashes.fetchall() == []


def test_refuses_to_write_over_a_file(made: Path) -> None:
    with pytest.raises(ConfigurationError, match="exists already"):
        sandbox.create(made, seed=1, now=NOW, patients=60)


def test_refuses_fewer_patients_than_its_scenes_need(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 40 patients, not 10"):
        sandbox.create(tmp_path / "clinic.db", seed=1, now=NOW, patients=10)


@pytest.mark.parametrize("hour", [0, 23])
def test_can_be_made_at_night(tmp_path: Path, hour: int) -> None:
    sandbox.create(tmp_path / "clinic.db", seed=1, now=datetime(2025, 3, 2, hour, 5, tzinfo=UTC), patients=40)
    with closing(sqlite3.connect(tmp_path / "clinic.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM Receptions").fetchone()[0] > 100


def test_settings_name_the_file_the_zone_and_the_branches(tmp_path: Path) -> None:
    settings = sandbox.settings(tmp_path / "clinic.db")
    assert settings["database"] == f"sqlite:///{tmp_path}/clinic.db"
    assert settings["timezone"] == "Europe/Moscow"
    assert {number: branch["area_code"] for number, branch in settings["branches"].items()} == {
        "1": "473",
        "2": "473",
    }
    assert all(branch["address"] for branch in settings["branches"].values())
