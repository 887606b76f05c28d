"""tasks.task.add and tasks.task.list: upper-case fields in, camel case and texts out."""

from typing import Any

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.errors import RestError, missing_argument
from connectors.bitrix24.sandbox.fields import item_name
from connectors.bitrix24.sandbox.tables import filtered, ordered, selected
from kreslo.connectors.sandboxing import php

_INTEGERS = {"ID", "STATUS", "RESPONSIBLE_ID", "CREATED_BY", "PRIORITY", "GROUP_ID"}
_MOMENTS = {"CREATED_DATE", "CHANGED_DATE", "DEADLINE"}
_PENDING = 2


def methods() -> list[Method]:
    return [Method("tasks.task.add", "task", _add), Method("tasks.task.list", "task", _list)]


def _add(call: Call) -> dict[str, Any]:
    fields = call.params.get("fields")
    if not php.is_array(fields):
        raise missing_argument("fields")
    sent = dict(php.pairs(fields))
    if not php.text(sent.get("TITLE")).strip():
        raise RestError("ERROR_CORE", "Task title is not specified<br>")
    if not php.integer(sent.get("RESPONSIBLE_ID")):
        raise RestError("ERROR_CORE", "Task responsible person is not specified<br>")
    now = call.portal.now()
    row = {
        "ID": call.portal.next_id("task"),
        "TITLE": php.text(sent["TITLE"]),
        "DESCRIPTION": php.text(sent.get("DESCRIPTION")),
        "STATUS": _PENDING,
        "PRIORITY": php.integer(sent.get("PRIORITY")) or 1,
        "RESPONSIBLE_ID": php.integer(sent["RESPONSIBLE_ID"]),
        "CREATED_BY": php.integer(sent.get("CREATED_BY")) or call.user_id,
        "CREATED_DATE": now,
        "CHANGED_DATE": now,
        "DEADLINE": moments.parse_datetime(php.text(sent.get("DEADLINE")), call.portal.zone),
        "GROUP_ID": php.integer(sent.get("GROUP_ID")),
        "XML_ID": php.text(sent.get("XML_ID")) or None,
        "UF_CRM_TASK": [php.text(value) for value in php.members(sent.get("UF_CRM_TASK"))],
    }
    call.portal.tasks.append(row)
    return {"task": task_row(row, call)}


def task_row(row: dict[str, Any], call: Call) -> dict[str, Any]:
    return {item_name(code): _shown(code, value, call) for code, value in row.items()}


def _shown(code: str, value: Any, call: Call) -> Any:
    if code == "UF_CRM_TASK":
        return value or False
    if value is None:
        return None
    return moments.show_datetime(value, call.portal.zone) if code in _MOMENTS else str(value)


def _list(call: Call) -> Answer:
    rows = filtered(
        call.portal.tasks, call.params.get("filter"), call.portal.zone, integers=_INTEGERS, moments=_MOMENTS
    )
    rows = ordered(rows, call.params.get("order") or {"ID": "ASC"}, integers=_INTEGERS)
    page, total, following = paged(rows, call, legacy=False)
    shown = [task_row(selected(row, call.params.get("select")), call) for row in page]
    return Answer({"tasks": shown}, total, following)
