"""What administrators and doctors decide during a living day, one decision a function, on an open database."""

import sqlite3
from collections.abc import Collection
from datetime import datetime, time, timedelta
from random import Random

from connectors.ident.sandbox import finding, phones, program, visits
from connectors.ident.sandbox.billing import SERVICES
from connectors.ident.sandbox.finding import ProgramError, Slot
from connectors.ident.sandbox.names import FATHERS, MEN, SURNAMES, WOMEN, feminine

AROUND = timedelta(minutes=30)
_QUIET = timedelta(days=3)
_DAYS_AHEAD = 30
_LENGTHS = (30, 45, 60)
_PRICES = [price for _, price in SERVICES if price]

_EXPECTED = """
SELECT ID FROM Receptions WHERE PlanStart BETWEEN ? AND ? AND ID_Patients IS NOT NULL AND ReceptionCanceled IS NULL
AND PatientAppeared IS NULL AND ReceptionStarted IS NULL AND ReceptionEnded IS NULL ORDER BY PlanStart, ID
"""
_AHEAD = """
SELECT ID, ID_Patients, ID_Staffs FROM Receptions
WHERE PlanStart > ? AND ID_Patients IS NOT NULL AND ReceptionCanceled IS NULL AND PatientAppeared IS NULL
ORDER BY PlanStart, ID LIMIT 300
"""
_STIRRED = """
SELECT DISTINCT ID_Patients FROM Receptions WHERE ID_Patients IS NOT NULL
AND (DateTimeAdded > ? OR ReceptionCanceled > ? OR PlanStart > ?)
"""


def full_name(chance: Random) -> str:
    """«Орешкина Вера Ивановна»: how an administrator enters somebody new."""
    woman = chance.random() < 0.58
    surname = chance.choice(SURNAMES)
    first = chance.choice(WOMEN if woman else MEN)
    return f"{feminine(surname) if woman else surname} {first} {chance.choice(FATHERS)[woman]}"


def expected(connection: sqlite3.Connection, now: datetime, known: Collection[int]) -> int | None:
    """The first visit planned around now to which nobody has come yet, other than those in `known`."""
    rows = connection.execute(_EXPECTED, (str(now - AROUND), str(now + AROUND)))
    return next((row["ID"] for row in rows.fetchall() if row["ID"] not in known), None)


def walk_in(connection: sqlite3.Connection, now: datetime, chance: Random, phone: str) -> int:
    """Somebody new stands at the desk and is seen as soon as a chair is free. Raises ProgramError if none is."""
    begins = now.replace(second=0) + timedelta(minutes=5 - now.minute % 5)
    slot = finding.free_slot(connection, begins, chance.choice(_LENGTHS))
    name = full_name(chance)
    return program.book(connection, now, name=name, phone=phone, slot=slot, source=visits.WALK_IN)


def book_caller(connection: sqlite3.Connection, now: datetime, chance: Random, phone: str) -> int:
    """A person with this phone, of whom we had only a lead, is booked."""
    slot = slot_ahead(connection, now, chance)
    return program.book(connection, now, name=full_name(chance), phone=phone, slot=slot)


def book_patient_of_old(connection: sqlite3.Connection, now: datetime, chance: Random) -> int | None:
    """Somebody with nothing ahead and nothing new comes back; None where all have."""
    recent = str(now - _QUIET)
    stirred = {row["ID_Patients"] for row in connection.execute(_STIRRED, (recent, recent, str(now)))}
    rows = connection.execute("SELECT ID_Persons FROM Patients ORDER BY ID_Persons").fetchall()
    quiet = [row["ID_Persons"] for row in rows if row["ID_Persons"] not in stirred]
    if not quiet:
        return None
    return program.book_again(connection, now, chance.choice(quiet), slot_ahead(connection, now, chance))


def give_up(connection: sqlite3.Connection, now: datetime, chance: Random) -> sqlite3.Row | None:
    """A visit ahead is cancelled for good; its ID, ID_Patients and ID_Staffs, or None where there is none."""
    row = one_ahead(connection, now, chance)
    if row is not None:
        reasons = [name for code, name in visits.CANCEL_REASONS if code != visits.MOVED]
        program.cancel(connection, now, row["ID"], chance.choice(reasons))
    return row


def put_off(connection: sqlite3.Connection, now: datetime, chance: Random) -> int | None:
    """A visit ahead is moved to another day; one in six does not know yet to which. The number that was moved."""
    row = one_ahead(connection, now, chance)
    if row is None:
        return None
    if chance.random() < 1 / 6:
        program.cancel(connection, now, row["ID"], "Перенос")
    else:
        program.move(connection, now, row["ID"], slot_ahead(connection, now, chance, row["ID_Staffs"]))
    return int(row["ID"])


def ask(connection: sqlite3.Connection, now: datetime, chance: Random, phone: str) -> int:
    """Somebody asks, from this phone; one time in four it is a patient with a visit ahead, from their own."""
    if chance.random() < 0.25 and (row := one_ahead(connection, now, chance)):
        (cell,) = connection.execute(
            "SELECT MobilePhone FROM Persons WHERE ID = ?", (row["ID_Patients"],)
        ).fetchone()
        phone = next(iter(phones.written(cell)), phone)
    name, result = chance.choice(MEN + WOMEN), chance.choice(("Узнавали цену", "Подумает", "Перезвонит сам"))
    return program.enquiry(connection, now, phone=phones.typed(chance, phone), name=name, result=result)


def bill(connection: sqlite3.Connection, now: datetime, chance: Random, number: int) -> None:
    amount = sum(chance.sample(_PRICES, chance.choice((1, 1, 2))))
    program.finish(connection, now, number, amount, insured=chance.random() < 0.08)


def one_ahead(connection: sqlite3.Connection, now: datetime, chance: Random) -> sqlite3.Row | None:
    """A visit ahead whose patient has no other entry of the last day, so that cancelling it cannot look like a
    reschedule by accident.
    """
    since = str(now - timedelta(hours=25))
    fresh = connection.execute(
        "SELECT ID, ID_Patients FROM Receptions WHERE DateTimeAdded > ?", (since,)
    ).fetchall()
    rows = [
        row
        for row in connection.execute(_AHEAD, (str(now + AROUND),)).fetchall()
        if not any(other["ID_Patients"] == row["ID_Patients"] and other["ID"] != row["ID"] for other in fresh)
    ]
    return chance.choice(rows) if rows else None


def slot_ahead(
    connection: sqlite3.Connection, now: datetime, chance: Random, doctor: int | None = None
) -> Slot:
    """A free place within the coming month, in working hours. Raises ProgramError if none of the tried ones is."""
    for tries in range(20, 0, -1):
        day = now.date() + timedelta(days=chance.randint(1, _DAYS_AHEAD))
        start = datetime.combine(day, time(chance.randint(9, 19), chance.choice((0, 15, 30, 45))))
        try:
            return finding.free_slot(connection, start, chance.choice(_LENGTHS), doctor=doctor)
        except ProgramError:
            if tries == 1:
                raise
    raise AssertionError("the loop returns or raises")
