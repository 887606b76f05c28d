"""The Bitrix24 target against its sandbox portal: the contract of all targets, then the portal's own traps."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from connectors.bitrix24 import connector as bitrix24
from connectors.bitrix24.sandbox.cards import Kind
from kreslo.connectors.contract import Target
from kreslo.connectors.errors import ConfigurationError, ErrorKind, PermissionDeniedError
from kreslo.connectors.model import (
    AddTask,
    ById,
    ByKey,
    ByPhone,
    CreateCard,
    CreatedSince,
    Entity,
    FieldType,
    Needed,
    NeededField,
    NeededStage,
    OutcomeKind,
    Semantic,
    StageRef,
    UpdateCard,
)
from kreslo.connectors.testing import HandClock, TargetContract, TargetRig, open_rig
from kreslo.connectors.testing.target import NEEDED

KEY = "UF_CRM_KRESLO_KEY"
PHONE = "+79001234567"


class TestBitrix24Target(TargetContract):
    connector = bitrix24
    name_code = "NAME"
    surname_code = "LAST_NAME"
    phone_code = "PHONE"
    enum = ("SOURCE_ID", "Звонок")

    def stranger(self, rig: TargetRig) -> Target:
        return rig.build(webhook=rig.settings["webhook"].rstrip("/")[:-4] + "zzzz/")

    def secrets(self, rig: TargetRig) -> list[str]:
        code = rig.settings["webhook"].rstrip("/").rsplit("/", 1)[-1]
        return [code, code[:-4] + "zzzz"]


class TestBitrix24TargetOfTheOldDocumentation(TestBitrix24Target):
    """The other set of HTTP statuses, and a search by phone that minds the spelling."""

    switches: ClassVar[dict[str, Any]] = {"status_set": "old", "phone_search": "format_sensitive"}
    spelling = "89001234567"


THROWN: list[dict[str, Any]] = [
    {"status_set": "old"},
    {"phone_search": "format_sensitive"},
    {"operating_threshold": 0.0},
    {"operating_limit": 420.0},
    {"legacy_total_minus_one": None},
    {"legacy_total_minus_one": 5000},
    {"opportunity_alone_manual": False},
    {"lead_id_on_update": True},
    {"unknown_filter": "refused"},
    {"joins_identical": False},
    {"legacy_checks_mandatory": True},
    {"findbycomm_code": "text"},
    {"timezone": "America/New_York"},
    {"timezone": "Asia/Vladivostok"},
    {"rate": 5.0, "burst": 250.0},
    {"plan": "ent250", "rate": 5.0, "burst": 250.0},
    {"burst": 60.0},
    {"request_limit": 30.0},
    {"costs": {"*": 0.5}},
    {"work_takes_time": True},
    {"crm_mode": 2},
    {"scopes": ("crm", "user_basic")},
    {"extended_offline": False},
    {"renamed_to": "localhost"},
]
"""Each switch of the sandbox that the target must hold its contract under, one at a time."""

RIGHTS: list[dict[str, Any]] = [
    {"admin": False},
    {"admin": False, "userfield_list_needs_admin": True},
]
"""Rights that are taken away once everything has been made."""

NO_ENTRY: list[dict[str, Any]] = [
    {"rest_by_plan": False},
    {"closed": True},
    {"webhook_expired": True},
    {"scopes": ()},
]
"""With these nothing can be done but to say so."""


class WithoutRights(TestBitrix24Target):
    """`taken`: the switches that are thrown after setup."""

    __test__ = False
    taken: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    async def rig(self, bare: TargetRig) -> TargetRig:
        await bare.target.setup(NEEDED, dry_run=False)
        await bare.control("POST", "switches", self.taken)
        await bare.refresh()
        return bare


def _contract_under(switches: dict[str, Any], base: type[TestBitrix24Target], name: str) -> None:
    """A suite of its own, under the switches' names."""
    words = "_".join(f"{key}_{value}" for key, value in switches.items())
    plain = "".join(letter if letter.isalnum() else "_" for letter in words)
    spelling = "89001234567" if "phone_search" in switches else TestBitrix24Target.spelling
    body = {name: switches, "spelling": spelling, "pytestmark": [pytest.mark.exhaustive], "__test__": True}
    globals()[f"TestBitrix24Under_{plain}"] = type(f"TestBitrix24Under_{plain}", (base,), body)


for _switches in THROWN:
    _contract_under(_switches, TestBitrix24Target, "switches")
