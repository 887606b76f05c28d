"""Cells of the database as plain values. Each raises ValueError with a reason that does not repeat the cell."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kreslo.records.dates import parse_local
from kreslo.records.money import parse_money
from kreslo.records.names import tidy_name

Row = Mapping[str, Any]
Key = int | str

_FLAGS = {"0": False, "1": True, "false": False, "true": True, "нет": False, "да": True, "-1": True}

# SQL Server's zero, which some programs write for "no date".
_ZERO_YEAR = 1900

_ISO_LENGTH = len("2026-05-12 10:00:00")


def key_of(value: Any) -> Key:
    """A key that can be compared and asked for again: a whole number stays one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (Decimal, float)) and value == int(value):
        return int(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError(f"the key must be a whole number or a text, not {kind(value)}")


def reference(value: Any) -> str:
    """The id of another row; "" where there is none (NULL, 0, empty)."""
    if value is None or value in {0, ""}:
        return ""
    return str(key_of(value)).strip()


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError("expected a text, not bytes")  # noqa: TRY004  a cell is data, not a type
    return str(value).strip()


def flag(value: Any) -> bool | None:
    if value is None or value == "":
        return None
    if isinstance(value, (bool, int, Decimal, float)):
        return bool(value)
    known = _FLAGS.get(str(value).strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise ValueError(f"expected a yes/no (bit or 0/1), not {kind(value)}")
    return known


def money(value: Any) -> Decimal | None:
    return parse_money(value)


def local(value: Any, zone: ZoneInfo) -> datetime | None:
    """An instant in UTC; None where there is none, which some programs write as the year 1900 or earlier."""
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  the zone is put on by parse_local
    if not isinstance(value, (datetime, str)):
        raise ValueError(f"expected a date and time, not {kind(value)}")  # noqa: TRY004  as above
    instant = parse_local(_quick(value), zone)
    return instant if instant.year > _ZERO_YEAR else None


def _quick(value: str | datetime) -> str | datetime:
    """The text that SQLite holds for most instants, without the care that other spellings need."""
    if isinstance(value, str) and len(value) == _ISO_LENGTH and value[10] == " ":
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return value


def full_name(row: Row, who: str) -> str:
    """`who`_surname, `who`_name and `who`_patronymic, those that are there, tidied and joined."""
    parts = (text(row.get(f"{who}_{part}")) for part in ("surname", "name", "patronymic"))
    return _tidy_full(" ".join(part for part in parts if part))


def kind(value: Any) -> str:
    """What a value is, for a person, without the value."""
    names = {
        "str": "a text",
        "int": "a number",
        "float": "a number",
        "Decimal": "a number",
        "bool": "a yes/no",
    }
    return names.get(type(value).__name__, f"a {type(value).__name__}")


@lru_cache(maxsize=4096)
def _tidy_full(name: str) -> str:
    """A clinic's staff is small and stands in every row: their names are tidied once."""
    return tidy_name(name)
