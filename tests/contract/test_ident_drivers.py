"""The source's suite through the drivers that clinics use: the same texts of SQL, TLS, sessions and errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

pytest.register_assert_rewrite("kreslo.connectors.testing.source_suite", "tests.contract.ident_server")

from connectors.ident.dialects import SqlServer  # noqa: E402
from connectors.ident.faults import MissingObjectError  # noqa: E402
from connectors.ident.sandbox.tds import Kind, known  # noqa: E402
from connectors.ident.source import IdentSource  # noqa: E402
from kreslo.connectors.errors import (  # noqa: E402
    ConfigurationError,
    ErrorKind,
    KresloError,
    OutageError,
    PermissionDeniedError,
)
from kreslo.connectors.model import Problem  # noqa: E402
from kreslo.connectors.testing.source_suite import (  # noqa: E402
    SourceSuite,
    gather,
    given,
    latest,
    opened,
    populate,
    settled,
)
from kreslo.records import RecordKind, RecordRef  # noqa: E402
from tests.contract.ident_clinic import Clinic  # noqa: E402
from tests.contract.ident_server import (  # noqa: E402
    FREETDS,
    MICROSOFT,
    RealClinic,
    ServedClinic,
    real_server,
    served,
)


class TestThroughMicrosoftsDriver(SourceSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[ServedClinic]:
        with served(tmp_path, MICROSOFT) as clinic:
            yield clinic


class TestThroughFreeTds(SourceSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[ServedClinic]:
        with served(tmp_path, FREETDS) as clinic:
            yield clinic


class TestOnARealServer(SourceSuite):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealClinic]:
        clinic = RealClinic(tmp_path, real_server())
        # The suite drives the clock by hand, which a real server's own would not follow.
        monkeypatch.setattr(SqlServer, "now", lambda *_: datetime.fromisoformat(clinic.local()))
        yield clinic
        clinic.close()


@pytest.fixture(params=[MICROSOFT, FREETDS])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServedClinic]:
    with served(tmp_path, request.param) as clinic:
        yield clinic


async def check(world: Clinic, **options: object) -> list[Problem]:
    source = world.source(**options)
    try:
        return await source.check()
    finally:
        await source.close()


@asynccontextmanager
async def opened_with(world: Clinic, **options: object) -> AsyncIterator[IdentSource]:
    source = world.source(**options)
    try:
        yield source
    finally:
        await source.close()


async def fails(world: Clinic, **options: object) -> KresloError:
    source = world.source(**options)
    try:
        with pytest.raises(KresloError) as caught:
            await gather(source, None)
    finally:
        await source.close()
    return caught.value


# --- the same records -----------------------------------------------------------------------------------------------


async def test_records_are_the_same_through_a_driver_as_from_the_file(world: ServedClinic) -> None:
    patient = world.add_patient(Surname="ЩЁКИНА", Birthday="01.02.1980", SMSRejection=1, Comment="№ 5 — «да»")
    visit = world.add_appointment(patient, Comment="а" * 1500, PatientAppeared=world.local())
    order = world.add("Orders", ID_Receptions=int(visit), DateTimeOrder=world.local())
    world.add("OrderPaymentsJournal", ID_Orders=order, AmountWithDiscount=12345.67, HasInsurance=1)
    world.run("INSERT INTO ServiceItems VALUES (1, 'Осмотр')")
    world.run("INSERT INTO ServiceItemPrices VALUES (1, 1, 1500.5)")
    world.add("OrderServiceRelation", ID_Orders=order, ID_ServicePrices=1, CountService=1.5, DiscountSum=0.25)
    world.add("KresloDemoEnquiries", DateTimeAdded=world.local(), Phone="8 900 555 44 33", Name="олег")
    populate(world, patients=3, each=2)
    async with opened(world) as source:
        through = latest(await gather(source, None))
    source = Clinic.source(world, database=f"sqlite:///{world.path}", trust_certificate=False)
    try:
        direct = latest(await gather(source, None))
    finally:
        await source.close()
    assert through == direct
    assert str(through[RecordRef(RecordKind.APPOINTMENT, visit)].amount) == "12345.67"


# --- what the server sees of us -------------------------------------------------------------------------------------


async def test_we_say_that_we_only_read_and_who_we_are_on_one_connection(world: ServedClinic) -> None:
    populate(world, patients=3, each=2)
    source = world.source()
    await asyncio.gather(*(source.fetch([RecordRef(RecordKind.PATIENT, "2")]) for _ in range(5)))
    await gather(source, None)
    await source.close()
    ledger = world.server.ledger
    assert [(each.login.app, each.login.read_only, each.encrypted) for each in ledger.opened] == [
        ("Kreslo", True, True)
    ]
    assert ledger.most_open == 1


@pytest.mark.parametrize(("kept", "level"), [(True, "SNAPSHOT"), (False, "READ COMMITTED")])
async def test_tables_are_read_from_versions_where_there_are_some_else_with_short_locks(
    world: ServedClinic, kept: bool, level: str
) -> None:
    world.server.switches.snapshot = kept
    populate(world, patients=1, each=1)
    async with opened(world) as source:
        await gather(source, None)
    said = world.server.ledger.said
    assert {each.isolation for each in said if each.kind is Kind.SELECT and "dbo." in each.text} == {level}
    assert any("SET LOCK_TIMEOUT 5000" in each.text for each in said)
    assert any("SET DEADLOCK_PRIORITY LOW" in each.text for each in said)


async def test_a_login_that_may_write_is_refused_unless_it_is_allowed(world: ServedClinic) -> None:
    world.server.switches.writable = True
    (problem,) = await check(world)
    assert problem.fatal
    assert problem.kind is ErrorKind.PERMISSION
    assert "allow_writable_login" in problem.message
    (problem,) = await check(world, allow_writable_login=True)
    assert not problem.fatal


async def test_a_clinic_as_it_should_be_has_no_problems(world: ServedClinic) -> None:
    world.add_appointment(world.add_patient())
    assert await check(world) == []


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "kind", "said"),
    [
        ({"PWD": "wrong"}, PermissionDeniedError, "UID and PWD"),
        ({"DATABASE": "Elsewhere"}, PermissionDeniedError, "check DATABASE"),
    ],
)
async def test_a_login_that_is_turned_away_says_why(
    world: ServedClinic, parts: dict[str, str], kind: type[KresloError], said: str
) -> None:
    error = await fails(world, database=world.dsn(**parts))
    assert type(error) is kind
    assert said in error.message
    assert world.server.password not in error.message + error.detail


@pytest.mark.parametrize("which", [MICROSOFT, FREETDS])
@pytest.mark.parametrize("address", [r"{host}\PZSQLSERVER", r"{host}\pzsqlserver,1433"])
async def test_a_named_instance_is_found_on_whichever_port_it_has(
    tmp_path: Path, which: str, address: str
) -> None:
    # Drivers ask at one port only, so each test has an address of its own in 127.0.0.0/8.
    host = f"127.{Random().randint(1, 250)}.{Random().randint(1, 250)}.{Random().randint(2, 250)}"
    with served(tmp_path, which, host=host, instance="PZSQLSERVER") as world:
        patient = world.add_patient()
        async with opened_with(world, database=world.dsn(SERVER=address.format(host=host))) as source:
            assert given(await gather(source, None)) == [RecordRef(RecordKind.PATIENT, patient)]


async def test_a_certificate_that_nobody_vouches_for_is_taken_only_by_consent(tmp_path: Path) -> None:
    with served(tmp_path, MICROSOFT) as world:
        error = await fails(world, trust_certificate=False)
        assert isinstance(error, ConfigurationError)
        assert "trust_certificate: true" in error.message
        assert await check(world, trust_certificate=True) == []


async def test_a_table_that_is_denied_and_one_that_is_missing_are_named(world: ServedClinic) -> None:
    world.server.switches.denied = {"Persons"}
    error = await fails(world)
    assert isinstance(error, PermissionDeniedError)
    assert "may not read Persons" in error.message
    world.server.switches.denied = set()
    world.run("DROP TABLE Armchairs")
    error = await fails(world)
    assert isinstance(error, MissingObjectError)
    assert "dbo.Armchairs" in error.message


async def test_a_column_that_is_missing_is_named(world: ServedClinic) -> None:
    world.run("ALTER TABLE Patients DROP COLUMN CardNumber")
    error = await fails(world)
    assert isinstance(error, MissingObjectError)
    assert "CardNumber" in error.message


@pytest.mark.parametrize("number", [1205, 1222])
async def test_a_deadlock_and_a_lock_are_outages_and_reading_goes_on_after(
    world: ServedClinic, number: int
) -> None:
    refs = populate(world, patients=2, each=2)
    async with opened(world) as source:
        cursor = (await gather(source, None))[-1].cursor
        world.server.switches.fail(known(number), where="dbo.Receptions")
        with pytest.raises(OutageError, match="too busy"):
            await gather(source, cursor)
        assert set(given(await gather(source, None))) == set(refs)


async def test_a_lost_link_is_an_outage_and_the_next_reading_connects_again(world: ServedClinic) -> None:
    refs = populate(world, patients=2, each=2)
    async with opened(world) as source:
        await gather(source, None)
        world.server.switches.hang_up(where="dbo.Receptions")
        with pytest.raises(OutageError):
            await gather(source, None)
        assert set(given(await gather(source, None))) == set(refs)
    assert len(world.server.ledger.opened) == 2
    assert world.server.ledger.most_open == 1


async def test_a_server_that_is_gone_is_an_outage(
    world: ServedClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Microsoft's driver goes on trying until its time is up.
    monkeypatch.setattr("connectors.ident.dialects._CONNECT_TIMEOUT", timedelta(seconds=1))
    error = await fails(world, database=world.dsn(SERVER="127.0.0.1,1"))
    assert isinstance(error, OutageError)
    assert "does not answer" in error.message


async def test_a_query_that_takes_too_long_is_given_up(world: ServedClinic) -> None:
    populate(world, patients=1, each=1)
    async with opened(world) as source:
        cursor = await settled(world, source)
    source = world.source(query_timeout="1s")
    try:
        assert await source.fetch([RecordRef(RecordKind.PATIENT, "2")])
        world.server.switches.slow = 30
        with pytest.raises(OutageError, match="too busy"):
            await gather(source, cursor)
        world.server.switches.slow = 0
        await gather(source, cursor)
    finally:
        await source.close()
    assert max(each.seconds for each in world.server.ledger.said) < 5


async def test_a_visit_that_is_committed_late_is_not_missed(world: ServedClinic) -> None:
    patient = world.add_patient()
    async with opened(world) as source:
        cursor = await settled(world, source)
        with world.transaction() as writer:
            writer.execute(
                "INSERT INTO Receptions (ID, ID_Patients, PlanStart, DateTimeAdded) VALUES (?, ?, ?, ?)",
                (5, patient, world.local(), world.local()),
            )
            with pytest.raises(OutageError, match="too busy"):  # without versions: the row is locked
                await gather(source, cursor)
            world.server.switches.held = False  # with them: it is not there yet
            cursor = (await gather(source, cursor))[-1].cursor
            world.pass_time(timedelta(minutes=4))
            cursor = (await gather(source, cursor))[-1].cursor
        late = RecordRef(RecordKind.APPOINTMENT, "5")
        assert late in given(await gather(source, cursor))


async def test_an_instant_that_is_none_is_refused_by_the_server(world: ServedClinic) -> None:
    visit = world.add_appointment(world.add_patient(), PlanStart="soon")
    async with opened(world) as source:
        with pytest.raises(ConfigurationError, match="refused the query"):
            await source.fetch([RecordRef(RecordKind.APPOINTMENT, visit)])