for _switches in RIGHTS:
    _contract_under(_switches, WithoutRights, "taken")


@pytest.mark.parametrize("switches", NO_ENTRY, ids=lambda switches: next(iter(switches)))
@pytest.mark.parametrize("status_set", ["old", "new"])
async def test_a_portal_that_lets_nobody_in_pauses_everything_and_parks_nothing(
    switches: dict[str, Any], status_set: str
) -> None:
    async with open_rig(bitrix24, switches={"status_set": status_set}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        deal = await create(rig)
        await rig.control("POST", "switches", switches)
        with pytest.raises(PermissionDeniedError):
            await rig.find(ById(Entity.DEAL, deal))
        update = UpdateCard(entity=Entity.DEAL, id=deal, fields={"TITLE": "Новая"})
        for action in (update, CreateCard(entity=Entity.DEAL, key="mis/x/2")):
            (outcome,) = await rig.apply(action)
            assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.PERMISSION)
            assert outcome.retry_after is not None
            assert outcome.retry_after >= 60
        assert [problem.kind for problem in await rig.target.check()] == [ErrorKind.PERMISSION]
        assert [row["title"] for row in await rig.state("deals")] == ["Сделка #1"]


@pytest.fixture
async def rig() -> AsyncIterator[TargetRig]:
    async with open_rig(bitrix24) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        yield rig


async def create(rig: TargetRig, entity: Entity = Entity.DEAL, key: str = "mis/x/1", **rest: Any) -> str:
    (made,) = await rig.apply(CreateCard(entity=entity, key=key, **rest))
    assert made.kind is OutcomeKind.CONFIRMED, made
    return made.target_id


# --- filters that vanish ----------------------------------------------------------------------------------------


async def test_a_key_field_that_was_deleted_stops_the_search_instead_of_finding_strangers(
    rig: TargetRig,
) -> None:
    for number in range(60):
        await rig.staff("create", entity="contact", fields={"LAST_NAME": f"Чужой{number}"})
    del rig.app.state.portal.fields(Kind.CONTACT)[KEY]
    with pytest.raises(ConfigurationError, match=KEY):
        await rig.find(ByKey(Entity.CONTACT, "mis/patient/1"))


async def test_without_a_key_field_nothing_is_created(rig: TargetRig) -> None:
    del rig.app.state.portal.fields(Kind.DEAL)[KEY]
    await rig.refresh()
    (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="mis/x/1"))
    assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.CONFIGURATION)
    assert await rig.state("deals") == []
    with pytest.raises(ConfigurationError, match="kreslo setup"):
        await rig.find(ByKey(Entity.DEAL, "mis/x/1"))


async def test_foreign_cards_are_not_touched_by_a_search_over_many_pages(rig: TargetRig) -> None:
    for number in range(120):
        await rig.staff("create", entity="deal", fields={"TITLE": f"Чужая {number}"})
    mine = await create(rig)
    assert [card.id for card in await rig.find(ByKey(Entity.DEAL, "mis/x/1"))] == [mine]
    since = rig.clock.now() - timedelta(hours=1)
    assert len(await rig.find(CreatedSince(Entity.DEAL, since))) == 121


# --- leads --------------------------------------------------------------------------------------------------------


async def test_a_deal_is_made_from_a_lead_whole_in_one_call(rig: TargetRig) -> None:
    lead = await create(rig, Entity.LEAD, "mis/enquiry/1", fields={"NAME": "Анна", "PHONE": (PHONE,)})
    contact = await create(rig, Entity.CONTACT, "mis/patient/1", fields={"NAME": "Анна"})
    deal = await create(
        rig,
        key="mis/appointment/1",
        lead=lead,
        contacts=(contact,),
        stage=StageRef("0", "PREPARATION"),
        fields={"OPPORTUNITY": Decimal(1500), "SOURCE_ID": "Звонок", "UTM_SOURCE": "yandex"},
    )
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    assert (card.lead, card.contacts, card.key) == (lead, (contact,), "mis/appointment/1")
    assert card.stage == StageRef("0", "PREPARATION")
    assert (card.fields["OPPORTUNITY"], card.fields["SOURCE_ID"]) == (Decimal("1500.00"), "Звонок")
    (outcome,) = await rig.apply(UpdateCard(entity=Entity.LEAD, id=lead, stage=StageRef("", "CONVERTED")))
    assert outcome.kind is OutcomeKind.CONFIRMED
    (lead_card,) = await rig.find(ById(Entity.LEAD, lead))
    assert lead_card.semantic is Semantic.WON


