"""The amoCRM target against its sandbox account: the contract of all targets, then the account's own traps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import structlog

from connectors.amocrm import connector as amocrm
from connectors.amocrm.limits import lock_paths
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.fields import Field, Option
from connectors.amocrm.sandbox.switches import UNVERIFIED
from kreslo.connectors.contract import Target
from kreslo.connectors.errors import (
    ConfigurationError,
    ErrorKind,
    LimitError,
    PermissionDeniedError,
)
from kreslo.connectors.locking import FileLock
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    ByContact,
    ByField,
    ById,
    ByKey,
    ByMarker,
    ByPhone,
    CreateCard,
    CreatedSince,
    Entity,
    EventKind,
    FieldType,
    MultiChange,
    Needed,
    NeededField,
    NeededStage,
    OutcomeKind,
    Semantic,
    UpdateCard,
)
from kreslo.connectors.noticing import Noticing
from kreslo.connectors.testing import TargetContract, TargetRig, open_rig

PHONE, OTHER = "+79001234567", "+79007654321"
KEY = "KRESLO_KEY"


def furnish(rig: TargetRig) -> None:
    account = rig.app.state.account
    for code, name, type_ in (("SOURCE", "Источник", "select"), ("DOCTORS", "Врачи", "multiselect")):
        options = [
            Option(id=account.fields.new_option_id(), value=value, sort=at)
            for at, value in enumerate(("Звонок", "Сайт", "WhatsApp"))
        ]
        account.fields.add(
            Field(
                kind=Kind.LEAD, id=account.fields.new_id(), name=name, type=type_, code=code, options=options
            )
        )


class TestAmocrmTarget(TargetContract):
    connector = amocrm
    name_code = "first_name"
    surname_code = "last_name"
    phone_code = "PHONE"
    enum = ("SOURCE", "Звонок")
    quiet = False
    haste = "429"

    def furnish(self, rig: TargetRig) -> None:
        furnish(rig)

    def stranger(self, rig: TargetRig) -> Target:
        return rig.build(token=rig.settings["token"][:-4] + "zzzz")

    def secrets(self, rig: TargetRig) -> list[str]:
        return [rig.settings["token"], rig.settings["token"][:-4] + "zzzz"]


class TestAmocrmTargetOfTheOtherGuesses(TestAmocrmTarget):
    """What amoCRM's documentation leaves open, the other way round."""

    switches: ClassVar[dict[str, Any]] = {
        "batch_on_error": "valid",
        "missing_patch": "226",
        "name_parts": "parts",
        "range_borders": "exclusive",
        "date_cut": "utc",
        "repeat_link": "error",
        "too_many_body": "json",
        "too_many_applied": True,
        "search_mode": "raw",
        "search_lag": 20.0,
        "search_noise": 7,
        "lead_patch": "wrapped",
        "updated_at_sent": "stored",
    }
    spelling = "+7 (900) 123-45-67"


class TestAmocrmTargetWithPaidFilters(TestAmocrmTarget):
    """The account has bought filters by custom fields; a missing card is not found."""

    switches: ClassVar[dict[str, Any]] = {
        "api_filter": True,
        "missing_patch": "not_found",
        "search_lag": 20.0,
    }


def _contract_under(switches: dict[str, Any]) -> None:
    """A suite of its own, under the switches' names."""
    words = "_".join(f"{key}_{value}" for key, value in switches.items())
    name = "TestAmocrmUnder_" + "".join(letter if letter.isalnum() else "_" for letter in words)
    body = {"switches": switches, "pytestmark": [pytest.mark.exhaustive]}
    globals()[name] = type(name, (TestAmocrmTarget,), body)


for _switches in UNVERIFIED:
    _contract_under(_switches)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[TargetRig]:
    async with open_rig(amocrm, settings={"state": str(tmp_path)}) as rig:
        furnish(rig)
        await rig.target.setup(NEEDED, dry_run=False)
        await rig.refresh()
        yield rig


