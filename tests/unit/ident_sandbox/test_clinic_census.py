"""The census against a tiny clinic that was counted by hand."""
# ruff: noqa: S608 - the names put into SQL are this file's own

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from connectors.ident.sandbox import sandbox
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import Census, ChainCensus

NOW = datetime(2025, 6, 10, 9, 0, tzinfo=UTC)  # 12:00 in Moscow
Visit = Callable[..., None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.db"


@pytest.fixture
def visit(path: Path) -> Visit:
    """Add a reception; times are 'MM-DD HH:MM' of 2025, local."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            files("connectors.ident.sandbox").joinpath("schema.sql").read_text(encoding="utf-8")
        )
        connection.executescript(
            "INSERT INTO ReceptionCancelReasons VALUES (1, 'Отказ пациента'), (4, 'Перенос');"
            "INSERT INTO Patients (ID_Persons) VALUES (101), (102), (103);"
        )

    def add(
        number: int,
        patient: int | None,
        start: str,
        *,
        added: str = "05-01 10:00",
        doctor: int = 1,
        minutes: int = 60,
        reason: int | None = None,
        **facts: str | int,
    ) -> None:
        begins = datetime.fromisoformat(f"2025-{start}:00")
        row = {
            "ID": number,
            "ID_Patients": patient,
            "ID_Staffs": doctor,
            "PlanStart": str(begins),
            "PlanEnd": str(begins + timedelta(minutes=minutes)),
            "DateTimeAdded": f"2025-{added}:00",
            "ID_ReceptionCancelReasons": reason,
        } | {name: f"2025-{value}:00" if isinstance(value, str) else value for name, value in facts.items()}
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                f"INSERT INTO Receptions ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                tuple(row.values()),
            )

    return add


def count(path: Path) -> Census:
    return sandbox.census(path, now=NOW, past=timedelta(days=30), future=timedelta(days=365))


def states(path: Path) -> dict[tuple[str, ...], str]:
    return {chain.ids: chain.state for chain in count(path).chains}


def test_each_state_follows_from_its_facts(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-20 10:00")
    visit(2, 101, "06-09 10:00", PatientAppeared="06-09 10:01")
    visit(3, 101, "06-09 12:00", ReceptionStarted="06-09 12:01")
    visit(4, 101, "06-09 14:00", ReceptionEnded="06-09 15:00")
    visit(5, 101, "06-09 16:00", CheckIssued="06-09 17:00")
    visit(6, 101, "06-09 18:00")
    visit(7, 101, "06-11 10:00", ReceptionCanceled="06-01 10:00", reason=1)
    visit(8, 101, "06-11 12:00", ReceptionCanceled="06-01 10:00", reason=4)
    visit(9, 101, "06-11 14:00", ReceptionCanceled="06-01 10:00")
    assert states(path) == {
        ("1",): "upcoming",
        ("2",): "arrived",
        ("3",): "arrived",
        ("4",): "completed",
        ("5",): "completed",
        ("6",): "no_show",
        ("7",): "cancelled",
        ("8",): "rescheduled",
        ("9",): "cancelled",
    }


def test_cancelled_wins_over_completed(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-09 10:00", ReceptionEnded="06-09 11:00", ReceptionCanceled="06-09 15:00", reason=1)
    assert states(path) == {("1",): "cancelled"}


def test_nobody_came_only_when_two_hours_have_passed_since_the_end(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-10 09:00")  # ended at 10:00, it is 12:00
    visit(2, 101, "06-10 09:01")
    assert states(path) == {("1",): "no_show", ("2",): "upcoming"}


def test_moved_visits_are_one_chain_with_the_state_of_the_last(path: Path, visit: Visit) -> None:
    visit(1, 101, "04-01 10:00", ReceptionCanceled="03-30 10:00", reason=4, added="03-01 10:00")
    visit(
        2,
        101,
        "06-08 10:00",
        ReceptionCanceled="06-07 10:00",
        reason=4,
        ID_ReceptionsTransferFrom=1,
        added="03-30 10:00",
    )
    visit(3, 101, "06-15 10:00", ID_ReceptionsTransferFrom=2, added="06-07 10:00", doctor=2)
    assert count(path).chains == (
        ChainCensus(
            ids=("1", "2", "3"),
            patient_id="101",
            starts_at=datetime(2025, 6, 15, 7, 0, tzinfo=UTC),
            state="upcoming",
        ),
    )


@pytest.mark.parametrize(
    ("added", "doctor", "patient", "joined"),
    [
        ("06-06 11:00", 1, 101, True),  # a day less an hour after the cancellation
        ("06-04 13:00", 1, 101, True),  # a day less an hour before it
        ("06-06 13:00", 1, 101, False),
        ("06-04 11:00", 1, 101, False),
        ("06-05 13:00", 2, 101, False),
        ("06-05 13:00", 1, 102, False),
    ],
)
def test_booked_again_within_a_day_at_the_same_doctor_is_the_same_chain(
    path: Path, visit: Visit, added: str, doctor: int, patient: int, joined: bool
) -> None:
    visit(1, 101, "06-20 10:00", ReceptionCanceled="06-05 12:00", reason=1)
    visit(2, patient, "06-25 10:00", added=added, doctor=doctor)
    expected = {("1", "2"): "upcoming"} if joined else {("1",): "cancelled", ("2",): "upcoming"}
    assert states(path) == expected


def test_an_older_entry_is_no_rebooking(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-25 10:00", added="06-05 09:00")
    visit(2, 101, "06-20 10:00", added="06-05 10:00", ReceptionCanceled="06-05 12:00", reason=1)
    assert states(path) == {("1",): "upcoming", ("2",): "cancelled"}


def test_the_window_is_that_of_the_last_visit(path: Path, visit: Visit) -> None:
    visit(1, 101, "05-11 11:59", CheckIssued="05-11 13:00")  # 30 days and a minute ago
    visit(2, 101, "05-11 12:00", CheckIssued="05-11 13:00")
    visit(3, 102, "05-12 10:00", ReceptionCanceled="05-05 10:00", reason=4)  # in it, but its successor is not
    visit(4, 102, "05-10 10:00", ID_ReceptionsTransferFrom=3, added="05-05 10:00")
    assert set(states(path)) == {("2",)}


def test_blocked_time_counts_for_nothing(path: Path, visit: Visit) -> None:
    visit(1, None, "06-11 10:00")
    visit(2, 103, "06-11 11:00")
    counted = count(path)
    assert (counted.patients, counted.appointments) == (3, 1)
    assert [chain.ids for chain in counted.chains] == [("2",)]


def test_the_amount_is_the_sum_over_all_orders(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-09 10:00", CheckIssued="06-09 11:00")
    visit(2, 101, "06-08 10:00", CheckIssued="06-08 11:00")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "INSERT INTO ServiceItemPrices VALUES (1, 1, 1500), (2, 1, 99.5);"
            "INSERT INTO Orders (ID, ID_Receptions) VALUES (1, 1), (2, 1);"
            "INSERT INTO OrderServiceRelation (ID_Orders, ID_ServicePrices, CountService, DiscountSum)"
            " VALUES (1, 1, 2, 100), (2, 2, 1, NULL);"
        )
    assert {chain.ids: chain.amount for chain in count(path).chains} == {
        ("1",): Decimal("2999.50"),
        ("2",): None,
    }


def test_enquiries_are_counted_by_phone(path: Path, visit: Visit) -> None:
    rows = [
        ("2025-06-01 10:00:00", "8 (900) 123-45-67"),
        ("2025-06-02 10:00:00", "+7 900 123-45-67"),
        ("2025-06-03 10:00:00", "+79001234568"),
        ("2025-05-01 10:00:00", "+79001234569"),  # before the horizon
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO KresloDemoEnquiries (DateTimeAdded, Phone) VALUES (?, ?)", rows)
    assert count(path).enquiries == ("+79001234567", "+79001234568")


def test_a_visit_moved_twice_is_reported_as_unsound(path: Path, visit: Visit) -> None:
    visit(1, 101, "06-20 10:00")
    visit(2, 101, "06-21 10:00", ID_ReceptionsTransferFrom=1)
    visit(3, 101, "06-22 10:00", ID_ReceptionsTransferFrom=1)
    with pytest.raises(ConfigurationError, match="reception 1 was moved twice, to 2 and to 3"):
        count(path)


def test_says_where_it_looked_for_a_clinic(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no demo clinic at .*missing\.db"):
        count(tmp_path / "missing.db")
