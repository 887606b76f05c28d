"""How politely and how fast a first import goes into Bitrix24: requests and time against the least possible.

    .venv/bin/python -m tests.bench.bench_bitrix24 [--contacts 30000] [--deals 60000] [--held 5000] [--cost 0.2]

`Target.find` and `Target.apply` are driven as the engine drives them, against the sandbox portal, on a clock that is
driven: the portal's work takes its time on that clock, and requests side by side overlap. Cards are made quietly, as an
import makes them, so the methods that start robots (crm.deal.add, crm.item.add) are not among those that are counted
on; `--loud` counts on those instead.

The least number of requests: the writes by the largest batch that fits 30 seconds (50 at most), the catalog, one walk
over the cards that the portal held. The least time: what the bucket lets that many requests through in, or what
480 seconds of work in ten minutes a method allow, whichever is longer.
"""

import argparse
import heapq
import math
import sys
import time
from collections.abc import Iterator, Sequence
from random import Random

import httpx
import msgspec

from connectors.bitrix24 import connector
from connectors.bitrix24.sandbox import staff
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.contract import Seams, Target
from kreslo.connectors.model import (
    ByKey,
    ByPhone,
    Change,
    CreateCard,
    Entity,
    Lookup,
    Needed,
    Outcome,
    OutcomeKind,
    StageRef,
    Value,
)
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.sync.bridge import BACKLOG, IDLE_SECONDS, ROUND_CASES
from tests.bench.driven import LoopClock, run_driven

COSTS = (0.05, 0.2, 0.5)
BURST, RATE = 50.0, 2.0
LIMIT, WINDOW, COUNTED_FROM = 480.0, 600.0, 0.1
CATALOG = 1
AHEAD = 4000  # contacts that wait for working time are offered again and again: more of them is only work for this machine
_BASE = "http://127.0.0.1"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`held`: contacts that stand in the portal before; `cost`: seconds of an add."""

    contacts: int
    deals: int
    held: int
    cost: float
    loud: bool = False

    @property
    def least_requests(self) -> int:
        batch = min(50, max(1, int(30 / self.cost)))
        writes = math.ceil(self.contacts / batch) + math.ceil(self.deals / batch)
        pages = self.held // 50 + 1
        return writes + CATALOG + math.ceil(pages / 50)

    @property
    def least_seconds(self) -> float:
        bucket = (self.least_requests - BURST) / RATE
        if self.cost <= COUNTED_FROM:
            return bucket
        # Deals have two methods; of any ten minutes only 480 seconds are let through.
        busiest = max(self.contacts, self.deals / 2) * self.cost
        return max(bucket, WINDOW * (math.ceil(busiest / LIMIT) - 1))


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    plan: Plan
    requests: int
    seconds: float
    made: dict[str, int]
    doubled: int
    refused_in_a_row: int
    refused: int
    parked: int
    took: float

    @property
    def request_share(self) -> float:
        return self.requests / self.plan.least_requests

    @property
    def time_share(self) -> float:
        return self.seconds / max(self.plan.least_seconds, 1.0)


class Meter(httpx.AsyncBaseTransport):
    """Counts what is sent, and how often QUERY_LIMIT_EXCEEDED came twice in a row."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.requests = 0
        self.refused = 0
        self.in_a_row = 0
        self._row = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = await self._transport.handle_async_request(request)
        self._row = self._row + 1 if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else 0
        self.refused += bool(self._row)
        self.in_a_row = max(self.in_a_row, self._row)
        return response


