"""Framing of TDS 7.4 ([MS-TDS] 2.2.3): messages in packets, and TLS that is shaken hands on inside of them."""

import select
import socket
import ssl
import struct
from enum import IntEnum

PACKET = 4096
_HEADER = struct.Struct(">BBHHBB")
_LAST = 0x01
_PIECE = 65536


class Kind(IntEnum):
    """Types of messages."""

    BATCH = 0x01
    RPC = 0x03
    ANSWER = 0x04
    ATTENTION = 0x06
    TRANSACTION = 0x0E
    LOGIN = 0x10
    PRELOGIN = 0x12


class HungUpError(Exception):
    """The client closed the connection."""


class Link:
    """One client's connection. Everything raises HungUpError once it is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._plain = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    def read(self) -> tuple[Kind, bytes]:
        """The next whole message."""
        payload = bytearray()
        while True:
            kind, status, length, *_ = _HEADER.unpack(self._take(_HEADER.size))
            payload += self._take(length - _HEADER.size)
            if status & _LAST:
                return Kind(kind), bytes(payload)

    def write(self, payload: bytes | bytearray, kind: Kind = Kind.ANSWER) -> None:
        """A message, cut into packets."""
        room = PACKET - _HEADER.size
        out = bytearray()
        for number, start in enumerate(range(0, max(1, len(payload)), room), start=1):
            part = payload[start : start + room]
            last = _LAST if start + room >= len(payload) else 0
            out += _HEADER.pack(kind, last, len(part) + _HEADER.size, 0, number % 256, 0) + part
        self._send(out)

    def waiting(self, seconds: float) -> bool:
        """Whether the client says something within so many seconds (an attention, or that it hangs up)."""
        return bool(self._plain) or bool(select.select([self._sock], [], [], seconds)[0])

    def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands, each flight in a PRELOGIN message; from then on TLS carries the packets."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                if flight := self._outgoing.read():
                    self.write(flight, Kind.PRELOGIN)
                self._incoming.write(self.read()[1])
            except ssl.SSLError as error:
                raise HungUpError(str(error)) from error
            else:
                break
        if flight := self._outgoing.read():
            self.write(flight, Kind.PRELOGIN)
        self._tls = tls

    def close(self) -> None:
        self._sock.close()

    def hang_up(self) -> None:
        """From another thread: whoever reads here learns that it is over."""
        self._sock.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Hang up in the middle of everything, with a reset."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _take(self, count: int) -> bytes:
        while len(self._plain) < count:
            try:
                data = self._sock.recv(_PIECE)
            except OSError as error:
                raise HungUpError(str(error)) from error
            if not data:
                raise HungUpError("the client is gone")
            self._plain += self._opened(data)
        taken = bytes(self._plain[:count])
        del self._plain[:count]
        return taken

    def _opened(self, data: bytes) -> bytes:
        if self._tls is None:
            return data
        self._incoming.write(data)
        plain = bytearray()
        try:
            while piece := self._tls.read(_PIECE):
                plain += piece
        except ssl.SSLWantReadError:
            return bytes(plain)
        except ssl.SSLError as error:
            raise HungUpError(str(error)) from error
        return bytes(plain)

    def _send(self, data: bytes | bytearray) -> None:
        if self._tls is not None:
            self._tls.write(bytes(data))
            data = self._outgoing.read()
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise HungUpError(str(error)) from error
