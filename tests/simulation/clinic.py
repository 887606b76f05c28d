"""A made-up MIS in iDent's own tables, read by the real iDent source.

A row appears when its transaction is committed, with the stamps of when it was written; an instant of the status moves
alone, without `DateTimeChanged`, as at real sites.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from pydantic import SecretStr

from connectors.ident.options import IdentOptions
from connectors.ident.source import IdentSource
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Problem
from kreslo.connectors.seams import Clock
from kreslo.records import Appointment, Doctor, Enquiry, Patient, Record, RecordKind, RecordRef
from tests.simulation.mis import Mis

REASONS = ("Заболел", "Перенос", "Ошибка")
_DOCTORS_FROM = 900
"""Doctors and patients are persons of one table."""

Result = TypeVar("Result")


class Tables:
    """The clinic's database file. `sync` brings it to what a reader can see now."""

    def __init__(self, mis: Mis, path: Path, zone: str) -> None:
        path.unlink(missing_ok=True)
        self._mis = mis
        self._zone = ZoneInfo(zone)
        self._logged = 0
        self._waiting: list[int] = []
        self._written: dict[RecordRef, tuple[Record, bool]] = {}
        self._stamps: dict[RecordRef, str | None] = {}
        self._doctors: set[str] = set()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=MEMORY")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript((files("connectors.ident.sandbox") / "schema.sql").read_text(encoding="utf-8"))
        for number, name in enumerate(REASONS, 1):
            self._put("ReceptionCancelReasons", ID=number, Name=name)

    def close(self) -> None:
        self._db.close()

    def sync(self) -> None:
        """Commits what is due by now, in the order of the changes."""
        self._waiting += range(self._logged, len(self._mis.log))
        self._logged = len(self._mis.log)
        now = self._mis.clock.monotonic()
        due = [number for number in self._waiting if self._mis.log[number].visible <= now]
        if not due:
            return
        self._waiting = [number for number in self._waiting if number not in due]
        self._db.execute("BEGIN")
        for number in due:
            version = self._mis.log[number]
            self._write(version.ref, version.record, version.at)
        self._db.execute("COMMIT")

    def _write(self, ref: RecordRef, record: Record | None, at: datetime) -> None:
        if isinstance(record, Patient):
            self._patient(record, at)
        elif isinstance(record, Appointment):
            self._appointment(ref, record, at)
        elif isinstance(record, Enquiry):
            phone = record.phones[0].e164
            created = self._local(record.created_at)
            self._put("KresloDemoEnquiries", ID=ref.id, DateTimeAdded=created, Phone=phone, Name=record.name)
        elif ref.kind is RecordKind.APPOINTMENT:
            self._db.execute("DELETE FROM Receptions WHERE ID = ?", (ref.id,))
        if record is not None:
            self._written[ref] = (record, ref in self._mis.broken)

    def _patient(self, patient: Patient, at: datetime) -> None:
        phones = [phone.e164 for phone in patient.phones]
        self._put(
            "Persons",
            ID=patient.id,
            Surname=patient.surname,
            Name=patient.name,
            Birthday=patient.birth_date.isoformat() if patient.birth_date else None,
            MobilePhone=phones[0] if phones else None,
            Phone=", ".join(phones[1:]) or None,
        )
        self._put(
            "Patients",
            ID_Persons=patient.id,
            ParentSNP=patient.guardian or None,
            CardNumber=patient.card_number,
            ConformToSending=1,
            SMSRejection=int(patient.messages_refused),
            DateTimeChanged=self._local(at),
        )

    def _appointment(self, ref: RecordRef, record: Appointment, at: datetime) -> None:
        broken = ref in self._mis.broken
        old, was_broken = self._written.get(ref, (None, False))
        if old is not None and (broken != was_broken or _planned_anew(old, record)):
            self._stamps[ref] = self._local(at)
        doctor = self._doctor(record.doctor) if record.doctor else None
        self._put(
            "Receptions",
            ID=record.id,
            ID_Patients=record.patient_id,
            ID_Staffs=doctor,
            PlanStart="не время" if broken else self._local(record.starts_at),
            PlanEnd=self._local(record.ends_at),
            ReceptionAdded=self._local(record.created_at),
            DateTimeAdded=self._local(record.created_at),
            DateTimeNotified=self._local(record.confirmed_at),
            PatientAppeared=self._local(record.appeared_at),
            ReceptionStarted=self._local(record.started_at),
            ReceptionEnded=self._local(record.ended_at),
            CheckIssued=self._local(record.billed_at),
            ReceptionCanceled=self._local(record.cancelled_at),
            ID_ReceptionCancelReasons=_reason(record),
            ID_ReceptionsTransferFrom=record.predecessor_id or None,
            DateTimeChanged=self._stamps.get(ref),
        )
        if record.amount is not None and (not isinstance(old, Appointment) or old.amount != record.amount):
            self._put(
                "Orders", ID=record.id, ID_Receptions=record.id, DateTimeOrder=self._local(record.ended_at)
            )
            self._put(
                "OrderPaymentsJournal",
                ID_Orders=record.id,
                DateTimeBill=self._local(at),
                AmountWithDiscount=str(record.amount),
            )

    def _doctor(self, doctor: Doctor) -> int:
        number = _DOCTORS_FROM + int(doctor.id)
        if doctor.id not in self._doctors:
            surname, name, patronymic = doctor.name.split()
            self._put("Persons", ID=number, Surname=surname, Name=name, Patronymic=patronymic)
            self._doctors.add(doctor.id)
        return number

    def _put(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        # Our own words only: no value stands in the text.
        self._db.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608

    def _local(self, at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")


def _planned_anew(old: Record, new: Appointment) -> bool:
    """Whether the program stamps the row: the plan was edited, or something was taken back."""
    if not isinstance(old, Appointment):
        return True
    plan = (old.starts_at, old.ends_at, old.doctor) != (new.starts_at, new.ends_at, new.doctor)
    names = ("cancelled_at", "confirmed_at", "appeared_at", "ended_at")
    return plan or any(getattr(old, name) and not getattr(new, name) for name in names)


def _reason(record: Appointment) -> int | None:
    return REASONS.index(record.cancel_reason) + 1 if record.cancel_reason else None


class IdentClinic:
    """The clinic as the engine reads it: see SimSource. `complete_from`: when the last whole pass began."""

    id = "ident"
    look_again = 0.0

    def __init__(self, mis: Mis, folder: Path, zone: str, chance: Random) -> None:
        self.failing = True
        self.tables = Tables(mis, folder / "clinic.db", zone)
        self.complete_from = -1.0
        self._chance = chance
        self._mis = mis
        self._options = _options(folder, zone)

    def opened(self) -> "IdentReading":
        """What a new process has: a source that remembers nothing."""
        clock = self._mis.clock
        source = IdentSource(self._options, Seams(clock=clock, chance=self._chance))
        return IdentReading(self, source, clock, self._chance)

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        """All once more, for the checkers."""
        reading = self.opened()
        try:
            async for batch in reading.read(cursor):
                yield batch
        finally:
            await reading.close()

    def names_row(self, ref: RecordRef, parked: Collection[str]) -> bool:
        """Whether the row of this record is among what is `parked`."""
        return ref.key(self.id) in parked

    def shut(self) -> None:
        self.tables.close()


def _options(folder: Path, zone: str) -> IdentOptions:
    own = (files("connectors.ident.queries") / "appointments.sql").read_text(encoding="utf-8")
    query = folder / "appointments.sql"
    # This clinic ticks "notified" when the patient has confirmed: an administrator's own query says so.
    query.write_text(own.replace("AS notified_at", "AS confirmed_at"), encoding="utf-8")
    return IdentOptions(
        database=SecretStr(f"sqlite:///{folder / 'clinic.db'}"),
        timezone=zone,
        queries={"appointments": query},
        page=3,
    )


class IdentReading:
    """One process's source: the real one, on a server that fails now and then, while the clinic goes on."""

    id = "ident"

    def __init__(self, clinic: IdentClinic, source: IdentSource, clock: Clock, chance: Random) -> None:
        self.change_pass = source.change_pass
        self._clinic = clinic
        self._source = source
        self._clock = clock
        self._chance = chance

    async def check(self) -> list[Problem]:
        return await self._source.check()

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        began = self._clock.monotonic()
        # One that goes on in the middle read its first pages long ago.
        anew = cursor is None or not msgspec.json.decode(cursor).get("place")
        async for batch in self._slowly(lambda: self._source.read(cursor)):
            yield batch
        if anew:
            self._clinic.complete_from = began

    async def tick(self, cursor: str, watched: Collection[RecordRef]) -> AsyncIterator[Batch]:
        async for batch in self._slowly(lambda: self._source.tick(cursor, watched)):
            yield batch

    async def _slowly(self, read: Callable[[], AsyncIterator[Batch]]) -> AsyncIterator[Batch]:
        self._clinic.tables.sync()
        async for batch in read():
            if self._clinic.failing and self._chance.random() < 0.05:
                raise OutageError("the clinic's server does not answer")
            yield batch
            if self._chance.random() < 0.3:
                await self._clock.sleep(self._chance.random() * 20)
            self._clinic.tables.sync()

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        if self._clinic.failing and self._chance.random() < 0.1:
            raise OutageError("the clinic's server does not answer")
        self._clinic.tables.sync()
        return await self._source.fetch(refs)

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        self._clinic.tables.sync()
        return await self._source.keys(kind, since, until)

    async def close(self) -> None:
        await self._source.close()