NEEDED = Needed(
    fields=(NeededField(Entity.CONTACT, "Дата рождения", FieldType.DATE),),
    stages=(
        NeededStage(Entity.DEAL, "Приёмы", "Записан на приём"),
        NeededStage(Entity.DEAL, "Приёмы", "Визит состоялся", Semantic.WON),
        NeededStage(Entity.DEAL, "Приёмы", "Визит отменён", Semantic.LOST),
    ),
)


async def create(rig: TargetRig, entity: Entity = Entity.DEAL, key: str = "mis/x/1", **rest: Any) -> str:
    (made,) = await rig.apply(CreateCard(entity=entity, key=key, **rest))
    assert made.kind is OutcomeKind.CONFIRMED, made
    return made.target_id


async def requests(rig: TargetRig) -> int:
    return int((await rig.control("GET", "stats"))["requests"])


def booked(rig: TargetRig) -> Any:
    return rig.stage(Entity.DEAL, "Приёмы", "Записан на приём")


# --- filters and searches that give more than was asked for ---------------------------------------------------------


async def test_foreign_cards_are_not_touched_by_a_search_over_many_pages(rig: TargetRig) -> None:
    for number in range(300):
        await rig.staff("create", entity="deal", fields={"name": f"Чужая {number}"})
    mine = await create(rig)
    assert [card.id for card in await rig.find(ByKey(Entity.DEAL, "mis/x/1"))] == [mine]
    since = rig.clock.now() - timedelta(hours=1)
    assert len(await rig.find(CreatedSince(Entity.DEAL, since))) == 301


async def test_a_filter_that_the_account_does_not_apply_stops_the_search() -> None:
    async with open_rig(amocrm, switches={"api_filter": True}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        for number in range(3):
            await rig.staff("create", entity="contact", fields={"name": f"Чужой {number}"})
        rig.clock.advance(600)
        rig.app.state.account.switches.api_filter = False
        with pytest.raises(ConfigurationError, match="не применил фильтр"):
            await rig.find(ByKey(Entity.CONTACT, "mis/patient/1"))


async def test_without_a_key_field_nothing_is_created(rig: TargetRig) -> None:
    fields = rig.app.state.account.fields
    fields.remove(fields.coded(Kind.LEAD, KEY))
    await rig.refresh()
    (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="mis/x/1"))
    assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.CONFIGURATION)
    assert await rig.state("deals") == []
    with pytest.raises(ConfigurationError, match="kreslo setup"):
        await rig.find(ByKey(Entity.DEAL, "mis/x/1"))


async def test_a_list_is_read_again_when_a_card_was_deleted_while_it_was_read(
    rig: TargetRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await rig.staff("create", entity="deal", fields={"name": f"{at}"}))["id"] for at in range(260)]
    since = rig.clock.now() - timedelta(hours=1)
    asked = rig.target._client.ask  # type: ignore[attr-defined]
    left = [made[0]]

    async def ask(path: str, params: Any = None) -> Any:
        answer = await asked(path, params)
        if path == "leads" and left:
            await rig.staff("delete", entity="deal", id=left.pop())
        return answer

    monkeypatch.setattr(rig.target._client, "ask", ask)  # type: ignore[attr-defined]
    found = await rig.find(CreatedSince(Entity.DEAL, since))
    assert [int(card.id) for card in found] == made[1:]


@pytest.mark.parametrize("kind", ["401", "403html"])
async def test_a_lost_login_is_not_taken_for_a_missing_right(rig: TargetRig, kind: str) -> None:
    """Without the right to read the log of deletions, or who works there, the rest goes on; locked out, nothing may."""
    for at in range(251):
        await rig.staff("create", entity="deal", fields={"name": f"{at}"})
    since = rig.clock.now() - timedelta(hours=1)
    asked: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("events", lambda: rig.target.events(since)),
        ("events", lambda: rig.find(CreatedSince(Entity.DEAL, since))),
        ("users", rig.refresh),
        ("leads/loss_reasons", rig.refresh),
    ]
    for path, ask in asked:
        await rig.fault(kind, match=f"*{path}*", times=1)
        with pytest.raises(PermissionDeniedError):
            await ask()
        rig.clock.advance(3600)
        await ask()


