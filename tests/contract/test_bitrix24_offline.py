"""What staff do, heard through the application's queue of events: confirmed only when written down, never our own echo."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connectors.bitrix24 import connector as bitrix24
from connectors.bitrix24.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from kreslo.connectors.contract import Target
from kreslo.connectors.errors import LimitError, OutageError
from kreslo.connectors.model import CreateCard, Entity, EventKind, Needed, OutcomeKind, StageRef, UpdateCard
from kreslo.connectors.testing import TargetRig, open_rig

KEY = Fernet.generate_key().decode()

Open = Callable[..., Awaitable[Target]]


@pytest.fixture
async def rig() -> AsyncIterator[TargetRig]:
    async with open_rig(bitrix24) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        yield rig


@pytest.fixture
async def opened(rig: TargetRig, tmp_path: Path) -> AsyncIterator[Open]:
    """Targets of one installed application, with one file of tokens; closed at the end."""
    installed = (await rig.control("POST", "install", {}))["auth"]
    app = {
        "portal": "http://127.0.0.1",
        "oauth": "http://127.0.0.1",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "key": KEY,
        "tokens": str(tmp_path / "tokens"),
        "refresh_token": installed["refresh_token"],
    }
    made: list[Target] = []

    async def build(**more: Any) -> Target:
        made.append(rig.build(webhook=None, app={**app, **more}))
        return made[-1]

    yield build
    for target in made:
        await target.close()


async def heard(target: Target, since: datetime) -> tuple[list[tuple[Entity, str, EventKind]], datetime]:
    events, until = await target.events(since)
    return [(event.entity, event.id, event.kind) for event in events], until


async def quiet(rig: TargetRig, target: Target) -> datetime:
    """Some rounds with nothing to hear; asks from the instant that is given back."""
    _, until = await heard(target, rig.clock.now())
    rig.clock.advance(30)
    events, until = await heard(target, until)
    assert events == []
    return until


async def deal_of(rig: TargetRig, target: Target, key: str = "k/1") -> str:
    (made,) = await target.apply([rig.change(CreateCard(entity=Entity.DEAL, key=key))])
    assert made.kind is OutcomeKind.CONFIRMED, made
    return made.target_id


async def requests(rig: TargetRig) -> dict[str, int]:
    stats = await rig.control("GET", "stats")
    return {
        name: stats["by_method"].get(name, 0) + stats["commands"].get(name, 0)
        for name in stats["by_method"] | stats["commands"]
    }


async def test_what_staff_do_is_heard_and_our_own_writes_are_not(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    until = await quiet(rig, target)
    deal = await deal_of(rig, target)
    update = UpdateCard(entity=Entity.DEAL, id=deal, fields={"TITLE": "Наша"})
    assert (await target.apply([rig.change(update)]))[0].kind is OutcomeKind.CONFIRMED
    events, until = await heard(target, until)
    assert events == []
    await rig.staff("edit", entity="deal", id=int(deal), fields={"TITLE": "Их"})
    contact = await rig.staff("create", entity="contact", fields={"LAST_NAME": "Ручная"})
    await rig.staff("delete", entity="contact", id=contact["id"])
    await rig.control("DELETE", "stats")
    events, until = await heard(target, until)
    assert events == [
        (Entity.DEAL, deal, EventKind.CHANGED),
        (Entity.CONTACT, str(contact["id"]), EventKind.CHANGED),
        (Entity.CONTACT, str(contact["id"]), EventKind.DELETED),
    ]
    assert "crm.deal.list" not in await requests(rig)
    assert (await heard(target, until))[0] == []


async def test_a_robot_that_our_own_write_started_is_heard(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    await target.catalog()
    robot = {"stage": "Первичная обработка", "action": "set", "field": "COMMENTS", "value": "робот"}
    funnel = next(one for one in (await target.catalog()).funnels if one.entity is Entity.DEAL)
    robot["stage"] = funnel.stages[1].name
    await rig.control("POST", "robots", robot)
    deal = await deal_of(rig, target)
    until = await quiet(rig, target)
    move = UpdateCard(entity=Entity.DEAL, id=deal, stage=StageRef(funnel.id, funnel.stages[1].id))
    await target.apply([rig.change(move)])
    assert (await heard(target, until))[0] == [(Entity.DEAL, deal, EventKind.CHANGED)]


async def test_a_move_to_another_funnel_is_heard(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    deal = await deal_of(rig, target)
    made = await rig.target.setup(Needed(), dry_run=False)
    assert made == []
    portal = rig.app.state.portal  # type: ignore[attr-defined]
    portal.dictionaries.add_category("Опросы", 500)
    until = await quiet(rig, target)
    name = portal.dictionaries.stages(next(iter(portal.history)), 1)[0].name
    await rig.staff("move", entity="deal", id=int(deal), funnel="Опросы", stage=name)
    assert (await heard(target, until))[0] == [(Entity.DEAL, deal, EventKind.CHANGED)]


async def test_what_was_told_and_not_written_down_is_told_again_and_then_cleared(
    rig: TargetRig, opened: Open
) -> None:
    target = await opened()
    deal = await deal_of(rig, target)
    since = await quiet(rig, target)
    await rig.staff("edit", entity="deal", id=int(deal), fields={"TITLE": "Их"})
    first, until = await heard(target, since)
    # The engine failed before it had kept them: it asks from the same instant.
    again, until = await heard(target, since)
    assert first == again == [(Entity.DEAL, deal, EventKind.CHANGED)]
    assert rig.app.state.portal.happenings.queue  # type: ignore[attr-defined]
    assert (await heard(target, until))[0] == []
    assert rig.app.state.portal.happenings.queue == []  # type: ignore[attr-defined]


async def test_what_a_run_took_and_died_with_is_told_to_the_next(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    deal = await deal_of(rig, target)
    since = await quiet(rig, target)
    await rig.staff("delete", entity="deal", id=int(deal))  # only the queue can tell of this
    assert len((await heard(target, since))[0]) == 1
    again = await opened(refresh_token=None)
    told, until = await heard(again, since)
    assert (Entity.DEAL, deal, EventKind.DELETED) in told
    rig.clock.advance(30)
    assert (await heard(again, until))[0] == []
    assert rig.app.state.portal.happenings.queue == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["lose", "504html"])
async def test_an_answer_of_the_queue_that_is_lost_loses_no_event(
    rig: TargetRig, opened: Open, kind: str
) -> None:
    target = await opened()
    deal = await deal_of(rig, target)
    since = await quiet(rig, target)
    await rig.staff("delete", entity="deal", id=int(deal))
    await rig.fault(kind, match="event.offline.get", when="after")
    events, until = await heard(target, since)
    assert events == [(Entity.DEAL, deal, EventKind.DELETED)]
    assert (await heard(target, until))[0] == []


async def test_what_was_found_again_is_not_cleared_where_the_taking_then_fails(
    rig: TargetRig, opened: Open
) -> None:
    """A deletion that nobody else tells of was lost so (simulated seed 1311)."""
    target = await opened()
    deal = await deal_of(rig, target)
    since = await quiet(rig, target)
    await rig.staff("delete", entity="deal", id=int(deal))
    await rig.fault("lose", match="event.offline.get", when="after")
    await rig.fault("503", match="event.offline.get")
    with pytest.raises(LimitError):
        await heard(target, since)
    assert (await heard(target, since))[0] == [(Entity.DEAL, deal, EventKind.DELETED)]


async def test_a_mass_change_is_heard_whole(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    ids = [await deal_of(rig, target, f"k/{at}") for at in range(120)]
    since = await quiet(rig, target)
    for one in ids:
        await rig.staff("edit", entity="deal", id=int(one), fields={"TITLE": "Их"})
    events, _ = await heard(target, since)
    assert [one for _, one, _ in events] == ids


async def test_bindings_that_vanished_are_made_again_and_what_was_missed_is_asked_for(
    rig: TargetRig, opened: Open
) -> None:
    target = await opened()
    deal = await deal_of(rig, target)
    since = await quiet(rig, target)
    rig.app.state.portal.happenings.bound.clear()  # type: ignore[attr-defined] - as an update of the application does
    rig.clock.advance(60)
    await rig.staff("edit", entity="deal", id=int(deal), fields={"TITLE": "Их"})
    events, until = await heard(target, since)
    assert events == []
    rig.clock.advance(600)
    events, until = await heard(target, until)
    assert (Entity.DEAL, deal, EventKind.CHANGED) in events
    rig.clock.advance(60)
    await rig.staff("delete", entity="deal", id=int(deal))
    assert (await heard(target, until))[0] == [(Entity.DEAL, deal, EventKind.DELETED)]


@pytest.mark.parametrize("switches", [{"extended_offline": False}, {"admin": False}])
async def test_where_the_plan_or_the_rights_give_no_queue_changes_are_polled_and_check_says_what_is_lost(
    rig: TargetRig, opened: Open, switches: dict[str, Any]
) -> None:
    target = await opened()
    await rig.control("POST", "switches", switches)
    deal = await deal_of(rig, target)
    until = await quiet_by_polling(rig, target)
    rig.clock.advance(30)
    await rig.staff("edit", entity="deal", id=int(deal), fields={"TITLE": "Их"})
    events, _ = await heard(target, until)
    assert events == [(Entity.DEAL, deal, EventKind.CHANGED)]
    problems = [problem for problem in await target.check() if "опросом" in problem.message]
    assert [problem.fatal for problem in problems] == [False]
    assert "удалении" in problems[0].message


async def quiet_by_polling(rig: TargetRig, target: Target) -> datetime:
    rig.clock.advance(60)
    _, until = await target.events(rig.clock.now())
    return until


async def test_a_portal_with_a_queue_has_nothing_to_warn_of(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    assert [problem.message for problem in await target.check()] == []


async def test_two_bridges_on_one_file_of_tokens_renew_them_once(rig: TargetRig, opened: Open) -> None:
    one, other = await opened(), await opened()
    await one.catalog()
    await other.catalog()
    tokens = rig.app.state.portal.tokens  # type: ignore[attr-defined]
    for _ in range(3):
        rig.clock.advance(3700)
        before = tokens.refreshes
        await one.catalog()
        await other.catalog()
        assert tokens.refreshes == before + 1


async def test_a_portal_that_is_away_is_an_outage_for_the_queue_too(rig: TargetRig, opened: Open) -> None:
    target = await opened()
    since = await quiet(rig, target)
    await rig.fault("502html", times=1000)
    with pytest.raises(OutageError):
        await target.events(since + timedelta(seconds=1))
