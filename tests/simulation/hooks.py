"""Hooks on their way: some are lost, some come twice, and a late one is overtaken by those after it."""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from tests.simulation.clock import WorldClock

_DELAYS = (0.2, 3.0, 60.0, 1800.0, 20000.0)


class Hooks:
    """`deliver` gives a hook's body to whoever listens by then. `rate`: how many come at all."""

    def __init__(
        self, clock: WorldClock, chance: Random, deliver: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._deliver = deliver
        self.rate = 0.0

    def told(self, body: bytes) -> None:
        """The CRM tells of a change. It does not repeat what nobody took."""
        if not self.rate or self._chance.random() > self.rate:
            return
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            after = self._chance.choice(_DELAYS) * self._chance.random()
            self._clock.plan(after, partial(self._deliver, body))
