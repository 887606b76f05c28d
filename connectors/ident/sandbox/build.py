"""Makes the database file of a demo clinic."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

from connectors.ident.sandbox import billing, enquiries, history, people, recalls, scenes, visits
from connectors.ident.sandbox.moments import local
from connectors.ident.sandbox.people import PatientRow
from connectors.ident.sandbox.visits import Visit
from kreslo.connectors.errors import ConfigurationError

SMALLEST = scenes.CAST + 4


def create(path: Path, *, seed: int, now: datetime, patients: int) -> None:
    """Make the file; the same seed, `now` and size give the same clinic. It appears whole or not at all.
    Raises ConfigurationError if there is a file already, or with fewer patients than the scenes need.
    """
    if patients < SMALLEST:
        raise ConfigurationError(f"a demo clinic needs at least {SMALLEST} patients, not {patients}")
    if path.exists():
        raise ConfigurationError(
            f"{path} exists already: remove it, or name another file for the demo clinic"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        # Half a file is thrown away, so nothing needs to be safe until the end.
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))
        connection.execute("BEGIN")
        _fill(connection, seed, local(now), patients)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    part.replace(path)


def _fill(connection: sqlite3.Connection, seed: int, now: datetime, count: int) -> None:
    chance = Random(f"{seed}/people")
    roster = people.patients(chance, count, now.date())
    cast, crowd = roster[-scenes.CAST - 1 : -1], roster[: -scenes.CAST - 1] + roster[-1:]
    diary = history.write(Random(f"{seed}/history"), crowd, now)
    scenes.play(Random(f"{seed}/scenes"), diary, cast)
    rows = sorted(diary.rows, key=lambda row: (row.added, row.chair, row.start))
    for number, row in enumerate(rows, 1):
        row.id = number
    ledger = billing.settle(Random(f"{seed}/money"), rows)
    asked = enquiries.write(Random(f"{seed}/enquiries"), rows, now, count)
    _write_house(connection)
    _write_people(connection, roster, rows, now)
    _insert(connection, "Receptions", _RECEPTION, (_reception(row) for row in rows))
    _insert(
        connection,
        "Orders",
        "ID ID_Receptions ID_OwnCompanies DateTimeOrder DateTimeBillFormed",
        ledger.orders,
    )
    _insert(
        connection,
        "OrderServiceRelation",
        "ID ID_Orders ID_ServicePrices CountService DiscountSum",
        ledger.lines,
    )
    _insert(
        connection,
        "OrderPaymentsJournal",
        "ID_Orders DateTimeBill ID_Patients ID_Staffs IsBillFormed IsShop Amount AmountWithDiscount WarrantyAmount"
        " InsuranceAmount InsuranceRejectedAmount InsuranceConfirmedAmount HasWarranty HasInsurance HasCoupon Debt",
        ledger.journal,
    )
    _insert(
        connection,
        "PaymentsIn",
        "ID DateTimePayment DatePayment Payment ID_Patients ID_OwnCompanies ID_CashDescs ID_ServiceGroups ID_Staffs",
        ledger.payments,
    )
    _insert(
        connection,
        "KresloDemoEnquiries",
        "DateTimeAdded Phone Name Result Source",
        ((str(at), *rest) for at, *rest in asked),
    )
    professions = {member.id: member.professions[0] for member in people.STAFF}
    _insert(
        connection,
        "ScheduledReceptions",
        recalls.COLUMNS,
        recalls.write(Random(f"{seed}/recalls"), rows, professions, now),
    )


def _write_house(connection: sqlite3.Connection) -> None:
    _insert(connection, "OwnCompanies", "ID Name", ((number, name) for number, name, _ in people.BRANCHES))
    _insert(connection, "Armchairs", "ID NameArmchair ID_OwnCompanies", people.CHAIRS)
    _insert(connection, "ProfessionNames", "ID NameProfession ID_Roles Archive", people.PROFESSIONS)
    _insert(connection, "ReceptionCancelReasons", "ID Name", visits.CANCEL_REASONS)
    _insert(connection, "AppointmentSources", "ID Name", visits.SOURCES)
    _insert(connection, "InfoSources", "ID Name", people.INFO_SOURCES)
    _insert(
        connection, "ServiceItems", "ID Name", ((n, name) for n, (name, _) in enumerate(billing.SERVICES, 1))
    )
    _insert(connection, "ServiceItemPrices", "ID ID_ServiceItems Price", billing.price_rows())
    _insert(connection, "Staffs", "ID_Persons Archive", ((member.id, 0) for member in people.STAFF))
    _insert(
        connection,
        "Items",
        "ID_Staffs ID_ProfessionNames",
        ((member.id, profession) for member in people.STAFF for profession in member.professions),
    )


def _write_people(
    connection: sqlite3.Connection, roster: Sequence[PatientRow], rows: Iterable[Visit], now: datetime
) -> None:
    first: dict[int, datetime] = {}
    for row in rows:
        if row.patient and row.started:
            person = row.patient.person.id
            first[person] = min(first.get(person, row.start), row.start)
    own = {row.person.id: row.person for row in roster}
    staff: list[tuple[Any, ...]] = [
        (s.id, s.surname, s.name, s.patronymic, own[s.id].birthday, own[s.id].mobile, None)
        if s.id in own
        else (s.id, s.surname, s.name, s.patronymic, None, None, None)
        for s in people.STAFF
    ]
    treated: list[tuple[Any, ...]] = [
        (p.id, p.surname, p.name, p.patronymic, p.birthday, p.mobile, p.phone)
        for p in own.values()
        if p.id >= people.FIRST_PATIENT
    ]
    _insert(connection, "Persons", "ID Surname Name Patronymic Birthday MobilePhone Phone", staff + treated)
    _insert(
        connection,
        "Patients",
        "ID_Persons FirstVisit FirstConsultation ParentSNP CardNumber Comment ID_InfoSources ConformToSending"
        " SMSRejection PatientNumber Status DateTimeChanged",
        (_patient(row, number, first.get(row.person.id), now) for number, row in enumerate(roster, 1)),
    )


def _patient(row: PatientRow, number: int, first: datetime | None, now: datetime) -> tuple[Any, ...]:
    seen = str(first) if first else None
    # iDent writes when a card was last edited; of those who never came we only know that it was before now.
    return (
        row.person.id, seen, seen, row.parent, f"К-{number:05}", row.comment, row.info_source,
        int(not row.refuses_sms), int(row.refuses_sms), number, 1, seen or str(now.replace(hour=0, minute=0, second=0)),
    )  # fmt: skip


_RECEPTION = (
    "ID ID_Patients ID_Staffs ID_Armchairs PlanStart PlanEnd Comment ReceptionAdded ID_StaffsReceptionAdded"
    " DateTimeNotified IsNotified PatientAppeared ReceptionStarted ReceptionEnded CheckIssued ReceptionCanceled"
    " ID_ReceptionCancelReasons CancelReasonComment ID_StaffsReceptionCanceled ID_ReceptionsTransferFrom"
    " ID_AppointmentSources ID_StaffsAdded DateTimeAdded DateTimeChanged"
)


def _reception(row: Visit) -> tuple[Any, ...]:
    added = str(row.added)
    return (
        row.id, row.patient.person.id if row.patient else None, row.doctor, row.chair, str(row.start), str(row.end),
        row.comment, added, row.registrar, _text(row.notified), int(row.notified is not None), _text(row.appeared),
        _text(row.started), _text(row.ended), _text(row.billed), _text(row.cancelled), row.reason, row.reason_comment,
        row.registrar if row.cancelled else None, row.moved_from.id if row.moved_from else None, row.source,
        row.registrar, added, _text(row.changed),
    )  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return str(moment) if moment else None


def _insert(connection: sqlite3.Connection, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """`columns`: their names, parted by spaces. Names come from this file only."""
    names = columns.split()
    marks = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608
