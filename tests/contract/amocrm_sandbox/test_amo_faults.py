"""Faults, as a client meets them over a real socket."""

import httpx
import pytest
from amo_account import Api, opened

ADD = [{"name": "Анна"}]


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("500", 500, "500 Internal Server Error"),
        ("502html", 502, "502 Bad Gateway"),
        ("503", 503, "503 Service Temporarily Unavailable"),
        ("504html", 504, "504 Gateway Time-out"),
        ("429", 429, "429 Too Many Requests"),
        ("403html", 403, "403 Forbidden"),
        ("400system", 400, "Возникла системная ошибка"),
        ("401", 401, "Неверный логин или пароль"),
        ("402", 402, "Payment Required"),
        ("403", 403, "Invalid scope"),
        ("226", 400, "226"),
        ("244", 400, "Код ошибки 244"),
    ],
)
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 2)])
async def test_answers_that_are_errors(
    api: Api, kind: str, status: int, word: str, when: str, made: int
) -> None:
    await api.order("faults", {"kind": kind, "times": 2, "when": when})
    for _ in range(2):
        answer = await api.raw("POST", "contacts", ADD)
        assert (answer.status_code, word in answer.text) == (status, True)
        html = kind.endswith("html") or kind in {"500", "503", "429"}
        assert answer.headers["content-type"].startswith("text/html" if html else "application/problem+json")
    assert len(await api.state("contacts")) == made
    assert (await api.raw("POST", "contacts", ADD)).status_code == 200


async def test_a_cut_before_commits_nothing_and_a_lost_answer_everything(api: Api) -> None:
    await api.order(
        "faults", [{"kind": "cut", "match": "POST /api/v4/contacts"}, {"kind": "lose", "match": "POST *"}]
    )
    assert await api.get("contacts") is None
    for made in (0, 1):
        with pytest.raises(httpx.RemoteProtocolError):
            await api.raw("POST", "contacts", ADD)
        assert len(await api.state("contacts")) == made


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_a_timeout(api: Api, when: str, made: int) -> None:
    await api.order("faults", {"kind": "timeout", "when": when})
    with pytest.raises(httpx.ReadTimeout):
        await api.raw("POST", "contacts", ADD, timeout=0.2)
    assert len(await api.state("contacts")) == made


async def test_a_slow_answer_takes_its_time_on_the_clock_and_is_good(api: Api) -> None:
    await api.order("faults", {"kind": "slow", "hold": 15})
    before = api.clock.monotonic()
    assert (await api.raw("POST", "contacts", ADD)).status_code == 200
    assert api.clock.monotonic() == before + 15


async def test_a_fault_finds_its_request_by_route_or_by_path(api: Api) -> None:
    lead = await api.lead()
    await api.order(
        "faults",
        [
            {"kind": "500", "match": "PATCH /api/v4/{kind}/{id}"},
            {"kind": "500", "match": f"GET /api/v4/leads/{lead}"},
        ],
    )
    assert (await api.raw("GET", "leads")).status_code == 200
    assert (await api.raw("PATCH", f"leads/{lead}", {})).status_code == 500
    assert (await api.raw("GET", f"leads/{lead}")).status_code == 500
    assert (await api.raw("GET", f"leads/{lead}")).status_code == 200
    await api.order("faults", {"kind": "500", "match": "POST *"})
    assert [one["match"] for one in await api.control("faults")] == ["POST *"]
    assert (await api.http.delete(f"{api.base}/_control/faults")).json() == []


async def test_the_account_counts_as_unpaid_for_a_while(api: Api) -> None:
    await api.order("unpaid", {"seconds": 540})
    assert (await api.raw("POST", "leads", ADD)).status_code == 402
    assert (await api.raw("GET", "account")).status_code == 200
    await api.order("unpaid", {"seconds": 540, "reads": True})
    assert (await api.raw("GET", "account")).status_code == 402
    api.clock.advance(541)
    assert (await api.raw("POST", "leads", ADD)).status_code == 200


async def test_a_held_answer_ends_in_a_gateway_timeout() -> None:
    async with opened({}) as api:
        await api.order("faults", {"kind": "timeout", "hold": 0.05})
        assert (await api.raw("GET", "account")).status_code == 504
