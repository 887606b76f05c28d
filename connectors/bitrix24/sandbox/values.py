"""Field values: what comes in to a plain Python value, and out again in the form of either method family.

Legacy `crm.*` methods answer strings (flags Y/N, amounts with two digits, empty dates ""); `crm.item.*` answers
numbers and nulls.
"""

from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.fields import INTEGERS, Field
from kreslo.connectors.sandboxing import php


class _Dropped(Enum):
    DROPPED = 0


DROPPED: Final = _Dropped.DROPPED
"""The field is removed from the request without a word (a date that is no date)."""


def parse(field: Field, raw: Any, zone: tzinfo) -> Any:
    """The stored value of what a request sent, or DROPPED."""
    if field.multiple:
        parsed = [_one(field, below, zone) for below in php.members(raw)]
        return [value for value in parsed if value is not None and value is not DROPPED]
    if php.is_array(raw):
        return DROPPED
    return _one(field, raw, zone)


def _one(field: Field, raw: Any, zone: tzinfo) -> Any:
    kind = field.type
    if kind == "boolean":
        return None if raw is None or raw == "" else php.truthy(raw)
    if kind == "char":
        return "Y" if raw is True or php.text(raw).upper() in {"Y", "1"} else "N"
    text = php.text(raw).strip()
    if text == "":
        return None
    if kind in INTEGERS:
        number = php.integer(raw)
        if kind == "enumeration" and number not in field.options:
            return None  # a text instead of an option's id is lost silently
        return None if number == 0 and kind not in {"integer", "crm_category"} else number
    if kind == "double":
        try:
            return Decimal(text.replace(",", "."))
        except InvalidOperation:
            return Decimal(0)
    if kind == "date":
        return moments.parse_date(text, zone) or DROPPED
    if kind == "datetime":
        return moments.parse_datetime(text, zone) or DROPPED
    return text


def legacy(field: Field, value: Any, zone: tzinfo) -> Any:
    """The value as `crm.contact.get` and its kin show it."""
    if field.multiple:
        return [legacy_one(field, below, zone) for below in value] if value else False
    return legacy_one(field, value, zone)


def legacy_one(field: Field, value: Any, zone: tzinfo) -> Any:
    if value is None:
        return "" if field.type in {"date", "datetime"} else None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return _plain(value) if field.dynamic else f"{value:.2f}"
    return _moment(value, zone) if isinstance(value, date) else str(value)


def item(field: Field, value: Any, zone: tzinfo) -> Any:
    """The value as `crm.item.get` shows it."""
    if field.multiple:
        return [_item_one(below, zone) for below in value or []]
    if value is None and field.type == "boolean":
        return "N"
    return _item_one(value, zone)


def _item_one(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return _moment(value, zone) if isinstance(value, date) else value


def _moment(value: date, zone: tzinfo) -> str:
    return (
        moments.show_datetime(value, zone) if isinstance(value, datetime) else moments.show_date(value, zone)
    )


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
