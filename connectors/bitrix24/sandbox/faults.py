"""Faults on order: which request gets one, and of which kind."""

from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

FaultKind = Literal["timeout", "cut", "lose", "500", "502html", "503", "429", "504html"]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`match`: a method, in a batch too, or `*`. `when`: before anything is done, or after it is all done. `lose` is
    `cut` after the commit. `commands`: of a batch, only so many of its first commands are done before the fault
    strikes. `hold`: seconds that a `timeout` holds the connection before the gateway gives up with a 504.
    """

    kind: FaultKind
    match: str = "*"
    when: Literal["before", "after"] = "before"
    times: int = 1
    commands: int | None = None
    hold: float = 60.0

    @property
    def commits(self) -> bool:
        return self.kind == "lose" or self.when == "after" or self.commands is not None


class Faults:
    def __init__(self) -> None:
        self._queue: deque[Fault] = deque()

    def add(self, fault: Fault) -> None:
        self._queue.append(fault)

    def clear(self) -> None:
        self._queue.clear()

    def waiting(self) -> list[Fault]:
        return list(self._queue)

    def strike(self, methods: Iterable[str]) -> Fault | None:
        """The first fault in the queue that fits a request with these methods; it is used up once."""
        names = {method.lower() for method in methods}
        for fault in self._queue:
            if fault.match == "*" or fault.match.lower() in names:
                fault.times -= 1
                if fault.times <= 0:
                    self._queue.remove(fault)
                return fault
        return None
