"""What staff do in the clinic's program, as changes of its database. Each function is one transaction.

Times are naive local; `now` is when it is done. As at real sites, DateTimeChanged moves when the plan is edited and
not when a status instant is set: who reads must look at each instant.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from connectors.ident.sandbox import phones, visits
from connectors.ident.sandbox.finding import ProgramError, Slot, reception
from connectors.ident.sandbox.people import REGISTRARS


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


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