async def test_a_card_is_found_by_another_systems_key(rig: TargetRig) -> None:
    made = await rig.staff("create", entity="deal", fields={"name": "Чужая", "UTM_TERM": "A-17"})
    await rig.staff("create", entity="deal", fields={"name": "Чужая", "UTM_TERM": "A-177"})
    rig.clock.advance(600)
    found = await rig.find(ByField(Entity.DEAL, "UTM_TERM", "A-17"))
    assert [card.id for card in found] == [str(made["id"])]


# --- the walk over the account ------------------------------------------------------------------------------------------


async def test_many_questions_are_answered_by_one_walk_that_stays_true(rig: TargetRig) -> None:
    for number in range(300):
        await rig.staff(
            "create", entity="contact", fields={"name": f"П{number}", "PHONE": [f"8 903 {number:07}"]}
        )
    await rig.control("DELETE", "stats")
    phones = [f"+7903{number:07}" for number in range(200)]
    found = await rig.target.find([ByPhone(Entity.CONTACT, (phone,)) for phone in phones])
    assert [len(one.cards) for one in found] == [1] * 200
    assert await requests(rig) <= 5
    late = await rig.staff("create", entity="contact", fields={"name": "Новый", "PHONE": [PHONE]})
    rig.clock.advance(30)
    assert [card.id for card in await rig.find(ByPhone(Entity.CONTACT, (PHONE,)))] == [str(late["id"])]
    await rig.staff("delete", entity="contact", id=late["id"])
    assert await rig.find(ByPhone(Entity.CONTACT, (PHONE,))) == ()
    mine = await create(
        rig, Entity.CONTACT, "mis/patient/1", fields={"last_name": "Ёлкина", "PHONE": (PHONE,)}
    )
    assert [card.id for card in await rig.find(ByPhone(Entity.CONTACT, (PHONE,)))] == [mine]
    await rig.apply(UpdateCard(entity=Entity.CONTACT, id=mine, multi={"PHONE": MultiChange(add=(OTHER,))}))
    assert [card.id for card in await rig.find(ByPhone(Entity.CONTACT, (OTHER,)))] == [mine]


async def test_deals_that_staff_made_or_moved_are_seen_after_the_walk(rig: TargetRig) -> None:
    await rig.target.find([ByKey(Entity.CONTACT, f"k/{number}") for number in range(50)])
    anna = await create(
        rig, Entity.CONTACT, "mis/patient/1", fields={"last_name": "Ёлкина", "PHONE": (PHONE,)}
    )
    deal = await rig.staff("create", entity="deal", fields={"name": "С сайта"}, contact_ids=[int(anna)])
    rig.clock.advance(30)
    lookup = ByPhone(Entity.DEAL, (PHONE,), open_only=True)
    (card,) = await rig.find(lookup)
    assert (card.id, [phone.e164 for phone in card.phones]) == (str(deal["id"]), [PHONE])
    await rig.staff("move", id=deal["id"], stage="Закрыто и не реализовано")
    assert await rig.find(lookup) == ()
    assert [card.id for card in await rig.find(ByContact(Entity.DEAL, anna))] == [str(deal["id"])]


async def test_an_import_costs_little_more_than_its_writes_and_keeps_the_pace(rig: TargetRig) -> None:
    people, each = 2000, 2
    for number in range(500):
        await rig.staff(
            "create", entity="contact", fields={"name": f"С{number}", "PHONE": [f"8903{number:07}"]}
        )
    await rig.control("DELETE", "stats")
    started = rig.clock.monotonic()
    catalog = await requests(rig)
    await rig.refresh()
    catalog = await requests(rig) - catalog
    looked, since = started, rig.clock.now()
    for first in range(0, people, 400):
        block = range(first, first + 400)
        if rig.clock.monotonic() - looked > 15:
            _, since = await rig.target.events(since)
            looked = rig.clock.monotonic()
        lookups = [
            ByPhone(entity, (f"+7900{at:07}",)) for at in block for entity in (Entity.CONTACT, Entity.DEAL)
        ]
        await rig.target.find([*lookups, *(ByKey(Entity.CONTACT, f"mis/patient/{at}") for at in block)])
        contacts = await rig.apply(
            *(
                CreateCard(
                    entity=Entity.CONTACT,
                    key=f"mis/patient/{at}",
                    fields={"last_name": f"Ф{at}", "PHONE": (f"+7900{at:07}",)},
                )
                for at in block
            )
        )
        deals = await rig.apply(
            *(
                CreateCard(
                    entity=Entity.DEAL,
                    key=f"mis/appointment/{at}-{one}",
                    fields={"TITLE": "Приём"},
                    contacts=(made.target_id,),
                    stage=booked(rig),
                )
                for at, made in zip(block, contacts, strict=True)
                for one in range(each)
            )
        )
        assert {one.kind for one in (*contacts, *deals)} == {OutcomeKind.CONFIRMED}
    stats = await rig.control("GET", "stats")
    least = people * (1 + each) / 50 + 500 / 250 + 1 + catalog
    assert stats["requests"] <= 1.15 * least
    assert rig.clock.monotonic() - started <= 1.1 * stats["requests"] / 5
    assert stats["limit_violations"] == 0
    assert len(await rig.state("deals")) == people * each


