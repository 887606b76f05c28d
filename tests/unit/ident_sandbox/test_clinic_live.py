"""The living clinic under a clock that is driven."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ident.sandbox import phones, sandbox
from connectors.ident.sandbox.finding import ProgramError
from connectors.ident.sandbox.moments import local
from kreslo.connectors.sandboxes import Lead

NOW = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)


class DrivenClock:
    """Time passes only by sleeping; `until` seconds later it stands still for good."""

    def __init__(self, now: datetime, until: float) -> None:
        self.begins = now
        self.passed = 0.0
        self.until = until
        self.over = asyncio.Event()
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self.begins + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        if self.passed + seconds > self.until:
            self.over.set()
            await asyncio.Event().wait()
        self.passed += seconds
        self.pauses.append(seconds)
        await asyncio.sleep(0)


async def run(
    path: Path, *, now: datetime = NOW, seconds: float = 600, speed: float = 60, seed: int = 5
) -> tuple[DrivenClock, list[Lead]]:
    clock = DrivenClock(now, seconds)
    leads: list[Lead] = []

    async def sink(lead: Lead) -> None:
        leads.append(lead)

    task = asyncio.create_task(sandbox.live(path, seed=seed, clock=clock, speed=speed, leads=sink))
    over = asyncio.create_task(clock.over.wait())
    await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        over.cancel()
        await task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return clock, leads


def rows(path: Path, sql: str, *values: object) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql, values).fetchall()


async def test_ten_minutes_show_all_that_happens_at_a_clinic(clinic: Path) -> None:
    since = str(local(NOW))
    highest = rows(clinic, "SELECT MAX(ID) AS last FROM Receptions")[0]["last"]
    clock, leads = await run(clinic)
    counts = rows(
        clinic,
        "SELECT SUM(PatientAppeared > :s) AS came, SUM(ReceptionStarted > :s) AS begun, SUM(ReceptionEnded > :s) AS ended,"
        " SUM(CheckIssued > :s) AS billed, SUM(ReceptionCanceled > :s) AS cancelled, SUM(DateTimeAdded > :s) AS booked,"
        " SUM(DateTimeAdded > :s AND ID_ReceptionsTransferFrom > 0) AS moved FROM Receptions".replace(
            ":s", f"'{since}'"
        ),
    )[0]
    assert counts["came"] >= counts["begun"] >= counts["ended"] >= counts["billed"] >= 5
    assert counts["cancelled"] >= 10
    assert counts["moved"] >= 5
    assert counts["booked"] >= 20
    assert rows(clinic, "SELECT 1 FROM KresloDemoEnquiries WHERE DateTimeAdded > ?", since)
    assert {lead.stage for lead in leads} == {"Новый", "Записан на консультацию"}
    assert all(NOW < lead.created_at <= clock.now() for lead in leads)
    unbilled = rows(
        clinic,
        "SELECT r.ID FROM Receptions r LEFT JOIN Orders o ON o.ID_Receptions = r.ID WHERE r.CheckIssued > ? AND o.ID IS NULL",
        since,
    )
    assert unbilled == []
    assert rows(clinic, "SELECT 1 FROM Receptions WHERE ID > ? AND ID_Patients IS NULL", highest) == []


async def test_stamps_are_the_clocks_own_and_not_the_days(clinic: Path) -> None:
    clock, _ = await run(clinic)
    latest = rows(
        clinic,
        "SELECT MAX(MAX(COALESCE(DateTimeAdded, ''), COALESCE(CheckIssued, ''), COALESCE(ReceptionCanceled, ''))) AS last"
        " FROM Receptions",
    )[0]["last"]
    assert str(local(NOW)) < latest <= str(local(clock.now()))
    assert clock.now() - NOW <= timedelta(minutes=10)


async def test_people_who_left_a_lead_are_booked_under_its_phone(clinic: Path) -> None:
    _, leads = await run(clinic)
    booked = {
        number
        for row in rows(
            clinic,
            "SELECT p.MobilePhone FROM Receptions r JOIN Persons p ON p.ID = r.ID_Patients WHERE r.DateTimeAdded > ?",
            str(local(NOW)),
        )
        for number in phones.written(row["MobilePhone"])
    }
    serious = [phones.written(lead.phone)[0] for lead in leads if lead.stage == "Записан на консультацию"]
    others = [phones.written(lead.phone)[0] for lead in leads if lead.stage == "Новый"]
    assert len(serious) >= 10
    assert len(set(serious) - booked) <= 5  # those still to be called
    assert not set(others) & booked


async def test_the_census_still_counts_and_sees_inferred_reschedules_only_where_they_were_meant(
    clinic: Path,
) -> None:
    clock, _ = await run(clinic, seconds=1_500)
    counted = sandbox.census(clinic, now=clock.now(), past=timedelta(days=30), future=timedelta(days=365))
    told = {
        str(row["ID"])
        for row in rows(clinic, "SELECT ID FROM Receptions WHERE ID_ReceptionsTransferFrom > 0")
    }
    joined = [chain for chain in counted.chains if set(chain.ids[1:]) - told]
    cancelled = rows(clinic, "SELECT 1 FROM Receptions WHERE ReceptionCanceled > ?", str(local(NOW)))
    assert 3 <= len(joined) <= 3 + 0.25 * len(cancelled)


async def test_something_happens_every_few_seconds_at_speed_60_and_slower_at_speed_1(clinic: Path) -> None:
    fast, _ = await run(clinic, seconds=60, speed=60)
    slow, _ = await run(clinic, seconds=3_600, speed=1)
    assert max(fast.pauses) < 5
    assert min(slow.pauses) >= 90


async def test_it_lives_at_night_too(clinic: Path) -> None:
    night = datetime(2025, 11, 20, 23, 40, tzinfo=UTC)
    await run(clinic, now=night)
    assert rows(clinic, "SELECT 1 FROM Receptions WHERE CheckIssued > ?", str(local(night)))


async def test_a_visit_that_a_person_cancelled_meanwhile_stops_nothing(clinic: Path) -> None:
    with closing(sqlite3.connect(clinic)) as connection, connection:
        # Whatever the living day begins with is cancelled under its hands.
        connection.execute(
            "CREATE TRIGGER meddle AFTER UPDATE OF PatientAppeared ON Receptions BEGIN"
            " UPDATE Receptions SET ReceptionCanceled = NEW.PatientAppeared WHERE ID = NEW.ID; END"
        )
    await run(clinic)
    assert (
        rows(
            clinic,
            "SELECT 1 FROM Receptions WHERE PatientAppeared > ? AND ReceptionEnded IS NOT NULL",
            str(local(NOW)),
        )
        == []
    )


async def test_no_clinic_and_no_speed_are_said_at_once(tmp_path: Path, clinic: Path) -> None:
    with pytest.raises(ProgramError, match="Нет базы клиники"):
        await run(tmp_path / "no.db")
    with pytest.raises(ValueError, match="speed must be positive"):
        await run(clinic, speed=0)
