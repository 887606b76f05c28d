"""Before the first statement: PRELOGIN and LOGIN7 ([MS-TDS] 2.2.6.5 and 2.2.6.4)."""

import struct
from enum import IntEnum

import msgspec

_VERSION = bytes((11, 0, 0x0C, 0x38, 0, 0))
"""SQL Server 2012 (11.0.3128): the oldest that Kreslo promises to read."""

_END = 0xFF
_READ_ONLY_INTENT = 0x20
_LOGIN_TEXTS = {
    "host": 36,
    "user": 40,
    "password": 44,
    "app": 48,
    "server": 52,
    "library": 60,
    "database": 68,
}


class Option(IntEnum):
    VERSION = 0
    ENCRYPTION = 1
    INSTANCE = 2
    THREAD = 3
    MARS = 4


class Encryption(IntEnum):
    OFF = 0
    ON = 1
    NOT_SUPPORTED = 2
    REQUIRED = 3


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says of itself. `read_only`: ApplicationIntent=ReadOnly."""

    host: str
    user: str
    password: str
    app: str
    server: str
    library: str
    database: str
    read_only: bool


def wish(payload: bytes) -> Encryption:
    """What the client's PRELOGIN says of encryption."""
    place = 0
    while payload[place] != _END:
        token, start, length = struct.unpack_from(">BHH", payload, place)
        if token == Option.ENCRYPTION and length:
            return Encryption(payload[start])
        place += 5
    return Encryption.NOT_SUPPORTED


def prelogin(encryption: Encryption) -> bytes:
    """The server's PRELOGIN."""
    values = {
        Option.VERSION: _VERSION,
        Option.ENCRYPTION: bytes((encryption,)),
        Option.INSTANCE: b"\0",
        Option.THREAD: b"",
        Option.MARS: b"\0",
    }
    start = 5 * len(values) + 1
    head, body = bytearray(), bytearray()
    for option, value in values.items():
        head += struct.pack(">BHH", option, start + len(body), len(value))
        body += value
    return bytes(head) + bytes((_END,)) + bytes(body)


def login(payload: bytes) -> Login:
    """A client's LOGIN7."""
    texts = {}
    for name, place in _LOGIN_TEXTS.items():
        start, count = struct.unpack_from("<HH", payload, place)
        raw = payload[start : start + 2 * count]
        if name == "password":
            raw = bytes(_opened(byte) for byte in raw)
        texts[name] = raw.decode("utf-16-le")
    return Login(**texts, read_only=bool(payload[26] & _READ_ONLY_INTENT))


def _opened(byte: int) -> int:
    """A password's byte is sent with its halves swapped, then xored with A5."""
    byte ^= 0xA5
    return (byte << 4 | byte >> 4) & 0xFF
