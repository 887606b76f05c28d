"""A row of the account as a card of ours."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.amocrm.entities import DEAL, Kind
from connectors.amocrm.fields import decode
from connectors.amocrm.schema import CONTACT_NAME, PHONE, TITLE, Schema
from connectors.amocrm.wire import embedded
from kreslo.connectors.model import Card, Entity, FieldType, Semantic, StageRef, Value
from kreslo.connectors.numbers import phones_in
from kreslo.records import Phone

WIRE_ROW = "row:"
"""Keys of `Card.wire` that hold phones and e-mails: `row:PHONE:0:770002` (place, id of the label) → the text."""
RESPONSIBLE = "responsible"
"""Key of `Card.wire`: id of the card's responsible user."""


def card_of(
    kind: Kind, row: Mapping[str, Any], schema: Schema, phones: Iterable[Phone] = (), caller: str = ""
) -> Card:
    """`phones`: those of a deal's contacts; `caller`: the name of its main one."""
    cells = cells_of(row)
    fields: dict[str, Value] = {}
    wire: dict[str, str] = {RESPONSIBLE: str(row.get("responsible_user_id") or "")}
    birth: date | None = None
    for code, field in schema.fields[kind.entity].items():
        values = cells.get(field.id, []) if field.id else _own(kind, code, row)
        fields[code] = decode(field, values, schema.zone)
        if field.definition.type in (FieldType.PHONE, FieldType.EMAIL):
            for at, cell in enumerate(values):
                wire[f"{WIRE_ROW}{code}:{at}:{cell.get('enum_id') or ''}"] = str(cell.get("value") or "")
        found = fields[code]
        if birth is None and isinstance(found, date) and _is_birth(field.wire, field.definition.title):
            birth = found
    own = phones_of(row, schema) if kind.entity is Entity.CONTACT else tuple(phones)
    stage = StageRef(str(row.get("pipeline_id")), str(row.get("status_id"))) if kind is DEAL else None
    key = schema.key_field(kind.entity)
    if kind is DEAL:
        fields[TITLE] = fields.get("name")
        fields[PHONE] = tuple(phone.e164 for phone in own) or None
        fields[CONTACT_NAME] = caller or None
    return Card(
        entity=kind.entity,
        id=str(row["id"]),
        key=_text(cells.get(key.id, [])) if key else "",
        title=str(row.get("name") or ""),
        stage=stage,
        semantic=schema.semantic(stage) if stage else Semantic.OPEN,
        created_at=instant(row.get("created_at")),
        modified_at=instant(row.get("updated_at")),
        modified_by=str(row.get("updated_by") if row.get("updated_by") is not None else ""),
        name=name_of(row) if kind.entity is Entity.CONTACT else "",
        birth_date=birth,
        phones=own,
        contacts=linked(row) if kind is DEAL else (),
        fields=fields,
        wire=wire,
    )


def cells_of(row: Mapping[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """`custom_fields_values` by field id; null, and of contacts sometimes [], is none."""
    listed = row.get("custom_fields_values")
    found: dict[int, list[dict[str, Any]]] = {}
    for entry in listed if isinstance(listed, list) else ():
        values = entry.get("values")
        if isinstance(values, list):
            found[int(entry["field_id"])] = [cell for cell in values if isinstance(cell, dict)]
    return found


def key_of(row: Mapping[str, Any], kind: Kind, schema: Schema) -> str:
    key = schema.key_field(kind.entity)
    return _text(cells_of(row).get(key.id, [])) if key else ""


def phones_of(row: Mapping[str, Any], schema: Schema) -> tuple[Phone, ...]:
    """Of a contact: every number in its cells, each once."""
    field = schema.field(Entity.CONTACT, "PHONE")
    cells = cells_of(row).get(field.id, []) if field else []
    found = {phone.e164: phone for cell in cells for phone in phones_in(str(cell.get("value") or ""))}
    return tuple(found.values())


def phone_texts(row: Mapping[str, Any], schema: Schema) -> list[str]:
    field = schema.field(Entity.CONTACT, "PHONE")
    return [str(cell.get("value") or "") for cell in cells_of(row).get(field.id, [])] if field else []


def linked(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Contacts of a lead (`with=contacts`), the main one first."""
    rows = embedded(row, "contacts")
    ordered = sorted(rows, key=lambda one: one.get("is_main") is not True)
    return tuple(dict.fromkeys(str(one["id"]) for one in ordered))


def leads_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Leads of a contact (`with=leads`)."""
    return tuple(str(one["id"]) for one in embedded(row, "leads"))


def instant(value: Any) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and value else None


def _own(kind: Kind, code: str, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    if code == "tags":
        return [{"value": tag.get("name")} for tag in embedded(row, "tags")]
    value = row.get(code)
    if code in ("responsible_user_id", "loss_reason_id"):
        return [{"value": str(value), "enum_id": value}] if value else []
    if code == "price" and kind is DEAL:
        return [{"value": value}] if value else []
    return [{"value": value}] if value not in (None, "") else []


def _text(cells: list[dict[str, Any]]) -> str:
    return str(cells[0].get("value") or "") if cells else ""


def name_of(row: Mapping[str, Any]) -> str:
    """Of a contact: what stands in its name fields."""
    parts = (str(row.get(part) or "").strip() for part in ("last_name", "first_name"))
    return str(row.get("name") or "").strip() or " ".join(part for part in parts if part)


def _is_birth(wire: str, title: str) -> bool:
    return wire == "birthday" or "рожд" in title.casefold()
