"""/{entity}/custom_fields/groups: the tabs of a card on which fields stand."""

from typing import Any

import msgspec

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply, many
from connectors.amocrm.sandbox.fields import FieldGroup
from connectors.amocrm.sandbox.lists import whole
from connectors.amocrm.sandbox.problems import Errors, problem


def find_many(call: Call) -> Reply:
    found = sorted(_groups(call).values(), key=lambda group: group.sort)
    return _answer(call, [_shown(call, group) for group in found])


def find_one(call: Call) -> Reply:
    return Reply(_shown(call, _group(call)))


def add(call: Call) -> Reply:
    def prepare(item: dict[str, Any], errors: Errors) -> dict[str, Any]:
        if not isinstance(item.get("name"), str) or not item["name"]:
            errors.add("FieldMissing", "name")
        return item

    def commit(item: dict[str, Any], request_id: str) -> dict[str, Any]:
        number = call.account.next_id("groups")
        sort = item.get("sort")
        group = FieldGroup(
            id=f"{call.kind.value}_{number}",
            name=item["name"],
            sort=sort if isinstance(sort, int) else number,
        )
        _groups(call)[group.id] = group
        return {**_shown(call, group), "request_id": request_id}

    return _answer(call, many(call, call.array(), prepare, commit))


def change_one(call: Call) -> Reply:
    group, item = _group(call), call.object()
    kept = {name: item[name] for name in ("name", "sort") if item.get(name) is not None}
    changed = msgspec.structs.replace(group, **kept)
    _groups(call)[group.id] = changed
    return Reply(_shown(call, changed))


def remove(call: Call) -> Reply:
    group = _group(call)
    if group.is_predefined:
        raise problem(422, "Predefined groups can not be deleted")
    del _groups(call)[group.id]
    return EMPTY


def _groups(call: Call) -> dict[str, FieldGroup]:
    return call.account.fields.groups[call.kind]


def _group(call: Call) -> FieldGroup:
    group = _groups(call).get(call.args["group"])
    if group is None:
        raise problem(404, "Group not found")
    return group


def _answer(call: Call, rows: list[dict[str, Any]]) -> Reply:
    return whole(call, f"{call.kind.value}/custom_fields/groups", "custom_field_groups", rows)


def _shown(call: Call, group: FieldGroup) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "sort": group.sort,
        "is_predefined": group.is_predefined,
        "type": "custom_field_group",
        "entity_type": call.kind.value,
        "fields": [
            field.id for field in call.account.fields.of(call.kind) if field.more.get("group_id") == group.id
        ],
        "_links": call.href(f"{call.kind.value}/custom_fields/groups/{group.id}"),
    }


METHODS = (
    Method("GET", "{kind}/custom_fields/groups", find_many),
    Method("POST", "{kind}/custom_fields/groups", add, admin=True),
    Method("GET", "{kind}/custom_fields/groups/{group}", find_one),
    Method("PATCH", "{kind}/custom_fields/groups/{group}", change_one, admin=True),
    Method("DELETE", "{kind}/custom_fields/groups/{group}", remove, admin=True),
)
