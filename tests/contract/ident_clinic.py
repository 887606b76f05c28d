"""A tiny clinic in iDent's tables, driven by hand, with a clock that moves when told."""
# ruff: noqa: S608  names of tables and columns are the tests' own

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from connectors.ident import connector
from connectors.ident.options import IdentOptions
from connectors.ident.source import IdentSource
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing.clock import HandClock
from kreslo.records import RecordKind, RecordRef

SCHEMA = Path(__file__).parents[2] / "connectors/ident/sandbox/schema.sql"
ZONE = ZoneInfo("Europe/Moscow")

_TABLE = {
    RecordKind.PATIENT: ("Patients", "ID_Persons"),
    RecordKind.APPOINTMENT: ("Receptions", "ID"),
    RecordKind.ENQUIRY: ("KresloDemoEnquiries", "ID"),
    RecordKind.ENTRY: ("ScheduledReceptions", "ID"),
}


class Clinic:
    """See kreslo.connectors.testing.source_suite.SourceWorld."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "clinic.db"
        self.clock = HandClock(datetime(2026, 5, 12, 9, tzinfo=UTC))
        self.touched = 0
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        self.run("INSERT INTO OwnCompanies VALUES (1, 'Центр')")
        self.run("INSERT INTO Armchairs VALUES (3, 'Кабинет 2', 1)")
        self.run("INSERT INTO ProfessionNames VALUES (1, 'Терапевт', 8, 0), (2, 'Ортопед', 8, 0)")
        self.add("Persons", ID=1, Surname="СИДОРОВА", Name="анна", Patronymic="Петровна")
        self.run("INSERT INTO Items VALUES (1, 1, 1), (2, 1, 2)")  # a doctor of two professions

    def options(self, **more: Any) -> IdentOptions:
        return connector.options(
            **{"database": f"sqlite:///{self.path}", "timezone": "Europe/Moscow", "page": 100, **more}
        )

    def source(self, **more: Any) -> IdentSource:
        return IdentSource(self.options(**more), Seams(clock=self.clock, chance=Random(1)))

    def local(self, instant: datetime | None = None) -> str:
        """The clinic's clock as the tables hold it."""
        return f"{(instant or self.clock.now()).astimezone(ZONE):%Y-%m-%d %H:%M:%S}"

    def pass_time(self, span: timedelta) -> None:
        self.clock._passed += span.total_seconds()  # back, too, which the clock itself refuses

    def add_patient(self, **more: Any) -> str:
        number = self.next("Persons")
        person = {
            "Surname": "Иванов",
            "Name": "Пётр",
            "MobilePhone": f"8 900 111-{number // 100:02}-{number % 100:02}",
        }
        names = {"Surname", "Name", "Patronymic", "Birthday", "MobilePhone", "Phone"}
        self.add("Persons", ID=number, **{**person, **{key: more.pop(key) for key in names & set(more)}})
        return str(self.add("Patients", ID_Persons=number, **{"DateTimeChanged": self.local(), **more}))

    def add_appointment(self, patient_id: str, *, starts_at: datetime | None = None, **more: Any) -> str:
        starts_at = starts_at or self.clock.now() + timedelta(days=1)
        usual = {
            "ID_Patients": int(patient_id),
            "ID_Staffs": 1,
            "ID_Armchairs": 3,
            "PlanStart": self.local(starts_at),
            "PlanEnd": self.local(starts_at + timedelta(minutes=30)),
            "DateTimeAdded": self.local(),
        }
        return str(self.add("Receptions", **{**usual, **more}))

    def add_recall(self, patient_id: str, **more: Any) -> str:
        usual = {
            "ID_Patients": int(patient_id),
            "ID_Staffs": 1,
            "ID_ProfessionNames": 2,
            "ID_OwnCompanies": 1,
        }
        dated = {"DateTimeAdded": self.local(), "DateTimeChanged": self.local()}
        return str(self.add("ScheduledReceptions", **{**usual, **dated, **more}))

    def touch(self, ref: RecordRef) -> None:
        self.touched += 1
        column = "CardNumber" if ref.kind is RecordKind.PATIENT else "Comment"
        self.set(ref, **{column: f"change {self.touched}", "DateTimeChanged": self.local()})

    def set(self, ref: RecordRef, **values: Any) -> None:
        table, key = _TABLE[ref.kind]
        self.update(table, key, ref.id, **values)

    def update(self, table: str, key: str, id_: str | int, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self.run(f"UPDATE {table} SET {columns} WHERE {key} = ?", [*values.values(), int(id_)])

    def remove(self, ref: RecordRef) -> None:
        table, key = _TABLE[ref.kind]
        self.run(f"DELETE FROM {table} WHERE {key} = ?", [int(ref.id)])

    def add(self, table: str, **values: Any) -> int:
        marks = ", ".join("?" for _ in values)
        return self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def next(self, table: str) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            return int(connection.execute(f"SELECT COALESCE(MAX(ID), 0) + 1 FROM {table}").fetchone()[0])

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement, committed; the id of a row that it added."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")  # a clinic of a test need not outlive a power cut
            return connection.execute(sql, values).lastrowid or 0
