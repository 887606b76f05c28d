"""What staff do in the clinic's program, as changes of its database. Each function is one transaction.

Times are naive local; `now` is when it is done. As at real sites, DateTimeChanged moves when the plan is edited and
not when a status instant is set: who reads must look at each instant.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.ident.sandbox import phones, visits
from connectors.ident.sandbox.people import REGISTRARS


class ProgramError(Exception):
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
            connection.execute("SELECT 1 FROM Receptions LIMIT 1")
        except sqlite3.DatabaseError as error:
            raise ProgramError(f"{path} — не база демо-клиники") from error
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


# --- finding --------------------------------------------------------------------------------------------------------


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
    """A free chair at that time, and a doctor who is free too. `leaving`: the appointment whose own time counts as
    free, since it is being moved. Raises ProgramError where there is none.
    """
    end = start + timedelta(minutes=minutes)
    taken = connection.execute(
        "SELECT ID_Staffs, ID_Armchairs FROM Receptions"
        " WHERE PlanStart < ? AND PlanEnd > ? AND ReceptionCanceled IS NULL AND ID <> ?",
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


# --- doing ----------------------------------------------------------------------------------------------------------


def patient(connection: sqlite3.Connection, now: datetime, name: str, phone: str) -> int:
    """The patient of that surname, name and phone; entered as a new one if there is none. Part of a transaction.
    `name`: «Иванова Мария», with or without the patronymic. Raises ProgramError.
    """
    surname, first, patronymic = _name_parts(name)
    numbers = phones.written(phone)
    if len(numbers) != 1:
        raise ProgramError(
            f"Телефон «{phone}» не читается: нужен один полный номер, например +7 900 123-45-67"
        )
    namesakes = connection.execute(
        "SELECT p.ID, p.MobilePhone FROM Persons p JOIN Patients t ON t.ID_Persons = p.ID"
        " WHERE p.Surname = ? AND p.Name = ? AND ? IN ('', p.Patronymic) ORDER BY p.ID",
        (surname, first, patronymic),
    ).fetchall()
    for row in namesakes:
        if numbers[0] in phones.written(row["MobilePhone"]):
            return int(row["ID"])
    number = _insert(
        connection,
        "Persons",
        {"Surname": surname, "Name": first, "Patronymic": patronymic or None, "MobilePhone": phone.strip()},
    )
    (last,) = connection.execute("SELECT COALESCE(MAX(PatientNumber), 0) FROM Patients").fetchone()
    _insert(
        connection,
        "Patients",
        {
            "ID_Persons": number,
            "CardNumber": f"К-{last + 1:05}",
            "PatientNumber": last + 1,
            "ConformToSending": 1,
            "SMSRejection": 0,
            "Status": 1,
            "DateTimeChanged": str(now),
        },
    )
    return number


def book(
    connection: sqlite3.Connection,
    now: datetime,
    *,
    name: str,
    phone: str,
    slot: Slot,
    source: int = visits.BY_PHONE,
    comment: str | None = None,
) -> int:
    """Book a visit for a patient, known or new; the appointment's number. Raises ProgramError."""
    with transaction(connection):
        who = patient(connection, now, name, phone)
        return _enter(connection, now, who, slot, source=source, comment=comment)


def book_again(connection: sqlite3.Connection, now: datetime, who: int, slot: Slot) -> int:
    """Book a visit for a known patient, by Persons.ID; the appointment's number."""
    with transaction(connection):
        return _enter(connection, now, who, slot, source=visits.BY_PHONE)


def move(connection: sqlite3.Connection, now: datetime, number: int, slot: Slot) -> int:
    """Move a visit: the old row is cancelled as «Перенос», a new one points to it; the new number."""
    with transaction(connection):
        old = reception(connection, number)
        _still_open(old)
        _cancel(connection, now, number, visits.MOVED, None)
        new = _enter(
            connection,
            now,
            old["ID_Patients"],
            slot,
            source=old["ID_AppointmentSources"],
            comment=old["Comment"],
        )
        connection.execute("UPDATE Receptions SET ID_ReceptionsTransferFrom = ? WHERE ID = ?", (number, new))
        return new


