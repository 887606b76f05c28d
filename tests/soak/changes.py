"""A big clinic's day as its database sees it: so many changes, evenly, one after the other."""

import asyncio
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from connectors.ident.sandbox import desk, finding, phones, program
from connectors.ident.sandbox.finding import ProgramError
from connectors.ident.sandbox.moments import local

Act = Callable[[sqlite3.Connection, datetime], object]
"""None where there was nobody to do it with."""

_SPREAD = 20  # visits under way at once: enough that between two steps of one of them others move
_TRIES = 50


class Day:
    """`made`: how many changes of each kind there were."""

    def __init__(self, database: Path, seed: int) -> None:
        self._database = database
        self._chance = Random(seed)
        self._callers = self._chance.randrange(phones.SPAN)
        self._under_way: deque[tuple[int, list[str]]] = deque()
        self.made: Counter[str] = Counter()

    async def pass_by(self, changes: int, seconds: float) -> None:
        """Makes them; a slow machine is late, and makes all of them all the same."""
        began = time.monotonic()
        for number in range(changes):
            await asyncio.sleep(max(0.0, began + seconds * number / changes - time.monotonic()))
            await asyncio.to_thread(self.change)

    def change(self) -> str:
        """One change, of what the clinic's program lets through; its kind."""
        with finding.opened(self._database) as connection:
            now = local(datetime.now(UTC))
            for _ in range(_TRIES):
                kind, act = self._something(connection, now)
                try:
                    done = act(connection, now)
                except ProgramError:
                    continue  # no place is free, or the visit is over: as at a real desk
                if done is not None:
                    self.made[kind] += 1
                    return kind
        raise RuntimeError("the clinic let no change through")

    def _something(self, connection: sqlite3.Connection, now: datetime) -> tuple[str, Act]:
        roll = self._chance.random()
        if roll < 0.40:
            return self._visit(connection, now)
        if roll < 0.55:
            phone = self._caller()
            return "booked", lambda at, when: desk.book_caller(at, when, self._chance, phone)
        if roll < 0.70:
            return "booked again", lambda at, when: desk.book_patient_of_old(at, when, self._chance)
        if roll < 0.82:
            return "moved", lambda at, when: desk.put_off(at, when, self._chance)
        if roll < 0.92:
            return "cancelled", lambda at, when: desk.give_up(at, when, self._chance)
        phone = self._caller()
        return "asked", lambda at, when: desk.ask(at, when, self._chance, phone)

    def _visit(self, connection: sqlite3.Connection, now: datetime) -> tuple[str, Act]:
        """The next step of a visit under way; or somebody who is expected comes, or walks in."""
        if len(self._under_way) < _SPREAD:
            known = {number for number, _ in self._under_way}
            number = desk.expected(connection, now, known)
            if number is not None:
                self._under_way.append((number, ["arrived", "started", "ended", "billed"]))
            else:
                phone = self._caller()
                return "walked in", lambda at, when: desk.walk_in(at, when, self._chance, phone)
        number, steps = self._under_way.popleft()
        step = steps.pop(0)
        if steps:
            self._under_way.append((number, steps))
        if step == "billed":
            return step, lambda at, when: _done(desk.bill, at, when, self._chance, number)
        act = {"arrived": program.arrive, "started": program.start, "ended": program.end}[step]
        return step, lambda at, when: _done(act, at, when, number)

    def _caller(self) -> str:
        self._callers += 1
        return phones.mobile(phones.LIVE + self._callers % (phones.SPAN - phones.LIVE))


def _done(act: Callable[..., None], *given: object) -> bool:
    act(*given)
    return True
