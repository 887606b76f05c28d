"""Planted faults: each breaks one rule of the engine, and each must be found by the seeds.

`python -m tests.simulation.mutants` plants them one after the other; one that no seed finds says that the simulation is
blind on that side.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Found, Outcome, OutcomeKind
from kreslo.decisions import contacts, decide, turns
from kreslo.decisions.chains import Chain
from kreslo.journal import BridgeJournal
from kreslo.journal import schema as t
from kreslo.journal.model import IntentState, Priority
from kreslo.merging import merge
from kreslo.records.names import Compatibility
from kreslo.sync import deciding, delivering, finding, listening, reading
from tests.simulation.world import simulate, workshop

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def retry_blindly(patch: Patch) -> None:
    """What got no answer is sent again as if it had surely not been applied."""
    settle = delivering.Deliverer._settle

    async def blind(self: Any, outcomes: list[Outcome]) -> None:
        await settle(self, [_as(each, OutcomeKind.UNKNOWN, OutcomeKind.TRANSIENT) for each in outcomes])

    patch.setattr(delivering.Deliverer, "_settle", blind)
    patch.setattr(BridgeJournal, "sendable", _with_retries(BridgeJournal.sendable))


def move_the_cursor_first(patch: Patch) -> None:
    """The cursor is stored before the records."""

    async def read(self: Any) -> int:
        cursor = await self._threads.run(self._journal.cursor)
        async for batch in self._source.read(cursor):
            now, priority = self._clock.now(), Priority.LIVE
            await self._threads.run(self._journal.take, (), cursor=batch.cursor, now=now, priority=priority)
            records = batch.records
            await self._threads.run(
                self._journal.take, records, cursor=None, now=now, rejected=batch.rejected, priority=priority
            )
            if batch.caught_up and not self.complete:
                await self._threads.run(self._journal.save_flag, "first_read_complete", "yes")
                self.complete = True
        return 0

    patch.setattr(reading.Reader, "read", read)


def trust_the_first_hit(patch: Patch) -> None:
    """The first contact with the phone is the patient's, whatever its name."""
    patch.setattr(contacts, "compatible", lambda *_: Compatibility.SAME)
    patch.setattr(contacts, "_rivals", lambda *_: False)
    patch.setattr(contacts, "_same_birth", lambda *_: True)


def forget_the_chain(patch: Patch) -> None:
    """Every appointment is a visit of its own."""
    patch.setattr(decide_module(), "chains_of", lambda found, *_: [Chain((each,)) for each in found])


def hold_the_stage(patch: Patch) -> None:
    """A stage is written again whenever it is another than ours."""
    patch.setattr(merge_module(), "wants_stage", lambda card, _: bool(card.stage and card.stage.stage))
    patch.setattr(merge_module(), "held_back", lambda *_: "")


def skip_the_guard(patch: Patch) -> None:
    """No guard holds a stage back."""
    patch.setattr(merge_module(), "held_back", lambda *_: "")


def drop_a_parked_row(patch: Patch) -> None:
    """A row that cannot be read is passed over."""
    patch.setattr(BridgeJournal, "_park_rejected", lambda *_: None)


def drop_a_refusal(patch: Patch) -> None:
    """A refused write counts as done."""
    settle = delivering.Deliverer._settle

    async def lenient(self: Any, outcomes: list[Outcome]) -> None:
        kept = [each for each in outcomes if each.target_id or each.kind is not OutcomeKind.TRANSIENT]
        refused = [each for each in outcomes if each.target_id and each.kind is OutcomeKind.TRANSIENT]
        done = [_as(each, OutcomeKind.TRANSIENT, OutcomeKind.CONFIRMED) for each in refused]
        await settle(self, [*(each for each in kept if each not in refused), *done])
        rest = [each for each in outcomes if each not in kept and each not in refused]
        if rest:
            await settle(self, rest)

    patch.setattr(delivering.Deliverer, "_settle", lenient)


def act_on_an_empty_answer(patch: Patch) -> None:
    """A CRM that does not answer has nothing."""
    ask = finding.Finder.ask

    async def trusting(self: Any, lookups: Any) -> None:
        asked = list(lookups)
        try:
            await ask(self, asked)
        except OutageError:
            now = self._target._clock.now()
            self.found.update({each: Found(each, (), now) for each in asked if each not in self.found})

    patch.setattr(finding.Finder, "ask", trusting)


def forget_what_was_being_sent(patch: Patch) -> None:
    """After a crash, what was being sent is taken for unsent."""

    def recover(self: Any, _now: Any, _probe_at: Any) -> int:
        with self._writing() as conn:
            sending = t.intents.c.state == IntentState.SENDING
            return int(
                conn.execute(update(t.intents).where(sending).values(state=IntentState.PLANNED)).rowcount
            )

    patch.setattr(BridgeJournal, "recover", recover)


def probe_too_early(patch: Patch) -> None:
    """An unknown is looked for at once, while the request may still run."""
    settle = BridgeJournal.settle
    patch.setattr(
        BridgeJournal,
        "settle",
        lambda self, *args, **more: settle(self, *args, **{**more, "settle_seconds": 0.0}),
    )
    trust_the_clock(patch)


