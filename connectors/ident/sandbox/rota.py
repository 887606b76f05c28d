"""Which doctor sits at which chair when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connectors.ident.sandbox.people import CHAIRS, DOCTORS

SHIFT = timedelta(hours=6)
_STARTS = (time(9), time(15))
SUNDAY = 6

_BRANCH_DOCTORS = {branch: [doctor.id for doctor in DOCTORS if doctor.branch == branch] for branch in (1, 2)}
_BRANCH_CHAIRS = {branch: [chair for chair, _, owner in CHAIRS if owner == branch] for branch in (1, 2)}


@dataclass(frozen=True, slots=True)
class Shift:
    branch: int
    chair: int
    doctor: int
    start: datetime  # naive local; lasts SHIFT


def shifts(day: date) -> Iterator[Shift]:
    """The shifts of one day: two a chair, on Sundays only the first. No doctor is in two places."""
    for half, begins in enumerate(_STARTS if day.weekday() != SUNDAY else _STARTS[:1]):
        start = datetime.combine(day, begins)
        for branch, chairs in _BRANCH_CHAIRS.items():
            doctors = _BRANCH_DOCTORS[branch]
            for place, chair in enumerate(chairs):
                yield Shift(
                    branch,
                    chair,
                    doctors[(place + half * len(chairs) + day.toordinal()) % len(doctors)],
                    start,
                )


def chair_branch(chair: int) -> int:
    return next(owner for number, _, owner in CHAIRS if number == chair)
