"""The bodies of webhooks: the older names of things, every value a text, PHP's brackets."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.fields import DATES, Fields
from connectors.amocrm.sandbox.records import Note, Task


def encoded(tree: dict[str, Any]) -> bytes:
    """`application/x-www-form-urlencoded`, brackets percent-encoded."""
    return urlencode(list(_flat("", tree))).encode()


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in pairs:
            yield from _flat(f"{name}[{key}]" if name else str(key), below)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if value is None or value is False:
        return "" if value is None else "0"
    return "1" if value is True else str(value)


def card_body(fields: Fields, card: Card, author: int, leads: list[int]) -> dict[str, Any]:
    """`leads`: of a contact or company, those that hang on it."""
    custom = [_custom(fields, card, field_id) for field_id, cells in card.custom.items() if cells]
    body: dict[str, Any] = {
        "id": card.id,
        "name": card.name,
        "responsible_user_id": card.responsible_user_id,
        "date_create": card.created_at,
        "last_modified": card.updated_at,
        "created_user_id": card.created_by,
        "modified_user_id": author,
        **({"custom_fields": custom} if custom else {}),
        **({"tags": [{"id": tag.id, "name": tag.name} for tag in card.tags]} if card.tags else {}),
        "created_at": card.created_at,
        "updated_at": card.updated_at,
    }
    if card.kind is Kind.LEAD:
        return {
            **body,
            "status_id": card.status_id,
            "pipeline_id": card.pipeline_id,
            "price": card.price,
        }
    linked = {"linked_leads_id": {str(lead): {"ID": lead} for lead in leads}} if leads else {}
    return {**body, **linked, "type": card.kind.one}


def _custom(fields: Fields, card: Card, field_id: int) -> dict[str, Any]:
    field = fields.get(card.kind, field_id)
    if field is None:
        return {"id": field_id}
    shown: dict[str, Any] = {"id": field.id, "name": field.name}
    if field.code:
        shown["code"] = field.code
    cells = card.custom[field_id]
    if field.type in DATES:
        return {**shown, "values": [cell.value for cell in cells]}
    return {
        **shown,
        "values": [
            {"value": cell.value, **({"enum": cell.enum_id} if cell.enum_id is not None else {})}
            for cell in cells
        ],
    }


def task_body(task: Task, zone: tzinfo) -> dict[str, Any]:
    def shown(moment: int) -> str:
        return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")

    body: dict[str, Any] = {
        "id": task.id,
        "element_id": task.entity_id,
        "element_type": task.kind.element_type if task.kind else 0,
        "task_type": task.task_type_id,
        "date_create": shown(task.created_at),
        "text": task.text,
        "status": int(task.is_completed),
        "responsible_user_id": task.responsible_user_id,
        "complete_till": shown(task.complete_till),
        "complete_before": task.complete_till,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }
    if task.is_completed:
        body |= {"action_close": 1, "result": {"text": task.result}}
    return body


def note_body(note: Note) -> dict[str, Any]:
    shown = {
        "id": note.id,
        "text": note.params.get("text", ""),
        "note_type": 4 if note.note_type == "common" else note.note_type,
        "element_type": note.kind.element_type,
        "element_id": note.entity_id,
        "created_by": note.created_by,
        "date_create": note.created_at,
    }
    kind = {} if note.kind is Kind.LEAD else {"type": note.kind.one}
    return {"note": shown, **kind}
