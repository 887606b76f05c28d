"""How an appointment is shown to a person: in Russian, on a few lines."""

import sqlite3
from datetime import datetime, timedelta

from connectors.ident.sandbox import finding

_DIARY = """
SELECT r.ID, r.PlanStart, r.PlanEnd, r.ReceptionCanceled, r.CheckIssued, r.ReceptionEnded, r.ReceptionStarted,
       r.PatientAppeared, r.ID_ReceptionsTransferFrom, c.Name AS reason, r.CancelReasonComment AS remark,
       p.Surname || ' ' || p.Name || COALESCE(' ' || p.Patronymic, '') AS patient, p.MobilePhone AS phone,
       d.Surname || ' ' || d.Name || COALESCE(' ' || d.Patronymic, '') AS doctor, o.Name AS branch, a.NameArmchair AS room,
       r.DateTimeAdded
FROM Receptions r JOIN Persons p ON p.ID = r.ID_Patients LEFT JOIN Persons d ON d.ID = r.ID_Staffs
LEFT JOIN Armchairs a ON a.ID = r.ID_Armchairs LEFT JOIN OwnCompanies o ON o.ID = a.ID_OwnCompanies
LEFT JOIN ReceptionCancelReasons c ON c.ID = r.ID_ReceptionCancelReasons
"""
_LINES = 20


def card(connection: sqlite3.Connection, number: int, now: datetime) -> str:
    """One appointment in full. Raises ProgramError if there is none."""
    finding.reception(connection, number)
    row = connection.execute(_DIARY + "WHERE r.ID = ?", (number,)).fetchone()
    (amount,) = connection.execute(
        "SELECT SUM(l.CountService * s.Price - COALESCE(l.DiscountSum, 0)) FROM Orders o"
        " JOIN OrderServiceRelation l ON l.ID_Orders = o.ID JOIN ServiceItemPrices s ON s.ID = l.ID_ServicePrices"
        " WHERE o.ID_Receptions = ?",
        (number,),
    ).fetchone()
    after = connection.execute(
        "SELECT ID FROM Receptions WHERE ID_ReceptionsTransferFrom = ? ORDER BY ID", (number,)
    ).fetchone()
    lines = [
        f"Приём № {row['ID']}: {_when(row)}, {status(row, now)}",
        f"  Пациент: {row['patient']}, {row['phone'] or 'без телефона'}",
        f"  Врач: {row['doctor']}; {row['branch']}, {row['room']}",
        f"  Внесено: {datetime.fromisoformat(row['DateTimeAdded']):%d.%m.%Y %H:%M}",
    ]
    if row["ID_ReceptionsTransferFrom"]:
        lines.append(f"  Перенесён с записи № {row['ID_ReceptionsTransferFrom']}")
    if after:
        lines.append(f"  Перенесён на запись № {after['ID']}")
    if amount is not None:
        lines.append(f"  Сумма: {amount} ₽")
    return "\n".join(lines)


def diary(connection: sqlite3.Connection, now: datetime) -> str:
    """The next appointments, those that began in the last hour among them."""
    rows = connection.execute(
        _DIARY + "WHERE r.PlanStart >= ? ORDER BY r.PlanStart, r.ID LIMIT ?",
        (str(now - timedelta(hours=1)), _LINES),
    ).fetchall()
    if not rows:
        return "Впереди записей нет"
    return "\n".join(
        f"№ {row['ID']:<7} {_when(row)}  {row['patient']}  — {row['doctor']}, {status(row, now)}"
        for row in rows
    )


def status(row: sqlite3.Row, now: datetime) -> str:
    if row["ReceptionCanceled"]:
        return "отменён: " + ", ".join(part for part in (row["reason"], row["remark"]) if part)
    if row["CheckIssued"]:
        return "завершён, счёт выдан"
    if row["ReceptionEnded"]:
        return "завершён"
    if row["ReceptionStarted"]:
        return "идёт приём"
    if row["PatientAppeared"]:
        return "пациент пришёл"
    return "не пришёл" if datetime.fromisoformat(row["PlanEnd"]) < now else "запланирован"


def _when(row: sqlite3.Row) -> str:
    start, end = (datetime.fromisoformat(row[name]) for name in ("PlanStart", "PlanEnd"))
    return f"{start:%d.%m.%Y %H:%M}–{end:%H:%M}"
