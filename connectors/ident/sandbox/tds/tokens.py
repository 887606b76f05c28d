"""Tokens of the server's answers ([MS-TDS] 2.2.7)."""

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum, IntFlag
from typing import Any

import msgspec

from connectors.ident.sandbox.tds.packets import PACKET
from connectors.ident.sandbox.tds.types import COLLATION, Type

SERVER = "KRESLO"
_TDS_74 = bytes.fromhex("74 00 00 04")
_SELECT = 0xC1
_ROW = b"\xd1"


class Column(msgspec.Struct, frozen=True):
    name: str
    type: Type


class Done(IntEnum):
    """Which of the three tokens ends something: a statement of a batch, one inside a procedure, a procedure."""

    BATCH = 0xFD
    PROCEDURE = 0xFE
    INSIDE = 0xFF


class Status(IntFlag):
    FINAL = 0x00
    MORE = 0x01
    ERROR = 0x02
    COUNT = 0x10
    ATTENTION = 0x20


class Change(IntEnum):
    DATABASE = 1
    LANGUAGE = 2
    PACKET_SIZE = 4
    COLLATION = 7
    BEGUN = 8
    COMMITTED = 9
    ROLLED_BACK = 10


def columns(given: Sequence[Column]) -> bytes:
    """COLMETADATA; every column may hold NULL."""
    out = bytearray(b"\x81" + struct.pack("<H", len(given)))
    for column in given:
        out += struct.pack("<IH", 0, 0x0001) + column.type.info() + _short(column.name)
    return bytes(out)


def rows(given: Sequence[Column], values: Iterable[Sequence[Any]]) -> tuple[bytearray, int]:
    """ROW tokens, and how many. Raises ConversionError."""
    packs = [column.type.pack for column in given]
    out, count = bytearray(), 0
    for row in values:
        out += _ROW
        for pack, value in zip(packs, row, strict=True):
            out += pack(value)
        count += 1
    return out, count


def done(which: Done = Done.BATCH, status: Status = Status.FINAL, count: int = 0) -> bytes:
    return struct.pack("<BHHQ", which, status, _SELECT if status & Status.COUNT else 0, count)


def error(number: int, message: str, severity: int = 16, state: int = 1) -> bytes:
    return _message(0xAA, number, message, severity, state)


def info(number: int, message: str) -> bytes:
    return _message(0xAB, number, message, 0, 1)


def returned(status: int) -> bytes:
    """A procedure's RETURNSTATUS."""
    return b"\x79" + struct.pack("<i", status)


def handle(number: int) -> bytes:
    """The RETURNVALUE that gives a prepared statement's handle."""
    return (
        b"\xac"
        + struct.pack("<HB", 0, 0)
        + b"\x01"
        + struct.pack("<IH", 0, 0)
        + b"\x26\x04\x04"
        + struct.pack("<i", number)
    )


def changed(what: Change, new: str, old: str = "") -> bytes:
    body = bytes((what,)) + _short(new) + _short(old)
    return b"\xe3" + struct.pack("<H", len(body)) + body


def transaction(what: Change, descriptor: int) -> bytes:
    number = struct.pack("<BQ", 8, descriptor)
    body = bytes((what,)) + (number + b"\0" if what is Change.BEGUN else b"\0" + number)
    return b"\xe3" + struct.pack("<H", len(body)) + body


def greeting(database: str) -> bytes:
    """What follows a login that is let in."""
    name = "Microsoft SQL Server".encode("utf-16-le")
    acknowledged = b"\x01" + _TDS_74 + bytes((len(name) // 2,)) + name + bytes((11, 0, 0x0C, 0x38))
    collation = bytes((Change.COLLATION, len(COLLATION))) + COLLATION + b"\0"
    return b"".join(
        (
            changed(Change.DATABASE, database, "master"),
            info(5701, f"Changed database context to '{database}'."),
            b"\xe3" + struct.pack("<H", len(collation)) + collation,
            changed(Change.LANGUAGE, "us_english"),
            info(5703, "Changed language setting to us_english."),
            b"\xad" + struct.pack("<H", len(acknowledged)) + acknowledged,
            changed(Change.PACKET_SIZE, str(PACKET), str(PACKET)),
            done(),
        )
    )


def _message(token: int, number: int, message: str, severity: int, state: int) -> bytes:
    words = message.encode("utf-16-le")
    body = struct.pack("<iBBH", number, state, severity, len(words) // 2) + words
    body += _short(SERVER) + _short("") + struct.pack("<I", 1)
    return bytes((token,)) + struct.pack("<H", len(body)) + body


def _short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode("utf-16-le")
