"""What an expression gave, made fit for the type of the field that it goes into."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from kreslo.connectors.model import FieldType, Value
from kreslo.mapping.formats import text_of
from kreslo.mapping.programs import EvaluationError
from kreslo.records import Phone

_LISTS = frozenset({FieldType.PHONE, FieldType.EMAIL})

FITS: dict[type, frozenset[FieldType]] = {
    str: frozenset(
        {FieldType.TEXT, FieldType.ENUM, FieldType.PHONE, FieldType.EMAIL, FieldType.REFERENCE},
    ),
    bool: frozenset({FieldType.BOOLEAN, FieldType.TEXT, FieldType.ENUM}),
    int: frozenset({FieldType.NUMBER, FieldType.MONEY, FieldType.TEXT, FieldType.REFERENCE}),
    float: frozenset({FieldType.NUMBER, FieldType.MONEY, FieldType.TEXT}),
    Decimal: frozenset({FieldType.NUMBER, FieldType.MONEY, FieldType.TEXT}),
    date: frozenset({FieldType.DATE, FieldType.TEXT}),
    datetime: frozenset({FieldType.DATETIME, FieldType.DATE, FieldType.TEXT}),
    tuple: frozenset({FieldType.TEXT, FieldType.ENUM, FieldType.PHONE, FieldType.EMAIL}),
}
"""Which types of fields a Python value can go into."""


def fitted(value: Any, to: FieldType, *, multiple: bool = False) -> Value:
    """The value as the field's neutral form; "" and () are None. Raises EvaluationError where it cannot be made so.

    Texts of one value join several with ", "; money and numbers become Decimal; an instant becomes its local date in a
    date field; a text becomes a date or an instant if it is ISO 8601.
    """
    value = _plain(value)
    if value is None or (isinstance(value, str | tuple) and not value):
        return None
    several = value if isinstance(value, tuple) else (value,)
    if to in _LISTS or multiple:
        return tuple(text for text in map(text_of, several) if text) or None
    try:
        match to:
            case FieldType.TEXT | FieldType.ENUM | FieldType.REFERENCE:
                return text_of(value) or None
            case FieldType.NUMBER | FieldType.MONEY if not isinstance(value, bool):
                return value if isinstance(value, int) and to is FieldType.NUMBER else Decimal(str(value))
            case FieldType.BOOLEAN if isinstance(value, bool):
                return value
            case FieldType.DATE:
                return _date(value)
            case FieldType.DATETIME:
                return _instant(value)
    except (ValueError, TypeError, InvalidOperation):
        pass  # said below, without the value: it may be a patient's
    raise EvaluationError(f"a value of kind {type(value).__name__} does not fit a field of type {to}")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Phone):
        return value.e164
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_plain(item) for item in value)
    return value


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)


def _instant(value: Any) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("no time zone")
    return instant
