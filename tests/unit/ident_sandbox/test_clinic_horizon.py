"""All five algorithms have something to do around `now`, whatever the seed."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ident.sandbox import phones, sandbox
from connectors.ident.sandbox.moments import local
from kreslo.connectors.sandboxes import Census, ChainCensus

NOW = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)
PAST, FUTURE = timedelta(days=30), timedelta(days=365)


@pytest.fixture(scope="module", params=[(1, 40), (2, 120)], ids=["smallest", "small"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    seed, patients = request.param
    path = tmp_path_factory.mktemp("small") / "clinic.db"
    sandbox.create(path, seed=seed, now=NOW, patients=patients)
    return path


@pytest.fixture(scope="module")
def count(small: Path) -> Census:
    return sandbox.census(small, now=NOW, past=PAST, future=FUTURE)


def of(count: Census, state: str) -> list[ChainCensus]:
    return [chain for chain in count.chains if chain.state == state]


def test_every_state_is_there(count: Census) -> None:
    states = Counter(chain.state for chain in count.chains)
    assert set(states) == {"upcoming", "arrived", "completed", "cancelled", "rescheduled", "no_show"}
    assert states["completed"] >= 5
    assert states["no_show"] >= 2
    assert states["rescheduled"] >= 2


def test_visits_are_ahead_today_tomorrow_and_later(count: Census) -> None:
    days = {(local(chain.starts_at).date() - local(NOW).date()).days for chain in of(count, "upcoming")}
    assert {0, 1, 3, 20} <= days


def test_chains_of_two_and_of_three_are_there_told_and_inferred(small: Path, count: Census) -> None:
    lengths = Counter(len(chain.ids) for chain in count.chains)
    assert lengths[2] >= 5
    assert lengths[3] >= 1
    with closing(sqlite3.connect(small)) as connection:
        told = {
            str(row[0])
            for row in connection.execute("SELECT ID FROM Receptions WHERE ID_ReceptionsTransferFrom > 0")
        }
    inferred = [chain for chain in count.chains if len(chain.ids) > 1 and not told & set(chain.ids)]
    assert Counter(chain.state for chain in inferred) == {"upcoming": 2, "completed": 1}


def test_a_chain_reaches_back_beyond_the_horizon(small: Path, count: Census) -> None:
    with closing(sqlite3.connect(small)) as connection:
        starts = dict(connection.execute("SELECT ID, PlanStart FROM Receptions").fetchall())
    oldest = min(starts[int(chain.ids[0])] for chain in count.chains)
    assert oldest < str(local(NOW - PAST))


def test_a_completed_visit_has_an_amount_and_an_insured_one_may_have_none_to_pay(count: Census) -> None:
    amounts = [chain.amount for chain in of(count, "completed")]
    assert None not in amounts
    assert 0 in amounts
    assert any(amount and amount > 0 for amount in amounts)


def test_enquiries_are_of_strangers_of_patients_with_a_visit_ahead_and_of_one_who_asks_again(
    small: Path, count: Census
) -> None:
    with closing(sqlite3.connect(small)) as connection:
        people = dict(connection.execute("SELECT ID, MobilePhone FROM Persons").fetchall())
        since = str(local(NOW - PAST))
        cells = connection.execute(
            "SELECT Phone FROM KresloDemoEnquiries WHERE DateTimeAdded >= ?", (since,)
        ).fetchall()
    asked = Counter(number for (cell,) in cells for number in phones.written(cell))
    known = {number for cell in people.values() for number in phones.written(cell)}
    ahead = {
        number for chain in of(count, "upcoming") for number in phones.written(people[int(chain.patient_id)])
    }
    assert max(asked.values()) >= 2
    assert set(asked) - known
    assert set(asked) & ahead
    assert set(count.enquiries) == set(asked)


def test_leads_are_of_booked_patients_and_of_strangers(made: Path) -> None:
    leads = sandbox.leads(made, seed=7, now=NOW)
    booked = [lead for lead in leads if lead.stage == "Записан на консультацию"]
    others = [lead for lead in leads if lead.stage != "Записан на консультацию"]
    assert 130 <= len(leads) <= 160
    assert 40 <= len(booked) <= 65
    assert {lead.stage for lead in others} == {"Новый", "В работе"}
    assert [lead.created_at for lead in leads] == sorted(lead.created_at for lead in leads)
    assert all(NOW - timedelta(days=60) <= lead.created_at < NOW for lead in leads)
    with closing(sqlite3.connect(made)) as connection:
        entered: dict[str, list[str]] = {}
        rows = connection.execute(
            "SELECT p.MobilePhone, r.DateTimeAdded FROM Receptions r JOIN Persons p ON p.ID = r.ID_Patients"
        )
        for cell, added in rows:
            for number in phones.written(cell):
                entered.setdefault(number, []).append(added)
    for lead in booked:
        (number,) = phones.written(lead.phone)
        assert any(added > str(local(lead.created_at)) for added in entered[number])
    assert not {number for lead in others for number in phones.written(lead.phone)} & set(entered)


def test_leads_carry_sources_nicknames_repeats_and_mothers_of_booked_children(made: Path) -> None:
    leads = sandbox.leads(made, seed=7, now=NOW)
    assert {"yandex", "vk"} <= {lead.utm_source for lead in leads}
    assert any("🌸" in lead.name for lead in leads)
    assert any(lead.name.startswith("+7") for lead in leads)
    repeats = Counter(number for lead in leads for number in phones.written(lead.phone))
    assert sorted(repeats.values())[-3:] == [2, 2, 2]
    with closing(sqlite3.connect(made)) as connection:
        rows = connection.execute(
            "SELECT p.MobilePhone, t.ParentSNP, p.Name FROM Patients t JOIN Persons p ON p.ID = t.ID_Persons"
            " JOIN Receptions r ON r.ID_Patients = p.ID WHERE t.ParentSNP > '' AND r.PlanStart > ?",
            (str(local(NOW)),),
        ).fetchall()
    mothers = {(number, parent.split()[1]) for cell, parent, _ in rows for number in phones.written(cell)}
    assert any((phones.written(lead.phone)[0], lead.name) in mothers for lead in leads)


def test_leads_are_the_same_for_the_same_seed(made: Path) -> None:
    assert sandbox.leads(made, seed=7, now=NOW) == sandbox.leads(made, seed=7, now=NOW)
    assert sandbox.leads(made, seed=7, now=NOW) != sandbox.leads(made, seed=8, now=NOW)
