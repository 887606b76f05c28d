"""A clinic whose 1C writes snapshots of its patients and visits into a folder, driven by hand."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from connectors.helix import HelixOptions, HelixSource
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.testing.clock import HandClock
from kreslo.records import RecordKind, RecordRef, ref_of

ZONE = ZoneInfo("Europe/Moscow")

PATIENTS = ("Код пациента", "ФИО", "Телефон", "Примечание")
VISITS = ("Код записи", "Код пациента", "Дата и время", "Врач", "Примечание")


async def gather(source: HelixSource, cursor: str | None) -> list[Batch]:
    return [batch async for batch in source.read(cursor)]


def given(batches: Iterable[Batch]) -> list[RecordRef]:
    return [ref_of(record) for batch in batches for record in batch.records]


class Folder:
    """See kreslo.connectors.testing.source_suite.SourceWorld. `drop` writes any file besides."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock(datetime(2026, 5, 12, 9, tzinfo=UTC))
        self.folder = folder / "drop"
        self.folder.mkdir()
        self.state = folder / "state"
        self.people: dict[str, list[str]] = {}
        self.visits: dict[str, list[str]] = {}
        self.written = 0
        self.opened = 0

    def options(self, **more: Any) -> HelixOptions:
        profiles = {
            "patients": {"row": "patient", "files": "patients.csv", "mode": "snapshot"},
            "visits": {
                "row": "appointment",
                "files": "visits.csv",
                "mode": "snapshot",
                "absent": "gone",
                "max_drop": 1,
            },
        }
        settings = {
            "timezone": "Europe/Moscow",
            "folder": self.folder,
            "state": self.state,
            "settle": "0s",
            "profiles": profiles,
            **more,
        }
        return HelixOptions.model_validate(settings)

    def source(self, **more: Any) -> HelixSource:
        self.opened += 1
        return HelixSource(self.options(**more), Seams(clock=self.clock, chance=Random(self.opened)))

    def pass_time(self, span: timedelta) -> None:
        self.clock._passed += span.total_seconds()

    def add_patient(self) -> str:
        number = len(self.people) + 1
        id_ = str(100 + number)
        self.people[id_] = [f"Иванова Мария {id_}", f"8 900 111-{number // 100:02}-{number % 100:02}", ""]
        self._write("patients.csv", PATIENTS, self.people)
        return id_

    def add_appointment(self, patient_id: str, *, starts_at: datetime) -> str:
        id_ = str(5000 + len(self.visits))
        when = f"{starts_at.astimezone(ZONE):%d.%m.%Y %H:%M:%S}"
        self.visits[id_] = [patient_id, when, "Петров", ""]
        self._write("visits.csv", VISITS, self.visits)
        return id_

    def touch(self, ref: RecordRef) -> None:
        patient = ref.kind is RecordKind.PATIENT
        rows = self.people if patient else self.visits
        rows[ref.id][-1] = f"позвонить {self.written}"
        self._write("patients.csv" if patient else "visits.csv", PATIENTS if patient else VISITS, rows)

    def remove(self, ref: RecordRef) -> None:
        del self.visits[ref.id]
        self._write("visits.csv", VISITS, self.visits)

    def drop(
        self, name: str, content: bytes | str | Sequence[Sequence[str]], *, encoding: str = "utf-8-sig"
    ) -> Path:
        """A file as it stands when 1C has written it, newer than any before."""
        if not isinstance(content, (bytes, str)):
            content = "".join(";".join(row) + "\r\n" for row in content)
        data = content.encode(encoding) if isinstance(content, str) else content
        path = self.folder / name
        path.write_bytes(data)
        self.written += 1
        moment = self.clock.now().timestamp() + self.written / 1000
        os.utime(path, (moment, moment))
        return path

    def _write(self, name: str, titles: Sequence[str], rows: dict[str, list[str]]) -> None:
        self.drop(name, [titles, *([id_, *cells] for id_, cells in rows.items())])