class Import:
    """What the engine does in a first import, without its journal."""

    def __init__(self, target: Target, plan: Plan, stage: StageRef) -> None:
        self._target = target
        self._plan = plan
        self._stage = stage
        self._clock = LoopClock()
        self._queue: list[tuple[float, int, Change]] = []
        self._number = 0
        self._people = 0  # contacts that are planned and not made
        self._patients = self._all()

    async def run(self) -> None:
        """As a bridge turns: a round is decided unless much is planned and goes out; then all that is due is sent. What is
        decided ahead is bounded here, for the sake of the time that the bench takes.
        """
        flowing = False
        while True:
            if len(self._queue) <= BACKLOG or (not flowing and self._people <= AHEAD):
                await self._decide()
            flowing = False
            while due := self._due():
                self._settle(due, await self._target.apply(due))
                flowing = True
            if not flowing and not self._queue:
                return
            if not flowing:
                await self._clock.sleep(min(self._queue[0][0] - self._clock.monotonic(), IDLE_SECONDS))

    def _due(self) -> list[Change]:
        now = self._clock.monotonic()
        due: list[Change] = []
        while self._queue and self._queue[0][0] <= now and len(due) < self._target.batch_size:
            due.append(heapq.heappop(self._queue)[2])
        return due

    def _all(self) -> Iterator[int]:
        return iter(range(self._plan.contacts))

    async def _decide(self) -> None:
        patients = [patient for _, patient in zip(range(ROUND_CASES), self._patients, strict=False)]
        if not patients:
            return
        lookups: list[Lookup] = []
        for patient in patients:
            lookups += [
                ByKey(Entity.CONTACT, _contact(patient)),
                ByPhone(Entity.CONTACT, (phone_of(patient),)),
            ]
            lookups += [ByKey(Entity.DEAL, key) for key in self._deals(patient)]
        await self._target.find(lookups)
        self._people += len(patients)
        for patient in patients:
            self._plan_card(
                CreateCard(
                    entity=Entity.CONTACT,
                    key=_contact(patient),
                    fields=self.person(patient),
                    quiet=not self._plan.loud,
                )
            )

    def person(self, patient: int) -> dict[str, Value]:
        """The fields of a contact, by the codes of the CRM."""
        return {"LAST_NAME": f"Пациентов{patient}", "NAME": "Тест", "PHONE": (phone_of(patient),)}

    def visit(self, key: str) -> dict[str, Value]:
        """The fields of a deal."""
        return {"TITLE": f"Приём {key}"}

    def _deals(self, patient: int) -> list[str]:
        each, more = divmod(self._plan.deals, self._plan.contacts)
        count = each + (patient < more)
        return [f"bench/appointment/{patient}-{at}" for at in range(count)]

    def _plan_card(self, action: CreateCard, at: float = 0.0) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at, self._number, Change(f"i{self._number}", action)))

    def _settle(self, changes: Sequence[Change], outcomes: Sequence[Outcome]) -> None:
        now = self._clock.monotonic()
        for change, outcome in zip(changes, outcomes, strict=True):
            action = change.action
            if not isinstance(action, CreateCard):
                raise TypeError(action)
            if outcome.kind is OutcomeKind.TRANSIENT:
                self._plan_card(action, now + (outcome.retry_after or 10.0))
            elif outcome.kind is not OutcomeKind.CONFIRMED:
                raise RuntimeError(f"{action.key}: {outcome}")
            elif action.entity is Entity.CONTACT:
                self._people -= 1
                for key in self._deals(int(action.key.rsplit("/", 1)[1])):
                    self._plan_card(
                        CreateCard(
                            entity=Entity.DEAL,
                            key=key,
                            fields=self.visit(key),
                            stage=self._stage,
                            contacts=(outcome.target_id,),
                            quiet=not self._plan.loud,
                        )
                    )


def _contact(patient: int) -> str:
    return f"bench/patient/{patient}"


def phone_of(patient: int) -> str:
    return f"+7900{patient:07}"


async def measure(plan: Plan) -> Figures:
    """One import. Raises RuntimeError where a card could not be made."""
    began = time.perf_counter()
    clock = LoopClock()
    costs = {"*.add": plan.cost, "crm.item.import": plan.cost, "crm.item.batchimport": plan.cost}
    costs |= {f"crm.{kind}.add": plan.cost for kind in ("contact", "deal", "item")}
    app = connector.sandbox.build(
        SandboxPlan(clock=clock, switches={"work_takes_time": True, "costs": costs})
    )
    portal: Portal = app.state.portal
    for number in range(plan.held):
        fields = {"LAST_NAME": f"Старый{number}", "PHONE": [f"8 901 {number:07}"]}
        staff.act(portal, "create", staff.Order(entity="contact", fields=fields))
    meter = Meter(httpx.ASGITransport(app))
    seams = Seams(clock=clock, chance=Random(7), transport=meter)
    target = connector.build(connector.options.model_validate(connector.sandbox.settings(_BASE)), seams)
    await target.setup(Needed(), dry_run=False)
    await clock.sleep(2 * WINDOW)  # what the setup has drawn on is given back
    meter.requests, start = 0, clock.monotonic()
    funnel = next(one for one in (await target.catalog()).funnels if one.entity is Entity.DEAL)
    await Import(target, plan, StageRef(funnel.id, funnel.stages[0].id)).run()
    seconds = clock.monotonic() - start
    await target.close()
    state = [
        card.fields["UF_CRM_KRESLO_KEY"]
        for store in portal.stores.values()
        for card in store
        if card.fields.get("UF_CRM_KRESLO_KEY")
    ]
    return Figures(
        plan=plan,
        requests=meter.requests,
        seconds=seconds,
        made={kind.word: len(store) for kind, store in portal.stores.items()},
        doubled=len(state) - len(set(state)),
        refused_in_a_row=meter.in_a_row,
        refused=meter.refused,
        parked=portal.stats.operating_refusals,
        took=time.perf_counter() - began,
    )


_HEAD = (
    "add",
    "requests",
    "least",
    "share",
    "time",
    "least",
    "share",
    "503",
    "twice",
    "429",
    "doubled",
    "real",
)


def table(rows: Sequence[Figures]) -> str:
    lines = ["".join(f"{name:>10}" for name in _HEAD)]
    for one in rows:
        cells = (
            f"{one.plan.cost} s",
            f"{one.requests}",
            f"{one.plan.least_requests}",
            f"{one.request_share:.3f}",
            f"{one.seconds:.0f} s",
            f"{one.plan.least_seconds:.0f} s",
            f"{one.time_share:.3f}",
            f"{one.refused}",
            "yes" if one.refused_in_a_row > 1 else "no",
            f"{one.parked}",
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
    parser.add_argument("--cost", type=float, action="append", help="seconds of an add; may be repeated")
    parser.add_argument("--loud", action="store_true", help="cards that start robots")
    asked = parser.parse_args()
    figures = []
    for cost in asked.cost or COSTS:
        plan = Plan(contacts=asked.contacts, deals=asked.deals, held=asked.held, cost=cost, loud=asked.loud)
        figures.append(run_driven(measure(plan)))
        line = table(figures[-1:])
        sys.stdout.write((line if len(figures) == 1 else line.splitlines()[1]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
