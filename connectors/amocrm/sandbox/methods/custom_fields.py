"""/{entity}/custom_fields: definitions."""

from typing import Any

import msgspec

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply, many
from connectors.amocrm.sandbox.fields import CHOICES, TYPES, Field, Option
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.problems import Errors, Refused, invalid, problem
from connectors.amocrm.sandbox.selecting import integers, ordered, words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID

_KEPT = ("settings", "remind", "group_id", "hidden_statuses", "chained_lists", "tracking_callback")


def find_many(call: Call) -> Reply:
    asked = call.filter()
    types, ids = words(asked.get("type")), integers(asked.get("id"))
    found = [
        field
        for field in call.account.fields.of(call.kind)
        if (not types or field.type in types) and (not ids or field.id in ids)
    ]
    in_order = ordered(found, call.query.get("order"), ("sort", "id"), default="sort")
    return paged(call, "custom_fields", in_order, lambda field: _shown(call, field), totals=True)


def find_one(call: Call) -> Reply:
    return Reply(_shown(call, _field(call)))


def _field(call: Call) -> Field:
    field = call.account.fields.get(call.kind, call.id)
    if field is None:
        raise problem(404, "Custom field not found")
    return field


def _shown(call: Call, field: Field) -> dict[str, Any]:
    options = sorted(field.options, key=lambda option: option.sort)
    enums = [
        {"id": option.id, "value": option.value, "sort": option.sort, "code": option.code}
        for option in options
    ]
    return {
        "id": field.id,
        "name": field.name,
        "type": field.type,
        "account_id": ACCOUNT_ID,
        "code": field.code,
        "sort": field.sort,
        "is_api_only": field.is_api_only,
        "enums": enums or None,
        "is_predefined": field.is_predefined,
        "is_deletable": not field.is_predefined,
        "currency": field.currency,
        "entity_type": field.kind.value,
        "required_statuses": field.required_statuses,
        **{
            name: field.more.get(name, [] if name.endswith(("statuses", "lists")) else None) for name in _KEPT
        },
        "_links": call.href(f"{field.kind.value}/custom_fields/{field.id}"),
    }


def add(call: Call) -> Reply:
    taken: set[str] = set()

    def prepare(item: dict[str, Any], errors: Errors) -> dict[str, Any]:
        for name in ("name", "type"):
            if not isinstance(item.get(name), str) or not item[name]:
                errors.add("FieldMissing", name)
        if isinstance(item.get("type"), str) and item["type"] not in TYPES:
            errors.add("NotSupportedChoice", "type")
        if item.get("type") == "monetary" and not item.get("currency"):
            errors.add("FieldMissing", "currency")
        if item.get("type") in CHOICES and not item.get("enums"):
            errors.add("FieldMissing", "enums")
        _check_code(call, item, errors, taken)
        return item

    def commit(item: dict[str, Any], request_id: str) -> dict[str, Any]:
        fields = call.account.fields
        field = Field(kind=call.kind, id=fields.new_id(), name=item["name"], type=item["type"])
        field.sort = 500 + len(fields.of(call.kind)) * 2
        _apply(call, field, item)
        fields.add(field)
        return {**_shown(call, field), "request_id": request_id}

    rows = many(call, call.array(), prepare, commit)
    return _answer(call, rows, 201)


def _check_code(call: Call, item: dict[str, Any], errors: Errors, taken: set[str]) -> None:
    code = item.get("code")
    if code is None:
        return
    if not isinstance(code, str):
        errors.wrong_type("code", "string")
    elif code in taken or call.account.fields.coded(call.kind, code):
        errors.add("NotSupportedChoice", "code")
    else:
        taken.add(code)


def _answer(call: Call, rows: list[dict[str, Any]], status: int) -> Reply:
    links = call.href(f"{call.kind.value}/custom_fields")
    return Reply({"_total_items": len(rows), "_links": links, "_embedded": {"custom_fields": rows}}, status)


def change_many(call: Call) -> Reply:
    def prepare(item: dict[str, Any], errors: Errors) -> tuple[Field | None, dict[str, Any]]:
        field_id = item.get("id")
        field = call.account.fields.get(call.kind, field_id) if isinstance(field_id, int) else None
        if field is None:
            errors.add("NotSupportedChoice", "id")
        elif item.get("code") is not None and item["code"] != field.code:
            _check_code(call, item, errors, set())
        return field, item

    def commit(made: tuple[Field | None, dict[str, Any]], request_id: str) -> dict[str, Any]:
        field, item = made
        if field is None:
            raise problem(404, "Custom field not found")
        _apply(call, field, item)
        return {**_shown(call, field), "request_id": request_id}

    return _answer(call, many(call, call.array(), prepare, commit), 200)


def change_one(call: Call) -> Reply:
    field, item = _field(call), call.object()
    errors = Errors()
    if item.get("code") is not None and item["code"] != field.code:
        _check_code(call, item, errors, set())
    if errors.found:
        raise invalid([Refused(errors.found, "0")])
    _apply(call, field, item)
    return Reply(_shown(call, field))


def _apply(call: Call, field: Field, item: dict[str, Any]) -> None:
    for name in ("name", "code", "sort", "is_api_only", "currency", "required_statuses"):
        if item.get(name) is not None:
            setattr(field, name, item[name])
    field.more = {**field.more, **{name: item[name] for name in _KEPT if name in item}}
    if isinstance(item.get("enums"), list):
        _set_options(call, field, item["enums"])


def _set_options(call: Call, field: Field, enums: list[Any]) -> None:
    """The list is whole: an option that it does not name is gone, and with it the values that stood on it."""
    options: list[Option] = []
    for at, row in enumerate(enums, 1):
        kept = field.option("id", row["id"]) if row.get("id") is not None else None
        option = kept or Option(id=call.account.fields.new_option_id(), value="", sort=at * 10)
        options.append(
            msgspec.structs.replace(
                option,
                value=row.get("value", option.value),
                sort=row.get("sort", option.sort),
                code=row.get("code", option.code),
            )
        )
    field.options = options
    left = {option.id: option for option in options}
    for card in call.account.stores[field.kind]:
        cells = card.custom.get(field.id)
        if cells and any(cell.enum_id not in left for cell in cells):
            card.custom[field.id] = [cell for cell in cells if cell.enum_id in left]


def remove(call: Call) -> Reply:
    field = _field(call)
    if field.is_predefined:
        raise problem(422, "Predefined fields can not be deleted")
    call.account.fields.remove(field)
    for card in call.account.stores[field.kind]:
        card.custom.pop(field.id, None)
    return EMPTY


METHODS = (
    Method("GET", "{kind}/custom_fields", find_many),
    Method("POST", "{kind}/custom_fields", add, admin=True),
    Method("PATCH", "{kind}/custom_fields", change_many, admin=True),
    Method("GET", "{kind}/custom_fields/{id}", find_one),
    Method("PATCH", "{kind}/custom_fields/{id}", change_one, admin=True),
    Method("DELETE", "{kind}/custom_fields/{id}", remove, admin=True),
)
