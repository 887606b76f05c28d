"""Scenes that every demo clinic must show around `now`, each with a cast of its own, so that they are there whatever
the dice of history.py made, and so that no two of them meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from connectors.ident.sandbox import phones, visits
from connectors.ident.sandbox.history import Diary, registrar
from connectors.ident.sandbox.names import FATHERS, SURNAMES, WOMEN, feminine
from connectors.ident.sandbox.people import FIRST_PATIENT, PatientRow
from connectors.ident.sandbox.rota import SHIFT, shifts
from connectors.ident.sandbox.visits import Visit

CAST = 36
"""How many patients the scenes take."""

_GRID = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Place:
    chair: int
    branch: int
    doctor: int
    start: datetime
    end: datetime


def play(chance: Random, diary: Diary, cast: Sequence[PatientRow]) -> None:
    """Add the scenes to the diary. `cast`: CAST patients without any visit; their phones and kin are set here."""
    _Scenes(chance, diary, cast).all()


def free_place(diary: Diary, day: date, after: datetime, doctor: int | None = None) -> Place | None:
    """The first free hour of that day that begins after `after`; of that doctor, if one is named."""
    for shift in shifts(day):
        if doctor not in (None, shift.doctor):
            continue
        taken = diary.busy[shift.chair, day]
        start = shift.start
        while start + timedelta(hours=1) <= shift.start + SHIFT:
            end = start + timedelta(hours=1)
            if start > after and not any(start < other_end and other < end for other, other_end in taken):
                return Place(shift.chair, shift.branch, shift.doctor, start, end)
            start += _GRID
    return None


class _Scenes:
    def __init__(self, chance: Random, diary: Diary, cast: Sequence[PatientRow]) -> None:
        self.chance = chance
        self.diary = diary
        self.now = diary.now
        self.cast = iter(cast)

    def all(self) -> None:
        self.upcoming()
        self.completed()
        self.cancelled()
        self.rebooked()
        self.moved()
        self.nobody_came()
        self.at_the_clinic()
        self.families()

    # --- the scenes ---------------------------------------------------------------------------------------------

    def upcoming(self) -> None:
        self.book(self.someone(), self.later_today(), self.ago(days=2))
        for days in (1, 1, 3, 20):
            self.book(self.someone(), self.place(days), self.ago(hours=30))

    def completed(self) -> None:
        for days, insured in ((-1, ""), (-4, "flag"), (-6, "silent")):
            who = self.someone()
            who.insured = insured
            self.finish(self.book(who, self.place(days), self.ago(days=9)))
        visit = self.book(self.someone(), self.place(-2), self.ago(days=2))
        visits.walk_in(self.chance, visit)

    def cancelled(self) -> None:
        visit = self.book(self.someone(), self.place(-2), self.ago(days=8))
        visits.cancel(self.chance, visit, self.ago(days=4), visits.ILL)
        visit = self.book(self.someone(), self.place(4), self.ago(days=3))
        visits.cancel(self.chance, visit, self.ago(hours=20), visits.REFUSED)

    def rebooked(self) -> None:
        """No link between the two rows: cancelled, and the same doctor again within the day, before or after."""
        self.again(2, self.ago(hours=5), 6, self.ago(hours=3))
        self.again(3, self.ago(hours=2), 5, self.ago(hours=4))
        later = self.again(-6, self.ago(days=7, hours=3), -3, self.ago(days=7))
        self.finish(later)

    def moved(self) -> None:
        self.onward(self.left(-1, self.ago(days=2)), 5)
        middle = self.onward(self.left(-8, self.ago(days=9)), -4)
        visits.cancel(self.chance, middle, self.ago(days=5), visits.MOVED)
        self.onward(middle, 2)
        # The first of this chain lies before any horizon of a month.
        self.finish(self.onward(self.left(-50, self.ago(days=51)), -10))
        last = self.onward(self.left(-5, self.ago(days=6)), 3)
        visits.cancel(self.chance, last, self.ago(hours=7), visits.REFUSED)
        for days in (-3, 2):  # without a new date
            self.left(days, self.ago(days=4))

    def nobody_came(self) -> None:
        for days in (-1, -7):
            self.book(self.someone(), self.place(days), self.ago(days=10))
        start = self.now.replace(second=0) - timedelta(minutes=100)
        self.book(self.someone(), self.off_rota(start, start + timedelta(minutes=40)), self.ago(days=3))

    def at_the_clinic(self) -> None:
        start = self.now.replace(second=0) - timedelta(minutes=20)
        visit = self.book(
            self.someone(), self.off_rota(start, start + timedelta(minutes=40)), self.ago(days=1)
        )
        visit.appeared = start - timedelta(minutes=5)
        visit.started = start + timedelta(minutes=2)

    def families(self) -> None:
        for days in (1, 7):
            mother, child = self.someone(), self.someone()  # a daughter, by her mother's phone
            surname = feminine(self.chance.choice(SURNAMES))
            for who in (mother, child):
                who.person.surname, who.person.name = surname, self.chance.choice(WOMEN)
                who.person.patronymic = self.chance.choice(FATHERS)[1]
            child.parent = mother.person.full_name
            child.person.birthday = f"{self.now.year - 8}-05-17"
            child.person.mobile = f"{phones.bracketed(phones.written(mother.person.mobile)[0])} мама"
            self.book(child, self.place(days), self.ago(hours=6))
        one, other = self.someone(), self.someone()  # two people, one phone
        other.person.mobile = one.person.mobile
        for who in (one, other):
            self.book(who, self.place(2), self.ago(days=1, hours=2))

    # --- how they are made --------------------------------------------------------------------------------------

    def someone(self) -> PatientRow:
        row = next(self.cast)
        row.parent = None
        row.insured = ""
        row.person.mobile = phones.typed(
            self.chance, phones.mobile(phones.PATIENTS + row.person.id - FIRST_PATIENT)
        )
        row.person.phone = None
        return row

    def ago(self, *, days: int = 0, hours: int = 0) -> datetime:
        return self.now - timedelta(days=days, hours=hours, minutes=self.chance.randint(1, 40))

    def place(self, days: int, doctor: int | None = None) -> Place:
        """A free hour `days` (not 0) from today or, where all is taken, on a day near it and not today."""
        today = self.now.date()
        for shift in (0, 1, -1, 2, -2, 3, -3):
            day = today + timedelta(days=days + shift)
            on_its_side = day > today if days > 0 else day < today
            if on_its_side and (place := free_place(self.diary, day, self.now - timedelta(days=400), doctor)):
                return place
        start = datetime.combine(today + timedelta(days=days), time(21))
        return self.off_rota(start, start + timedelta(hours=1), doctor)

    def later_today(self) -> Place:
        """A free hour still to come today; after hours an extra one, past midnight at worst."""
        place = free_place(self.diary, self.now.date(), self.now + timedelta(minutes=30))
        start = self.now.replace(second=0) + timedelta(minutes=45)
        return place or self.off_rota(start, start + timedelta(hours=1))

    def off_rota(self, start: datetime, end: datetime, doctor: int | None = None) -> Place:
        """Acute pain, or a favour: at chair 1, whatever the hour."""
        return Place(1, 1, doctor or 1, start, end)

    def book(self, who: PatientRow, place: Place, added: datetime) -> Visit:
        added = min(added, place.start - timedelta(hours=1))
        visit = Visit(
            who, place.doctor, place.chair, place.branch, place.start, place.end, added,
            registrar(self.chance, place.branch), visits.BY_PHONE,
        )  # fmt: skip
        return self.diary.add(visit)

    def finish(self, visit: Visit) -> None:
        visits.finish(self.chance, visit)
        visit.billed = visit.billed or (visit.ended and visit.ended + timedelta(minutes=5))

    def left(self, days: int, at: datetime) -> Visit:
        """A visit that was moved away at `at`; nothing follows it yet."""
        visit = self.book(self.someone(), self.place(days), at - timedelta(days=3))
        visits.cancel(self.chance, visit, at, visits.MOVED)
        return visit

    def onward(self, old: Visit, days: int) -> Visit:
        if old.patient is None or old.cancelled is None:
            raise ValueError("only a patient's moved visit goes on")
        visit = self.book(old.patient, self.place(days), old.cancelled)
        visit.moved_from = old
        return visit

    def again(self, days: int, cancelled: datetime, new_days: int, added: datetime) -> Visit:
        old = self.book(self.someone(), self.place(days), cancelled - timedelta(days=2))
        visits.cancel(self.chance, old, cancelled, visits.ILL)
        if old.patient is None:
            raise ValueError("blocked time cannot be booked again")
        return self.book(old.patient, self.place(new_days, old.doctor), added)
