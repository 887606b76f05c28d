"""A row of the portal as a card of ours."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors.bitrix24.entities import Kind
from connectors.bitrix24.fields import decode
from connectors.bitrix24.schema import Schema
from kreslo.connectors.model import Card, Entity, FieldType, Semantic, StageRef
from kreslo.connectors.numbers import phones_in
from kreslo.records import Phone

_NAME = ("LAST_NAME", "NAME", "SECOND_NAME")
_SEMANTICS = {"P": Semantic.OPEN, "S": Semantic.WON, "F": Semantic.LOST}

WIRE_ROW = "row:"
"""Keys of `Card.wire` that hold rows of phones and e-mails: `row:PHONE:156` → the text as it stands."""


def selection(kind: Kind, key_field: str) -> list[str]:
    """Fields to ask a legacy list for. Masks leave multi-fields out, and the key is what we live by, so it is named."""
    multi = [] if kind.entity is Entity.DEAL else ["PHONE", "EMAIL"]
    return ["*", "UF_*", "ID", *multi, *([key_field] if key_field else [])]


def card_of(kind: Kind, row: dict[str, Any], contacts: Sequence[str], schema: Schema, key_field: str) -> Card:
    """`contacts`: ids, the main one first."""
    fields = {code: decode(field, row.get(code)) for code, field in schema.fields[kind.entity].items()}
    phones: dict[str, Phone] = {}
    wire: dict[str, str] = {}
    for code, field in schema.fields[kind.entity].items():
        if field.definition.type not in (FieldType.PHONE, FieldType.EMAIL) or not isinstance(
            row.get(code), list
        ):
            continue
        for one in row[code]:
            text = str(one.get("VALUE", ""))
            wire[f"{WIRE_ROW}{code}:{one.get('ID')}"] = text
            if field.definition.type is FieldType.PHONE:
                phones.update({phone.e164: phone for phone in phones_in(text)})
    stage, semantic = _place(kind, row, schema)
    birth = fields.get("BIRTHDATE")
    return Card(
        entity=kind.entity,
        id=str(row["ID"]),
        key=str(row.get(key_field) or ""),
        title=str(row.get("TITLE") or ""),
        stage=stage,
        semantic=semantic,
        created_at=instant(row.get("DATE_CREATE")),
        modified_at=instant(row.get("DATE_MODIFY")),
        modified_by=str(row.get("MODIFY_BY_ID") or ""),
        name=" ".join(str(row[part]).strip() for part in _NAME if row.get(part)),
        birth_date=birth if isinstance(birth, date) else None,
        phones=tuple(phones.values()),
        contacts=tuple(contacts),
        lead="" if kind.entity is not Entity.DEAL else _id(row.get("LEAD_ID")),
        fields=fields,
        wire=wire,
    )


def instant(value: Any) -> datetime | None:
    """An instant of an answer, in UTC; its offset is authoritative."""
    if not value:
        return None
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return None


def linked(item: dict[str, Any]) -> tuple[str, ...]:
    """Contacts of an item of crm.item.list, the main one first."""
    main = _id(item.get("contactId"))
    listed = item.get("contactIds")
    others = [_id(one) for one in listed] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(one for one in (main, *others) if one))


def _id(value: Any) -> str:
    return "" if value in (None, "", 0, "0", False) else str(value)


def _place(kind: Kind, row: dict[str, Any], schema: Schema) -> tuple[StageRef | None, Semantic]:
    if not kind.stage_code:
        return None, Semantic.OPEN
    funnel = str(row.get("CATEGORY_ID") or "0") if kind.entity is Entity.DEAL else ""
    stage, semantic = schema.place(kind.entity, str(row.get(kind.stage_code) or ""), funnel)
    told = _SEMANTICS.get(str(row.get(kind.semantic_code) or ""))
    return stage, told or semantic