# --- «Неразобранное» ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False])
async def test_an_incoming_lead_is_accepted_before_it_is_moved(rig: TargetRig, inside: bool) -> None:
    arrived = {
        "name": "Анна",
        "phone": PHONE,
        "stage": "Неразобранное",
        "created_at": rig.clock.now().isoformat(),
    }
    lead = await rig.control("POST", "leads", arrived)
    (card,) = await rig.find(ByPhone(Entity.DEAL, (PHONE,), open_only=True))
    assert (card.id, card.semantic) == (str(lead["id"]), Semantic.UNSORTED)
    place = rig.stage(Entity.DEAL, "Лиды", "Квалификация") if inside else booked(rig)
    (outcome,) = await rig.apply(
        UpdateCard(
            entity=Entity.DEAL, id=card.id, key="mis/appointment/1", stage=place, fields={"TITLE": "Приём"}
        )
    )
    assert outcome.kind is OutcomeKind.CONFIRMED, outcome
    (moved,) = await rig.find(ById(Entity.DEAL, card.id))
    assert (moved.stage, moved.title, moved.key) == (place, "Приём", "mis/appointment/1")
    assert await rig.state("unsorted") == []


# --- what is written -------------------------------------------------------------------------------------------------


async def test_tags_are_added_beside_those_of_staff(rig: TargetRig) -> None:
    deal = await create(rig, fields={"tags": ("ident", "первичный")})
    rig.app.state.account.card(Kind.LEAD, int(deal)).tags.append(
        rig.app.state.account.tag(Kind.LEAD, "от Анны")
    )
    multi = {"tags": MultiChange(add=("вторичный",), remove=("первичный",))}
    (outcome,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, multi=multi))
    assert outcome.kind is OutcomeKind.CONFIRMED, outcome
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    assert set(card.fields["tags"] or ()) == {"ident", "от Анны", "вторичный"}  # type: ignore[arg-type]


async def test_a_budget_a_loss_reason_an_owner_and_utm_are_written(rig: TargetRig) -> None:
    values = {
        "price": Decimal("1499.50"),
        "loss_reason_id": "Дорого",
        "responsible_user_id": "Мария Вторая",
        "UTM_SOURCE": "yandex",
        "DOCTORS": ("Сайт", "Звонок"),
    }
    deal = await create(rig, stage=rig.stage(Entity.DEAL, "Приёмы", "Визит отменён"), fields=values)
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    for code, value in values.items():
        assert card.fields[code] == rig.target.canonical(Entity.DEAL, code, value)
    assert card.fields["price"] == Decimal(1500)
    assert card.semantic is Semantic.LOST
    (outcome,) = await rig.apply(
        UpdateCard(
            entity=Entity.DEAL, id=deal, fields={"price": None, "loss_reason_id": None, "DOCTORS": None}
        )
    )
    assert outcome.kind is OutcomeKind.CONFIRMED, outcome
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    assert [card.fields[code] for code in ("price", "loss_reason_id", "DOCTORS")] == [None, None, None]


