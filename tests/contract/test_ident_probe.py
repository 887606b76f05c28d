"""A probe of iDent's database: names and types, nobody's rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ident.datasets import DATASETS
from connectors.ident.probing import used
from connectors.ident.proof import load
from kreslo.connectors.probing import Probe, Probing
from tests.contract.ident_clinic import Clinic
from tests.contract.ident_server import FREETDS, MICROSOFT, ServedClinic, served


@pytest.fixture(params=["file", MICROSOFT, FREETDS])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    if request.param == "file":
        yield Clinic(tmp_path)
        return
    with served(tmp_path, request.param) as clinic:
        yield clinic


async def probe(world: Clinic, **options: object) -> Probe:
    source = world.source(**options)
    assert isinstance(source, Probing)
    try:
        return await source.probe()
    finally:
        await source.close()


async def test_everything_that_is_read_is_found_with_its_type(world: Clinic) -> None:
    found = await probe(world)
    assert all(sight.present for sight in found.sights)
    types = {(sight.place, sight.name): sight.type for sight in found.sights}
    assert types["dbo.Receptions", "DateTimeChanged"] == "datetime"
    assert types["dbo.Persons", "Birthday"].startswith("nvarchar")
    assert {sight.group for sight in found.sights} == set(DATASETS)


async def test_what_is_missing_is_said_with_what_it_is_for(world: Clinic) -> None:
    world.run("ALTER TABLE Receptions DROP COLUMN CheckIssued")
    world.run("DROP TABLE InfoSources")
    missing = [
        (sight.group, sight.place, sight.name, sight.required)
        for sight in (await probe(world)).sights
        if not sight.present
    ]
    assert missing == [
        ("appointments", "dbo.Receptions", "CheckIssued", True),
        ("info_sources", "dbo.InfoSources", "", False),
    ]


async def test_no_row_of_a_patient_is_read(tmp_path: Path) -> None:
    with served(tmp_path, MICROSOFT) as world:
        assert isinstance(world, ServedClinic)
        world.add_patient()
        found = await probe(world)
        assert [
            said.text for said in world.server.ledger.said if "dbo." in said.text and "'dbo." not in said.text
        ] == []
    facts = dict(found.facts)
    assert facts["SQL Server"] == "11.0.3128.0"
    assert facts["snapshot isolation"].startswith("off")
    assert facts["the login may write"] == "no"


def test_the_columns_of_a_query_are_told_by_their_tables(tmp_path: Path) -> None:
    path = tmp_path / "own.sql"
    path.write_text("SELECT ID AS id, Name AS name FROM dbo.Reasons", encoding="utf-8")
    assert used(load(DATASETS["cancel_reasons"], path)) == {"Reasons": ["ID", "Name"]}
    found = used(load(DATASETS["appointments"]))
    assert found["Armchairs"] == ["NameArmchair", "ID", "ID_OwnCompanies"]
    assert "PlanStart" in found["Receptions"]
