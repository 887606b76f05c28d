"""Opening the clinic's database, and finding in it what a person names: an appointment, a doctor, a free place."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kreslo.connectors.errors import KresloError


class ProgramError(KresloError):
    """The program refuses; the text says why, in Russian, as staff would read it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the diary that is free."""

    doctor: int
    chair: int
    branch: int
    start: datetime
    end: datetime


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The clinic's file for writing; rows have names. Raises ProgramError if there is none."""
    if not path.is_file():
        raise ProgramError(f"Нет базы клиники: {path}. Создайте её или укажите другую: --database")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        except sqlite3.OperationalError:
            raise  # busy: another matter than a strange file
        except sqlite3.DatabaseError as error:
            raise ProgramError(f"{path} — не база демо-клиники") from error
        if "Receptions" not in tables:
            raise ProgramError(f"{path} — не база демо-клиники")
        yield connection


def reception(connection: sqlite3.Connection, number: int) -> sqlite3.Row:
    """The appointment with that number. Raises ProgramError if there is none, or if it is blocked time."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM Receptions WHERE ID = ?", (number,)
    ).fetchone()
    if row is None:
        raise ProgramError(f"Нет записи № {number}")
    if row["ID_Patients"] is None:
        raise ProgramError(f"№ {number} — не приём, а занятое время: {row['Comment']}")
    return row


def free_slot(
    connection: sqlite3.Connection,
    start: datetime,
    minutes: int,
    *,
    doctor: int | None = None,
    branch: int | None = None,
    leaving: int = 0,
) -> Slot:
    """A free chair at that time, and a doctor who is free too; a visit that has ended takes no time. `leaving`: the appointment whose own time counts as
    free, since it is being moved. Raises ProgramError where there is none.
    """
    end = start + timedelta(minutes=minutes)
    taken = connection.execute(
        "SELECT ID_Staffs, ID_Armchairs FROM Receptions"
        " WHERE PlanStart < ? AND PlanEnd > ? AND ReceptionCanceled IS NULL"
        " AND ReceptionEnded IS NULL AND ID <> ?",
        (str(end), str(start), leaving),
    ).fetchall()
    doctors = [number for number, _, place in _doctors(connection) if branch in (None, place)]
    if doctor is not None:
        doctors = [doctor]
    busy = {row["ID_Staffs"] for row in taken}
    at_work = [number for number in doctors if number not in busy]
    places = {number: place for number, _, place in _doctors(connection)}
    chairs = connection.execute("SELECT ID, ID_OwnCompanies FROM Armchairs ORDER BY ID").fetchall()
    occupied = {row["ID_Armchairs"] for row in taken}
    for number in at_work:
        home = branch or places.get(number)
        for chair in chairs:
            if chair["ID"] not in occupied and home in (None, chair["ID_OwnCompanies"]):
                return Slot(number, chair["ID"], chair["ID_OwnCompanies"], start, end)
    who = "врача" if doctor is not None else "кресла или врача"
    raise ProgramError(f"На {start:%d.%m.%Y %H:%M} нет свободного {who}: выберите другое время")


def _doctors(connection: sqlite3.Connection) -> list[tuple[int, str, int | None]]:
    """Working doctors: number, full name, the branch where they were seen last."""
    rows = connection.execute(
        "SELECT DISTINCT p.ID, p.Surname || ' ' || p.Name || ' ' || p.Patronymic AS who FROM Staffs s"
        " JOIN Persons p ON p.ID = s.ID_Persons JOIN Items i ON i.ID_Staffs = p.ID"
        " JOIN ProfessionNames n ON n.ID = i.ID_ProfessionNames"
        " WHERE n.ID_Roles = 8 AND COALESCE(s.Archive, 0) = 0 ORDER BY p.ID"
    ).fetchall()
    seen = dict(
        connection.execute(
            "SELECT r.ID_Staffs, a.ID_OwnCompanies FROM (SELECT ID_Staffs, MAX(ID) AS last FROM Receptions"
            " GROUP BY ID_Staffs) m JOIN Receptions r ON r.ID = m.last JOIN Armchairs a ON a.ID = r.ID_Armchairs"
        ).fetchall()
    )
    return [(row["ID"], row["who"], seen.get(row["ID"])) for row in rows]


def doctor_named(connection: sqlite3.Connection, text: str) -> int:
    """The doctor by number or by a part of the name. Raises ProgramError if none or several match."""
    doctors = _doctors(connection)
    return _one(text, {number: name for number, name, _ in doctors}, "врача", "врачи")


def branch_named(connection: sqlite3.Connection, text: str) -> int:
    """The branch by number or by a part of the name. Raises ProgramError if none or several match."""
    rows = connection.execute("SELECT ID, Name FROM OwnCompanies ORDER BY ID").fetchall()
    return _one(text, {row["ID"]: row["Name"] for row in rows}, "филиала", "филиалы")


def _one(text: str, known: Mapping[int, str], what: str, them: str) -> int:
    wanted = text.strip().casefold()
    found = [number for number, name in known.items() if wanted in (str(number), name.casefold())]
    found = found or [number for number, name in known.items() if wanted and wanted in name.casefold()]
    listed = "; ".join(f"{number} — {name}" for number, name in known.items())
    if not found:
        raise ProgramError(f"Нет {what} «{text}». Есть {them}: {listed}")
    if len(found) > 1:
        raise ProgramError(f"«{text}» подходит нескольким. Есть {them}: {listed}")
    return found[0]
