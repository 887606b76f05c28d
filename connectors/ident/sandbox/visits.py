"""A row of Receptions while the clinic is being made, and what can become of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connectors.ident.sandbox.people import PatientRow

REFUSED, ILL, DOCTOR_ILL, MOVED, UNREACHED, MISTAKE = 1, 2, 3, 4, 5, 6
CANCEL_REASONS = (  # ReceptionCancelReasons
    (REFUSED, "Отказ пациента"),
    (ILL, "Болезнь пациента"),
    (DOCTOR_ILL, "Болезнь врача"),
    (MOVED, "Перенос"),
    (UNREACHED, "Не дозвонились"),
    (MISTAKE, "Ошибка записи"),
)
SOURCES = (
    (1, "Звонок"),
    (2, "Сайт"),
    (3, "На приёме"),
    (4, "Мессенджер"),
    (5, "Без записи"),
)  # AppointmentSources
BY_PHONE, BY_SITE, AT_VISIT, BY_CHAT, WALK_IN = 1, 2, 3, 4, 5

_COMMENTS = {
    REFUSED: ("передумал", "дорого", "нашли ближе к дому", None),
    ILL: ("ОРВИ", "температура", None),
    DOCTOR_ILL: ("врач на больничном",),
    MOVED: ("Перенос по просьбе пациента", "перенос, неудобное время", None),
    UNREACHED: ("не берёт трубку", None),
    MISTAKE: ("дубль", "не тот пациент"),
}


@dataclass(slots=True, eq=False)
class Visit:
    """All instants are naive local, to the second. `patient` is None for blocked time."""

    patient: PatientRow | None
    doctor: int
    chair: int
    branch: int
    start: datetime
    end: datetime
    added: datetime
    registrar: int
    source: int | None = None
    comment: str | None = None
    notified: datetime | None = None
    appeared: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    billed: datetime | None = None
    cancelled: datetime | None = None
    reason: int | None = None
    reason_comment: str | None = None
    changed: datetime | None = None
    moved_from: "Visit | None" = None
    id: int = 0


def finish(chance: Random, visit: Visit) -> None:
    """The visit took place, more or less on time."""
    visit.appeared = visit.start - timedelta(minutes=chance.randint(-6, 15))
    visit.started = max(visit.appeared, visit.start) + timedelta(minutes=chance.randint(0, 8))
    visit.ended = max(
        visit.end + timedelta(minutes=chance.randint(-12, 12)), visit.started + timedelta(minutes=5)
    )
    # Some visits are ended and never billed: control, or the bill was forgotten.
    visit.billed = visit.ended + timedelta(minutes=chance.randint(1, 14)) if chance.random() < 0.97 else None


def walk_in(chance: Random, visit: Visit) -> None:
    """Nobody booked it: the row was made when the patient already stood at the desk."""
    visit.added = visit.start - timedelta(minutes=chance.randint(0, 4), seconds=chance.randint(0, 59))
    visit.source = WALK_IN
    finish(chance, visit)
    visit.appeared = visit.added


def cancel(chance: Random, visit: Visit, at: datetime, reason: int) -> None:
    visit.cancelled = at
    visit.reason = reason
    visit.reason_comment = chance.choice(_COMMENTS[reason])


def facts_until(visit: Visit, now: datetime) -> None:
    """Take back what has not happened by `now`, in the order in which it happens."""
    if visit.appeared and visit.appeared > now:
        visit.appeared = None
    if visit.started and visit.started > now:
        visit.started = None
    if visit.ended and visit.ended > now:
        visit.ended = None
    if visit.billed and visit.billed > now:
        visit.billed = None
    if visit.notified and visit.notified > now:
        visit.notified = None
