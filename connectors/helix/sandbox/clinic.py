"""The demo clinic's own books: who is booked when, and what became of it. The files are written from these."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from connectors.helix.sandbox.people import DOCTORS, Person, caller, people
from kreslo.connectors.errors import ConfigurationError

ZONE_NAME = "Europe/Moscow"
ZONE = ZoneInfo(ZONE_NAME)
AHEAD = 14
"""Days that the snapshot of visits reaches ahead."""

_BACK = 60
_YEARS = 8
_MINUTES = 30


class Visit(msgspec.Struct):
    """`start` is local. `state`: booked, arrived, done, cancelled."""

    id: int
    patient: int
    start: datetime
    doctor: int
    state: str = "booked"
    amount: int = 0


class Form(msgspec.Struct, frozen=True):
    id: int
    name: str
    phone: str
    at: datetime


class Books(msgspec.Struct):
    """`older`: how many visits are in the files of history alone."""

    people: list[Person]
    visits: list[Visit]
    forms: list[Form] = []
    older: int = 0
    drops: int = 0


def load(path: Path) -> Books:
    """Raises ConfigurationError where there is no clinic."""
    try:
        return msgspec.json.decode((path / "clinic.json").read_bytes(), type=Books)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"there is no demo clinic in {path}: make one first") from error


def save(path: Path, books: Books) -> None:
    temporary = path / "clinic.json.tmp"
    temporary.write_bytes(msgspec.json.encode(books))
    temporary.replace(path / "clinic.json")


def made(chance: Random, now: datetime, count: int) -> tuple[Books, dict[int, list[Visit]]]:
    """The clinic at `now` (local, naive) and the completed visits of its history by year."""
    today = now.date()
    books = Books(people(chance, count, today), [])
    history: dict[int, list[Visit]] = {}
    number = 0
    for person in books.people:
        for _ in range(chance.randint(1, 6)):
            number += 1
            day = today - timedelta(days=chance.randint(_BACK, _YEARS * 365))
            visit = _visit(chance, number, person.id, day, "done")
            history.setdefault(day.year, []).append(visit)
    books.older = number
    for offset in range(-_BACK + 1, AHEAD):
        day = today + timedelta(days=offset)
        for patient in chance.sample(range(1, count + 1), min(count, chance.randint(8, 16))):
            number += 1
            visit = _visit(chance, number, patient, day, "booked")
            called_off = chance.random() < 0.1
            if visit.start < now - timedelta(minutes=_MINUTES):
                visit.state = "done"
            if called_off:
                visit.state = "cancelled"
            books.visits.append(visit)
    for hours in range(30, 0, -5):
        ask(books, chance, now - timedelta(hours=hours))
    return books, history


def ask(books: Books, chance: Random, now: datetime) -> Form:
    """Somebody writes to the site."""
    number = len(books.forms) + 1
    form = Form(number, *caller(chance, number), at=now)
    books.forms.append(form)
    return form


def book(books: Books, chance: Random, now: datetime) -> Visit:
    """One more visit ahead, of a patient who has none then."""
    number = 1 + max((visit.id for visit in books.visits), default=books.older)
    day = now.date() + timedelta(days=chance.randint(1, AHEAD - 1))
    visit = _visit(chance, number, chance.choice(books.people).id, day, "booked")
    books.visits.append(visit)
    return visit


def _visit(chance: Random, number: int, patient: int, day: date, state: str) -> Visit:
    # The number makes the minute: no patient is in two chairs at once.
    start = datetime.combine(day, time(9)) + timedelta(minutes=_MINUTES * chance.randint(0, 18), seconds=0)
    amount = chance.choice((0, 900, 1500, 2400, 4200, 12500)) if chance.random() < 0.95 else 38000
    return Visit(number, patient, start, chance.randrange(len(DOCTORS)), state, amount)
