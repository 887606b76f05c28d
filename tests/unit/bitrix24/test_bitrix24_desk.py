"""Questions of one moment share a request, and whoever asked gets their own answers."""

import asyncio
from collections.abc import Mapping

import pytest

from connectors.bitrix24.desk import Desk
from connectors.bitrix24.wire import Call


class Portal:
    """Answers with the method's name; writes down what each request held."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    async def send(self, calls: Mapping[str, Call]) -> list[str]:
        self.requests.append(list(calls))
        await asyncio.sleep(0.01)
        if any(call.method == "broken" for call in calls.values()):
            raise ValueError("broken")
        return [call.method.upper() for call in calls.values()]


def some(name: str, count: int, method: str = "") -> dict[str, Call]:
    return {f"{name}{at}": Call(method or f"{name}.{at}") for at in range(count)}


async def test_what_is_asked_in_one_moment_goes_in_one_request_and_later_ones_do_not() -> None:
    portal = Portal()
    desk = Desk[str](portal.send)
    found = await asyncio.gather(desk.ask(some("a", 20)), desk.ask(some("b", 30)))
    assert [len(keys) for keys in portal.requests] == [50]
    assert found[0] == [f"A.{at}" for at in range(20)]
    assert found[1] == [f"B.{at}" for at in range(30)]
    assert await desk.ask(some("c", 2)) == ["C.0", "C.1"]
    assert [len(keys) for keys in portal.requests] == [50, 2]


async def test_no_request_holds_more_than_fifty_and_a_key_stands_in_it_once() -> None:
    portal = Portal()
    desk = Desk[str](portal.send)
    asked = [some("a", 40), some("b", 20), some("c", 10), some("a", 5, "other")]
    found = await asyncio.gather(*(desk.ask(calls) for calls in asked))
    assert [len(keys) for keys in portal.requests] == [50, 25]
    assert found[3] == ["OTHER"] * 5
    assert found[0][:2] == ["A.0", "A.1"]


async def test_who_goes_takes_nobody_along_and_a_failure_is_told_to_all_who_asked() -> None:
    portal = Portal()
    desk = Desk[str](portal.send)
    going = asyncio.create_task(desk.ask(some("a", 1)))
    staying = asyncio.create_task(desk.ask(some("b", 1)))
    await asyncio.sleep(0.005)
    going.cancel()
    assert await staying == ["B.0"]
    for ended in await asyncio.gather(
        desk.ask(some("a", 1, "broken")), desk.ask(some("b", 1)), return_exceptions=True
    ):
        assert isinstance(ended, ValueError)
    with pytest.raises(asyncio.CancelledError):
        await going