async def test_leads_are_found_by_their_own_phone_and_by_that_of_their_contact(rig: TargetRig) -> None:
    contact = await create(rig, Entity.CONTACT, "mis/patient/1", fields={"NAME": "Анна", "PHONE": (PHONE,)})
    own = await create(rig, Entity.LEAD, "a/1", fields={"PHONE": ("+79007654321",)})
    hers = await create(rig, Entity.LEAD, "a/2", contacts=(contact,))
    junk = await create(rig, Entity.LEAD, "a/3", contacts=(contact,), stage=StageRef("", "JUNK"))
    both = await rig.find(ByPhone(Entity.LEAD, (PHONE, "+79007654321")))
    assert [card.id for card in both] == sorted([own, hers, junk], key=int)
    open_ones = await rig.find(ByPhone(Entity.LEAD, (PHONE,), open_only=True))
    assert [card.id for card in open_ones] == [hers]


@pytest.mark.parametrize(("takes", "kind"), [(True, OutcomeKind.CONFIRMED), (False, OutcomeKind.PERMANENT)])
async def test_a_lead_given_to_a_deal_that_exists_is_confirmed_only_if_the_portal_took_it(
    takes: bool, kind: OutcomeKind
) -> None:
    async with open_rig(bitrix24, switches={"lead_id_on_update": takes}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        lead, deal = await create(rig, Entity.LEAD, "a/1"), await create(rig)
        (outcome,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, lead=lead))
        assert outcome.kind is kind
        (card,) = await rig.find(ById(Entity.DEAL, deal))
        assert card.lead == (lead if takes else "")


async def test_a_quiet_lead_starts_no_robots(rig: TargetRig) -> None:
    await rig.control("POST", "robots", {"entity": "lead", "stage": "Новый"})
    await create(rig, Entity.LEAD, "a/1", quiet=True)
    assert await rig.state("messages") == []
    await create(rig, Entity.LEAD, "a/2")
    assert len(await rig.state("messages")) == 1


# --- amounts, texts, tasks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [True, False])
async def test_an_amount_stays_whatever_the_products_say(alone: bool) -> None:
    async with open_rig(bitrix24, switches={"opportunity_alone_manual": alone}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        deal = await create(rig, fields={"OPPORTUNITY": Decimal("99.5")})
        (outcome,) = await rig.apply(
            UpdateCard(entity=Entity.DEAL, id=deal, fields={"OPPORTUNITY": Decimal(0)}),
        )
        assert outcome.kind is OutcomeKind.CONFIRMED
        (card,) = await rig.find(ById(Entity.DEAL, deal))
        assert (
            card.fields["OPPORTUNITY"] is None is rig.target.canonical(Entity.DEAL, "OPPORTUNITY", Decimal(0))
        )
        assert card.fields["IS_MANUAL_OPPORTUNITY"] is True


async def test_an_amount_is_one_product_row_too_where_that_is_wanted() -> None:
    async with open_rig(bitrix24, settings={"product_row": "Услуги клиники"}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        deal = await create(rig)
        products = rig.app.state.portal.products
        for amount in (Decimal("1500.50"), Decimal(0)):
            update = UpdateCard(entity=Entity.DEAL, id=deal, fields={"OPPORTUNITY": amount, "TITLE": "Приём"})
            assert (await rig.apply(update))[0].kind is OutcomeKind.CONFIRMED
            (row,) = products[Kind.DEAL, int(deal)]
            assert (row["productName"], row["price"], row["quantity"]) == ("Услуги клиники", amount, 1)
            (card,) = await rig.find(ById(Entity.DEAL, deal))
            assert card.fields["OPPORTUNITY"] == rig.target.canonical(Entity.DEAL, "OPPORTUNITY", amount)
    async with open_rig(bitrix24) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        deal = await create(rig)
        await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, fields={"OPPORTUNITY": Decimal(5)}))
        assert rig.app.state.portal.products == {}


async def test_a_text_with_a_batch_reference_is_written_as_it_is(rig: TargetRig) -> None:
    texts = ["обычный", "$result[c0000]", "тоже обычный"]
    outcomes = await rig.apply(
        *(
            CreateCard(entity=Entity.DEAL, key=f"k/{at}", fields={"TITLE": text})
            for at, text in enumerate(texts)
        )
    )
    for one, text in zip(outcomes, texts, strict=True):
        (card,) = await rig.find(ById(Entity.DEAL, one.target_id))
        assert card.title == text


