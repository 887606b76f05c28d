"""What iDent exchanges over HTTP: tickets that it takes and the timetable that it posts, under its own names.

Names and rules are those of the vendor's exchange with external services («вариант с HTTP», help.dent-it.ru) as public
integrations of it use them.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

LONGEST_ID = 400
LONGEST_PLAN = timedelta(hours=12)
CELL = timedelta(minutes=15)
"""iDent posts free time in cells of this length."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Ticket(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """A request from the site or the CRM, as iDent shows it in «История обращений». `client_phone`: one complete number
    (E.164; what iDent cannot read is a local 8 with a plus). `doctor_id`: iDent's own number of the employee. The client's
    name stands whole or in parts, never both. Raises ValueError where a rule is broken.
    """

    id: str
    date_and_time: Instant
    client_phone: str
    client_email: str = ""
    form_name: str = ""
    client_full_name: str = ""
    client_surname: str = ""
    client_name: str = ""
    client_patronymic: str = ""
    plan_start: Instant | None = None
    plan_end: Instant | None = None
    comment: str = ""
    doctor_id: int | None = None
    doctor_name: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    http_referer: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.id) <= LONGEST_ID:
            raise ValueError(f"a ticket's Id has 1 to {LONGEST_ID} characters")
        digits = self.client_phone.removeprefix("+")
        if not (self.client_phone.startswith("+") and digits.isascii() and digits.isdigit()):
            raise ValueError("a ticket's ClientPhone is one number in E.164, such as +79001234567")
        if digits.startswith("89"):
            raise ValueError("a ticket's ClientPhone is not a local 8 with a plus")
        if self.client_full_name and (self.client_surname or self.client_name or self.client_patronymic):
            raise ValueError("a ticket has ClientFullName or its parts, not both")
        if self.plan_end is not None and self.plan_start is None:
            raise ValueError("a ticket with PlanEnd needs PlanStart")
        if self.plan_start is not None and self.plan_end is not None:
            length = self.plan_end - self.plan_start
            if not timedelta(0) <= length <= LONGEST_PLAN:
                raise ValueError("a ticket's PlanEnd is at PlanStart or at most 12 hours later")


class Named(msgspec.Struct, frozen=True, rename="pascal"):
    """A doctor or a branch, by iDent's number."""

    id: int
    name: str = ""


class Interval(msgspec.Struct, frozen=True, rename="pascal"):
    branch_id: int
    doctor_id: int
    start_date_time: Instant
    length_in_minutes: Annotated[int, msgspec.Meta(gt=0, le=7 * 24 * 60)]
    is_busy: bool

    @property
    def ends_at(self) -> datetime:
        return self.start_date_time + timedelta(minutes=self.length_in_minutes)


class TimeTable(msgspec.Struct, frozen=True, rename="pascal"):
    """The whole horizon, some 30 days: free time in cells, busy time in blocks. No patients."""

    doctors: tuple[Named, ...]
    branches: tuple[Named, ...]
    intervals: tuple[Interval, ...]


class Slot(msgspec.Struct, frozen=True, order=True):
    """A free cell, `minutes` long."""

    starts_at: datetime
    branch_id: int
    doctor_id: int
    minutes: int


def free_slots(
    table: TimeTable,
    since: datetime,
    *,
    until: datetime | None = None,
    branch: int | None = None,
    doctor: int | None = None,
) -> list[Slot]:
    """Free cells that begin in [since, until) and that no busy interval of the same doctor touches, in order, each once.
    A doctor who is busy in one branch is free in none.
    """
    busy: dict[int, list[tuple[datetime, datetime]]] = {}
    for each in table.intervals:
        if each.is_busy:
            busy.setdefault(each.doctor_id, []).append((each.start_date_time, each.ends_at))
    found: set[Slot] = set()
    for each in table.intervals:
        if each.is_busy or branch not in {None, each.branch_id} or doctor not in {None, each.doctor_id}:
            continue
        start = each.start_date_time
        while start < each.ends_at:
            end = min(start + CELL, each.ends_at)
            inside = start >= since and (until is None or start < until)
            if inside and not any(a < end and start < b for a, b in busy.get(each.doctor_id, ())):
                minutes = (end - start) // timedelta(minutes=1)
                found.add(Slot(start.astimezone(UTC), each.branch_id, each.doctor_id, minutes))
            start = end
    return sorted(found)
