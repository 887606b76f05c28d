"""Field values: from ours to the wire, back, and what the portal will make of ours (`canonical`)."""

import html
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from kreslo.connectors.errors import DataError
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
_TITLE_LENGTH = 255


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field as the portal describes it. `wire`: its own type (`USER_TYPE_ID`, or the type of a standard field);
    `item_name`: what crm.item.* calls it; `precision`: digits after the point of a `double`.
    """

    definition: FieldDef
    wire: str
    item_name: str
    custom: bool = False
    precision: int = 4

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def name(self) -> str:
        return f"«{self.definition.title}» ({self.code})"


def canonical(field: Field, value: Value) -> Value:
    """What `decode` will give once the portal has stored `encode(value)`. Raises DataError as `encode` does."""
    match field.definition.type:
        case FieldType.PHONE | FieldType.EMAIL:
            return contacts_of(field.definition.type, as_tuple(value)) or None
        case _ if field.definition.multiple:
            several = tuple(
                str(one)
                for item in as_tuple(value)
                if (one := _CANONICAL[field.definition.type](field, item)) is not None
            )
            return several or None
        case _:
            return _CANONICAL[field.definition.type](field, single(field.name, field.definition, value))


def encode(field: Field, value: Value, *, currency: str = "RUB", item: bool = False) -> Any:
    """The value for a request; `item`: for crm.item.*. "" clears. Phones and e-mails are rows, not handled here.
    Raises DataError where the field cannot hold the value: the portal would drop it in silence.
    """
    if field.definition.multiple:
        several = [_wire(field, canonical_one, currency, item) for canonical_one in _several(field, value)]
        return several or [""]
    return _wire(field, canonical(field, value), currency, item)


def decode(field: Field, raw: Any) -> Value:
    """A value of an answer. What cannot be read as the field's type is taken for empty only if it is."""
    if field.definition.type in (FieldType.PHONE, FieldType.EMAIL):
        texts = (
            tuple(str(row.get("VALUE", "")) for row in raw if isinstance(row, dict))
            if isinstance(raw, list)
            else ()
        )
        return contacts_of(field.definition.type, texts) or None
    if field.definition.multiple:
        if not isinstance(raw, list):
            return None
        several = tuple(str(one) for item in raw if (one := _decode_one(field, item)) is not None)
        return several or None
    return _decode_one(field, raw[0] if isinstance(raw, list) and raw else raw)


# --- ours → canonical -------------------------------------------------------------------------------------------


def _several(field: Field, value: Value) -> tuple[str, ...]:
    found = canonical(field, value)
    return found if isinstance(found, tuple) else ()


def _text(field: Field, value: Any) -> Value:
    if value is None:
        return None
    text = clean(text_of(value))
    if field.code == "COMMENTS":
        text = _without_markup(text)
    if field.code == "TITLE":
        text = text[:_TITLE_LENGTH].strip()
    return text or None


def _without_markup(text: str) -> str:
    """The portal cleans HTML in comments and gives BB-code back; only the words are compared."""
    return html.unescape(_MARKUP.sub("", _BREAK.sub("\n", text))).strip()


_BREAK = re.compile(r"<br\s*/?>|\[br\]", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|\[/?(?:b|i|u|s|p|list|\*|url|color|size|font|img)(?:=[^\]]*)?\]", re.IGNORECASE
)


def _number(field: Field, value: Any) -> Value:
    number = decimal_of(field.name, value)
    if number is None:
        return None
    if field.wire == "integer":
        if number != number.to_integral_value():
            raise DataError(f"Поле {field.name} — целое число, а значение {number}")
        return int(number)
    return rounded_of(number, field.precision)


def _money(field: Field, value: Any) -> Value:
    number = decimal_of(field.name, value)
    if number is None:
        return None
    amount = number.quantize(_CENT)
    # The card's own amount is never empty in Bitrix24: what was not filled in is 0.00.
    return None if amount == 0 and not field.custom else amount


def _boolean(field: Field, value: Any) -> Value:
    return boolean_of(field.name, value)


def _date(field: Field, value: Any) -> Value:
    return date_of(field.name, value)


def _datetime(field: Field, value: Any) -> Value:
    return instant_of(field.name, value)


def _enum(field: Field, value: Any) -> Value:
    return option_of(field.name, field.definition.options, value, "портале")


def _reference(_: Field, value: Any) -> Value:
    return cleaned(value)


_CANONICAL: dict[FieldType, Callable[[Field, Any], Value]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.ENUM: _enum,
    FieldType.REFERENCE: _reference,
}


# --- canonical → wire -------------------------------------------------------------------------------------------


def _wire(field: Field, value: Value, currency: str, item: bool) -> str:
    match value:
        case None:
            return "0" if field.definition.type is FieldType.MONEY and not field.custom else ""
        case bool():
            as_letter = item or field.wire == "char"
            return ("Y" if value else "N") if as_letter else ("1" if value else "0")
        case Decimal():
            return f"{value:.2f}|{currency}" if field.wire == "money" else f"{value:.2f}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case float():
            return f"{value:.{field.precision}f}".rstrip("0").rstrip(".")
        case str() if field.definition.type is FieldType.ENUM:
            return next(code for code, title in field.definition.options.items() if title == value)
    return str(value)


# --- wire → ours ------------------------------------------------------------------------------------------------


def _decode_one(field: Field, raw: Any) -> Value:
    if raw is None or raw is False or raw == "":
        # `false` is an empty multiple field, or a boolean of crm.item.*
        return False if raw is False and field.definition.type is FieldType.BOOLEAN else None
    text = str(raw)
    match field.definition.type:
        case FieldType.ENUM:
            return field.definition.options.get(text) or (None if text == "0" else text)
        case FieldType.REFERENCE:
            return None if text == "0" else text
        case FieldType.MONEY:
            return _money(field, text.split("|", maxsplit=1)[0]) if text.split("|", maxsplit=1)[0] else None
        case FieldType.DATE:
            # A date comes as midnight with the portal's offset: its own date part is meant, not that in UTC.
            return _date(field, text)
        case kind:
            return _CANONICAL[kind](field, raw if isinstance(raw, bool | int | float) else text)