async def test_a_task_goes_to_the_responsible_of_its_card(rig: TargetRig) -> None:
    made = await rig.staff("create", entity="deal", fields={"TITLE": "Чужая", "ASSIGNED_BY_ID": 4})
    due = rig.clock.now() + timedelta(hours=2)
    task = AddTask(entity=Entity.DEAL, id=str(made["id"]), marker="kreslo:i1", text="Перезвонить", due_at=due)
    await rig.apply(task, AddTask(**{**{n: getattr(task, n) for n in task.__struct_fields__}, "user": "5"}))
    todos = await rig.state("todos")
    assert [todo["responsible_id"] for todo in todos] == [4, 5]
    assert todos[0]["subject"] == "Перезвонить"
    (missing,) = await rig.apply(AddTask(entity=Entity.DEAL, id="777", marker="m", text="т", due_at=due))
    assert (missing.kind, missing.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)


# --- limits and faults of batches -----------------------------------------------------------------------------------


async def test_a_batch_that_was_cut_leaves_every_change_unknown_and_some_of_them_done(rig: TargetRig) -> None:
    since = rig.clock.now()
    await rig.fault("cut", commands=3)
    outcomes = await rig.apply(*(CreateCard(entity=Entity.DEAL, key=f"k/{at}") for at in range(10)))
    assert {one.kind for one in outcomes} == {OutcomeKind.UNKNOWN}
    assert {one.target_id for one in outcomes} == {""}
    found = await rig.find(CreatedSince(Entity.DEAL, since))
    assert [card.key for card in found] == ["k/0", "k/1", "k/2"]


async def test_after_a_request_without_an_answer_the_rest_is_not_sent(rig: TargetRig) -> None:
    await rig.fault("504html")
    outcomes = await rig.apply(*(CreateCard(entity=Entity.DEAL, key=f"k/{at}") for at in range(40)))
    kinds = [one.kind for one in outcomes]
    assert kinds == [OutcomeKind.UNKNOWN] * 25 + [OutcomeKind.TRANSIENT] * 15
    assert outcomes[-1].error is ErrorKind.OUTAGE


async def test_after_one_create_that_the_gateway_cut_off_many_go_on(rig: TargetRig) -> None:
    await rig.fault("504html")
    contacts = [CreateCard(entity=Entity.CONTACT, key=f"p/{at}", fields={"NAME": "Анна"}) for at in range(11)]
    (lost,) = await rig.apply(contacts[0])
    assert lost.kind is OutcomeKind.UNKNOWN
    # It may have taken a minute, and is taken to cost two: no method ever has room for many such.
    async with asyncio.timeout(20):
        outcomes = await rig.apply(*contacts[1:])
    assert {one.kind for one in outcomes} == {OutcomeKind.CONFIRMED}


async def test_a_method_that_has_used_its_time_up_is_parked_and_others_go_on(rig: TargetRig) -> None:
    deal = await create(rig)
    await rig.control("POST", "costs", {"crm.deal.add": 60.0, "crm.item.add": 60.0})
    outcomes = []
    for at in range(20):
        outcomes += await rig.apply(CreateCard(entity=Entity.DEAL, key=f"k/{at}"))
    # crm.deal.add and crm.item.add have eight minutes each
    assert [one.kind for one in outcomes] == [OutcomeKind.CONFIRMED] * 16 + [OutcomeKind.TRANSIENT] * 4
    assert outcomes[-1].error is ErrorKind.LIMIT
    assert outcomes[-1].retry_after is not None
    assert 0 < outcomes[-1].retry_after <= 600
    (other,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, fields={"TITLE": "Идёт"}))
    assert other.kind is OutcomeKind.CONFIRMED
    assert (await rig.control("GET", "stats"))["operating_refusals"] == 0
    rig.clock.advance(outcomes[-1].retry_after + 1)
    assert (await rig.apply(CreateCard(entity=Entity.DEAL, key="k/20")))[0].kind is OutcomeKind.CONFIRMED


