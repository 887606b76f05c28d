"""One seed: a world is put together, lives through days of faults, comes to rest, and is judged all the while."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import msgspec

from kreslo.connectors.errors import KresloError
from tests.simulation.blocks import Blocks
from tests.simulation.checks import Violation, at_rest
from tests.simulation.clinic import IdentClinic
from tests.simulation.clock import EngineClock, WorldClock
from tests.simulation.crashes import Crash, Crashes, JournalCalls
from tests.simulation.ending import in_the_end
from tests.simulation.engine import Engine, prepared
from tests.simulation.folder import HelixClinic
from tests.simulation.hooks import Hooks
from tests.simulation.life import Life
from tests.simulation.logins import Logins
from tests.simulation.logs import LogBook
from tests.simulation.mis import Mis, SimSource
from tests.simulation.network import Network
from tests.simulation.oracle import Memory
from tests.simulation.rules import RULES
from tests.simulation.tickets import Exchange

CALM_HOURS = 12
"""Within this much virtual time without faults all must be told and settled."""

_WRONG_BY = (-90.0, 0.0, 300.0)
"""Seconds by which the clock of Kreslo's machine can be made to differ."""

_TURNS = 60
"""A turn that always has more to do is one that never ends. Lives of forty seeds needed eight at most."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a seed ended. `trace`: digest of every request and its time. `told`: what happened, in words."""

    seed: int
    rules: str
    violations: tuple[Violation, ...]
    trace: str
    told: tuple[str, ...]
    requests: int
    turns: int
    rests: int


async def simulate(seed: int, folder: Path) -> Verdict:
    """Live through one seed. `folder` holds its journal; one folder may serve many seeds, one after the other."""
    with LogBook() as logs:
        return await World(seed, folder).live(logs)


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder for journals, in memory where the system has such a place."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="kreslo-sim-", dir=shm if shm.is_dir() else None) as name:
        yield Path(name)


