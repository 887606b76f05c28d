"""Faults, as a client meets them in process and over a real socket."""

import httpx
import pytest
from b24_portal import Rest, opened

ADD = {"fields": {"NAME": "Анна"}}


async def test_a_cut_before_commits_nothing_and_a_lost_answer_everything(rest: Rest) -> None:
    await rest.order(
        "faults", [{"kind": "cut", "match": "crm.contact.add"}, {"kind": "lose", "match": "crm.contact.add"}]
    )
    assert await rest.call("crm.contact.list") == []
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.raw("crm.contact.add", ADD)
    assert await rest.state("contacts") == []
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.raw("crm.contact.add", ADD)
    assert len(await rest.state("contacts")) == 1
    assert await rest.call("crm.contact.add", **ADD) == 2


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_a_timeout(rest: Rest, when: str, made: int) -> None:
    await rest.order("faults", {"kind": "timeout", "when": when})
    with pytest.raises(httpx.ReadTimeout):
        await rest.http.post(rest.webhook + "crm.contact.add", json=ADD, timeout=0.2)
    assert len(await rest.state("contacts")) == made


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("500", 500, "INTERNAL_SERVER_ERROR"),
        ("503", 503, "QUERY_LIMIT_EXCEEDED"),
        ("429", 429, "OPERATION_TIME_LIMIT"),
        ("502html", 502, None),
        ("504html", 504, None),
    ],
)
async def test_answers_that_are_errors(rest: Rest, kind: str, status: int, error: str | None) -> None:
    await rest.order("faults", {"kind": kind, "times": 2})
    for _ in range(2):
        answer = await rest.raw("crm.contact.add", ADD)
        assert answer.status_code == status
        if error is None:
            assert answer.headers["content-type"].startswith("text/html")
        else:
            assert answer.json()["error"] == error
    assert await rest.call("crm.contact.add", **ADD) == 1


async def test_a_gateway_may_give_up_on_what_is_done(rest: Rest) -> None:
    await rest.order("faults", {"kind": "504html", "when": "after", "match": "crm.contact.add"})
    assert (await rest.raw("crm.contact.add", ADD)).status_code == 504
    assert len(await rest.state("contacts")) == 1


async def test_a_held_answer_ends_in_a_gateway_timeout_over_a_socket() -> None:
    async with opened("socket", {}) as rest:
        await rest.order("faults", {"kind": "timeout", "hold": 0.05})
        assert (await rest.raw("profile")).status_code == 504


async def test_a_fault_finds_its_method_inside_a_batch_and_may_break_it_in_the_middle(rest: Rest) -> None:
    await rest.order("faults", {"kind": "cut", "match": "crm.contact.add", "commands": 2})
    cmd = {f"c{at}": "crm.contact.add?fields[NAME]=x" for at in range(5)}
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.raw("batch", {"cmd": cmd})
    assert len(await rest.state("contacts")) == 2
    assert len((await rest.batch(cmd))["result"]) == 5


async def test_faults_wait_in_a_queue_that_can_be_emptied(rest: Rest) -> None:
    await rest.order("faults", {"kind": "500", "match": "crm.lead.add"})
    assert await rest.call("crm.contact.add", **ADD) == 1
    waiting = (await rest.http.get(f"{rest.base}/_control/faults")).json()
    assert [fault["match"] for fault in waiting] == ["crm.lead.add"]
    assert (await rest.http.delete(f"{rest.base}/_control/faults")).json() == []
    assert await rest.call("crm.lead.add", fields={}) == 1
