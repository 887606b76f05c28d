"""Field values: from ours to the wire, back, and what the account will make of ours (`canonical`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from kreslo.connectors.model import FieldDef, FieldType, Value
from kreslo.connectors.values import (
    as_tuple,
    boolean_of,
    clean,
    cleaned,
    contacts_of,
    date_of,
    decimal_of,
    instant_of,
    option_of,
    rounded_of,
    single,
    text_of,
)

_CENT = Decimal("0.01")
_NAME_LENGTH = 250
_DIGITS = 6  # after the point of a number
_NOON = time(12)

LISTS = (FieldType.PHONE, FieldType.EMAIL)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field as the account describes it. `wire`: its own type; `id`: of a custom field, 0 for a property of the
    card itself, which is then written under `code`.
    """

    definition: FieldDef
    wire: str
    id: int = 0

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def name(self) -> str:
        return f"«{self.definition.title}» ({self.code})"


def canonical(field: Field, value: Value, zone: tzinfo) -> Value:
    """What `decode` will give once the account has stored `encode(value)`. Raises DataError as `encode` does."""
    definition = field.definition
    if definition.type in LISTS:
        return contacts_of(definition.type, as_tuple(value)) or None
    if definition.multiple:
        several = (_CANONICAL[definition.type](field, one, zone) for one in as_tuple(value))
        return tuple(dict.fromkeys(str(one) for one in several if one is not None)) or None
    return _CANONICAL[definition.type](field, single(field.name, field.definition, value), zone)


def encode(field: Field, value: Value, zone: tzinfo) -> list[dict[str, Any]] | None:
    """`values` of a custom field that is no list of phones or e-mails; None clears it. Raises DataError where the field
    cannot hold the value.
    """
    found = canonical(field, value, zone)
    several = found if isinstance(found, tuple) else (() if found is None else (found,))
    return [_wire(field, one, zone) for one in several] or None


def decode(field: Field, values: Sequence[Any], zone: tzinfo) -> Value:
    """Of an answer's `values`, empty where the card has none."""
    definition = field.definition
    cells = [cell for cell in values if isinstance(cell, Mapping)]
    if definition.type in LISTS:
        return contacts_of(definition.type, tuple(str(cell.get("value", "")) for cell in cells)) or None
    read = [one for cell in cells if (one := _decode_one(field, cell, zone)) is not None]
    if definition.multiple:
        return tuple(str(one) for one in read) or None
    if not read:
        return False if definition.type is FieldType.BOOLEAN else None
    return read[0]


# --- ours → canonical -------------------------------------------------------------------------------------------


def _text(field: Field, value: Any, _: tzinfo) -> Value:
    if value is None:
        return None
    text = clean(text_of(value))
    if field.wire != "textarea":
        text = re.sub(r"\s*\n\s*", " ", text)  # a line of the card, not a paragraph
    if field.code in {"name", "first_name", "last_name"}:
        text = text[:_NAME_LENGTH].strip()
    return text or None


def _number(field: Field, value: Any, _: tzinfo) -> Value:
    number = decimal_of(field.name, value)
    if number is None:
        return None
    return rounded_of(number, _DIGITS)


def _money(field: Field, value: Any, _: tzinfo) -> Value:
    number = decimal_of(field.name, value)
    if number is None:
        return None
    if field.id:
        return number.quantize(_CENT, ROUND_HALF_UP)
    # The card's own budget is a whole number, and is never empty: what was not filled in is 0.
    return number.quantize(Decimal(1), ROUND_HALF_UP) or None


def _boolean(field: Field, value: Any, _: tzinfo) -> Value:
    return boolean_of(field.name, value)


def _date(field: Field, value: Any, _: tzinfo) -> Value:
    return date_of(field.name, value)


def _datetime(field: Field, value: Any, _: tzinfo) -> Value:
    return instant_of(field.name, value)


def _enum(field: Field, value: Any, _: tzinfo) -> Value:
    return option_of(field.name, field.definition.options, value, "amoCRM")


def _reference(_: Field, value: Any, __: tzinfo) -> Value:
    return cleaned(value)


_CANONICAL: dict[FieldType, Callable[[Field, Any, tzinfo], Value]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.ENUM: _enum,
    FieldType.REFERENCE: _reference,
}


# --- canonical → wire, wire → ours ------------------------------------------------------------------------------


def option_id(field: Field, title: Value) -> int | None:
    found = next((code for code, known in field.definition.options.items() if known == title), None)
    return None if found is None else int(found)


def _wire(field: Field, value: Any, zone: tzinfo) -> dict[str, Any]:
    match value:
        case bool():
            return {"value": value}
        case Decimal():
            return {"value": float(value)}
        case datetime():
            return {"value": value.astimezone(zone).isoformat(timespec="seconds")}
        case date():
            # Noon in the account's own zone: no difference of zones makes another day of it.
            return {"value": datetime.combine(value, _NOON, zone).isoformat(timespec="seconds")}
        case str() if field.definition.type is FieldType.ENUM:
            return {"enum_id": option_id(field, value)}
    return {"value": value}


def _decode_one(field: Field, cell: Mapping[str, Any], zone: tzinfo) -> Value:
    raw = cell.get("value")
    if field.definition.type is FieldType.ENUM and (
        known := field.definition.options.get(str(cell.get("enum_id")))
    ):
        return known
    if raw is None or raw == "":
        return None
    match field.definition.type:
        case FieldType.DATE if isinstance(raw, int) or str(raw).lstrip("-").isdecimal():
            # Midnight by the account's zone; two hours more, since its idea of old offsets may differ from ours.
            return (_at(int(raw)) + timedelta(hours=2)).astimezone(zone).date()
        case FieldType.DATETIME if isinstance(raw, int) or str(raw).lstrip("-").isdecimal():
            return _at(int(raw))
        case FieldType.ENUM:
            return str(raw)
        case FieldType.TEXT | FieldType.REFERENCE:
            return clean(text_of(raw)) or None
        case kind:
            return _CANONICAL[kind](field, raw, zone)


def _at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
