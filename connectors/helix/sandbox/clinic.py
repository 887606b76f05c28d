"""The demo clinic's own books: who is booked when, and what became of it. The files are written from these."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from connectors.helix.sandbox.people import DOCTORS, SURGEON, Person, caller, people
from kreslo.connectors.errors import ConfigurationError

ZONE_NAME = "Europe/Moscow"
ZONE = ZoneInfo(ZONE_NAME)
AHEAD = 14
"""Days that the snapshot of visits reaches ahead."""

_BACK = 60
_ASLEEP = 181
_SEEN_LAST = (152, 178)
"""Days since the last visit of people who are due for a check-up; all their others are older."""
_YEARS = 8
_MINUTES = 30


class Visit(msgspec.Struct):
    """`start` is local. `state`: booked, arrived, done, cancelled. `waited`: the patient was on the waiting list."""

    id: int
    patient: int
    start: datetime
    doctor: int
    state: str = "booked"
    amount: int = 0
    waited: bool = False


class Form(msgspec.Struct, frozen=True):
    id: int
    name: str
    phone: str
    at: datetime


class Listed(msgspec.Struct, frozen=True):
    """A row of one of the lists that 1C makes. `at`: when it was first in it; `start`: of the visit that it speaks of."""

    campaign: str
    patient: int
    at: datetime
    start: datetime | None = None
    doctor: int = 0
    mark: str = ""

    def told(self) -> tuple[str, int, datetime | None, str]:
        """What makes it this row and no other."""
        return self.campaign, self.patient, self.start, self.mark


class Books(msgspec.Struct):
    """`older`: how many visits are in the files of history alone; `dormant`: of these, the last ones of people who have not
    been here for months.
    """

    people: list[Person]
    visits: list[Visit]
    forms: list[Form] = []
    lists: list[Listed] = []
    dormant: list[Visit] = []
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
    few = max(3, count // 50)
    for person in books.people[:few]:  # they waited for a place, and have been here for the first time
        number += 1
        visit = _visit(chance, number, person.id, today - timedelta(days=chance.randint(1, 5)), "done")
        visit.waited = True
        books.visits.append(visit)
    asleep = range(few + 1, 2 * few + 1)
    for person in books.people[few:]:
        last = _ASLEEP if person.id in asleep else _BACK
        for place in range(chance.randint(1, 6)):
            number += 1
            ago = chance.randint(last, _YEARS * 365)
            if person.id in asleep and not place:
                ago = chance.randint(*_SEEN_LAST)
            day = today - timedelta(days=ago)
            visit = _visit(chance, number, person.id, day, "done")
            history.setdefault(day.year, []).append(visit)
            if person.id in asleep and not place:
                books.dormant.append(visit)
    books.older = number - few
    awake = range(2 * few + 1, count + 1)
    for offset in range(-_BACK + 1, AHEAD):
        day = today + timedelta(days=offset)
        for patient in chance.sample(awake, min(len(awake), chance.randint(8, 16))):
            number += 1
            visit = _visit(chance, number, patient, day, "booked")
            called_off = chance.random() < 0.1
            if visit.start < now - timedelta(minutes=_MINUTES):
                visit.state = "done"
            if called_off:
                visit.state = "cancelled"
            books.visits.append(visit)
        if abs(offset) == 1:
            # Whatever chance says, the surgeon has somebody yesterday and tomorrow.
            next(
                visit for visit in books.visits if visit.start.date() == day and visit.state != "cancelled"
            ).doctor = SURGEON
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
    visit.waited = chance.random() < 0.2
    books.visits.append(visit)
    return visit


def _visit(chance: Random, number: int, patient: int, day: date, state: str) -> Visit:
    # The number makes the minute: no patient is in two chairs at once.
    start = datetime.combine(day, time(9)) + timedelta(minutes=_MINUTES * chance.randint(0, 18), seconds=0)
    amount = chance.choice((0, 900, 1500, 2400, 4200, 12500)) if chance.random() < 0.95 else 38000
    return Visit(number, patient, start, chance.randrange(len(DOCTORS)), state, amount)
