"""A made-up MIS that drops files, read by the real Helix source: snapshots of patients, of visits and of enquiries, written
slowly, twice, late, cut off, or not at all while the share is away.
"""

import csv
import io
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from connectors.helix.options import HelixOptions
from connectors.helix.source import HelixSource
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.model import Problem
from kreslo.connectors.seams import Clock
from kreslo.records import Appointment, Enquiry, Patient, Record, RecordKind, RecordRef, ref_of
from tests.simulation.mis import Mis

SETTLE = 10.0
PERIOD = (300.0, 900.0, 1800.0)
_PATIENTS = (
    *("Код пациента", "ФИО", "Телефон", "Дата рождения", "Номер медкарты"),
    *("Представитель", "Отказ от рассылки"),
)
_VISITS = (
    *("Код записи", "Код пациента", "Дата и время", "Длительность", "Код врача", "Врач", "Специальность"),
    *("Статус", "Причина отмены", "Сумма", "Дата создания"),
)
_ENQUIRIES = ("Код обращения", "Дата обращения", "Телефон", "ФИО")


class HelixClinic:
    """The clinic as the engine reads it: see SimSource. `complete_from`: as of when the newest files that were surely
    taken tell of the clinic.
    """

    id = "ident"
    look_again = SETTLE + 2

    def __init__(
        self, mis: Mis, folder: Path, zone: str, chance: Random, tell: Callable[[str], None]
    ) -> None:
        self._failing = True
        self.complete_from = -1.0
        self._mis = mis
        self._chance = chance
        self._tell = tell
        self._zone = ZoneInfo(zone)
        self._share = folder / "share"
        self._away = folder / "share-away"
        self._remove(folder)
        self._share.mkdir()
        self._written: list[tuple[float, float]] = []
        self._options = HelixOptions.model_validate(
            {
                "id": self.id,
                "timezone": zone,
                "folder": self._share,
                "state": folder / "helix-state",
                "settle": f"{SETTLE:.0f}s",
                "profiles": {
                    "patients": {"row": "patient", "files": "patients*.csv", "mode": "snapshot"},
                    "visits": {
                        "row": "appointment",
                        "files": "visits*.csv",
                        "mode": "snapshot",
                        "absent": "gone",
                        "max_drop": 1,
                    },
                    "enquiries": {
                        "row": "enquiry",
                        "files": "enquiries*.csv",
                        "mode": "snapshot",
                        "columns": {"appointment_id": ["Код обращения"]},
                    },
                },
            }
        )
        mis.clock.plan(1.0, self._drop)

    @property
    def failing(self) -> bool:
        return self._failing

    @failing.setter
    def failing(self, failing: bool) -> None:
        self._failing = failing
        if not failing:
            self._come_back()

    def _remove(self, folder: Path) -> None:
        """What another seed left in this folder."""
        for place in (self._share, self._away, folder / "helix-state"):
            for path in sorted(place.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            if place.exists():
                place.rmdir()

    # --- 1C's side ----------------------------------------------------------------------------------------------

    def _drop(self) -> None:
        """Writes all files as the clinic stands now, one way or another, and plans the next time."""
        now = self._mis.clock.monotonic()
        tables = {"patients": self._patients(), "visits": self._visits(), "enquiries": self._enquiries()}
        trouble = self._chance.random() if self.failing else 1.0
        slowly = 4.0 if trouble < 0.3 else 0.0
        for name, text in tables.items():
            self._write(f"{name}.csv", text, slowly)
            if 0.3 <= trouble < 0.4:
                self._write(f"{name}_copy.csv", text, 0.0)
        if 0.4 <= trouble < 0.5:
            self._put("visits_broken.csv", b"\x00\xff\xfe" + self._chance.randbytes(40))
        if 0.5 <= trouble < 0.56 and self._share.exists():
            self._vanish()
        self._written.append((now, now + slowly))
        self._mis.clock.plan(self._chance.choice(PERIOD), self._drop)

    def _write(self, name: str, text: str, slowly: float) -> None:
        data = text.encode("utf-8-sig" if self._chance.random() < 0.5 else "cp1251", errors="replace")
        if slowly:
            self._put(name, data[: self._chance.randrange(len(data))])
            self._mis.clock.plan(slowly, lambda: self._put(name, data))
        else:
            self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        folder = self._share if self._share.exists() else self._away
        path = folder / name
        path.write_bytes(data)
        moment = self._mis.clock.now().timestamp()
        os.utime(path, (moment, moment))

    def _vanish(self) -> None:
        minutes = self._chance.uniform(1, 60)
        self._tell(f"MIS: the share is away for {minutes:.0f} minutes")
        self._share.rename(self._away)
        self._mis.clock.plan(minutes * 60, self._come_back)

    def _come_back(self) -> None:
        if self._away.exists():
            self._away.rename(self._share)

    def _patients(self) -> str:
        seen = (each for each in self._seen() if isinstance(each, Patient))
        return _table(_PATIENTS, (self._patient(each) for each in seen))

    def _visits(self) -> str:
        seen = (each for each in self._seen() if isinstance(each, Appointment))
        return _table(_VISITS, (self._visit(each) for each in seen))

    def _enquiries(self) -> str:
        seen = (each for each in self._seen() if isinstance(each, Enquiry))
        rows = ((each.id, self._local(each.created_at), each.phones[0].e164, each.name) for each in seen)
        return _table(_ENQUIRIES, rows)

    def _seen(self) -> list[Record]:
        now = self._mis.clock.monotonic()
        refs = dict.fromkeys(version.ref for version in self._mis.log)
        return [record for ref in refs if (record := self._mis.seen(ref, now)) is not None]

    def _patient(self, patient: Patient) -> tuple[str, ...]:
        return (
            patient.id,
            f"{patient.surname} {patient.name}",
            ", ".join(phone.e164 for phone in patient.phones),
            f"{patient.birth_date:%d.%m.%Y}" if patient.birth_date else "",
            patient.card_number,
            patient.guardian,
            "да" if patient.messages_refused else "нет",
        )

    def _visit(self, visit: Appointment) -> tuple[str, ...]:
        doctor = visit.doctor
        return (
            visit.id,
            visit.patient_id,
            "не время" if ref_of(visit) in self._mis.broken else self._local(visit.starts_at),
            "30",
            doctor.id if doctor else "",
            doctor.name if doctor else "",
            doctor.specialty if doctor else "",
            _status(visit),
            visit.cancel_reason if visit.cancelled_at else "",
            "" if visit.amount is None else str(visit.amount).replace(".", ","),
            self._local(visit.created_at or visit.starts_at),
        )

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%d.%m.%Y %H:%M:%S}"

    # --- our side -----------------------------------------------------------------------------------------------

    def opened(self) -> "HelixReading":
        """What a new process has: a source that knows what its state folder holds."""
        clock = self._mis.clock
        return HelixReading(self, HelixSource(self._options, Seams(clock=clock, chance=self._chance)), clock)

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        """All once more, for the checkers."""
        reading = self.opened()
        try:
            async for batch in reading.read(cursor):
                yield batch
        finally:
            await reading.close()

    @property
    def present(self) -> bool:
        """Whether the share can be seen."""
        return self._share.exists()

    def surely_taken(self, first_look: float, second_look: float) -> None:
        """Two readings of one process that saw the share began then and have ended: what stood still between them was taken."""
        if second_look < first_look + SETTLE:
            return
        standing = [as_of for as_of, until in self._written if until < first_look]
        if standing and not any(
            first_look <= until and as_of <= second_look for as_of, until in self._written
        ):
            self.complete_from = max(self.complete_from, standing[-1])

    def names_row(self, ref: RecordRef, parked: Collection[str]) -> bool:
        """Whether the row of this record is among what is `parked`. A row that cannot be read has no number of its own: it
        is called by its file and its line.
        """
        seen = [each for each in self._seen() if isinstance(each, Appointment)]
        line = next(number for number, each in enumerate(seen, start=2) if ref_of(each) == ref)
        return any(f"/visits/visits{copy}.csv:{line}" in about for copy in ("", "_copy") for about in parked)

    def shut(self) -> None:
        """Nothing is held."""


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([titles, *rows])
    return text.getvalue()


def _status(visit: Appointment) -> str:
    if visit.cancelled_at:
        return "Отменён"
    if visit.billed_at or visit.ended_at:
        return "Завершён"
    if visit.started_at or visit.appeared_at:
        return "Пришёл"
    return "Подтверждён" if visit.confirmed_at else "Запланирован"


class HelixReading:
    """One process's source: the real one, while files come and go."""

    id = "ident"

    def __init__(self, clinic: HelixClinic, source: HelixSource, clock: Clock) -> None:
        self._clinic = clinic
        self._source = source
        self._clock = clock
        self._looks: list[float] = []

    async def check(self) -> list[Problem]:
        return await self._source.check()

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        began, present = self._clock.monotonic(), self._clinic.present
        async for batch in self._source.read(cursor):
            yield batch
        if present:
            for look in self._looks:
                self._clinic.surely_taken(look, began)
            self._looks = [*self._looks[-20:], began]

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        return await self._source.fetch(refs)

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        return await self._source.keys(kind, since, until)

    async def close(self) -> None:
        await self._source.close()
