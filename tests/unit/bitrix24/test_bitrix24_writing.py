"""What is sent, call by call, and what becomes of a change of several calls."""

from typing import Any

import httpx
import pytest
from b24_wire import Wire, commands, error, method_of

from connectors.bitrix24.apply import Pace, send
from connectors.bitrix24.fields import Field
from connectors.bitrix24.options import Bitrix24Options
from connectors.bitrix24.schema import Schema
from connectors.bitrix24.writing import Writer
from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import (
    Card,
    Catalog,
    Change,
    CreateCard,
    Entity,
    FieldDef,
    FieldType,
    MultiChange,
    Outcome,
    OutcomeKind,
    StageRef,
    UpdateCard,
)

KEY = "UF_CRM_KRESLO_KEY"


def field(entity: Entity, code: str, kind: FieldType, wire: str, item_name: str, **rest: Any) -> Field:
    return Field(
        definition=FieldDef(entity, code, code, kind, **rest),
        wire=wire,
        item_name=item_name,
        custom=code.startswith("UF_"),
    )


FIELDS = [
    field(Entity.DEAL, "TITLE", FieldType.TEXT, "string", "title"),
    field(Entity.DEAL, "OPPORTUNITY", FieldType.MONEY, "double", "opportunity"),
    field(Entity.DEAL, "CLOSED", FieldType.BOOLEAN, "char", "closed", read_only=True),
    field(Entity.DEAL, KEY, FieldType.TEXT, "string", "ufCrmKresloKey"),
    field(Entity.CONTACT, KEY, FieldType.TEXT, "string", "ufCrmKresloKey"),
    field(Entity.CONTACT, "PHONE", FieldType.PHONE, "crm_multifield", "fm", multiple=True),
]
SCHEMA = Schema(
    catalog=Catalog(key_fields={Entity.DEAL: KEY, Entity.CONTACT: KEY}),
    fields={
        entity: {one.code: one for one in FIELDS if one.definition.entity is entity}
        for entity in (Entity.DEAL, Entity.CONTACT)
    },
    currency="RUB",
    statuses={},
)
WRITER = Writer(
    SCHEMA, Bitrix24Options.model_validate({"webhook": "https://portal.bitrix24.ru/rest/1/secret/"}), {}
)
HERE = Card(entity=Entity.DEAL, id="5", stage=StageRef("1", "C1:NEW"))


def calls(action: Any, seen: Card | None = None) -> list[tuple[str, dict[str, Any]]]:
    return [(step.call.method, step.call.params) for step in WRITER.steps(Change("i1", action), seen)]


async def applied(wire: Wire, *actions: Any) -> list[Outcome]:
    changes = [Change(f"i{at}", action) for at, action in enumerate(actions)]
    return await send(wire.client, WRITER, changes, {}, Pace(wire.client), frozenset())


def test_contacts_come_before_fields_and_another_funnel_last() -> None:
    action = UpdateCard(
        entity=Entity.DEAL,
        id="5",
        fields={"TITLE": "Приём"},
        contacts=("7", "8"),
        stage=StageRef("2", "C2:NEW"),
        lead="9",
    )
    assert [method for method, _ in calls(action, HERE)] == [
        "crm.deal.contact.items.set",
        "crm.deal.update",
        "crm.item.update",
    ]
    (_, links), (_, fields), (_, place) = calls(action, HERE)
    assert [(one["CONTACT_ID"], one["IS_PRIMARY"]) for one in links["items"]] == [("7", "Y"), ("8", "N")]
    assert fields == {"id": "5", "fields": {"TITLE": "Приём"}}
    assert place["fields"] == {"categoryId": "2", "stageId": "C2:NEW", "leadId": "9"}


def test_inside_a_funnel_the_stage_goes_with_the_fields_in_one_call() -> None:
    action = UpdateCard(entity=Entity.DEAL, id="5", fields={"TITLE": "Приём"}, stage=StageRef("1", "C1:WON"))
    assert calls(action, HERE) == [
        ("crm.deal.update", {"id": "5", "fields": {"TITLE": "Приём", "STAGE_ID": "C1:WON"}})
    ]


def test_no_contacts_are_cleared_by_a_method_of_its_own() -> None:
    action = UpdateCard(entity=Entity.DEAL, id="5", contacts=())
    assert calls(action) == [("crm.deal.contact.items.delete", {"id": "5"})]


def test_a_deal_from_a_lead_and_a_quiet_deal_are_made_by_the_universal_methods() -> None:
    made = {
        "key": "k",
        "fields": {"TITLE": "Т", "OPPORTUNITY": 5},
        "contacts": ("7",),
        "stage": StageRef("1", "C1:NEW"),
    }
    body = {
        "title": "Т",
        "opportunity": "5.00",
        "isManualOpportunity": "Y",
        "ufCrmKresloKey": "k",
        "categoryId": "1",
        "stageId": "C1:NEW",
        "contactIds": ["7"],
    }
    assert calls(CreateCard(entity=Entity.DEAL, lead="9", **made)) == [
        ("crm.item.add", {"entityTypeId": 2, "fields": body | {"leadId": "9"}})
    ]
    assert calls(CreateCard(entity=Entity.DEAL, quiet=True, **made)) == [
        ("crm.item.import", {"entityTypeId": 2, "fields": body})
    ]
    ((method, params),) = calls(CreateCard(entity=Entity.DEAL, **made))
    assert method == "crm.deal.add"
    assert params["fields"]["CONTACT_IDS"] == ["7"]