async def test_labels_of_phones_that_staff_gave_stay(rig: TargetRig) -> None:
    made = await rig.staff(
        "create",
        entity="contact",
        fields={"name": "Анна", "PHONE": [{"value": "8 900 123-45-67", "enum_code": "MOB"}]},
    )
    await rig.apply(
        UpdateCard(
            entity=Entity.CONTACT, id=str(made["id"]), multi={"PHONE": MultiChange(add=(PHONE, OTHER))}
        )
    )
    card = rig.app.state.account.card(Kind.CONTACT, made["id"])
    field = rig.app.state.account.fields.coded(Kind.CONTACT, "PHONE")
    assert [(cell.value, cell.enum_code) for cell in card.custom[field.id]] == [
        ("8 900 123-45-67", "MOB"),
        (OTHER, "WORK"),
    ]


async def test_a_contact_has_its_birth_date_and_one_name(rig: TargetRig) -> None:
    code = rig.code(Entity.CONTACT, "Дата рождения")
    made = await create(
        rig, Entity.CONTACT, fields={"first_name": "Анна", "last_name": "Ёлкина", code: "1980-04-01"}
    )
    await rig.apply(UpdateCard(entity=Entity.CONTACT, id=made, fields={"last_name": "Соснова"}))
    (card,) = await rig.find(ById(Entity.CONTACT, made))
    assert (card.name, str(card.birth_date)) == ("Анна Соснова", "1980-04-01")


async def test_a_task_goes_to_the_responsible_of_its_card(rig: TargetRig) -> None:
    deal = await create(rig, fields={"responsible_user_id": "Мария Вторая"})
    due = rig.clock.now() + timedelta(hours=2)
    await rig.apply(
        AddTask(entity=Entity.DEAL, id=deal, marker="m1", text="Перезвонить", due_at=due),
        AddTask(entity=Entity.DEAL, id=deal, marker="m2", text="Перезвонить", due_at=due, user="8000003"),
    )
    assert [task["responsible_user_id"] for task in await rig.state("tasks")] == [8_000_004, 8_000_003]
    (missing,) = await rig.apply(AddTask(entity=Entity.DEAL, id="777", marker="m", text="т", due_at=due))
    assert (missing.kind, missing.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)


async def test_an_enquiry_takes_its_caller_with_it(rig: TargetRig) -> None:
    await rig.target.find([ByKey(Entity.DEAL, f"k/{at}") for at in range(50)])  # the book stands
    known = await create(
        rig, Entity.CONTACT, "mis/patient/1", fields={"last_name": "Ёлкина", "PHONE": (PHONE,)}
    )
    await rig.control("DELETE", "stats")
    outcomes = await rig.apply(
        *(
            CreateCard(
                entity=Entity.DEAL,
                key=f"mis/enquiry/{at}",
                fields={"CONTACT_NAME": f"Пётр {at}", "PHONE": (phone,)},
            )
            for at, phone in enumerate((OTHER, "+79005550000", PHONE))
        )
    )
    assert {one.kind for one in outcomes} == {OutcomeKind.CONFIRMED}
    writes = (await rig.control("GET", "stats"))["by_method"]
    assert writes["POST /api/v4/leads/complex"] == 1
    (made,) = await rig.find(ByPhone(Entity.DEAL, (OTHER,), open_only=True))
    assert made.id == outcomes[0].target_id
    assert (made.fields["PHONE"], made.fields["CONTACT_NAME"]) == ((OTHER,), "Пётр 0")
    assert [phone.e164 for phone in made.phones] == [OTHER]
    (his,) = await rig.find(ByPhone(Entity.DEAL, (PHONE,)))
    assert (his.id, his.contacts) == (outcomes[2].target_id, (known,))
    assert len(await rig.state("contacts")) == 3


@pytest.mark.parametrize("kind", ["lose", "cut"])
async def test_an_enquiry_without_an_answer_is_found_by_its_key(rig: TargetRig, kind: str) -> None:
    since = rig.clock.now()
    await rig.fault(kind, match="*complex*")
    (outcome,) = await rig.apply(
        CreateCard(entity=Entity.DEAL, key="mis/enquiry/1", fields={"PHONE": (PHONE,), "CONTACT_NAME": None})
    )
    assert outcome.kind is OutcomeKind.UNKNOWN
    found = await rig.find(CreatedSince(Entity.DEAL, since))
    assert [card.key for card in found] == (["mis/enquiry/1"] if kind == "lose" else [])


