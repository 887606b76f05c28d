"""Faults on order: which request gets one, and of which kind."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from typing import Literal

import msgspec
from starlette.requests import Request

from kreslo.connectors.sandboxing.control import Act, WrongOrderError, body


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`match`: the name of a request as the sandbox's documentation gives it, or a pattern of it (`*`). `when`: before
    anything is done, or after it is all done. `lose` is `cut` after the commit. `commands`: of a batch, only so many of
    its first commands are done before the fault strikes. `hold`: seconds that a `timeout` holds the connection before
    the gateway gives up with a 504, or that a slow answer takes.
    """

    kind: str
    match: str = "*"
    when: Literal["before", "after"] = "before"
    times: int = 1
    commands: int | None = None
    hold: float = 60.0

    @property
    def commits(self) -> bool:
        return self.kind == "lose" or self.when == "after" or self.commands is not None


class Faults:
    """The queue of a sandbox that knows these `kinds`."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._queue: deque[Fault] = deque()

    def add(self, fault: Fault) -> None:
        """Raises WrongOrderError on a kind that the sandbox does not know."""
        if fault.kind not in self._kinds:
            raise WrongOrderError(f"no fault {fault.kind!r}; there are {', '.join(self._kinds)}")
        self._queue.append(fault)

    def clear(self) -> None:
        self._queue.clear()

    def waiting(self) -> list[Fault]:
        return list(self._queue)

    def strike(self, names: Iterable[str]) -> Fault | None:
        """The first fault in the queue that fits a request with these names; it is used up once."""
        lowered = [name.lower() for name in names]
        for fault in self._queue:
            if any(_fits(fault.match.lower())(name) for name in lowered):
                fault.times -= 1
                if fault.times <= 0:
                    self._queue.remove(fault)
                return fault
        return None


def _fits(pattern: str) -> Callable[[str], bool]:
    return lambda name: name == pattern or fnmatchcase(name, pattern)


def fault_acts(faults: Faults) -> list[tuple[str, str, Act]]:
    """What every sandbox answers of its faults: those that still wait, more of them, none."""

    async def waiting(_: Request) -> list[Fault]:
        return faults.waiting()

    async def add(request: Request) -> list[Fault]:
        asked = await body(request, Fault | list[Fault])  # type: ignore[arg-type]
        for fault in asked if isinstance(asked, list) else [asked]:
            faults.add(fault)
        return faults.waiting()

    async def clear(_: Request) -> list[Fault]:
        faults.clear()
        return faults.waiting()

    return [("GET", "faults", waiting), ("POST", "faults", add), ("DELETE", "faults", clear)]
