"""What is documented as old and is still called: crm.dealcategory.*; and the merging of duplicates."""

from typing import Any

from connectors.bitrix24.sandbox.calls import Answer, Call, Method
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.dictionaries import stage_entity
from connectors.bitrix24.sandbox.errors import RestError, crm_error
from connectors.bitrix24.sandbox.merging import merge_cards
from kreslo.connectors.sandboxing import php


def methods() -> list[Method]:
    acts = {
        "crm.dealcategory.list": _list,
        "crm.dealcategory.default.get": _default,
        "crm.dealcategory.stage.list": _stages,
        "crm.dealcategory.status": _status,
        "crm.entity.mergeBatch": _merge,
    }
    return [Method(name, "crm", run) for name, run in acts.items()]


def _list(call: Call) -> Answer:
    """The default funnel is not among them: it has a method of its own."""
    own = [row for row in call.portal.dictionaries.categories.values() if not row.is_default]
    rows = [
        {"ID": str(row.id), "NAME": row.name, "SORT": str(row.sort), "IS_LOCKED": "N", "CREATED_DATE": ""}
        for row in own
    ]
    return Answer(rows, total=len(rows))


def _default(call: Call) -> dict[str, Any]:
    return {"ID": 0, "NAME": call.portal.dictionaries.categories[0].name}


def _category(call: Call) -> int:
    number = php.integer(call.legacy("id"))
    if number not in call.portal.dictionaries.categories:
        raise crm_error("Not found")
    return number


def _stages(call: Call) -> list[dict[str, Any]]:
    return [
        {"NAME": stage.name, "SORT": stage.sort, "STATUS_ID": stage.status_id}
        for stage in call.portal.dictionaries.stages(Kind.DEAL, _category(call))
    ]


def _status(call: Call) -> str:
    return stage_entity(Kind.DEAL, _category(call))


def _merge(call: Call) -> dict[str, Any]:
    """The first card survives; cards that differ in a field both have are left to a person (CONFLICT)."""
    asked = dict(php.pairs(call.legacy("params")))
    try:
        kind = Kind(php.integer(asked.get("entityTypeId")))
    except ValueError as error:
        raise RestError("ERROR_ARGUMENT", "Entity type is not supported") from error
    ids = [php.integer(one) for one in php.members(asked.get("entityIds"))]
    cards = [card for one in ids if (card := call.portal.card(kind, one)) is not None]
    if len(cards) < 2 or len(cards) < len(ids):
        return {"STATUS": "ERROR", "ENTITY_IDS": ids}
    first, *others = cards
    if any(_differ(first, other) for other in others):
        return {"STATUS": "CONFLICT", "ENTITY_IDS": ids}
    for other in others:
        merge_cards(call.portal, first, other, call.user_id)
    return {"STATUS": "SUCCESS", "ENTITY_IDS": [first.id]}


def _differ(one: Card, other: Card) -> bool:
    codes = ("NAME", "LAST_NAME", "SECOND_NAME", "BIRTHDATE")
    return any(
        one.fields.get(code) and other.fields.get(code) and one.fields[code] != other.fields[code]
        for code in codes
    )
