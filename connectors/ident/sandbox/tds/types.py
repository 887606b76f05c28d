"""Types of columns and of parameters, and how their values lie in bytes ([MS-TDS] 2.2.5)."""

import re
import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import msgspec

COLLATION = bytes.fromhex("19 04 d0 00 00")
"""Cyrillic_General_CI_AS."""

_FIRST_DAY = date(1, 1, 1)
_ZERO_DAY = date(1900, 1, 1)
_MAX = 0xFFFF
_TEXT_MAX = 4000


class ConversionError(Exception):
    """A cell does not fit its column's type. `kind` says which type."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Type(Protocol):
    """A type of column: its TYPE_INFO, and a value's bytes as they stand in a row."""

    def info(self) -> bytes: ...

    def pack(self, value: Any) -> bytes: ...


class Int(msgspec.Struct, frozen=True):
    size: int = 4

    def info(self) -> bytes:
        return bytes((0x26, self.size))

    def pack(self, value: Any) -> bytes:
        return (
            b"\0"
            if value is None
            else bytes((self.size,)) + int(value).to_bytes(self.size, "little", signed=True)
        )


class Bit(msgspec.Struct, frozen=True):
    def info(self) -> bytes:
        return b"\x68\x01"

    def pack(self, value: Any) -> bytes:
        return b"\0" if value is None else bytes((1, bool(value)))


class Float(msgspec.Struct, frozen=True):
    def info(self) -> bytes:
        return b"\x6d\x08"

    def pack(self, value: Any) -> bytes:
        return b"\0" if value is None else b"\x08" + struct.pack("<d", value)


class Exact(msgspec.Struct, frozen=True):
    """DECIMAL(precision, scale)."""

    precision: int = 18
    scale: int = 0

    def info(self) -> bytes:
        return bytes((0x6A, 17, self.precision, self.scale))

    def pack(self, value: Any) -> bytes:
        if value is None:
            return b"\0"
        number = int(round(Decimal(str(value)), self.scale).scaleb(self.scale))
        return b"\x11" + bytes((number >= 0,)) + abs(number).to_bytes(16, "little")


class Text(msgspec.Struct, frozen=True):
    """NVARCHAR(size); None: NVARCHAR(max)."""

    size: int | None = _TEXT_MAX

    def info(self) -> bytes:
        return b"\xe7" + struct.pack("<H", _MAX if self.size is None else self.size * 2) + COLLATION

    def pack(self, value: Any) -> bytes:
        if self.size is not None:
            if value is None:
                return struct.pack("<H", _MAX)
            raw = str(value)[: self.size].encode("utf-16-le")
            return struct.pack("<H", len(raw)) + raw
        if value is None:
            return b"\xff" * 8
        raw = str(value).encode("utf-16-le")
        chunk = struct.pack("<I", len(raw)) + raw if raw else b""
        return struct.pack("<Q", len(raw)) + chunk + struct.pack("<I", 0)


class Bytes(msgspec.Struct, frozen=True):
    """VARBINARY(size). A rowversion is given as BINARY(8) here, as drivers show it."""

    size: int = 8000

    def info(self) -> bytes:
        return b"\xa5" + struct.pack("<H", self.size)

    def pack(self, value: Any) -> bytes:
        return struct.pack("<H", _MAX) if value is None else struct.pack("<H", len(value)) + bytes(value)


class Date(msgspec.Struct, frozen=True):
    def info(self) -> bytes:
        return b"\x28"

    def pack(self, value: Any) -> bytes:
        if value is None:
            return b"\0"
        return b"\x03" + (_instant(value, "date").date() - _FIRST_DAY).days.to_bytes(3, "little")


class DateTime(msgspec.Struct, frozen=True):
    """DATETIME: three-hundredths of a second since 1900."""

    def info(self) -> bytes:
        return b"\x6f\x08"

    def pack(self, value: Any) -> bytes:
        if value is None:
            return b"\0"
        at = _instant(value, "datetime")
        since = at - datetime(at.year, at.month, at.day)  # noqa: DTZ001  naive, as SQL Server's are
        ticks = round(since / timedelta(seconds=1) * 300)
        return b"\x08" + struct.pack("<iI", (at.date() - _ZERO_DAY).days, min(ticks, 300 * 86400 - 1))


class DateTime2(msgspec.Struct, frozen=True):
    """DATETIME2(7): ten-millionths of a second."""

    def info(self) -> bytes:
        return b"\x2a\x07"

    def pack(self, value: Any) -> bytes:
        if value is None:
            return b"\0"
        at = _instant(value, "datetime2")
        since = at - datetime(at.year, at.month, at.day)  # noqa: DTZ001  as above
        ticks = since // timedelta(microseconds=1) * 10
        return b"\x08" + ticks.to_bytes(5, "little") + (at.date() - _FIRST_DAY).days.to_bytes(3, "little")


_NAMED: dict[str, Callable[[int | None, int | None], Type]] = {
    "bigint": lambda *_: Int(8),
    "int": lambda *_: Int(4),
    "integer": lambda *_: Int(4),
    "smallint": lambda *_: Int(2),
    "bit": lambda *_: Bit(),
    "boolean": lambda *_: Bit(),
    "float": lambda *_: Float(),
    "double": lambda *_: Float(),
    "real": lambda *_: Float(),
    "money": lambda *_: Exact(19, 4),
    "decimal": lambda first, second: Exact(first or 18, second or 0),
    "numeric": lambda first, second: Exact(first or 18, second or 0),
    "date": lambda *_: Date(),
    "datetime": lambda *_: DateTime(),
    "datetime2": lambda *_: DateTime2(),
    "timestamp": lambda *_: DateTime2(),
    "rowversion": lambda *_: Bytes(8),
    "varbinary": lambda first, _: Bytes(first or 8000),
}
_DECLARED = re.compile(r"\s*(\w+)\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.ASCII)


def type_of(declared: str) -> Type:
    """The type of a declaration such as `DECIMAL(18, 2)`. What is not known is a text, as SQLite has it."""
    match = _DECLARED.fullmatch(declared)
    if match is None:
        return Text()
    name, first, second = match.groups()
    size = int(first) if first and first.isdecimal() else None
    if make := _NAMED.get(name.lower()):
        return make(size, int(second) if second else None)
    return Text(None if (first or "").lower() == "max" or (size or 0) > _TEXT_MAX else size or _TEXT_MAX)


def type_of_value(value: object) -> Type:
    """The type of a value whose expression says nothing of it."""
    if isinstance(value, int):
        return Int(8 if abs(value) >= 1 << 31 else 4)
    if isinstance(value, float):
        return Float()
    return Bytes() if isinstance(value, bytes) else Text()


def _instant(value: Any, kind: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ConversionError(kind) from error
