"""How politely and how fast a first import goes into amoCRM: requests and time against the least possible.

    .venv/bin/python -m tests.bench.bench_amocrm [--contacts 30000] [--deals 60000] [--held 5000] [--answer 0.0]

`Target.find` and `Target.apply` are driven as the engine drives them, against the sandbox account, on a clock that is
driven. `--answer`: seconds that the account takes for each answer; the pace is held whatever they are, so an account
that answers more slowly than requests are sent shows how much of the pace is used.

The least number of requests: the writes by fifties (amoCRM's own advice), the account's schema, one walk over the
cards that it held. The least time: that many requests at the pace that the target is set to.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from random import Random

import httpx
import msgspec

from connectors.amocrm import connector
from connectors.amocrm.sandbox import staff
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Kind
from kreslo.connectors.contract import Seams
from kreslo.connectors.model import Entity, Needed, Semantic, StageRef, Value
from kreslo.connectors.sandboxes import SandboxPlan
from tests.bench.bench_bitrix24 import Import, phone_of
from tests.bench.bench_bitrix24 import Plan as Cards
from tests.bench.driven import LoopClock, run_driven

ANSWERS = (0.0, 0.3, 0.5)
PAGE = 250
SCHEMA = 5
"""The account, its pipelines, its users, the fields of contacts and of deals."""
_BASE = "http://127.0.0.1"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`held`: contacts that stand in the account before; `answer`: seconds until a request is answered."""

    contacts: int
    deals: int
    held: int
    answer: float = 0.0
    rate: float = 5.0
    batch: int = 50

    @property
    def least_requests(self) -> int:
        writes = math.ceil(self.contacts / self.batch) + math.ceil(self.deals / self.batch)
        return writes + SCHEMA + math.ceil(self.held / PAGE) + 1

    @property
    def least_seconds(self) -> float:
        return self.least_requests / self.rate


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`refused`: requests that the account called too many. `at_once`: most requests served in any second."""

    plan: Plan
    requests: int
    seconds: float
    contacts: int
    deals: int
    doubled: int
    refused: int
    at_once: int
    took: float

    @property
    def request_share(self) -> float:
        return self.requests / self.plan.least_requests

    @property
    def time_share(self) -> float:
        return self.seconds / self.plan.least_seconds


class AmocrmImport(Import):
    def person(self, patient: int) -> dict[str, Value]:
        return {"name": f"Пациентов{patient} Тест", "PHONE": (phone_of(patient),)}

    def visit(self, key: str) -> dict[str, Value]:
        return {"name": f"Приём {key}"}


class Line(httpx.AsyncBaseTransport):
    """Counts requests; each is answered after a while."""

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: LoopClock, answer: float) -> None:
        self._transport = transport
        self._clock = clock
        self._answer = answer
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = await self._transport.handle_async_request(request)
        if self._answer:
            await self._clock.sleep(self._answer)
        return response


async def measure(plan: Plan) -> Figures:
    """One import. Raises RuntimeError where a card could not be made."""
    # A lock file of its own: another process with an account of this name would halve the pace.
    with tempfile.TemporaryDirectory() as state:
        return await _measure(plan, state)


async def _measure(plan: Plan, state: str) -> Figures:
    began = time.perf_counter()
    clock = LoopClock()
    app = connector.sandbox.build(SandboxPlan(clock=clock))
    account: Account = app.state.account
    for number in range(plan.held):
        fields = {"name": f"Старый {number}", "PHONE": [f"8 901 {number:07}"]}
        staff.act(account, "create", staff.Order(entity="contact", fields=fields))
    line = Line(httpx.ASGITransport(app), clock, plan.answer)
    seams = Seams(clock=clock, chance=Random(7), transport=line)
    settings = {**connector.sandbox.settings(_BASE), "rate": plan.rate, "batch": plan.batch, "state": state}
    target = connector.build(connector.options.model_validate(settings), seams)
    await target.setup(Needed(), dry_run=False)
    await clock.sleep(10)
    line.requests, start = 0, clock.monotonic()
    funnel = next(one for one in (await target.catalog()).funnels if one.entity is Entity.DEAL)
    stage = next(one for one in funnel.stages if one.semantic is Semantic.OPEN)
    cards = Cards(contacts=plan.contacts, deals=plan.deals, held=plan.held, cost=0.0)
    await AmocrmImport(target, cards, StageRef(funnel.id, stage.id)).run()
    seconds = clock.monotonic() - start
    await target.close()
    return Figures(
        plan=plan,
        requests=line.requests,
        seconds=seconds,
        contacts=len(account.stores[Kind.CONTACT]),
        deals=len(account.stores[Kind.LEAD]),
        doubled=_doubled(account),
        refused=account.stats.violations,
        at_once=account.limits.max_served,
        took=time.perf_counter() - began,
    )


def _doubled(account: Account) -> int:
    keys: list[str] = []
    for kind in (Kind.CONTACT, Kind.LEAD):
        field = account.fields.coded(kind, "KRESLO_KEY")
        if field is None:
            raise RuntimeError(f"no key field of {kind.value}")
        keys += [str(cell.value) for card in account.stores[kind] for cell in card.custom.get(field.id, ())]
    return len(keys) - len(set(keys))


_HEAD = (
    "answer",
    "requests",
    "least",
    "share",
    "time",
    "least",
    "share",
    "429",
    "a second",
    "doubled",
    "real",
)


def table(rows: Sequence[Figures]) -> str:
    lines = ["".join(f"{name:>10}" for name in _HEAD)]
    for one in rows:
        cells = (
            f"{one.plan.answer} s",
            f"{one.requests}",
            f"{one.plan.least_requests}",
            f"{one.request_share:.3f}",
            f"{one.seconds:.0f} s",
            f"{one.plan.least_seconds:.0f} s",
            f"{one.time_share:.3f}",
            f"{one.refused}",
            f"{one.at_once}",
            f"{one.doubled}",
            f"{one.took:.0f} s",
        )
        lines.append("".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--contacts", type=int, default=30_000)
    parser.add_argument("--deals", type=int, default=60_000)
    parser.add_argument("--held", type=int, default=5_000)
    parser.add_argument("--answer", type=float, action="append", help="seconds of an answer; may be repeated")
    asked = parser.parse_args()
    for at, answer in enumerate(asked.answer or ANSWERS):
        plan = Plan(contacts=asked.contacts, deals=asked.deals, held=asked.held, answer=answer)
        line = table([run_driven(measure(plan))])
        sys.stdout.write((line if at == 0 else line.splitlines()[1]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