def cancel(connection: sqlite3.Connection, now: datetime, number: int, reason: str = "") -> None:
    """Cancel a visit, even one that took place (a late correction). `reason`: one of the dictionary's, or any text,
    which then is the comment of a patient's refusal.
    """
    with transaction(connection):
        row = reception(connection, number)
        if row["ReceptionCanceled"]:
            raise ProgramError(f"Запись № {number} уже отменена {_shown(row['ReceptionCanceled'])}")
        known = {name.casefold(): number for number, name in visits.CANCEL_REASONS}
        code = known.get(reason.strip().casefold(), visits.REFUSED)
        free_text = reason.strip() if reason.strip().casefold() not in known else ""
        _cancel(connection, now, number, code, free_text or None)


def arrive(connection: sqlite3.Connection, now: datetime, number: int) -> None:
    """The patient is at the desk."""
    with transaction(connection):
        row = reception(connection, number)
        _still_open(row)
        if row["PatientAppeared"]:
            raise ProgramError(f"Пациент по записи № {number} уже пришёл {_shown(row['PatientAppeared'])}")
        connection.execute("UPDATE Receptions SET PatientAppeared = ? WHERE ID = ?", (str(now), number))


def start(connection: sqlite3.Connection, now: datetime, number: int) -> None:
    """The doctor has begun."""
    with transaction(connection):
        _still_open(reception(connection, number))
        connection.execute(
            "UPDATE Receptions SET ReceptionStarted = ?, PatientAppeared = COALESCE(PatientAppeared, ?) WHERE ID = ?",
            (str(now), str(now), number),
        )


def end(connection: sqlite3.Connection, now: datetime, number: int) -> None:
    """The doctor has ended; the bill follows."""
    with transaction(connection):
        _still_open(reception(connection, number))
        _ended(connection, now, number)


def finish(
    connection: sqlite3.Connection, now: datetime, number: int, amount: int, *, insured: bool = False
) -> None:
    """End the visit, if it has not ended, and bill it for `amount` roubles. Billed a second time, the amount is
    corrected and the bill is issued anew. `insured`: the insurer pays all of it.
    """
    if amount < 0:
        raise ProgramError(f"Сумма не бывает отрицательной: {amount}")
    with transaction(connection):
        row = reception(connection, number)
        if row["ReceptionCanceled"]:
            raise ProgramError(
                f"Запись № {number} отменена {_shown(row['ReceptionCanceled'])}: завершать нечего"
            )
        _ended(connection, now, number)
        connection.execute("UPDATE Receptions SET CheckIssued = ? WHERE ID = ?", (str(now), number))
        connection.execute(
            "UPDATE Patients SET FirstVisit = COALESCE(FirstVisit, ?), DateTimeChanged = ? WHERE ID_Persons = ?",
            (row["PlanStart"], str(now), row["ID_Patients"]),
        )
        _bill(connection, now, row, amount, insured=insured)


def enquiry(
    connection: sqlite3.Connection,
    now: datetime,
    *,
    phone: str,
    name: str = "",
    result: str = "",
    source: str = "Звонок",
) -> int:
    """Somebody asked and was not booked; the enquiry's number."""
    if not phones.written(phone):
        raise ProgramError(f"Телефон «{phone}» не читается: нужен полный номер, например +7 900 123-45-67")
    with transaction(connection):
        return _insert(
            connection,
            "KresloDemoEnquiries",
            {
                "DateTimeAdded": str(now),
                "Phone": phone.strip(),
                "Name": name,
                "Result": result,
                "Source": source,
            },
        )


# --- parts ----------------------------------------------------------------------------------------------------------


def _enter(
    connection: sqlite3.Connection,
    now: datetime,
    who: int,
    slot: Slot,
    *,
    source: int | None,
    comment: str | None = None,
) -> int:
    staff = REGISTRARS.get(slot.branch, REGISTRARS[1])[0]
    return _insert(
        connection,
        "Receptions",
        {
            "ID_Patients": who,
            "ID_Staffs": slot.doctor,
            "ID_Armchairs": slot.chair,
            "PlanStart": str(slot.start),
            "PlanEnd": str(slot.end),
            "Comment": comment,
            "ReceptionAdded": str(now),
            "ID_StaffsReceptionAdded": staff,
            "IsNotified": 0,
            "ID_AppointmentSources": source,
            "ID_StaffsAdded": staff,
            "DateTimeAdded": str(now),
        },
    )