@pytest.mark.parametrize(
    ("multi", "rows"),
    [
        (MultiChange(add=("+79001234567",)), []),
        (MultiChange(add=("+79007654321",)), [{"VALUE": "+79007654321", "VALUE_TYPE": "WORK"}]),
        (MultiChange(remove=("+79001234567",)), [{"ID": "15", "DELETE": "Y"}, {"ID": "16", "DELETE": "Y"}]),
        (MultiChange(remove=("+79990000000",)), []),
    ],
)
def test_rows_of_phones_are_matched_in_any_spelling(multi: MultiChange, rows: list[dict[str, str]]) -> None:
    wire = {
        "row:PHONE:15": "8 (900) 123-45-67",
        "row:PHONE:16": "+79001234567",
        "row:EMAIL:17": "a@b.example",
    }
    seen = Card(entity=Entity.CONTACT, id="3", wire=wire)
    action = UpdateCard(entity=Entity.CONTACT, id="3", multi={"PHONE": multi})
    found = calls(action, seen)
    assert [params["fields"]["PHONE"] for _, params in found] == ([rows] if rows else [])


async def test_a_change_that_changes_nothing_is_confirmed_without_a_request() -> None:
    async with Wire(lambda _: error(500, "never")) as wire:
        (outcome,) = await applied(wire, UpdateCard(entity=Entity.DEAL, id="5"))
        assert (outcome.kind, outcome.target_id) == (OutcomeKind.CONFIRMED, "5")
        assert wire.requests == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(400, "", "Access denied."), OutcomeKind.TRANSIENT),
        (error(503, "QUERY_LIMIT_EXCEEDED"), OutcomeKind.TRANSIENT),
        (httpx.Response(502, html="<html/>"), OutcomeKind.UNKNOWN),
        (error(400, "", "Not found."), OutcomeKind.PERMANENT),
    ],
)
async def test_a_stage_is_not_moved_when_what_comes_before_it_failed(
    answer: httpx.Response, kind: OutcomeKind
) -> None:
    """Robots start on the stage; with the wrong contact they would write to the wrong person."""
    async with Wire(lambda _: answer) as wire:
        action = UpdateCard(
            entity=Entity.DEAL, id="5", contacts=("7",), stage=StageRef("1", "C1:WON"), seen=HERE
        )
        (outcome,) = await applied(wire, action)
        assert (outcome.kind, outcome.target_id) == (kind, "5")
        assert wire.methods == ["crm.deal.contact.items.set"]


async def test_nothing_follows_a_move_that_the_portal_did_not_make() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        update, check = commands(request)
        rows = [{"ID": "5", "STAGE_ID": "C1:NEW"}]
        return httpx.Response(200, json={"result": {"result": {update: True, check: rows}}})

    async with Wire(respond) as wire:
        action = UpdateCard(entity=Entity.DEAL, id="5", stage=StageRef("1", "C1:WON"), lead="9", seen=HERE)
        (outcome,) = await applied(wire, action)
        assert (outcome.kind, outcome.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)
        assert wire.methods == ["batch"]


async def test_a_change_that_failed_half_way_says_so_and_does_not_hold_others_up() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if method_of(request) == "crm.deal.update":
            return error(400, "ERROR_CORE", "Нельзя")
        done = dict.fromkeys(commands(request), True) if method_of(request) == "batch" else True
        return httpx.Response(200, json={"result": {"result": done} if isinstance(done, dict) else done})

    async with Wire(respond) as wire:
        both = UpdateCard(entity=Entity.DEAL, id="5", contacts=("7",), fields={"TITLE": "Т"})
        one = UpdateCard(entity=Entity.DEAL, id="6", contacts=("7",))
        failed, fine = await applied(wire, both, one)
        assert failed.kind is OutcomeKind.PERMANENT
        assert "Часть изменения уже записана" in failed.message
        assert fine.kind is OutcomeKind.CONFIRMED
        assert wire.methods == ["batch", "crm.deal.update"]


async def test_a_create_that_names_no_number_is_unknown() -> None:
    async with Wire(lambda _: httpx.Response(200, json={"result": True})) as wire:
        (outcome,) = await applied(wire, CreateCard(entity=Entity.DEAL, key="k"))
        assert (outcome.kind, outcome.error, outcome.target_id) == (
            OutcomeKind.UNKNOWN,
            ErrorKind.UNKNOWN,
            "",
        )


async def test_a_field_that_may_not_be_written_is_a_wrong_setting() -> None:
    async with Wire(lambda _: error(500, "never")) as wire:
        (outcome,) = await applied(wire, UpdateCard(entity=Entity.DEAL, id="5", fields={"CLOSED": True}))
        assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.CONFIGURATION)
        assert wire.requests == []
