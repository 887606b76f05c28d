"""What `check` of the iDent source finds, and how an administrator's own queries are held to the view contract."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.ident.proof import OUR_QUERIES
from kreslo.connectors.errors import ConfigurationError, ErrorKind, OutageError
from kreslo.connectors.model import Problem
from kreslo.records import RecordKind, RecordRef
from tests.contract.ident_clinic import Clinic


@pytest.fixture
def world(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


async def check(world: Clinic, **options: object) -> list[Problem]:
    source = world.source(**options)
    try:
        return await source.check()
    finally:
        await source.close()


async def read(world: Clinic, **options: object) -> list[RecordRef]:
    source = world.source(**options)
    try:
        return [
            RecordRef(RecordKind(type(record).__name__.lower()), record.id)
            async for batch in source.read(None)
            for record in batch.records
        ]
    finally:
        await source.close()


def own_query(tmp_path: Path, dataset: str, text: str) -> dict[str, Path]:
    path = tmp_path / f"own_{dataset}.sql"
    path.write_text(text, encoding="utf-8")
    return {dataset: path}


def changed(dataset: str, old: str, new: str) -> str:
    text = (OUR_QUERIES / f"{dataset}.sql").read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new)


# --- the database -------------------------------------------------------------------------------------------------


async def test_a_clinic_as_it_should_be_has_no_problems(world: Clinic) -> None:
    world.add_appointment(world.add_patient())
    assert await check(world) == []


async def test_a_missing_file_is_named_and_not_created(world: Clinic, tmp_path: Path) -> None:
    absent = tmp_path / "absent.db"
    (problem,) = await check(world, database=f"sqlite:///{absent}")
    assert problem.fatal
    assert problem.kind is ErrorKind.CONFIGURATION
    assert str(absent) in problem.message
    with pytest.raises(ConfigurationError, match="no such database file"):
        await read(world, database=f"sqlite:///{absent}")
    assert not absent.exists()


async def test_a_file_that_is_no_database_is_named(world: Clinic, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, but long enough to look at" * 50)
    (problem,) = await check(world, database=f"sqlite:///{tmp_path / 'notes.db'}")
    assert "not a SQLite database" in problem.message


async def test_a_path_with_odd_characters_is_opened(world: Clinic, tmp_path: Path) -> None:
    odd = tmp_path / "клиника №1 50% #2.db"
    odd.write_bytes(world.path.read_bytes())
    assert await check(world, database=f"sqlite:///{odd}") == []


async def test_a_missing_table_is_named_with_its_dataset(world: Clinic) -> None:
    world.run("DROP TABLE Armchairs")
    (problem,) = [problem for problem in await check(world) if problem.fatal]
    assert "appointments" in problem.message
    assert "dbo.Armchairs" in problem.message
    assert "queries" in problem.message
    with pytest.raises(ConfigurationError, match=r"dbo\.Armchairs"):
        await read(world)


async def test_a_missing_column_is_named(world: Clinic) -> None:
    world.run("ALTER TABLE Patients DROP COLUMN CardNumber")
    (problem,) = [problem for problem in await check(world) if problem.fatal]
    assert "P.CardNumber" in problem.message


async def test_without_optional_tables_the_rest_is_read(world: Clinic) -> None:
    patient = world.add_patient()
    id_ = world.add_appointment(patient, ReceptionCanceled=world.local(), ID_ReceptionCancelReasons=4)
    for table in ("OrderPaymentsJournal", "KresloDemoEnquiries", "ReceptionCancelReasons", "InfoSources"):
        world.run(f"DROP TABLE {table}")
    problems = await check(world)
    assert not [problem for problem in problems if problem.fatal]
    said = "\n".join(problem.message for problem in problems)
    for dataset in ("orders", "enquiries", "cancel_reasons", "info_sources"):
        assert f"goes on without {dataset}" in said
    assert RecordRef(RecordKind.APPOINTMENT, id_) in await read(world)


async def test_a_dataset_that_comes_later_is_read_whole_and_so_is_what_is_made_of_it(world: Clinic) -> None:
    world.run("ALTER TABLE OrderPaymentsJournal RENAME TO Elsewhere")
    id_ = world.add_appointment(world.add_patient())
    order = world.add("Orders", ID_Receptions=int(id_), DateTimeOrder=world.local())
    source = world.source()
    cursor = [batch.cursor async for batch in source.read(None)][-1]
    await source.close()
    world.run("ALTER TABLE Elsewhere RENAME TO OrderPaymentsJournal")
    world.add("OrderPaymentsJournal", ID_Orders=order, AmountWithDiscount=55)
    world.pass_time(timedelta(days=1))
    source = world.source()
    records = [record async for batch in source.read(cursor) for record in batch.records]
    await source.close()
    assert [record.amount for record in records if record.id == id_] == [55]


async def test_a_writer_beside_us_holds_nothing_up(world: Clinic) -> None:
    world.add_appointment(world.add_patient())
    with closing(sqlite3.connect(world.path)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE Receptions SET Comment = 'open'")
        assert len(await read(world)) == 2
        writer.rollback()


async def test_a_locked_file_is_an_outage(world: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.ident.dialects._LOCK_TIMEOUT", timedelta(milliseconds=10))
    with closing(sqlite3.connect(world.path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutageError, match="busy"):
            await read(world)


async def test_nothing_can_be_written_through_the_connection(world: Clinic) -> None:
    source = world.source()
    with pytest.raises(ConfigurationError, match="readonly"):
        await source._database.run(
            lambda connection: connection.exec_driver_sql("DELETE FROM dbo.Receptions")
        )
    await source.close()


async def test_branches_that_ident_does_not_have_are_named(world: Clinic) -> None:
    (problem,) = await check(world, branches={"1": {}, "7": {"name": "Нет такого"}})
    assert not problem.fatal
    assert "no branch 7" in problem.message
    assert "1 Центр" in problem.message


# --- an administrator's own query ---------------------------------------------------------------------------------


async def test_an_own_query_is_read(world: Clinic, tmp_path: Path) -> None:
    id_ = world.add_appointment(world.add_patient())
    text = changed("appointments", "R.Comment AS comment", "R.PlanStart AS Confirmed_At")
    queries = own_query(tmp_path, "appointments", text)
    assert await check(world, queries=queries) == []
    source = world.source(queries=queries)
    (record,) = await source.fetch([RecordRef(RecordKind.APPOINTMENT, id_)])
    await source.close()
    assert record.confirmed_at == record.starts_at


async def test_missing_columns_are_named(world: Clinic, tmp_path: Path) -> None:
    text = "SELECT R.ID AS appointment_id, R.ID_Patients AS patient_id FROM dbo.Receptions AS R"
    queries = own_query(tmp_path, "appointments", text)
    (problem,) = await check(world, queries=queries)
    assert problem.fatal
    assert "own_appointments.sql" in problem.message
    assert "start_local, changed_at" in problem.message
    with pytest.raises(ConfigurationError, match="start_local, changed_at"):
        await read(world, queries=queries)


async def test_a_column_twice_is_named(world: Clinic, tmp_path: Path) -> None:
    text = changed("appointments", "R.Comment AS comment", "R.Comment AS ROOM")
    (problem,) = await check(world, queries=own_query(tmp_path, "appointments", text))
    assert 'column "room" stands there 2 times' in problem.message


async def test_a_mistyped_column_is_named_without_its_value(world: Clinic, tmp_path: Path) -> None:
    world.add_appointment(world.add_patient(), Comment="секрет")
    text = changed("appointments", "R.PlanEnd AS end_local", "R.Comment AS end_local")
    problems = await check(world, queries=own_query(tmp_path, "appointments", text))
    (message,) = [problem.message for problem in problems]
    assert "end_local must be a date and time" in message
    assert "секрет" not in message


async def test_a_misspelt_column_is_guessed(world: Clinic, tmp_path: Path) -> None:
    text = changed("appointments", "AS doctor_specialty", "AS doctor_speciality")
    (problem,) = await check(world, queries=own_query(tmp_path, "appointments", text))
    assert not problem.fatal
    assert 'did you mean "doctor_specialty"?' in problem.message


async def test_a_join_that_doubles_rows_is_named(world: Clinic, tmp_path: Path) -> None:
    id_ = world.add_appointment(world.add_patient())
    text = changed(
        "appointments",
        "LEFT JOIN dbo.Armchairs",
        "LEFT JOIN dbo.Items AS I ON I.ID_Staffs = R.ID_Staffs LEFT JOIN dbo.Armchairs",
    )
    queries = own_query(tmp_path, "appointments", text)
    (problem,) = await check(world, queries=queries)
    assert problem.fatal
    assert f"appointment_id {id_} stands in more than one row" in problem.message
    for page in (1, 100):  # with a page of one, the double stands behind the page's edge
        with pytest.raises(ConfigurationError, match=f"appointment_id {id_} stands in more than one row"):
            await read(world, queries=queries, page=page)


async def test_a_row_without_a_key_is_named(world: Clinic, tmp_path: Path) -> None:
    world.add_appointment(world.add_patient())
    text = changed("appointments", "R.ID AS appointment_id", "R.ExternalUID AS appointment_id")
    queries = own_query(tmp_path, "appointments", text)
    assert "appointment_id is empty in some row" in "".join(
        problem.message for problem in await check(world, queries=queries)
    )
    with pytest.raises(ConfigurationError, match="appointment_id"):
        await read(world, queries=queries)


async def test_keys_may_be_texts(world: Clinic, tmp_path: Path) -> None:
    patient = world.add_patient()
    for letter in "abc":
        world.add_appointment(patient, ExternalUID=f"uid-{letter}")
    text = changed("appointments", "R.ID AS appointment_id", "R.ExternalUID AS appointment_id")
    queries = {
        **own_query(tmp_path, "appointments", text),
        **own_query(
            tmp_path, "orders", "SELECT O.ID AS order_id, O.ID AS appointment_id FROM dbo.Orders AS O"
        ),
    }
    refs = [RecordRef(RecordKind.APPOINTMENT, f"uid-{letter}") for letter in "abc"]
    assert (await read(world, queries=queries, page=2))[1:] == refs
    world.pass_time(timedelta(hours=1))
    source = world.source(queries=queries)
    cursor = [batch.cursor async for batch in source.read(None)][-1]
    world.pass_time(timedelta(hours=1))
    world.run("UPDATE Receptions SET CheckIssued = ? WHERE ExternalUID = 'uid-b'", [world.local()])
    found = [record.id async for batch in source.read(cursor) for record in batch.records]
    (record,) = await source.fetch([refs[2], RecordRef(RecordKind.APPOINTMENT, "uid-z")])
    await source.close()
    assert found == [patient, "uid-b"]
    assert record.id == "uid-c"


async def test_an_own_query_for_a_table_that_is_not_there_is_fatal_even_where_the_dataset_is_optional(
    world: Clinic, tmp_path: Path
) -> None:
    text = "SELECT E.ID AS enquiry_id, E.At AS created_at, E.Phone AS phone FROM dbo.Calls AS E"
    queries = own_query(tmp_path, "enquiries", text)
    (problem,) = await check(world, queries=queries)
    assert problem.fatal
    assert "dbo.Calls" in problem.message


async def test_a_changed_query_reads_its_dataset_again(world: Clinic, tmp_path: Path) -> None:
    id_ = world.add_patient(MobilePhone="", Phone="8 473 200 12 34")
    source = world.source(
        queries=own_query(tmp_path, "patients", changed("patients", "H.Phone AS phone_other,", ""))
    )
    batches = [batch async for batch in source.read(None)]
    await source.close()
    assert batches[0].records[0].phones == ()
    world.pass_time(timedelta(days=1))
    source = world.source()
    records = [record async for batch in source.read(batches[-1].cursor) for record in batch.records]
    await source.close()
    assert [(record.id, len(record.phones)) for record in records] == [(id_, 1)]