async def test_a_limit_that_is_lower_than_told_is_heeded_when_it_is_met(rig: TargetRig) -> None:
    await rig.control("POST", "limits", {"operating_limit": 100.0})
    await rig.control("POST", "costs", {"crm.deal.add": 60.0, "crm.item.add": 60.0})
    outcomes = []
    for at in range(6):
        outcomes += await rig.apply(CreateCard(entity=Entity.DEAL, key=f"k/{at}"))
    kinds = [one.kind for one in outcomes]
    assert kinds == [OutcomeKind.CONFIRMED] * 4 + [OutcomeKind.TRANSIENT] * 2
    assert (await rig.control("GET", "stats"))["operating_refusals"] == 2


async def test_in_a_bundle_a_card_that_cannot_be_made_is_refused_alone(rig: TargetRig) -> None:
    places = [StageRef("0", "NEW")] * 7
    places[3] = StageRef("0", "C9:NOWHERE")
    outcomes = await rig.apply(
        *(
            CreateCard(entity=Entity.DEAL, key=f"k/{at}", stage=stage, quiet=True)
            for at, stage in enumerate(places)
        )
    )
    kinds = [OutcomeKind.CONFIRMED] * 7
    kinds[3] = OutcomeKind.PERMANENT
    assert [one.kind for one in outcomes] == kinds
    assert len({one.target_id for one in outcomes if one.target_id}) == 6
    stats = await rig.control("GET", "stats")
    assert stats["by_method"].get("crm.item.batchImport") == 1
    for one in outcomes[:3]:
        (card,) = await rig.find(ById(Entity.DEAL, one.target_id))
        assert card.key == f"k/{outcomes.index(one)}"


async def test_a_batch_that_would_run_over_a_minute_is_cut_and_the_next_are_smaller(rig: TargetRig) -> None:
    rig.app.state.portal.switches.work_takes_time = True
    await rig.control("POST", "costs", {"crm.contact.add": 3.0})
    fields = {"NAME": "Анна"}
    first = await rig.apply(
        *(CreateCard(entity=Entity.CONTACT, key=f"k/{at}", fields=fields) for at in range(25))
    )
    assert {one.kind for one in first} == {OutcomeKind.UNKNOWN}
    second = await rig.apply(
        *(CreateCard(entity=Entity.CONTACT, key=f"n/{at}", fields=fields) for at in range(25))
    )
    assert {one.kind for one in second} == {OutcomeKind.CONFIRMED}


async def test_a_number_that_more_people_share_than_the_index_names_is_found_whole(rig: TargetRig) -> None:
    for at in range(23):
        await create(rig, Entity.CONTACT, f"p/{at}", fields={"NAME": f"Родня{at}", "PHONE": (PHONE,)})
    assert len(await rig.find(ByPhone(Entity.CONTACT, (PHONE,)))) == 23


async def test_an_import_reads_a_small_portal_once_instead_of_asking_for_every_number(rig: TargetRig) -> None:
    anna = await create(rig, Entity.CONTACT, "p/1", fields={"NAME": "Анна", "PHONE": (PHONE,)})
    await rig.control("DELETE", "stats")
    lookups = [ByPhone(Entity.CONTACT, (f"+7900{number:07}",)) for number in range(1234500, 1234700)]
    found = await rig.target.find(lookups)
    assert [card.id for one in found for card in one.cards] == [anna]
    commands = await rig.control("GET", "stats")
    assert "crm.duplicate.findbycomm" not in commands["commands"] | commands["by_method"]
    assert commands["requests"] <= 4


# --- clocks ---------------------------------------------------------------------------------------------------------


class OtherClock:
    """The portal's clock: `ahead` seconds before ours, or behind."""

    def __init__(self, ours: HandClock, ahead: float) -> None:
        self._ours = ours
        self._ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        return self._ours.now() + self._ahead

    def monotonic(self) -> float:
        return self._ours.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._ours.sleep(seconds)


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
async def test_clocks_that_differ_neither_hide_a_card_nor_bring_old_ones(
    rig: TargetRig, ahead: float
) -> None:
    rig.app.state.portal.clock = OtherClock(rig.clock, ahead)
    old = await create(rig, key="mis/x/0")
    rig.clock.advance(60)
    since = rig.target.now()
    rig.clock.advance(1)
    new = await create(rig)
    assert [card.id for card in await rig.find(CreatedSince(Entity.DEAL, since))] == [new]
    events, _ = await rig.target.events(since)
    assert [event.id for event in events] == [new]
    assert old != new


# --- stages ---------------------------------------------------------------------------------------------------------


