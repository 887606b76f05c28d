"""SQL Server Browser: tells at UDP 1434 on which port a named instance listens ([MC-SQLR])."""

import contextlib
import socket
import struct

_PORT = 1434
_ASKED_FOR_ONE = 0x04
_ANSWER = 0x05
_END = b"\0"


class Browser:
    """Knows one instance. `asked`: the names that it was asked for."""

    def __init__(self, host: str, instance: str) -> None:
        self._host = host
        self._instance = instance
        self._socket: socket.socket | None = None
        self._port = 0
        self._stop = _END + instance.encode()  # a question that no client asks
        self.asked: list[str] = []

    def open(self, port: int) -> None:
        """Listen, and tell of this port. Raises OSError where somebody else has the port 1434 of this address."""
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self._host, _PORT))

    def run(self) -> None:
        """Answers until it is closed."""
        listening = self._socket
        if listening is None:
            return
        with listening:
            while True:
                question, client = listening.recvfrom(1024)
                if question == self._stop:
                    return
                if question[:1] == bytes((_ASKED_FOR_ONE,)):
                    name = question[1:].rstrip(_END).decode("cp1251", "replace")
                    self.asked.append(name)
                    if name.upper() == self._instance.upper():
                        listening.sendto(self._answer(), client)

    def close(self) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.sendto(self._stop, (self._host, _PORT))

    def _answer(self) -> bytes:
        said = {
            "ServerName": "CLINIC",
            "InstanceName": self._instance,
            "IsClustered": "No",
            "Version": "11.0.3128.0",
            "tcp": str(self._port),
        }
        body = ";".join(f"{name};{value}" for name, value in said.items()).encode() + b";;"
        return struct.pack("<BH", _ANSWER, len(body)) + body
