"""Tickets keep iDent's rules; free cells are those that nothing busy touches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kreslo.records.exchange import Interval, Slot, Ticket, TimeTable, free_slots

NOW = datetime(2026, 5, 12, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def ticket(**fields: Any) -> Ticket:
    return Ticket(**{"id": "1", "date_and_time": NOW, "client_phone": "+79001112233"} | fields)


def test_a_ticket_has_idents_names_and_leaves_out_what_is_empty() -> None:
    made = ticket(client_full_name="Анна", doctor_id=7, utm_source="vk", plan_start=NOW, plan_end=NOW + HOUR)
    assert msgspec.json.decode(msgspec.json.encode(made)) == {
        "Id": "1",
        "DateAndTime": "2026-05-12T09:00:00Z",
        "ClientPhone": "+79001112233",
        "ClientFullName": "Анна",
        "PlanStart": "2026-05-12T09:00:00Z",
        "PlanEnd": "2026-05-12T10:00:00Z",
        "DoctorId": 7,
        "UtmSource": "vk",
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": ""}, "Id"),
        ({"id": "x" * 401}, "Id"),
        ({"client_phone": ""}, "ClientPhone"),
        ({"client_phone": "+7 900 111-22-33"}, "ClientPhone"),
        ({"client_phone": "+79001112233, мама"}, "ClientPhone"),
        ({"client_phone": "+89001112233"}, "local 8"),
        ({"client_full_name": "Анна", "client_surname": "Синицына"}, "not both"),
        ({"plan_end": NOW}, "needs PlanStart"),
        ({"plan_start": NOW, "plan_end": NOW - MINUTE}, "12 hours"),
        ({"plan_start": NOW, "plan_end": NOW + 12 * HOUR + MINUTE}, "12 hours"),
    ],
)
def test_a_ticket_that_breaks_a_rule_is_not_made(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ticket(**fields)


@pytest.mark.parametrize("length", [timedelta(0), 12 * HOUR])
def test_the_longest_and_the_shortest_plan_are_right(length: timedelta) -> None:
    assert ticket(plan_start=NOW, plan_end=NOW + length).plan_end == NOW + length


def table(*intervals: tuple[int, int, timedelta, int, bool]) -> TimeTable:
    made = [
        Interval(branch, doctor, NOW + after, minutes, busy)
        for branch, doctor, after, minutes, busy in intervals
    ]
    return TimeTable((), (), tuple(made))


def starts(slots: list[Slot]) -> list[int]:
    return [(slot.starts_at - NOW) // MINUTE for slot in slots]


def test_a_cell_that_a_busy_block_touches_is_not_free() -> None:
    cells = [(1, 7, MINUTE * at, 15, False) for at in (0, 15, 30, 45, 60)]
    busy = (1, 7, MINUTE * 20, 25, True)  # 09:20 to 09:45
    assert starts(free_slots(table(*cells, busy), NOW)) == [0, 45, 60]


def test_who_is_busy_in_one_branch_is_free_in_none_and_others_are() -> None:
    intervals = table((1, 7, HOUR, 15, False), (1, 8, HOUR, 15, False), (2, 7, HOUR, 15, True))
    assert [(slot.branch_id, slot.doctor_id) for slot in free_slots(intervals, NOW)] == [(1, 8)]


def test_longer_free_time_is_cut_into_cells_and_doubles_are_one() -> None:
    intervals = table((1, 7, HOUR, 40, False), (1, 7, HOUR, 15, False))
    assert [(slot.starts_at - NOW, slot.minutes) for slot in free_slots(intervals, NOW)] == [
        (HOUR, 15),
        (HOUR + 15 * MINUTE, 15),
        (HOUR + 30 * MINUTE, 10),
    ]


def test_what_has_begun_and_what_lies_outside_is_left_out() -> None:
    intervals = table(*((1, 7, HOUR * at, 15, False) for at in (-1, 0, 1, 2)))
    assert starts(free_slots(intervals, NOW)) == [0, 60, 120]
    assert starts(free_slots(intervals, NOW + MINUTE, until=NOW + 2 * HOUR)) == [60]


def test_branch_and_doctor_narrow_it() -> None:
    intervals = table((1, 7, HOUR, 15, False), (2, 8, HOUR, 15, False), (2, 9, HOUR, 15, False))
    assert [slot.doctor_id for slot in free_slots(intervals, NOW, branch=2)] == [8, 9]
    assert [slot.doctor_id for slot in free_slots(intervals, NOW, branch=2, doctor=9)] == [9]
    assert free_slots(intervals, NOW, branch=1, doctor=9) == []
