"""The iDent source: the contract's suite, and what is iDent's own."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from tests.contract.ident_clinic import ZONE, Clinic

pytest.register_assert_rewrite("kreslo.connectors.testing.source_suite")

from kreslo.connectors.contract import Source  # noqa: E402
from kreslo.connectors.errors import DataError  # noqa: E402
from kreslo.connectors.testing.source_suite import (  # noqa: E402
    SourceSuite,
    gather,
    given,
    latest,
    opened,
    rejected,
    settled,
)
from kreslo.records import Appointment, Patient, RecordKind, RecordRef  # noqa: E402


@pytest.fixture
def world(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


class TestIdentSource(SourceSuite):
    pass


def visit(id_: str | int) -> RecordRef:
    return RecordRef(RecordKind.APPOINTMENT, str(id_))


async def fetched(world: Clinic, id_: str | int, **options: object) -> Appointment:
    async with opened_with(world, **options) as source:
        (record,) = await source.fetch([visit(id_)])
    assert isinstance(record, Appointment)
    return record


async def fetched_patient(world: Clinic, id_: str, **options: object) -> Patient:
    async with opened_with(world, **options) as source:
        (record,) = await source.fetch([RecordRef(RecordKind.PATIENT, id_)])
    assert isinstance(record, Patient)
    return record


def opened_with(world: Clinic, **options: object) -> AbstractAsyncContextManager[Source]:
    class World:
        @staticmethod
        def source(*, page: int) -> Source:
            return world.source(**{"page": page, **options})

    return opened(World())


# --- changes that are easy to miss --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        "DateTimeAdded",
        "DateTimeChanged",
        "DateTimeNotified",
        "PatientAppeared",
        "ReceptionStarted",
        "ReceptionEnded",
        "CheckIssued",
        "ReceptionCanceled",
    ],
)
async def test_one_instant_alone_makes_a_change(world: Clinic, column: str) -> None:
    patient = world.add_patient()
    ids = [world.add_appointment(patient, DateTimeChanged="2026-01-01 10:00:00") for _ in range(3)]
    async with opened(world) as source:
        cursor = await settled(world, source)
        world.set(visit(ids[1]), **{column: world.local()})
        read = given(await gather(source, cursor))
    assert [ref for ref in read if ref.kind is RecordKind.APPOINTMENT] == [visit(ids[1])]


@pytest.mark.parametrize("shape", ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.000000"])
async def test_instants_compare_as_values_in_whatever_shape_they_are_written(
    world: Clinic, shape: str
) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened(world) as source:
        cursor = await settled(world, source)
        old = (world.clock.now() - timedelta(days=1)).astimezone(ZONE)
        world.set(visit(id_), ReceptionStarted=old.strftime(shape))
        assert given(await gather(source, cursor)) == []
        world.set(visit(id_), ReceptionEnded=world.clock.now().astimezone(ZONE).strftime(shape))
        assert visit(id_) in given(await gather(source, cursor))


async def test_a_stamp_ahead_of_our_clock_is_seen_at_once_and_not_lost_after(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened(world) as source:
        cursor = await settled(world, source)
        ahead = world.clock.now() + timedelta(hours=1)
        world.set(visit(id_), ReceptionCanceled=world.local(ahead))
        batches = await gather(source, cursor)
        assert visit(id_) in given(batches)
        world.pass_time(timedelta(minutes=30))
        world.set(visit(id_), Comment="now", DateTimeChanged=world.local(ahead))
        assert latest(await gather(source, batches[-1].cursor))[visit(id_)].comment == "now"


async def test_a_stamp_a_little_behind_our_clock_is_within_the_overlap(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened_with(world, overlap="5m") as source:
        cursor = await settled(world, source)
        cursor = (await gather(source, cursor))[-1].cursor
        world.set(visit(id_), CheckIssued=world.local(world.clock.now() - timedelta(minutes=4)))
        assert visit(id_) in given(await gather(source, cursor))


async def test_a_new_booking_with_old_stamps_is_seen_by_its_number(world: Clinic) -> None:
    patient = world.add_patient()
    world.add_appointment(patient)
    async with opened(world) as source:
        cursor = await settled(world, source)
        new = world.add_appointment(patient, DateTimeAdded="2019-01-01 10:00:00")
        unstamped = world.add_appointment(patient, DateTimeAdded=None)
        batches = await gather(source, cursor)
        assert {visit(new), visit(unstamped)} <= set(given(batches))
        assert given(await gather(source, batches[-1].cursor)) == []


async def test_a_clock_set_back_leaves_no_gap(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened(world) as source:
        cursor = await settled(world, source)
        cursor = (await gather(source, cursor))[-1].cursor
        world.pass_time(-timedelta(hours=1))
        world.set(visit(id_), PatientAppeared=world.local())
        assert visit(id_) in given(await gather(source, cursor))


async def test_stamps_of_a_branch_behind_the_clinics_zone_are_seen(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened_with(world, branches={1: {"timezone": "Europe/Kaliningrad"}}) as source:
        cursor = await settled(world, source)
        cursor = (await gather(source, cursor))[-1].cursor
        world.set(visit(id_), PatientAppeared=world.local(world.clock.now() - timedelta(hours=1)))
        assert visit(id_) in given(await gather(source, cursor))


async def test_a_changed_patients_phone_comes_with_the_next_change_of_a_visit(world: Clinic) -> None:
    patient = world.add_patient()
    id_ = world.add_appointment(patient)
    async with opened(world) as source:
        cursor = await settled(world, source)
        world.update("Persons", "ID", patient, MobilePhone="8 900 222-33-44")  # no instant moves
        world.set(visit(id_), PatientAppeared=world.local())
        batches = await gather(source, cursor)
    assert given(batches) == [RecordRef(RecordKind.PATIENT, patient), visit(id_)]
    assert batches[0].records[0].phones[0].e164 == "+79002223344"


async def test_a_patient_entered_while_visits_are_read_comes_before_their_visit(world: Clinic) -> None:
    patient = world.add_patient()
    world.add_appointment(patient)
    async with opened(world, page=1) as source:
        seen = []
        async for batch in source.read(None):
            seen += given([batch])
            if seen == [RecordRef(RecordKind.PATIENT, patient)]:
                late = world.add_patient()
                late_visit = world.add_appointment(late)
    assert seen.index(RecordRef(RecordKind.PATIENT, late)) < seen.index(visit(late_visit))


# --- orders -------------------------------------------------------------------------------------------------------


def bill(
    world: Clinic, appointment: str, *, lines: tuple[tuple[str, str, str], ...] = (), **journal: object
) -> int:
    """An order with lines (count, price, discount) and, where given, its row in the payments journal."""
    order = world.add("Orders", ID_Receptions=int(appointment), DateTimeOrder=world.local())
    for count, price, discount in lines:
        item = world.add("ServiceItems", Name=f"Услуга за {price}")
        cost = world.add("ServiceItemPrices", ID_ServiceItems=item, Price=price)
        world.add(
            "OrderServiceRelation",
            ID_Orders=order,
            ID_ServicePrices=cost,
            CountService=count,
            DiscountSum=discount or None,
        )
    if journal:
        world.add("OrderPaymentsJournal", ID_Orders=order, **journal)
    return order


async def test_the_amount_is_the_journals_with_discount(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    bill(world, id_, lines=(("1", "5000", ""),), Amount=5000, AmountWithDiscount=4500, HasInsurance=0)
    bill(world, id_, Amount=700, AmountWithDiscount=650.5, HasInsurance=1, InsuranceAmount=650.5)
    record = await fetched(world, id_)
    assert record.amount == Decimal("5150.50")
    assert record.insurance_amount == Decimal("650.50")
    assert record.insured is True
    assert record.services == ("Услуга за 5000",)


async def test_without_a_journal_the_amount_is_the_sum_of_the_lines(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    bill(world, id_, lines=(("2", "1500.50", "100"), ("1", "300", "")))
    record = await fetched(world, id_)
    assert (record.amount, record.insured, record.insurance_amount) == (Decimal("3201.00"), None, None)


async def test_without_orders_the_amount_is_not_known(world: Clinic) -> None:
    record = await fetched(world, world.add_appointment(world.add_patient()))
    assert (record.amount, record.insured, record.services) == (None, None, ())


@pytest.mark.parametrize(
    ("table", "column"),
    [("Orders", "DateTimeOrder"), ("Orders", "DateTimeBillFormed"), ("OrderPaymentsJournal", "DateTimeBill")],
)
async def test_a_changed_order_brings_its_visit(world: Clinic, table: str, column: str) -> None:
    patient = world.add_patient()
    ids = [world.add_appointment(patient) for _ in range(3)]
    orders = [bill(world, id_, AmountWithDiscount=100) for id_ in ids]
    async with opened(world) as source:
        cursor = await settled(world, source)
        world.update("OrderPaymentsJournal", "ID_Orders", orders[1], AmountWithDiscount=90)
        world.update(table, "ID" if table == "Orders" else "ID_Orders", orders[1], **{column: world.local()})
        batches = await gather(source, cursor)
    read = latest(batches)
    assert [ref for ref in read if ref.kind is RecordKind.APPOINTMENT] == [visit(ids[1])]
    assert read[visit(ids[1])].amount == Decimal("90.00")


async def test_a_first_order_ever_brings_its_visit(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient())
    async with opened(world) as source:
        cursor = await settled(world, source)
        bill(world, id_, AmountWithDiscount=100)
        assert latest(await gather(source, cursor))[visit(id_)].amount == Decimal("100.00")


async def test_an_order_made_while_all_is_read_is_not_lost(world: Clinic) -> None:
    patient = world.add_patient()
    ids = [world.add_appointment(patient) for _ in range(4)]
    bill(world, ids[0], AmountWithDiscount=1)
    async with opened(world, page=1) as source:
        seen = {}
        async for batch in source.read(None):
            seen |= latest([batch])
            if list(seen)[-1:] == [visit(ids[2])] and visit(ids[3]) not in seen:
                order = world.add("Orders", ID_Receptions=int(ids[1]), DateTimeOrder="2019-01-01 10:00:00")
                world.add("OrderPaymentsJournal", ID_Orders=order, AmountWithDiscount=77)
    assert seen[visit(ids[1])].amount == Decimal("77.00")


async def test_orders_are_found_for_more_visits_than_one_list_of_keys_holds(
    world: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.ident.reader.IN_LIST", 10)
    patient = world.add_patient()
    ids = [world.add_appointment(patient) for _ in range(25)]
    bill(world, ids[0], AmountWithDiscount=10)
    bill(world, ids[-1], AmountWithDiscount=20)
    async with opened_with(world, page=25) as source:
        read = latest(await gather(source, None))
    assert [read[visit(id_)].amount for id_ in (ids[0], ids[1], ids[-1])] == [10, None, 20]


# --- rows ---------------------------------------------------------------------------------------------------------


async def test_a_doctor_of_two_professions_does_not_double_the_visit(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient(), ID_StaffsReceptionAdded=1)
    async with opened(world) as source:
        read = given(await gather(source, None))
    assert read.count(visit(id_)) == 1
    record = await fetched(world, id_, branches={"1": {"address": "ул. Мира, 1"}})
    assert record.doctor is not None
    assert (record.doctor.id, record.doctor.name, record.doctor.specialty) == (
        "1",
        "Сидорова Анна Петровна",
        "Ортопед",
    )
    assert record.registrar == "Сидорова Анна Петровна"
    assert record.branch is not None
    assert (record.branch.id, record.branch.name, record.branch.address) == ("1", "Центр", "ул. Мира, 1")
    assert record.room == "Кабинет 2"


async def test_blocked_time_is_no_appointment(world: Clinic) -> None:
    blocked = world.add("Receptions", PlanStart=world.local(), DateTimeAdded=world.local())
    now = world.clock.now()
    async with opened(world) as source:
        batches = await gather(source, None)
        keys = await source.keys(RecordKind.APPOINTMENT, now - timedelta(days=1), now + timedelta(days=1))
        assert await source.fetch([visit(blocked)]) == []
    assert (given(batches), rejected(batches), keys) == ([], [], frozenset())


async def test_a_row_that_cannot_be_read_is_rejected_and_the_rest_goes_on(world: Clinic) -> None:
    patient = world.add_patient()
    good, bad, odd = (world.add_appointment(patient) for _ in range(3))
    world.set(visit(bad), PlanStart=None)
    world.set(visit(odd), ReceptionEnded="soon")
    now = world.clock.now()
    async with opened(world) as source:
        batches = await gather(source, None)
        keys = await source.keys(RecordKind.APPOINTMENT, now, now + timedelta(hours=1))
        with pytest.raises(DataError, match="start_local"):
            await source.fetch([visit(bad)])
    assert visit(good) in given(batches)
    reasons = {item.ref: item.reason for batch in batches for item in batch.rejected}
    assert reasons[visit(bad)].startswith("start_local")
    assert reasons[visit(odd)].startswith("ended_at")
    assert "soon" not in reasons[visit(odd)]
    assert bad in keys, "what cannot be dated is never taken for gone"


async def test_times_are_of_the_branchs_zone(world: Clinic) -> None:
    id_ = world.add_appointment(world.add_patient(), PlanStart="2026-05-13 10:00:00")
    assert (await fetched(world, id_)).starts_at.hour == 7
    assert (await fetched(world, id_, branches={"1": {"timezone": "Asia/Novosibirsk"}})).starts_at.hour == 3


async def test_two_branches_of_one_database_each_live_by_their_own_clock(world: Clinic) -> None:
    world.run("INSERT INTO OwnCompanies VALUES (2, 'Сибирь')")
    world.run("INSERT INTO Armchairs VALUES (7, 'Кабинет 1', 2)")
    patient = world.add_patient()
    here = world.add_appointment(
        patient, PlanStart="2026-05-13 10:00:00", ReceptionStarted="2026-05-13 10:05:00"
    )
    there = world.add_appointment(
        patient, ID_Armchairs=7, PlanStart="2026-05-13 10:00:00", ReceptionStarted="2026-05-13 10:05:00"
    )
    zones = {"1": {"timezone": "Europe/Moscow"}, "2": {"timezone": "Asia/Novosibirsk", "name": "Новосибирск"}}
    async with opened_with(world, branches=zones) as source:
        read = latest(await gather(source, None))
    first, second = read[visit(here)], read[visit(there)]
    assert (first.starts_at.hour, second.starts_at.hour) == (7, 3)
    assert (first.started_at - first.starts_at, second.started_at - second.starts_at) == (
        timedelta(minutes=5),
        timedelta(minutes=5),
    )
    assert [(one.branch.id, one.branch.name, one.room) for one in (first, second)] == [
        ("1", "Центр", "Кабинет 2"),
        ("2", "Новосибирск", "Кабинет 1"),
    ]


async def test_keys_look_at_the_clock_of_the_branch(world: Clinic) -> None:
    start = (
        world.clock.now().astimezone(ZONE).replace(hour=10, minute=0)
    )  # 10:00 in Novosibirsk is 06:00 in Moscow
    id_ = world.add_appointment(world.add_patient(), PlanStart=f"{start:%Y-%m-%d %H:%M:%S}")
    moment = start - timedelta(hours=4)
    async with opened_with(world, branches={"1": {"timezone": "Asia/Novosibirsk"}}) as source:
        assert await source.keys(RecordKind.APPOINTMENT, moment, moment + timedelta(minutes=1)) == {id_}
        assert await source.keys(RecordKind.APPOINTMENT, start, start + timedelta(hours=1)) == frozenset()


async def test_a_reason_is_named_by_the_dictionary_or_by_the_settings(world: Clinic) -> None:
    world.run("INSERT INTO ReceptionCancelReasons VALUES (4, 'Заболел')")
    patient = world.add_patient()
    known = world.add_appointment(patient, ReceptionCanceled=world.local(), ID_ReceptionCancelReasons=4)
    unknown = world.add_appointment(patient, ID_ReceptionCancelReasons=9, DateTimeChanged=world.local())
    assert (await fetched(world, known)).cancel_reason == "Заболел"
    record = await fetched(world, unknown)
    assert record.cancel_reason == "9"
    assert record.cancelled_at == world.clock.now(), "a reason alone is a cancel"
    assert (await fetched(world, unknown, cancel_reasons={9: "Перенос"})).cancel_reason == "Перенос"


async def test_the_visit_that_was_moved_here_is_named(world: Clinic) -> None:
    patient = world.add_patient()
    first = world.add_appointment(patient)
    assert (
        await fetched(world, world.add_appointment(patient, ID_ReceptionsTransferFrom=first))
    ).predecessor_id == first


async def test_a_patient_is_read_from_both_tables(world: Clinic) -> None:
    id_ = world.add_patient(
        Surname=" ИВАНОВА",
        Name="мария",
        Birthday="01.02.1980",
        MobilePhone="8(900)123-45-67 мама",
        Phone="8-900-123-45-67, 8 473 200 12 34",
        CardNumber="А-17",
        ParentSNP="иванова ольга",
        SMSRejection=1,
    )
    record = await fetched_patient(world, id_)
    assert (record.surname, record.name, record.card_number, record.guardian) == (
        "Иванова",
        "Мария",
        "А-17",
        "Иванова Ольга",
    )
    assert [phone.e164 for phone in record.phones] == ["+79001234567", "+74732001234"]
    assert record.birth_date is not None
    assert record.birth_date.isoformat() == "1980-02-01"
    assert record.messages_refused


@pytest.mark.parametrize(
    ("rejection", "consent", "refused"),
    [(1, 1, True), (0, 0, False), (None, 0, True), (None, 1, False), (None, None, False)],
)
async def test_a_refusal_of_messages_decides_and_consent_only_where_it_is_silent(
    world: Clinic, rejection: int | None, consent: int | None, refused: bool
) -> None:
    id_ = world.add_patient(SMSRejection=rejection, ConformToSending=consent)
    assert (await fetched_patient(world, id_)).messages_refused is refused


async def test_a_bad_birth_date_is_left_out_and_not_logged(world: Clinic) -> None:
    id_ = world.add_patient(Birthday="31.02.1985")
    with structlog.testing.capture_logs() as logs:
        assert (await fetched_patient(world, id_)).birth_date is None
    assert [entry["patient"] for entry in logs if entry["event"] == "ident.birth_date_left_out"] == [id_]
    assert "31.02.1985" not in str(logs)


async def test_enquiries_of_the_demo_are_read(world: Clinic) -> None:
    add = {"Phone": "8 900 555 44 33", "Name": "олег", "Result": "Думает", "Source": "Сайт"}
    first = world.add("KresloDemoEnquiries", DateTimeAdded=world.local(), **add)
    async with opened(world) as source:
        cursor = await settled(world, source)
        second = world.add("KresloDemoEnquiries", DateTimeAdded=world.local(), **add)
        assert given(await gather(source, cursor)) == [RecordRef(RecordKind.ENQUIRY, str(second))]
        (record,) = await source.fetch([RecordRef(RecordKind.ENQUIRY, str(first))])
    assert (record.name, record.result, record.source) == ("Олег", "Думает", "Сайт")
    assert record.phones[0].e164 == "+79005554433"