async def test_cards_on_the_border_of_the_asked_time_are_no_ignored_filter(rig: TargetRig) -> None:
    await create(rig)
    (card,) = await rig.state("deals")
    # The listing begins some seconds early; a card of its very first second is all that it gives.
    for early in range(9):
        since = datetime.fromtimestamp(card["created_at"] + early, UTC)
        assert len(await rig.find(CreatedSince(Entity.DEAL, since))) == (early <= 5), early


# --- refusals of batches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["nothing", "valid"])
async def test_the_bad_items_of_a_request_are_parked_and_the_rest_is_made_once(mode: str) -> None:
    async with open_rig(amocrm, switches={"batch_on_error": mode}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        outcomes = await rig.apply(
            *(
                CreateCard(entity=Entity.DEAL, key=f"k/{at}", contacts=("777",) if at == 3 else ())
                for at in range(8)
            )
        )
        kinds = [one.kind for one in outcomes]
        assert kinds[3] is OutcomeKind.PERMANENT
        assert {*kinds[:3], *kinds[4:]} == {OutcomeKind.CONFIRMED}
        found = await rig.find(CreatedSince(Entity.DEAL, rig.clock.now() - timedelta(minutes=1)))
        assert {card.key: card.id for card in found} == {
            f"k/{at}": one.target_id for at, one in enumerate(outcomes) if at != 3
        }
        deal = outcomes[0].target_id
        notes = await rig.apply(
            AddNote(entity=Entity.DEAL, id=deal, marker="n1", text="первая"),
            AddNote(entity=Entity.DEAL, id="777", marker="n2", text="никуда"),
            AddNote(entity=Entity.DEAL, id=deal, marker="n3", text="третья"),
        )
        assert [one.kind for one in notes] == [
            OutcomeKind.CONFIRMED,
            OutcomeKind.PERMANENT,
            OutcomeKind.CONFIRMED,
        ]
        for marker in ("n1", "n3"):
            assert len(await rig.find(ByMarker(Entity.DEAL, deal, marker))) == 1


@pytest.mark.parametrize("way", ["226", "not_found"])
async def test_a_refusal_that_names_nobody_is_narrowed_down(way: str) -> None:
    async with open_rig(amocrm, switches={"missing_patch": way}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        deals = [await create(rig, key=f"k/{at}") for at in range(6)]
        await rig.staff("delete", entity="deal", id=int(deals[4]))
        outcomes = await rig.apply(
            *(UpdateCard(entity=Entity.DEAL, id=deal, fields={"TITLE": "Новое"}) for deal in deals)
        )
        kinds = [one.kind for one in outcomes]
        assert kinds == [OutcomeKind.CONFIRMED] * 4 + [OutcomeKind.PERMANENT, OutcomeKind.CONFIRMED]
        assert "удалили" in outcomes[4].message


async def test_a_limit_answered_after_the_write_makes_no_second_card() -> None:
    async with open_rig(amocrm, switches={"too_many_applied": True}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.refresh()
        await rig.fault("429", when="after")
        (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="k/1"))
        assert outcome.kind is OutcomeKind.CONFIRMED
        assert [str(deal["id"]) for deal in await rig.state("deals")] == [outcome.target_id]


async def test_after_a_504_the_rest_is_not_sent_and_requests_become_smaller(rig: TargetRig) -> None:
    await rig.fault("504html")
    outcomes = await rig.apply(*(CreateCard(entity=Entity.DEAL, key=f"k/{at}") for at in range(80)))
    kinds = [one.kind for one in outcomes]
    assert kinds == [OutcomeKind.UNKNOWN] * 50 + [OutcomeKind.TRANSIENT] * 30
    await rig.control("DELETE", "stats")
    await rig.apply(*(CreateCard(entity=Entity.DEAL, key=f"n/{at}") for at in range(50)))
    assert await requests(rig) == 2


async def test_an_unpaid_account_is_waited_for(rig: TargetRig) -> None:
    await rig.control("POST", "unpaid", {"seconds": 540, "reads": True})
    (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="k/1"))
    # It concerns every card: the bridge pauses and says so.
    assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.PERMISSION)
    with pytest.raises(LimitError) as refusal:
        await rig.find(ById(Entity.DEAL, "1"))
    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after >= 60
    rig.clock.advance(600)
    await create(rig, key="k/1")