class World:
    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.chance = Random(f"faults {seed}")
        self.life_chance = Random(f"life {seed}")
        self.rules = RULES[seed % len(RULES)]
        self.clock = WorldClock(self.rules.start)
        self.engine_clock = EngineClock(self.clock)
        self.told: list[str] = []
        self.turns = 0
        self.rests = 0
        self._made_up_at = 0.0
        self.violations: list[Violation] = []
        self.exchange = Exchange(self) if self.rules.tickets else None

    def tell(self, text: str) -> None:
        self.told.append(f"{self.clock.now():%d.%m %H:%M:%S} {text}")

    async def live(self, logs: LogBook) -> Verdict:
        ready = await prepared(self.rules, self.folder)
        self.crm = ready.crm(self.clock, self.rules)
        if different := self.crm.vary(self.chance):
            self.tell(different)
        self.mis = Mis(self.clock)
        self.crashes = Crashes(self.chance, self.tell)
        inner = httpx.ASGITransport(self.crm.app())
        self.blocks = Blocks(self.crm, self.clock, self.tell)
        self.logins = Logins(self.crm, inner, self.clock, self.chance, self.crashes, self.tell)
        self.network = Network(
            self.crm, inner, self.clock, self.chance, self.crashes, self.blocks, self.logins, self.tell
        )
        self.source = self._source()
        calls = JournalCalls(self.crashes)
        self.engine = Engine(
            ready, self.folder, self.source.opened, self.network, self.engine_clock, Random(self.seed), calls
        )
        self.memory = Memory()
        life = self.life = Life(self.clock, self.mis, self.crm, self.rules, self.life_chance, self.tell)
        days = self.life_chance.choice((0.5, 2.0, 4.0))
        life.begin(days, events=self.life_chance.randint(4, 16))
        if self.exchange:
            self.exchange.begin(days)
        self.hooks = Hooks(self.clock, self.chance, self.engine.hear)
        self.crm.tell_hooks = self.hooks.told
        self._faults()
        try:
            await self._drive(days * 86400.0)
            self._calm()
            await self._drive(CALM_HOURS * 3600.0, until_settled=True)
            if not self.violations:
                self.violations += await in_the_end(self, logs)
        finally:
            await self.engine.drop()
            self.source.shut()
        return Verdict(
            seed=self.seed,
            rules=self.rules.name,
            violations=tuple(self.violations),
            trace=self.network.trace.hexdigest()[:16],
            told=tuple(self.told),
            requests=self.network.requests,
            turns=self.turns,
            rests=self.rests,
        )

    def _source(self) -> SimSource | IdentClinic | HelixClinic:
        if self.rules.source == "ident":
            return IdentClinic(self.mis, self.folder, self.rules.zone, self.chance)
        if self.rules.source == "helix":
            return HelixClinic(self.mis, self.folder, self.rules.zone, self.chance, self.tell)
        return SimSource(self.mis, self.chance, failing=True)

    def _faults(self) -> None:
        self.network.rate = self.chance.choice((0.0, 0.03, 0.1, 0.25))
        self.hooks.rate = self.chance.choice((0.0, 0.5, 0.9))
        self.crashes.rate = self.chance.choice((0.0, 0.002, 0.006))
        self.crashes.locked_rate = self.chance.choice((0.0, 0.0, 0.01))
        if self.rules.login != "key":
            self.logins.rate = self.chance.choice((0.0, 0.1, 0.3))
            for _ in range(self.chance.choice((0, 1, 3))):
                self.clock.plan(
                    self.chance.uniform(10, 90000), lambda: self.logins.other(self.engine.ask_beside)
                )
        for _ in range(self.chance.choice((0, 0, 1, 3))):
            self.clock.plan(self.chance.uniform(10, 90000), self._outage)
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            self.clock.plan(self.chance.uniform(10, 90000), self._block)
        self.network.late_rate = self.chance.choice((0.0, 0.0, 0.0, 0.3))
        if self.network.late_rate and self.chance.random() < 0.5:
            # While nobody knows what became of a request.
            self.network.when_late = lambda: self.clock.plan(self.chance.uniform(0.5, 5), self._set_clock)
        elif self.chance.random() < 0.15:
            self.clock.plan(self.chance.uniform(100, 80000), self._set_clock)

    def _outage(self) -> None:
        if not self.source.failing:
            return  # calm
        minutes = self.chance.uniform(1, 90)
        self.tell(f"network: the CRM is away for {minutes:.0f} minutes")
        self.network.down_until = self.clock.monotonic() + minutes * 60

    def _block(self) -> None:
        if self.source.failing:
            self.blocks.begin(self.chance.choice(self.crm.blocks), 60 * self.chance.uniform(3, 400))

    def _set_clock(self) -> None:
        wrong_by = self.chance.choice([each for each in _WRONG_BY if each != self.engine_clock.wrong_by])
        self.tell(f"Kreslo's clock is wrong by {wrong_by:.0f} s")
        # What was to be done at once is in the future of a clock that is set back, until that has made up for it.
        back = max(0.0, self.engine_clock.wrong_by - wrong_by)
        self._made_up_at = self.clock.monotonic() + back
        self.engine_clock.wrong_by = wrong_by

    def _calm(self) -> None:
        self.tell("calm")
        self.network.rate = self.network.late_rate = self.crashes.rate = self.crashes.locked_rate = 0.0
        self.source.failing = False
        self.network.down_until = 0.0
        self.blocks.end()
        self.logins.rate = 0.0
        self.logins.mend()
        self.crm.faults.clear()

    async def _drive(self, seconds: float, *, until_settled: bool = False) -> None:
        """Turn and let time pass; judge the world whenever the engine says that all is told."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end and not self.violations:
            settled = await self._turns()
            if settled and await self._night():
                continue
            if settled and self._heard():
                self.rests += 1
                self.violations += await at_rest(self)
                if until_settled:
                    return
            await self.clock.sleep(self._pause(settled=settled, left=end - self.clock.monotonic()))
        if until_settled and not self.violations:
            self.violations.append(Violation("does not converge", self._state()))

    def _state(self) -> str:
        run = self.engine.run
        return "the process does not start" if run is None else str(run.status())

    def _heard(self) -> bool:
        """Whether the engine has seen all that the clinic and staff did."""
        if self.clock.monotonic() < self._made_up_at:
            return False
        read, listened = self.source.complete_from, self.engine.listened_from
        compared = self.engine.reconciled_from > self.mis.deleted_at or self.mis.deleted_at < 0
        return read >= self.mis.touched and listened > self.life.staff.touched and compared

    async def _night(self) -> bool:
        """Now and then, after a deletion, the keys are compared, and surely in the calm; whether they were."""
        if self.engine.reconciled_from > self.mis.deleted_at or (
            self.source.failing and self.chance.random() < 0.6
        ):
            return False
        try:
            await self.engine.reconcile()
        except KresloError as error:
            self.tell(f"keys cannot be compared: {error.message}")
            return False
        return True

    async def _turns(self) -> bool:
        """Turn until there is nothing more to do now; whether all is settled."""
        for _ in range(_TURNS):
            self.turns += 1
            met = self.blocks.met
            refused = self.logins.refused
            if self.logins.begin_anew or self.engine.waits_for_login:
                # A code lives minutes: where the CRM was away, a person takes another for the next start.
                self.logins.begin_anew = False
                await self.engine.login_anew(self.crm.new_secret())
            if self.engine.run is None:
                self.blocks.started()
            try:
                busy = await self.engine.turn()
            except Crash:
                await self.engine.drop()
                return False
            except KresloError as error:
                if self.engine.run is not None:
                    self.violations.append(Violation("the loop goes on", f"a turn raised {error.message}"))
                self.tell(f"the process does not start: {error.message}")
                return False
            if busy is None:
                return False
            status = self.engine.run.status() if self.engine.run else None
            # The nightly comparison gives up where it is refused: that is told, and the rest goes on.
            silent = status and not (status.paused or (status.last_error and not status.last_error.over))
            if silent and self.blocks.met > met:
                self.violations.append(Violation("a block is told", "a turn met it and says nothing"))
            if silent and self.logins.refused > refused:
                self.violations.append(Violation("a lost login is told", "a turn met it and says nothing"))
            if not busy:
                return bool(status and status.settled and not status.paused)
        self.violations.append(Violation("never at rest", self._state()))
        return False

    def _pause(self, *, settled: bool, left: float) -> float:
        """How long nobody turns: short while something waits, long while nothing happens."""
        planned = self.clock.next_plan()
        if settled and self.source.look_again and not self._heard() and self.chance.random() < 0.7:
            step = self.source.look_again
        elif not settled:
            step = self.chance.choice((1.0, 5.0, 30.0, 90.0, 90.0))
        else:
            step = self.chance.choice((600.0, 4 * 3600.0, 10 * 3600.0))
            if planned is not None:
                step = min(step, planned + self.chance.choice((0.5, 5.0, 300.0, 7200.0)))
        return max(0.5, min(step, left))
