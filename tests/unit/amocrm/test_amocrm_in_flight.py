"""Several requests under way at once, on a driven clock: the pace is kept, and what is unclear stops the rest."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import httpx

from connectors.amocrm import connector
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Kind
from kreslo.connectors.contract import Seams, Target
from kreslo.connectors.model import (
    Action,
    AddNote,
    AddTask,
    Change,
    CreateCard,
    Entity,
    Needed,
    Outcome,
    OutcomeKind,
    UpdateCard,
)
from kreslo.connectors.sandboxes import SandboxPlan
from tests.bench.driven import START, LoopClock, run_driven

ADDRESS = "http://127.0.0.1"
SECONDS = 0.5
CONFIRMED, UNKNOWN, TRANSIENT = OutcomeKind.CONFIRMED, OutcomeKind.UNKNOWN, OutcomeKind.TRANSIENT


class SlowLine(httpx.AsyncBaseTransport):
    """Each request is answered after half a second. `sent`: writes with the instants at which they left; `answers`
    takes the place of the account's answers, in turn, once it is filled.
    """

    def __init__(self, app: object, clock: LoopClock) -> None:
        self._transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        self._clock = clock
        self.sent: list[tuple[float, httpx.Request]] = []
        self.answers: list[httpx.Response | None] = []
        self.under_way: list[list[httpx.Request]] = []
        self._now: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        write = request.method != "GET"
        answer = self.answers.pop(0) if self.answers and write else None
        if write:
            self.sent.append((self._clock.monotonic(), request))
            self._now.append(request)
            self.under_way.append(list(self._now))
        response = answer or await self._transport.handle_async_request(request)
        await self._clock.sleep(SECONDS)
        if write:
            self._now.remove(request)
        return response


Play = Callable[[Target, SlowLine, Account], Awaitable[None]]


def play(state: Path, scene: Play) -> None:
    async def run() -> None:
        clock = LoopClock()
        app = connector.sandbox.build(SandboxPlan(clock=clock))
        line = SlowLine(app, clock)
        settings = {**connector.sandbox.settings(ADDRESS), "state": str(state)}
        seams = Seams(clock=clock, chance=Random(5), transport=line)
        target = connector.build(connector.options.model_validate(settings), seams)
        await target.setup(Needed(), dry_run=False)
        await target.catalog()
        await clock.sleep(1)
        line.sent.clear()
        line.under_way.clear()
        await scene(target, line, app.state.account)
        await target.close()

    run_driven(run())


async def create(target: Target, many: int) -> list[Outcome]:
    deals = [CreateCard(entity=Entity.DEAL, key=f"k/{at}", fields={"name": "П"}) for at in range(many)]
    return await target.apply([Change(f"{at:012}", deal) for at, deal in enumerate(deals)])


def kinds(outcomes: list[Outcome]) -> list[OutcomeKind]:
    """One for each fifty."""
    assert all(len({one.kind for one in outcomes[at : at + 50]}) == 1 for at in range(0, len(outcomes), 50))
    return [one.kind for one in outcomes[::50]]


def test_slow_answers_do_not_slow_the_pace(tmp_path: Path) -> None:
    async def scene(target: Target, line: SlowLine, account: Account) -> None:
        assert kinds(await create(target, 600)) == [CONFIRMED] * 12
        gaps = [later - earlier for (earlier, _), (later, _) in zip(line.sent, line.sent[1:], strict=False)]
        assert {round(gap, 6) for gap in gaps} == {0.2}
        assert len(account.stores[Kind.LEAD]) == 600
        assert account.stats.violations == 0

    play(tmp_path, scene)


def test_what_has_not_left_when_an_answer_is_unclear_is_not_sent(tmp_path: Path) -> None:
    async def scene(target: Target, line: SlowLine, account: Account) -> None:
        line.answers = [None, httpx.Response(504, html="<html>504</html>")]
        # The second is answered at 0.7 s, when those of 0.4 s and 0.6 s are under way: they end as they end.
        assert (
            kinds(await create(target, 400)) == [CONFIRMED, UNKNOWN, CONFIRMED, CONFIRMED] + [TRANSIENT] * 4
        )
        assert len(account.stores[Kind.LEAD]) == 150

    play(tmp_path, scene)


def test_several_504s_of_one_moment_halve_the_requests_once(tmp_path: Path) -> None:
    async def scene(target: Target, line: SlowLine, account: Account) -> None:
        line.answers = [httpx.Response(504, html="<html>504</html>") for _ in range(3)]
        assert kinds(await create(target, 200)) == [UNKNOWN] * 3 + [TRANSIENT]
        line.sent.clear()
        line.answers.clear()
        await create(target, 50)
        assert len(line.sent) == 2
        assert len(account.stores[Kind.LEAD]) == 50

    play(tmp_path, scene)


def test_after_a_block_nothing_more_leaves(tmp_path: Path) -> None:
    async def scene(target: Target, line: SlowLine, account: Account) -> None:
        line.answers = [httpx.Response(403, html="<html><h1>403 Forbidden</h1>nginx</html>")]
        await create(target, 600)
        assert len(line.sent) == 3, "at 0, 0.2 and 0.4 s: the answer came at 0.5 s"
        await create(target, 50)
        assert len(line.sent) == 3
        assert len(account.stores[Kind.LEAD]) == 100

    play(tmp_path, scene)


def test_of_one_card_never_two_changes_are_under_way(tmp_path: Path) -> None:
    async def scene(target: Target, line: SlowLine, account: Account) -> None:
        ids = [one.target_id for one in await create(target, 3)]
        line.under_way.clear()
        actions: list[Action] = []
        for at, id_ in enumerate(ids):
            each: list[Action] = [
                UpdateCard(entity=Entity.DEAL, id=id_, fields={"name": f"Н{at}"}),
                AddNote(entity=Entity.DEAL, id=id_, marker=f"n{at}", text="т"),
                AddTask(entity=Entity.DEAL, id=id_, marker=f"t{at}", text="т", due_at=START),
            ]
            actions += each[at:] + each[:at]
        outcomes = await target.apply([Change(f"{at:012}", action) for at, action in enumerate(actions)])
        assert {one.kind for one in outcomes} == {CONFIRMED}
        assert max(len(together) for together in line.under_way) == 3
        for together in line.under_way:
            named = [id_ for request in together for id_ in ids if id_.encode() in request.content]
            assert len(named) == len(set(named))
        assert len(account.stores[Kind.LEAD]) == 3

    play(tmp_path, scene)