async def test_a_move_that_the_portal_did_not_make_is_not_confirmed(rig: TargetRig) -> None:
    needed = Needed(
        stages=(NeededStage(Entity.DEAL, "Приёмы", "Записан"), NeededStage(Entity.DEAL, "Приёмы", "Завтра"))
    )
    await rig.target.setup(needed, dry_run=False)
    await rig.refresh()
    booked, tomorrow = (rig.stage(Entity.DEAL, "Приёмы", name) for name in ("Записан", "Завтра"))
    deal = await create(rig, stage=booked)
    (seen,) = await rig.find(ById(Entity.DEAL, deal))
    await rig.staff("move", id=int(deal), stage="В работе", funnel="Общая")
    action = UpdateCard(entity=Entity.DEAL, id=deal, stage=tomorrow, fields={"TITLE": "Новое имя"}, seen=seen)
    (outcome,) = await rig.apply(action)
    assert (outcome.kind, outcome.target_id) == (OutcomeKind.PERMANENT, deal)
    assert "не перевёл" in outcome.message
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    assert (card.stage, card.title) == (StageRef("0", "EXECUTING"), "Новое имя")


async def test_a_funnel_that_setup_made_has_the_needed_stages_first(rig: TargetRig) -> None:
    names = {
        "Записан": Semantic.OPEN,
        "Состоялся": Semantic.WON,
        "Отменён": Semantic.LOST,
        "Перенесён": Semantic.OPEN,
    }
    needed = Needed(
        stages=tuple(NeededStage(Entity.DEAL, "Приёмы", name, what) for name, what in names.items())
    )
    await rig.target.setup(needed, dry_run=False)
    await rig.refresh()
    stages = rig.funnel(Entity.DEAL, "Приёмы").stages
    assert {stage.name: stage.semantic for stage in stages}.items() >= names.items()
    assert [stage.name for stage in stages][:2] == ["Записан", "Перенесён"]
    assert [stage.name for stage in stages if stage.semantic is Semantic.WON] == ["Состоялся"]


# --- setup and check ------------------------------------------------------------------------------------------------


async def test_a_second_winning_stage_is_left_to_a_person(rig: TargetRig) -> None:
    needed = Needed(stages=(NeededStage(Entity.DEAL, "Общая", "Визит состоялся", Semantic.WON),))
    (line,) = await rig.target.setup(needed, dry_run=False)
    assert line.startswith("Не создано")
    assert "Сделка успешна" in line


async def test_what_is_needed_twice_is_made_once(rig: TargetRig) -> None:
    field = NeededField(Entity.LEAD, "Визит", FieldType.DATETIME)
    stages = (
        NeededStage(Entity.LEAD, "", "Пациент записан"),
        NeededStage(Entity.LEAD, "Лиды", "Пациент записан"),
    )
    lines = await rig.target.setup(Needed(fields=(field, field), stages=stages), dry_run=False)
    assert len(lines) == 2
    assert lines[1] == "Стадия «Пациент записан» в воронке «Лиды»"
    assert await rig.target.setup(Needed(fields=(field, field), stages=stages), dry_run=False) == []


async def test_many_open_stages_still_stand_before_the_final_ones(rig: TargetRig) -> None:
    names = [f"Этап {number:02}" for number in range(7)]
    await rig.target.setup(
        Needed(stages=tuple(NeededStage(Entity.LEAD, "Лиды", name) for name in names)), dry_run=False
    )
    await rig.refresh()
    stages = rig.funnel(Entity.LEAD, "Лиды").stages
    assert [stage.name for stage in stages if stage.name.startswith("Этап")] == names
    first_final = min(stage.sort for stage in stages if stage.semantic is not Semantic.OPEN)
    assert all(stage.sort < first_final for stage in stages if stage.semantic is Semantic.OPEN)


async def test_a_portal_without_leads_and_without_staff_names_is_only_warned_of() -> None:
    async with open_rig(bitrix24, switches={"crm_mode": 2, "scopes": ("crm",)}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        problems = await rig.target.check()
        assert [problem.fatal for problem in problems] == [False, False, False]
        assert "hook_token" in " ".join(problem.message for problem in problems)
        assert "без лидов" in " ".join(problem.message for problem in problems)


async def test_a_webhook_without_the_right_to_set_up_says_so() -> None:
    async with open_rig(bitrix24, switches={"admin": False}) as rig:
        with pytest.raises(Exception, match="отказал в доступе") as refusal:
            await rig.target.setup(Needed(), dry_run=False)
        assert refusal.type.__name__ == "PermissionDeniedError"