def trust_the_clock(patch: Patch) -> None:
    """How long a request may still be at work is told by the wall clock alone, which may be set right meanwhile."""
    probe = delivering.Deliverer.probe

    async def at_once(self: Any) -> int:
        self._probe_from = 0.0
        self._probes_from.clear()
        return await probe(self)

    patch.setattr(delivering.Deliverer, "probe", at_once)


def lose_the_filtered(patch: Patch) -> None:
    """What rightly has no card is not accounted for."""
    plan = deciding._plan

    def silent(*args: Any) -> Any:
        return msgspec.structs.replace(plan(*args), filtered={})

    patch.setattr(deciding, "_plan", silent)


def say_it_again(patch: Patch) -> None:
    """Nothing remembers which messages went out."""
    patch.setattr(BridgeJournal, "_once_only", lambda _self, planned, *_: planned)
    patch.setattr(merge_module(), "held_back", _without_occasion(merge_module().held_back))
    patch.setattr(merge_module(), "wants_stage", lambda card, _: bool(card.stage and card.stage.stage))


def be_deaf(patch: Patch) -> None:
    """What staff do is not listened to."""

    async def nothing(_self: Any, _events: Any) -> int:
        return 0

    patch.setattr(listening.Listener, "accept", nothing)


def ask_too_early(patch: Patch) -> None:
    """A campaign's card is made at its occasion, not at its time."""
    patch.setattr(turns, "time_of", lambda occasion, _plan, _zone: occasion)


MUTANTS: tuple[Plant, ...] = (
    retry_blindly,
    move_the_cursor_first,
    trust_the_first_hit,
    forget_the_chain,
    hold_the_stage,
    skip_the_guard,
    drop_a_parked_row,
    drop_a_refusal,
    act_on_an_empty_answer,
    forget_what_was_being_sent,
    probe_too_early,
    trust_the_clock,
    lose_the_filtered,
    say_it_again,
    be_deaf,
    ask_too_early,
)


def decide_module() -> Any:
    return sys.modules[decide.__module__]


def merge_module() -> Any:
    return sys.modules[merge.__module__]


def _as(outcome: Outcome, old: OutcomeKind, new: OutcomeKind) -> Outcome:
    return msgspec.structs.replace(outcome, kind=new) if outcome.kind is old else outcome


def _with_retries(sendable: Any) -> Any:
    def blind(self: Any, now: Any, limit: int) -> Any:
        with self._writing() as conn:
            again = (t.intents.c.state == IntentState.RETRY, t.intents.c.due_at <= now)
            conn.execute(update(t.intents).where(*again).values(state=IntentState.PLANNED))
        return sendable(self, now, limit)

    return blind


def _without_occasion(held_back: Any) -> Any:
    def deaf(card: Any, wish: Any, *rest: Any) -> Any:
        return held_back(card, msgspec.structs.replace(wish, occasion=""), *rest)

    return deaf


class Catch(msgspec.Struct, frozen=True):
    """The first seed that finds a fault, and by which rules."""

    seed: int
    rules: tuple[str, ...]


def hunt(plant: Plant, seeds: Iterable[int], folder: Path) -> Catch | None:
    """The first seed that finds the fault: by a violated rule, or by an error of the engine's own. Raises TypeError,
    AttributeError where the plant does not fit the engine any more, and AssertionError where the seed fails without it.
    """
    found = _first(plant, seeds, folder)
    if found is not None:
        healthy = asyncio.run(simulate(found.seed, folder)).violations
        assert not healthy, f"seed {found.seed} fails without a fault: {healthy[0]}"
    return found


def _first(plant: Plant, seeds: Iterable[int], folder: Path) -> Catch | None:
    with Patch.context() as patch:
        plant(patch)
        for seed in seeds:
            try:
                verdict = asyncio.run(simulate(seed, folder))
            except (TypeError, AttributeError, NameError):
                raise
            except Exception as error:  # noqa: BLE001 - a fault may break the engine in any way, and that finds it too
                return Catch(seed, (type(error).__name__,))
            if verdict.violations:
                return Catch(seed, tuple(violation.rule for violation in verdict.violations))
    return None


def _hunt(name: str, seeds: int) -> tuple[Catch | None, float]:
    began = time.perf_counter()
    plant = next(each for each in MUTANTS if each.__name__ == name)
    with workshop() as folder:
        return hunt(plant, range(seeds), folder), time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant faults; each must be found by the seeds.")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", help="the name of one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    asked = parser.parse_args()
    names = [each.__name__ for each in MUTANTS if asked.only in {None, each.__name__}]
    survivors = 0
    print(f"{'the fault':28} found by")
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        hunts = [(name, pool.submit(_hunt, name, asked.seeds)) for name in names]
        for name, running in hunts:
            found, took = running.result()
            told = f"seed {found.seed}: {found.rules[0]}" if found else "NOTHING"
            survivors += found is None
            print(f"{name:28} {told} ({took:.0f} s)", flush=True)
    print(f"{len(names) - survivors} of {len(names)} found within {asked.seeds} seeds")
    return 1 if survivors else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        again = [sys.executable, "-m", "tests.simulation.mutants", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