async def test_a_blocked_account_stops_everything_and_alarms(rig: TargetRig) -> None:
    await rig.control("POST", "limits", {"blocked": True})
    await rig.control("DELETE", "stats")
    for _ in range(5):
        (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="k/1"))
        assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.PERMISSION)
        assert "ТРЕВОГА" in outcome.message
        with pytest.raises(PermissionDeniedError, match="поддержка"):
            await rig.find(ById(Entity.DEAL, "1"))
    assert await requests(rig) == 1
    await rig.control("POST", "limits", {"blocked": False})
    rig.clock.advance(301)
    await create(rig, key="k/1")


async def test_a_method_that_is_not_allowed_is_no_block(rig: TargetRig) -> None:
    deal = await create(rig)
    await rig.fault("403")
    (outcome,) = await rig.apply(AddNote(entity=Entity.DEAL, id=deal, marker="n1", text="т"))
    assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.PERMISSION)
    assert "ТРЕВОГА" not in outcome.message
    assert [card.id for card in await rig.find(ById(Entity.DEAL, deal))] == [deal]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("400system", OutcomeKind.UNKNOWN), ("244", OutcomeKind.TRANSIENT), ("401", OutcomeKind.TRANSIENT)],
)
async def test_a_400_of_their_own_and_one_about_rights_park_nothing(
    rig: TargetRig, fault: str, kind: OutcomeKind
) -> None:
    await rig.fault(fault)
    (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="k/1"))
    assert outcome.kind is kind


# --- setup, check, hooks ------------------------------------------------------------------------------------------------


async def test_closing_stages_are_named_in_a_new_pipeline_and_left_alone_in_another(rig: TargetRig) -> None:
    stages = {stage.id: stage.name for stage in rig.funnel(Entity.DEAL, "Приёмы").stages}
    assert (stages["142"], stages["143"]) == ("Визит состоялся", "Визит отменён")
    needed = Needed(
        stages=(
            NeededStage(Entity.DEAL, "Лиды", "Уже записан", Semantic.LOST),
            NeededStage(Entity.DEAL, "Лиды", "Не записался"),
        )
    )
    refused, made = await rig.target.setup(needed, dry_run=False)
    assert refused.startswith("Не создано")
    assert "Закрыто и не реализовано" in refused
    assert made == "Стадия «Не записался» в воронке «Лиды»"


async def test_a_second_lost_stage_of_a_new_pipeline_is_an_ordinary_one(rig: TargetRig) -> None:
    needed = Needed(
        stages=(
            NeededStage(Entity.DEAL, "Ещё", "Записан"),
            NeededStage(Entity.DEAL, "Ещё", "Отменён", Semantic.LOST),
            NeededStage(Entity.DEAL, "Ещё", "Не пришёл", Semantic.LOST),
        )
    )
    lines = await rig.target.setup(needed, dry_run=False)
    assert "обычный этап" in lines[-1]
    await rig.refresh()
    semantics = {stage.name: stage.semantic for stage in rig.funnel(Entity.DEAL, "Ещё").stages}
    assert (semantics["Отменён"], semantics["Не пришёл"]) == (Semantic.LOST, Semantic.OPEN)
    assert await rig.target.setup(needed, dry_run=False) == []


async def test_the_key_field_cannot_be_edited_by_staff(rig: TargetRig) -> None:
    for kind in (Kind.LEAD, Kind.CONTACT):
        assert rig.app.state.account.fields.coded(kind, KEY).is_api_only


