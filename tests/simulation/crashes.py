"""Sudden ends of the process, at any await; and a journal that is locked for a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import ParamSpec, TypeVar

from kreslo.connectors.errors import OutageError

P = ParamSpec("P")
R = TypeVar("R")


class Crash(BaseException):
    """The process ends here: no handler of the engine's may run on from it."""


@contextmanager
def ending() -> Iterator[None]:
    """A crash in one of several requests that are under way at once is the process's."""
    try:
        yield
    except BaseExceptionGroup as group:
        if group.subgroup(Crash):
            raise Crash("one of several") from group
        raise


_WRITES = frozenset({"settle", "begin", "commit", "take", "resolve"})
"""Rare calls at which it hurts most."""


class Crashes:
    def __init__(self, chance: Random, tell: Callable[[str], None]) -> None:
        self._chance = chance
        self._tell = tell
        self.rate = 0.0
        self.locked_rate = 0.0

    def point(self, where: str, name: str = "") -> None:
        rate = self.rate * (4 if name in _WRITES else 1)
        if rate and self._chance.random() < rate:
            self._tell(f"crash {where}")
            raise Crash(where)

    def lock(self, name: str) -> None:
        rate = self.locked_rate * (10 if name in _WRITES else 1)
        if rate and self._chance.random() < rate:
            self._tell(f"journal is locked at {name}")
            raise OutageError("the journal is locked by another process")


class JournalCalls:
    """Runs the journal's calls in place (as kreslo.sync.threads.InPlace), unless the process ends or it is locked."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        name = getattr(call, "__name__", "")
        self._crashes.point(f"before {name}", name)
        self._crashes.lock(name)
        result = call(*args, **kwargs)
        self._crashes.point(f"after {name}", name)
        return result

    def close(self) -> None:
        """Nothing to close."""
