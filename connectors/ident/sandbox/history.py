"""Eight years of the clinic's diary, and what is booked ahead: one pass over the days, chair by chair."""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from connectors.ident.sandbox import visits
from connectors.ident.sandbox.people import REGISTRARS, PatientRow
from connectors.ident.sandbox.rota import SHIFT, Shift, shifts
from connectors.ident.sandbox.visits import Visit

YEARS = 8
AHEAD = timedelta(days=45)
REBOOKED_WITHIN = timedelta(hours=24)
NEAR = timedelta(days=70)
"""How far back the free time of chairs is kept for scenes.py."""

_FULL = 6_000  # patients with whom the chairs are as full as they get
_VISITS_A_SHIFT = 3.05
_LENGTHS = (30, 30, 30, 45, 45, 60, 60, 60, 60, 90)
_KNOWN_AT_START, _KNOWN_NOW, _KNOWN_AT_END = 0.10, 0.97, 0.985


@dataclass(slots=True)
class Diary:
    """What has been written so far. `busy`: taken time by (chair, day), of the days near `now` only."""

    now: datetime
    rows: list[Visit] = field(default_factory=list)
    busy: dict[tuple[int, date], list[tuple[datetime, datetime]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, visit: Visit) -> Visit:
        self.rows.append(visit)
        if visit.start > self.now - NEAR:
            self.busy[visit.chair, visit.start.date()].append((visit.start, visit.end))
        return visit


@dataclass(slots=True)
class _Moving:
    """Moved visits that wait for a free place, by (the earliest new day, order)."""

    queue: list[tuple[date, int, Visit]] = field(default_factory=list)
    counter: int = 0

    def push(self, visit: Visit, day: date) -> None:
        self.counter += 1
        heapq.heappush(self.queue, (day, self.counter, visit))

    def pop(self, day: date) -> Visit | None:
        return heapq.heappop(self.queue)[2] if self.queue and self.queue[0][0] <= day else None


class _Crowd:
    """The patients in the order in which they come; recent ones come more often."""

    def __init__(self, people: Sequence[PatientRow]) -> None:
        self.people = people
        self.known = max(1, int(len(people) * _KNOWN_AT_START))

    def draw(self, chance: Random, share: float, branch: int, taken: set[int]) -> PatientRow | None:
        """Someone who is not yet in `taken` today; the next new one, if fewer than `share` of all have come."""
        if self.known < int(len(self.people) * share):
            self.known += 1
            return self.people[self.known - 1]
        for _ in range(4):
            row = self.people[self.known - 1 - int(self.known * chance.random() ** 1.6)]
            if row.person.id not in taken and (row.branch == branch or chance.random() < 0.15):
                return row
        return None


def write(chance: Random, people: Sequence[PatientRow], now: datetime) -> Diary:
    """The diary from eight years before `now` (naive local) to AHEAD after it. No row was added after `now`."""
    diary = Diary(now)
    crowd = _Crowd(people)
    moving = _Moving()
    today = now.date()
    first = today - timedelta(days=round(YEARS * 365.25))
    span = (today - first).days
    density = _VISITS_A_SHIFT * min(1.0, len(people) / _FULL)
    for offset in range(span + AHEAD.days + 1):
        day = first + timedelta(days=offset)
        ahead = offset - span
        if ahead <= 0:
            share, fill = _KNOWN_AT_START + (_KNOWN_NOW - _KNOWN_AT_START) * offset / span, density
        else:
            share = _KNOWN_NOW + (_KNOWN_AT_END - _KNOWN_NOW) * ahead / AHEAD.days
            fill = density * 0.85 * (1 - ahead / (AHEAD.days + 5)) ** 1.3
        taken: set[int] = set()
        for shift in shifts(day):
            expected = fill * (0.5 + chance.random())
            number = int(expected) + (chance.random() < expected % 1)
            blocked = chance.random() < (0.03 if abs(ahead) < 60 else 0.004)
            if number or blocked:
                _fill(chance, diary, crowd, moving, shift, number, share, taken, blocked=blocked)
    # Moves that found no place stay what they are at real clinics too: moved, with no new date.
    diary.rows = untangled(diary.rows)
    return diary


def _fill(
    chance: Random,
    diary: Diary,
    crowd: _Crowd,
    moving: _Moving,
    shift: Shift,
    number: int,
    share: float,
    taken: set[int],
    *,
    blocked: bool,
) -> None:
    lengths = [chance.choice(_LENGTHS) for _ in range(number)]
    spare = int(SHIFT.total_seconds()) // 60 - sum(lengths) - (60 if blocked else 0)
    while spare < 0:
        spare += lengths.pop()
    at = shift.start
    if blocked:
        end = at + timedelta(minutes=60)
        diary.add(_blocked(chance, diary.now, shift, at, end))
        at = end
    for length in lengths:
        gap = min(spare, 15 * int(chance.random() * 2 * (spare / 15 + 1) / (len(lengths) + 1)))
        spare -= gap
        start = at + timedelta(minutes=gap)
        at = start + timedelta(minutes=length)
        old = moving.pop(shift.start.date())
        if old and old.patient:
            _place_moved(chance, diary, moving, shift, start, at, old)
            continue
        row = crowd.draw(chance, share, shift.branch, taken)
        if row:
            taken.add(row.person.id)
            _place(chance, diary, moving, shift, start, at, row)


def _place(
    chance: Random,
    diary: Diary,
    moving: _Moving,
    shift: Shift,
    start: datetime,
    end: datetime,
    row: PatientRow,
) -> None:
    added = office_hours(chance, start - _lead(chance))
    if added >= diary.now:
        added = office_hours(chance, diary.now - timedelta(minutes=5 + 60 * 24 * 20 * chance.random() ** 2))
    visit = Visit(
        row, shift.doctor, shift.chair, shift.branch, start, end, added, registrar(chance, shift.branch)
    )
    visit.source = chance.choice(
        (visits.BY_PHONE, visits.BY_PHONE, visits.BY_SITE, visits.AT_VISIT, visits.BY_CHAT)
    )
    diary.add(visit)
    if chance.random() < 0.03 and start < diary.now:
        visits.walk_in(chance, visit)
        visits.facts_until(visit, diary.now)
    else:
        _fate(chance, diary, moving, visit)


def _place_moved(
    chance: Random, diary: Diary, moving: _Moving, shift: Shift, start: datetime, end: datetime, old: Visit
) -> None:
    """The new row of a move: entered at the moment at which the old one was cancelled."""
    added = old.cancelled
    if added is None:
        raise ValueError("a visit waits to be moved and was not cancelled")
    visit = Visit(old.patient, shift.doctor, shift.chair, shift.branch, start, end, added, old.registrar)
    visit.source, visit.moved_from = old.source, old
    diary.add(visit)
    _fate(chance, diary, moving, visit)


def _fate(chance: Random, diary: Diary, moving: _Moving, visit: Visit) -> None:
    """Completed, cancelled, moved, moved without a date, or nobody came; then only what `now` has seen of it."""
    roll = chance.random()
    # A cancellation lies between entry and start, and is seen only if it lies before now.
    until = min(visit.start, diary.now)
    call = visit.added + (until - visit.added) * (0.15 + 0.8 * chance.random())
    by_day = office_hours(chance, call)
    call = by_day if by_day > visit.added else call.replace(microsecond=0)
    called = call > visit.added
    upcoming = visit.start >= diary.now
    if upcoming:
        roll *= 2.2  # of those ahead fewer have been cancelled so far
    if roll < 0.075 and called:
        visits.cancel(chance, visit, call, chance.choice((1, 1, 1, 2, 2, 3, 5, 6)))
    elif roll < 0.115 and called:
        visits.cancel(chance, visit, call, visits.MOVED)
        moving.push(visit, max(visit.start.date(), call.date()) + timedelta(days=chance.randint(1, 12)))
    elif roll < 0.125 and called:
        visits.cancel(chance, visit, call, visits.MOVED)
    elif roll >= 0.165 and not upcoming:
        visits.finish(chance, visit)
    if not visit.cancelled and chance.random() < 0.6:
        visit.notified = datetime.combine(visit.start.date() - timedelta(days=1), time(14)) + timedelta(
            seconds=chance.randint(0, 900)
        )
        if visit.notified < visit.added:
            visit.notified = None
    if chance.random() < 0.05:
        visit.changed = visit.cancelled or visit.added + timedelta(minutes=chance.randint(0, 9))
        visit.changed = min(visit.changed, diary.now)
    visits.facts_until(visit, diary.now)


def untangled(rows: Sequence[Visit]) -> list[Visit]:
    """The rows without those cancelled ones that only by accident look rebooked: the same patient and doctor were
    entered within a day of the cancellation. Whoever wants such a pair makes it on purpose (scenes.py).
    """
    followed = {id(row.moved_from) for row in rows if row.moved_from}
    entered: dict[tuple[int, int], list[Visit]] = defaultdict(list)
    for row in rows:
        if row.patient:
            entered[row.patient.person.id, row.doctor].append(row)
    gone = {
        id(row)
        for row in rows
        if row.cancelled and row.patient and id(row) not in followed
        for other in entered[row.patient.person.id, row.doctor]
        if other is not row and abs(other.added - row.cancelled) <= REBOOKED_WITHIN
    }
    return [row for row in rows if id(row) not in gone]


def _lead(chance: Random) -> timedelta:
    """How long before the visit it is booked."""
    roll = chance.random()
    if roll < 0.2:
        return timedelta(minutes=chance.randint(20, 24 * 60))
    if roll < 0.75:
        return timedelta(minutes=chance.randint(24 * 60, 14 * 24 * 60))
    return timedelta(minutes=chance.randint(14 * 24 * 60, 45 * 24 * 60))


def office_hours(chance: Random, moment: datetime) -> datetime:
    """The same day's moment at which somebody sat at the desk, never later than `moment` itself."""
    if 8 <= moment.hour < 21:
        return moment.replace(microsecond=0)
    day = moment.date() if moment.hour >= 21 else moment.date() - timedelta(days=1)
    return datetime.combine(day, time(20)) + timedelta(
        minutes=chance.randint(-300, 55), seconds=chance.randint(0, 59)
    )


def registrar(chance: Random, branch: int) -> int:
    return chance.choice(REGISTRARS[branch])


def _blocked(chance: Random, now: datetime, shift: Shift, start: datetime, end: datetime) -> Visit:
    added = min(
        start - timedelta(days=chance.randint(1, 20)), now - timedelta(minutes=chance.randint(30, 9_000))
    )
    visit = Visit(
        None, shift.doctor, shift.chair, shift.branch, start, end, added, registrar(chance, shift.branch)
    )
    visit.comment = chance.choice(("Совещание", "Ремонт кресла", "Обед", "Бронь для острой боли"))
    return visit
