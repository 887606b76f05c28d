"""What a client asks for: SQL batches, and remote procedure calls with their parameters ([MS-TDS] 2.2.6.6 and 2.2.6.7)."""

import struct
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

_PROCEDURES = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}
_BY_NUMBER = 0xFFFF
_NULL = 0xFFFF
_FIRST_DAY = datetime(1, 1, 1)  # noqa: DTZ001  naive, as SQL Server's are
_ZERO_DAY = datetime(1900, 1, 1)  # noqa: DTZ001  as above


class Parameter(msgspec.Struct, frozen=True):
    name: str
    value: Any


class Call(msgspec.Struct, frozen=True):
    """A remote procedure call."""

    name: str
    parameters: tuple[Parameter, ...]


class Bytes:
    """A place in a message."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def take(self, count: int) -> bytes:
        part = self.data[self.place : self.place + count]
        if len(part) < count:
            raise ValueError("a message ends too early")
        self.place += count
        return part

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def left(self) -> int:
        return len(self.data) - self.place


def batch(payload: bytes) -> str:
    """The text of a SQL batch."""
    return _body(payload).decode("utf-16-le")


def call(payload: bytes) -> Call:
    """A call, the first of the message. Raises ValueError for a parameter of a type that nothing here uses."""
    stream = Bytes(_body(payload))
    length = stream.number(2)
    if length == _BY_NUMBER:
        number = stream.number(2)
        name = _PROCEDURES.get(number, f"procedure {number}")
    else:
        name = stream.take(2 * length).decode("utf-16-le").rpartition(".")[2].strip("[]")
    stream.take(2)
    parameters = []
    while stream.left() and stream.data[stream.place] != 0xFF:
        own = stream.take(2 * stream.number(1)).decode("utf-16-le")
        stream.take(1)
        parameters.append(Parameter(own, _value(stream)))
    return Call(name, tuple(parameters))


def _body(payload: bytes) -> bytes:
    """Less the ALL_HEADERS in front, whose own length comes first."""
    return payload[struct.unpack_from("<I", payload)[0] :]


def _value(stream: Bytes) -> Any:
    kind = stream.number(1)
    match kind:
        case 0x26:  # INTN
            stream.take(1)
            size = stream.number(1)
            return stream.number(size, signed=True) if size else None
        case 0x68:  # BITN
            stream.take(1)
            return bool(stream.number(1)) if stream.number(1) else None
        case 0x6D:  # FLTN
            stream.take(1)
            size = stream.number(1)
            return struct.unpack("<f" if size == 4 else "<d", stream.take(size))[0] if size else None
        case 0x6A | 0x6C:  # DECIMALN, NUMERICN
            scale = stream.take(3)[2]
            size = stream.number(1)
            return _exact(stream.take(size), scale) if size else None
        case 0xE7 | 0xA7 | 0xA5:  # NVARCHAR, VARCHAR, VARBINARY
            return _long(stream, kind)
        case 0x63:  # NTEXT
            stream.take(4 + 5)
            size = stream.number(4)
            return None if size == 0xFFFFFFFF else stream.take(size).decode("utf-16-le")
        case 0x6F:  # DATETIMN
            stream.take(1)
            size = stream.number(1)
            return _datetime(stream.take(size)) if size else None
        case 0x2A:  # DATETIME2N
            scale = stream.number(1)
            size = stream.number(1)
            return _datetime2(stream.take(size), scale) if size else None
        case 0x28:  # DATEN
            size = stream.number(1)
            return (_FIRST_DAY + timedelta(days=stream.number(3))).date() if size else None
    raise ValueError(f"no type {kind:#x} here")


def _long(stream: Bytes, kind: int) -> str | bytes | None:
    room = stream.number(2)
    if kind != 0xA5:
        stream.take(5)
    if room == _NULL:  # (max): in chunks
        if stream.number(8) == 0xFFFFFFFFFFFFFFFF:
            return None
        raw = b""
        while size := stream.number(4):
            raw += stream.take(size)
    else:
        size = stream.number(2)
        if size == _NULL:
            return None
        raw = stream.take(size)
    return raw if kind == 0xA5 else raw.decode("utf-16-le" if kind == 0xE7 else "cp1251")


def _exact(raw: bytes, scale: int) -> Decimal:
    number = int.from_bytes(raw[1:], "little")
    return Decimal(number if raw[0] else -number).scaleb(-scale)


def _datetime(raw: bytes) -> datetime:
    if len(raw) == 4:
        days, minutes = struct.unpack("<HH", raw)
        return _ZERO_DAY + timedelta(days=days, minutes=minutes)
    days, ticks = struct.unpack("<iI", raw)
    return _ZERO_DAY + timedelta(days=days, milliseconds=round(ticks / 0.3))


def _datetime2(raw: bytes, scale: int) -> datetime:
    ticks = int.from_bytes(raw[:-3], "little") * 10 ** (7 - scale)
    return _FIRST_DAY + timedelta(days=int.from_bytes(raw[-3:], "little"), microseconds=ticks // 10)


def for_sqlite(value: Any) -> Any:
    """A parameter as the demo clinic's file keeps such values."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