def _cancel(
    connection: sqlite3.Connection, now: datetime, number: int, reason: int, comment: str | None
) -> None:
    connection.execute(
        "UPDATE Receptions SET ReceptionCanceled = ?, ID_ReceptionCancelReasons = ?, CancelReasonComment = ?,"
        " ID_StaffsReceptionCanceled = ID_StaffsAdded WHERE ID = ?",
        (str(now), reason, comment, number),
    )


def _ended(connection: sqlite3.Connection, now: datetime, number: int) -> None:
    """Fill in what must have happened before; what is written stays."""
    connection.execute(
        "UPDATE Receptions SET PatientAppeared = COALESCE(PatientAppeared, ?),"
        " ReceptionStarted = COALESCE(ReceptionStarted, ?), ReceptionEnded = COALESCE(ReceptionEnded, ?) WHERE ID = ?",
        (str(now), str(now), str(now), number),
    )


def _bill(
    connection: sqlite3.Connection, now: datetime, row: sqlite3.Row, amount: int, *, insured: bool
) -> None:
    old = connection.execute("SELECT ID FROM Orders WHERE ID_Receptions = ?", (row["ID"],)).fetchall()
    for order in old:
        connection.execute("DELETE FROM OrderServiceRelation WHERE ID_Orders = ?", (order["ID"],))
        connection.execute("DELETE FROM OrderPaymentsJournal WHERE ID_Orders = ?", (order["ID"],))
        connection.execute("DELETE FROM Orders WHERE ID = ?", (order["ID"],))
    (branch,) = connection.execute(
        "SELECT ID_OwnCompanies FROM Armchairs WHERE ID = ?", (row["ID_Armchairs"],)
    ).fetchone()
    stamp = str(now)
    order_id = _insert(
        connection,
        "Orders",
        {
            "ID_Receptions": row["ID"],
            "ID_OwnCompanies": branch,
            "DateTimeOrder": stamp,
            "DateTimeBillFormed": stamp,
        },
    )
    _insert(
        connection,
        "OrderServiceRelation",
        {
            "ID_Orders": order_id,
            "ID_ServicePrices": _price(connection, amount),
            "CountService": 1,
            "DiscountSum": 0,
        },
    )
    covered = amount if insured else 0
    _insert(
        connection,
        "OrderPaymentsJournal",
        {
            "ID_Orders": order_id,
            "DateTimeBill": stamp,
            "ID_Patients": row["ID_Patients"],
            "ID_Staffs": row["ID_Staffs"],
            "IsBillFormed": 1,
            "Amount": amount,
            "AmountWithDiscount": amount,
            "InsuranceAmount": covered,
            "HasInsurance": int(insured),
            "Debt": 0,
        },
    )
    if amount > covered and not old:
        _insert(
            connection,
            "PaymentsIn",
            {
                "DateTimePayment": stamp,
                "DatePayment": stamp[:10],
                "Payment": amount - covered,
                "ID_Patients": row["ID_Patients"],
                "ID_OwnCompanies": branch,
            },
        )


def _price(connection: sqlite3.Connection, amount: int) -> int:
    """A row of the price list that costs this much; one is added where there is none."""
    row = connection.execute(
        "SELECT ID FROM ServiceItemPrices WHERE Price = ? ORDER BY ID", (amount,)
    ).fetchone()
    if row:
        return int(row["ID"])
    return _insert(connection, "ServiceItemPrices", {"ID_ServiceItems": 1, "Price": amount})


def _still_open(row: sqlite3.Row) -> None:
    if row["ReceptionCanceled"]:
        raise ProgramError(f"Запись № {row['ID']} отменена {_shown(row['ReceptionCanceled'])}")
    if row["ReceptionEnded"] or row["CheckIssued"]:
        raise ProgramError(
            f"Приём № {row['ID']} уже завершён {_shown(row['ReceptionEnded'] or row['CheckIssued'])}"
        )


def _name_parts(name: str) -> tuple[str, str, str]:
    words = name.split()
    if len(words) not in (2, 3):
        raise ProgramError(f"Имя «{name}»: напишите фамилию, имя и, если есть, отчество")
    surname, first, *rest = words
    return surname, first, " ".join(rest)


def _shown(stamp: str) -> str:
    return f"{datetime.fromisoformat(stamp):%d.%m.%Y %H:%M}"


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> int:
    """Names come from this file only."""
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",  # noqa: S608
        tuple(values.values()),
    )
    return int(cursor.lastrowid or 0)
