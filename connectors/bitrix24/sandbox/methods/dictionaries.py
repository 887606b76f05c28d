"""crm.category.*, crm.status.*: funnels, stages, dictionaries."""

from typing import Any

from connectors.bitrix24.sandbox.calls import Answer, Call, Method
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.dictionaries import Category, Status, is_stage_entity, stage_prefix
from connectors.bitrix24.sandbox.errors import RestError, crm_error, missing_argument
from connectors.bitrix24.sandbox.tables import filtered, ordered
from kreslo.connectors.sandboxing import php

_CODE_LENGTH = 21
_WORDS = {"": "process", "S": "success", "F": "failure"}
_SEMANTIC_INFO = {"START_FIELD": "NEW", "FINAL_SUCCESS_FIELD": "WON", "FINAL_UNSUCCESS_FIELD": "LOSE"}
_ENTITIES = {
    "STATUS",
    "SOURCE",
    "CONTACT_TYPE",
    "DEAL_TYPE",
    "HONORIFIC",
    "COMPANY_TYPE",
    "INDUSTRY",
    "EMPLOYEES",
}


def methods() -> list[Method]:
    return [
        Method("crm.category.list", "crm", _categories),
        Method("crm.category.add", "crm", _add_category),
        Method("crm.status.list", "crm", _statuses),
        Method("crm.status.add", "crm", _add_status),
        Method("crm.status.update", "crm", _update_status),
        Method("crm.status.get", "crm", lambda call: status_row(_existing(call))),
        Method("crm.status.delete", "crm", _delete_status),
        Method("crm.status.entity.types", "crm", _entity_types),
    ]


def _require_deal(call: Call) -> None:
    if "entityTypeId" not in call.params:
        raise missing_argument("entityTypeId")
    if php.integer(call.params["entityTypeId"]) != Kind.DEAL.value:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")


def _categories(call: Call) -> Answer:
    _require_deal(call)
    rows = sorted(call.portal.dictionaries.categories.values(), key=lambda row: (row.sort, row.id))
    return Answer({"categories": [_category(row) for row in rows]}, total=len(rows))


def _category(row: Category) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "sort": row.sort,
        "entityTypeId": Kind.DEAL.value,
    }
    shown["isDefault"] = "Y" if row.is_default else "N"
    return shown if row.id == 0 else {**shown, "originId": "", "originatorId": ""}


def _add_category(call: Call) -> dict[str, Any]:
    _require_deal(call)
    fields = dict(php.pairs(call.params.get("fields")))
    name = php.text(fields.get("name")).strip()
    if not name:
        raise RestError("CRM_FIELD_ERROR_REQUIRED", "Обязательное поле «Название» не заполнено")
    sort = php.integer(fields.get("sort")) or 500
    return {"category": _category(call.portal.dictionaries.add_category(name, sort))}


def status_row(row: Status) -> dict[str, Any]:
    """A row as `crm.status.list` shows it, all scalars as texts."""
    shown: dict[str, Any] = {
        "ID": str(row.id),
        "ENTITY_ID": row.entity_id,
        "STATUS_ID": row.status_id,
        "NAME": row.name,
        "NAME_INIT": row.name if row.system else "",
        "SORT": str(row.sort),
        "SYSTEM": "Y" if row.system else "N",
        "CATEGORY_ID": None if row.category_id is None else str(row.category_id),
        "COLOR": row.color or None,
        "SEMANTICS": row.semantics or None,
    }
    if is_stage_entity(row.entity_id):
        shown["EXTRA"] = {"SEMANTICS": _WORDS[row.semantics], "COLOR": row.color}
    return shown


def _statuses(call: Call) -> Answer:
    rows = [status_row(row) for row in call.portal.dictionaries.rows()]
    rows = filtered(rows, call.array("filter"), call.portal.zone, integers={"ID", "SORT"})
    rows = ordered(rows, call.array("order") or {"SORT": "ASC"}, integers={"ID", "SORT"})
    return Answer(rows, total=len(rows))


def _add_status(call: Call) -> int:
    fields = dict(php.pairs(call.array("fields")))
    dictionaries = call.portal.dictionaries
    entity_id = php.text(fields.get("ENTITY_ID"))
    category = entity_id.removeprefix("DEAL_STAGE_")
    known = entity_id in _ENTITIES or entity_id == "DEAL_STAGE"
    if not known and not (category.isdecimal() and int(category) in dictionaries.categories):
        raise crm_error("ENTITY_ID is not defined or invalid.")
    name = php.text(fields.get("NAME")).strip()
    if not name:
        raise crm_error("Поле «Название» обязательно для заполнения")
    prefix = stage_prefix(entity_id)
    code = php.text(fields.get("STATUS_ID")).removeprefix(prefix)
    code = code or f"UC_{call.portal.next_id('status code'):06d}"
    if len(code) > _CODE_LENGTH:
        raise crm_error(f"Код статуса не может быть длиннее {_CODE_LENGTH} символов")
    if dictionaries.find(entity_id, prefix + code) is not None:
        raise crm_error(f"Статус с кодом {prefix + code} уже существует")
    semantics = php.text(fields.get("SEMANTICS")).upper()
    row = dictionaries.add(
        entity_id,
        prefix + code,
        name,
        sort=php.integer(fields.get("SORT")) or 10,
        semantics=semantics if semantics in {"S", "F"} else "",
        color=php.text(fields.get("COLOR")),
    )
    row.category_id = int(category) if category.isdecimal() else None
    return row.id


def _existing(call: Call) -> Status:
    status_id = php.integer(call.legacy("id"))
    row = next((row for row in call.portal.dictionaries.rows() if row.id == status_id), None)
    if row is None:
        raise crm_error("Status is not found.")
    return row


def _delete_status(call: Call) -> bool:
    """The portal's own entries stay."""
    row = _existing(call)
    if row.system:
        raise crm_error("Системный элемент нельзя удалить")
    call.portal.dictionaries.remove(row)
    return True


def _entity_types(call: Call) -> list[dict[str, Any]]:
    """The dictionaries that there are; those of stages say by what their codes begin."""
    funnels = [row for row in call.portal.dictionaries.categories.values() if row.id]
    stages = [("STATUS", "Статусы", ""), ("DEAL_STAGE", "Стадии сделки", "")]
    stages += [(f"DEAL_STAGE_{row.id}", f"Стадии сделки ({row.name})", f"C{row.id}") for row in funnels]
    found: list[dict[str, Any]] = [
        {"ID": code, "NAME": name, "PREFIX": prefix, "SEMANTIC_INFO": _SEMANTIC_INFO}
        for code, name, prefix in stages
    ]
    others = sorted(_ENTITIES - {"STATUS"})
    return found + [{"ID": code, "NAME": code, "SEMANTIC_INFO": []} for code in others]


def _update_status(call: Call) -> bool:
    """Name, order and colour; the code and what the stage means stay."""
    row = _existing(call)
    fields = dict(php.pairs(call.array("fields")))
    if name := php.text(fields.get("NAME")).strip():
        row.name = name
    if sort := php.integer(fields.get("SORT")):
        row.sort = sort
    if color := php.text(fields.get("COLOR")):
        row.color = color
    return True