async def test_the_hook_is_subscribed_once_and_what_it_tells_is_read(rig: TargetRig) -> None:
    hooks = {"hook_url": "https://kreslo.example/hooks/clinic", "hook_secret": "s3cret-of-hook"}
    target = rig.build(**hooks)
    try:
        (line,) = await target.setup(Needed(), dry_run=False)
        assert "s3cret" not in line
        assert await target.setup(Needed(), dry_run=False) == []
        await target.catalog()
        made = await rig.staff("create", entity="contact", fields={"name": "Анна", "PHONE": [PHONE]})
        await rig.staff("create", entity="company", fields={"name": "ООО"})
        deal = await rig.staff("create", entity="deal", fields={"name": "С сайта"}, contact_ids=[made["id"]])
        await rig.staff("move", id=deal["id"], stage="Квалификация")
        await rig.staff("delete", entity="contact", id=made["id"])
        sent = (await rig.control("GET", "hooks"))["deliveries"]
        events = [
            event
            for body in sent
            for event in target.parse_webhook(
                {"X-Kreslo-Hook-Secret": "s3cret-of-hook"}, body["body"].encode()
            )
        ]
    finally:
        await target.close()
    told = {(event.entity, event.id, event.kind) for event in events}
    assert told == {
        (Entity.CONTACT, str(made["id"]), EventKind.CHANGED),
        (Entity.CONTACT, str(made["id"]), EventKind.DELETED),
        (Entity.DEAL, str(deal["id"]), EventKind.CHANGED),
    }


async def test_deleted_cards_are_polled(rig: TargetRig) -> None:
    deal = await create(rig)
    rig.clock.advance(60)
    since = rig.clock.now()
    await rig.staff("delete", entity="deal", id=int(deal))
    events, _ = await rig.target.events(since)
    assert [(event.entity, event.id, event.kind) for event in events] == [
        (Entity.DEAL, deal, EventKind.DELETED)
    ]


async def test_a_token_that_ends_within_thirty_days_is_told_of(rig: TargetRig) -> None:
    for days, told in ((31, False), (29, True)):
        made = await rig.control("POST", "tokens", {"seconds": days * 86_400})
        target = rig.build(token=made["token"])
        try:
            problems = await target.check()
        finally:
            await target.close()
        assert [problem.fatal for problem in problems] == [False] * told
        assert all("истекает" in problem.message for problem in problems)


async def test_beside_other_processes_it_goes_slower_and_says_so(tmp_path: Path) -> None:
    async with open_rig(amocrm, settings={"state": str(tmp_path)}) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        await rig.target.close()
        host = urlsplit(rig.settings["address"]).netloc
        others = [FileLock(path) for path in lock_paths(host, tmp_path)]
        assert all(other.take() for other in others[:4])
        target = rig.build()
        try:
            (problem,) = await target.check()
        finally:
            await target.close()
            for other in others:
                other.let_go()
    assert not problem.fatal
    assert "шлёт не больше 2.9 в секунду" in problem.message


async def test_the_end_of_a_token_is_in_the_log_once_a_day_and_among_the_notices(rig: TargetRig) -> None:
    made = await rig.control("POST", "tokens", {"seconds": 29 * 86_400})
    target = rig.build(token=made["token"])
    try:
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await target.catalog()
                await target.events(rig.clock.now())
            assert [entry["event"] for entry in logs].count("amocrm_notice") == 1
            rig.clock.advance(86_400)
            await target.events(rig.clock.now())
        told = [entry for entry in logs if entry["event"] == "amocrm_notice"]
        assert [entry["log_level"] for entry in told] == ["warning", "warning"]
        assert isinstance(target, Noticing)
        assert target.notices() == [told[1]["message"]]
        assert "осталось дней: 28" in told[0]["message"]
        assert "осталось дней: 27" in told[1]["message"]
    finally:
        await target.close()


@pytest.mark.parametrize("switches", [{"admin": False}, {"external": True}])
async def test_a_token_of_no_administrator_says_so(switches: dict[str, Any]) -> None:
    async with open_rig(amocrm, switches=switches) as rig:
        if "admin" in switches:
            with pytest.raises(PermissionDeniedError):
                await rig.target.setup(Needed(), dry_run=False)
        assert any("администратора" in problem.message for problem in await rig.target.check())
