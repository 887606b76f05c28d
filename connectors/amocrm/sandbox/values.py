"""custom_fields_values: how values come in, how they are kept, how they are given back."""

import math
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from connectors.amocrm.sandbox.cards import Card, Cell, Kind
from connectors.amocrm.sandbox.fields import (
    ADDRESS_CODES,
    CHOICES,
    DATES,
    NUMBERS,
    OBJECTS,
    TEXTS,
    Field,
    Fields,
)
from connectors.amocrm.sandbox.problems import Errors

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Custom = dict[int, list[Cell] | None]
"""By field id: its new values, None to clear it."""


class Reader:
    """`zone` is the account's; `bare_zone` the one in which a bare unix time is cut to a day."""

    def __init__(self, fields: Fields, zone: tzinfo, bare_zone: tzinfo) -> None:
        self._fields = fields
        self._zone = zone
        self._bare_zone = bare_zone

    def read(self, kind: Kind, raw: Any, errors: Errors, path: str = "custom_fields_values") -> Custom:
        """Of a write's `custom_fields_values`; what is wrong with it goes to `errors`."""
        if raw is None:
            return {}
        if not isinstance(raw, list):
            errors.wrong_type(path, "array")
            return {}
        custom: Custom = {}
        for at, entry in enumerate(raw):
            here = f"{path}.{at}"
            if not isinstance(entry, dict):
                errors.wrong_type(here, "array")
                continue
            field = self._field(kind, entry)
            if field is None:
                errors.add(
                    "NotSupportedChoice", f"{here}.{'field_id' if 'field_id' in entry else 'field_code'}"
                )
                continue
            if "values" not in entry:
                errors.add("FieldMissing", f"{here}.values")
                continue
            custom[field.id] = self._values(field, entry["values"], errors, f"{here}.values")
        return custom

    def _field(self, kind: Kind, entry: dict[str, Any]) -> Field | None:
        field_id, code = entry.get("field_id"), entry.get("field_code")
        if isinstance(field_id, int) and not isinstance(field_id, bool):
            return self._fields.get(kind, field_id)
        return self._fields.coded(kind, code) if isinstance(code, str) else None

    def _values(self, field: Field, raw: Any, errors: Errors, path: str) -> list[Cell] | None:
        if raw is None:
            return None
        if not isinstance(raw, list):
            errors.wrong_type(path, "array")
            return None
        if not raw:
            errors.add("TooFew", path)
            return None
        cells: list[Cell] = []
        for at, item in enumerate(raw):
            here = f"{path}.{at}"
            if not isinstance(item, dict):
                errors.wrong_type(here, "array")
                continue
            cell = self._cell(field, item, errors, here)
            if cell is not None and cell.value not in (None, ""):
                cells.append(cell)
        if field.type not in {"multiselect", "multitext", "smart_address"} | OBJECTS:
            cells = cells[:1]
        return cells or None

    def _cell(self, field: Field, item: dict[str, Any], errors: Errors, path: str) -> Cell | None:
        value = item.get("value")
        here = f"{path}.value"
        if field.type in CHOICES:
            return _choice(field, item, errors, path)
        if value is None:
            if field.type not in {"multitext", "smart_address"} and "value" in item:
                return None
            errors.add("FieldMissing", here)
            return None
        if field.type == "multitext":
            return _labelled(field, item, errors, path)
        if field.type == "smart_address":
            return _address(item, errors, path)
        if field.type == "checkbox":
            if value not in (True, False, 0, 1, "0", "1", "true", "false"):
                errors.wrong_type(here, "bool")
                return None
            return Cell(value in (True, 1, "1", "true"))
        if field.type in NUMBERS:
            return _number(value, errors, here)
        if field.type in DATES:
            return self._moment(field, value, errors, here)
        if field.type in TEXTS and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            errors.wrong_type(here, "string")
            return None
        return Cell(str(value) if field.type in TEXTS else value)

    def _moment(self, field: Field, value: Any, errors: Errors, path: str) -> Cell | None:
        if isinstance(value, str) and not value.lstrip("-").isdigit():
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                moment = None
            if moment is None or moment.tzinfo is None:
                errors.add("InvalidFormat", path)
                return None
            day = moment.date()
        elif isinstance(value, bool) or not isinstance(value, int | str):
            errors.wrong_type(path, "int")
            return None
        else:
            moment = _EPOCH + timedelta(seconds=int(value))
            day = moment.astimezone(self._bare_zone).date()
        if field.type == "date_time":
            return Cell(math.floor(moment.timestamp()))
        return Cell(midnight(day, self._zone))


def midnight(day: date, zone: tzinfo) -> int:
    return math.floor(datetime.combine(day, time(), zone).timestamp())


def _choice(field: Field, item: dict[str, Any], errors: Errors, path: str) -> Cell | None:
    for name in ("enum_id", "enum_code", "value"):
        given = item.get(name)
        if given is None:
            continue
        option = field.option(name.removeprefix("enum_"), given)
        if option is None:
            errors.add("NotSupportedChoice", f"{path}.{name}")
            return None
        return Cell(option.value, option.id, option.code)
    errors.add("FieldMissing", f"{path}.value")
    return None


def _labelled(field: Field, item: dict[str, Any], errors: Errors, path: str) -> Cell | None:
    value = item["value"]
    if isinstance(value, bool) or not isinstance(value, str | int):
        errors.wrong_type(f"{path}.value", "string")
        return None
    if item.get("enum_id") is not None:
        option, name = field.option("id", item["enum_id"]), "enum_id"
    elif item.get("enum_code") is not None:
        option, name = field.option("code", item["enum_code"]), "enum_code"
    else:  # without a label the first one is taken: WORK
        option, name = field.options[0] if field.options else None, "enum_code"
        if option is None:
            return Cell(str(value))
    if option is None:
        errors.add("NotSupportedChoice", f"{path}.{name}")
        return None
    return Cell(str(value), option.id, option.code)


def _address(item: dict[str, Any], errors: Errors, path: str) -> Cell | None:
    code = item.get("enum_code")
    if code not in ADDRESS_CODES:
        errors.add("NotSupportedChoice", f"{path}.enum_code")
        return None
    return Cell(str(item["value"]), ADDRESS_CODES.index(code) + 1, code)


def _number(value: Any, errors: Errors, path: str) -> Cell | None:
    text = str(value).strip()
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        errors.wrong_type(path, "float")
        return None
    return Cell(text.removesuffix(".0"))


def show(fields: Fields, card: Card) -> list[dict[str, Any]] | None:
    """`custom_fields_values` as a read gives them, None where nothing is filled."""
    shown = []
    for field_id, cells in card.custom.items():
        field = fields.get(card.kind, field_id)
        if field is None or not cells:
            continue
        shown.append(
            {
                "field_id": field.id,
                "field_name": field.name,
                "field_code": field.code,
                "field_type": field.type,
                "values": [_shown(field, cell) for cell in cells],
                "is_computed": False,
            }
        )
    return shown or None


def _shown(field: Field, cell: Cell) -> dict[str, Any]:
    if field.type in CHOICES | {"multitext", "smart_address"}:
        return {"value": cell.value, "enum_id": cell.enum_id, "enum_code": cell.enum_code}
    return {"value": cell.value}
