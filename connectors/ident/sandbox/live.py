"""The clinic at work: leads come, administrators book, patients come, are treated and billed, cancel, move, stay away.

Two clocks run. What is written bears the clock's own time; how soon one thing follows another is counted in minutes of
the clinic's day, which pass `speed` times as fast. So a visit of half an hour is over in half a minute at speed 60, and
something is to be seen every few seconds, at night too: the visits worked through are those planned around now, or
walk-ins made on the spot.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import structlog

from connectors.ident.sandbox import desk, finding, phones, program
from connectors.ident.sandbox.finding import ProgramError
from connectors.ident.sandbox.leads import BOOKED_STAGE, stranger
from connectors.ident.sandbox.moments import local
from kreslo.connectors.sandboxes import LeadSink
from kreslo.connectors.seams import Clock

Result = TypeVar("Result")
Act = Callable[[sqlite3.Connection, datetime], Result]

_log = structlog.get_logger()

_CHAIRS = 4  # visits under way at once
_WAITING = 5  # leads whose people are still to be booked


@dataclass(slots=True)
class _Going:
    """A visit under way: what comes next, and at which minute of the clinic's day."""

    number: int
    steps: list[tuple[float, str]]


@dataclass(slots=True)
class _Again:
    """Who cancelled and will ask for another time at the same doctor, and when."""

    minute: float
    patient: int
    doctor: int | None


async def live(path: Path, *, seed: int, clock: Clock, speed: float, leads: LeadSink) -> None:
    """Go on until cancelled. Leads of people who will be booked come at «Записан на консультацию», as if the
    administrator had talked to them at once; the others at «Новый». Raises ProgramError if there is no clinic,
    ValueError on a speed that is not positive.
    """
    if speed <= 0:
        raise ValueError(f"speed must be positive, not {speed}")
    with finding.opened(path):
        pass  # so that a wrong path is said at once
    began = clock.now()
    chance = Random(f"{seed}/live/{began:%Y-%m-%dT%H:%M:%S}")
    day = _Day(path, chance, clock, leads, callers=chance.randrange(phones.SPAN))
    while True:
        pause = chance.uniform(1.5, 4.5)
        await clock.sleep(pause * 60 / speed)
        day.minute += pause
        await day.go_on()
        await day.something()


@dataclass(slots=True)
class _Day:
    path: Path
    chance: Random
    clock: Clock
    sink: LeadSink
    callers: int  # where this run's new phones begin, so that two runs hardly meet
    minute: float = 0.0
    going: list[_Going] = field(default_factory=list)
    again: list[_Again] = field(default_factory=list)
    staying_away: set[int] = field(default_factory=set)
    talked: list[str] = field(default_factory=list)  # phones of leads that will be booked, oldest first

    async def something(self) -> None:
        """One thing that comes from outside, or a quiet moment."""
        happenings: tuple[tuple[float, Callable[[], Awaitable[None]]], ...] = (
            (0.26, self.patient_due),
            (0.20, self.lead_comes),
            (0.22, self.booking),
            (0.09, self.cancellation),
            (0.09, self.move),
            (0.08, self.enquiry),
        )
        roll = self.chance.random()
        for share, happening in happenings:
            roll -= share
            if roll < 0:
                await happening()
                return

    async def go_on(self) -> None:
        """What is due of the visits under way, and of those who want another time."""
        for going in list(self.going):
            while going.steps and going.steps[0][0] <= self.minute:
                _, step = going.steps.pop(0)
                await self.at_desk(step, self.step(step, going.number))
            if not going.steps:
                self.going.remove(going)
        for due in [each for each in self.again if each.minute <= self.minute]:
            self.again.remove(due)
            await self.at_desk("rebook", self.rebooking(due))

    def step(self, name: str, number: int) -> Act[None]:
        chance = self.chance
        if name == "bill":
            return lambda at, now: desk.bill(at, now, chance, number)
        act = {"arrive": program.arrive, "start": program.start, "end": program.end}[name]
        return lambda at, now: act(at, now, number)

    def rebooking(self, due: _Again) -> Act[int]:
        def book(at: sqlite3.Connection, now: datetime) -> int:
            return program.book_again(at, now, due.patient, desk.slot_ahead(at, now, self.chance, due.doctor))

        return book

    async def patient_due(self) -> None:
        """A patient who is expected comes; one in ten does not; where nobody is expected, somebody walks in."""
        if len(self.going) >= _CHAIRS:
            return
        known = {going.number for going in self.going} | self.staying_away
        number = await self.at_desk("expect", lambda at, now: desk.expected(at, now, known))
        if number is not None and self.chance.random() < 0.1:
            self.staying_away.add(number)
            return
        if number is None:
            phone = self.caller()
            number = await self.at_desk("walk in", lambda at, now: desk.walk_in(at, now, self.chance, phone))
        if number is not None:
            arrive = self.minute + self.chance.uniform(0, 3)
            start = arrive + self.chance.uniform(2, 8)
            end = start + self.chance.uniform(15, 50)
            bill = end + self.chance.uniform(1, 5)
            steps = [(arrive, "arrive"), (start, "start"), (end, "end"), (bill, "bill")]
            self.going.append(_Going(number, steps))

    async def lead_comes(self) -> None:
        serious = self.chance.random() < 0.65 and len(self.talked) < _WAITING
        phone = self.caller()
        await self.sink(stranger(self.chance, phone, self.clock.now(), BOOKED_STAGE if serious else "Новый"))
        if serious:
            self.talked.append(phone)

    async def booking(self) -> None:
        """Of those who left a lead first; else of a patient of old."""
        if self.talked:
            phone = self.talked.pop(0)
            await self.at_desk("book", lambda at, now: desk.book_caller(at, now, self.chance, phone))
        else:
            await self.at_desk("book", lambda at, now: desk.book_patient_of_old(at, now, self.chance))

    async def cancellation(self) -> None:
        """For good mostly; now and then the same patient wants another time at the same doctor a little later."""
        row = await self.at_desk("cancel", lambda at, now: desk.give_up(at, now, self.chance))
        if row is not None and self.chance.random() < 0.12:
            later = self.minute + self.chance.uniform(4, 20)
            self.again.append(_Again(later, row["ID_Patients"], row["ID_Staffs"]))

    async def move(self) -> None:
        await self.at_desk("move", lambda at, now: desk.put_off(at, now, self.chance))

    async def enquiry(self) -> None:
        phone = self.caller()
        await self.at_desk("enquiry", lambda at, now: desk.ask(at, now, self.chance, phone))

    def caller(self) -> str:
        """The phone of somebody whom nobody knows."""
        self.callers += 1
        return phones.mobile(phones.LIVE + self.callers % (phones.SPAN - phones.LIVE))

    async def at_desk(self, what: str, act: Act[Result]) -> Result | None:
        """Do it in the clinic's program, off the event loop. What the program refuses is left at that, as at a real
        desk: no place is free, or a person has cancelled the visit by hand meanwhile.
        """
        return await asyncio.to_thread(self._done, what, act)

    def _done(self, what: str, act: Act[Result]) -> Result | None:
        with finding.opened(self.path) as connection:
            try:
                return act(connection, local(self.clock.now()))
            except ProgramError as refusal:
                _log.info("the demo clinic refused", act=what, refusal=type(refusal).__name__)
                return None
