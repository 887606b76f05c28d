from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from amo_wire import TOKEN, Wire, in_turn

from connectors.amocrm.answers import Refusal, Verdict
from connectors.amocrm.client import Answer, Client
from connectors.amocrm.limits import lock_paths
from kreslo.connectors.errors import LimitError, OutageError, PermissionDeniedError
from kreslo.connectors.locking import FileLock
from kreslo.connectors.model import OutcomeKind
from kreslo.connectors.testing.clock import DAY

HTML = {"content": b"<html>nginx</html>", "headers": {"content-type": "text/html"}}


def fine(body: Any = None) -> httpx.Response:
    return httpx.Response(200, json=body or {})


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (httpx.Response(429, **HTML), Verdict.LIMIT),
        (httpx.Response(429, json={"title": "Too Many Requests"}), Verdict.LIMIT),
        (httpx.Response(402, json={"title": "Payment Required"}), Verdict.UNPAID),
        (httpx.Response(403, **HTML), Verdict.BLOCKED),
        (httpx.Response(403, json={"title": "Forbidden", "detail": "Invalid scope"}), Verdict.PERMISSION),
        (httpx.Response(401, json={"title": "Unauthorized"}), Verdict.LOGIN),
        (
            httpx.Response(400, json={"detail": "Возникла системная ошибка. Повторите попытку."}),
            Verdict.UNKNOWN,
        ),
        (httpx.Response(400, json={"detail": "Код ошибки 244."}), Verdict.PERMISSION),
        (httpx.Response(400, json={"errors": [{"code": 226}], "detail": "-"}), Verdict.DATA),
        (httpx.Response(400, **HTML), Verdict.UNKNOWN),
        (httpx.Response(404, json={"detail": "Cannot POST https://x/api!"}), Verdict.CONFIGURATION),
        (httpx.Response(404, json={"detail": "Entity not found"}), Verdict.DATA),
        (httpx.Response(405), Verdict.CONFIGURATION),
        (httpx.Response(422, json={"detail": "Only pipelines without leads"}), Verdict.DATA),
        (httpx.Response(500, **HTML), Verdict.UNKNOWN),
        (httpx.Response(502, **HTML), Verdict.UNKNOWN),
        (httpx.Response(504, **HTML), Verdict.UNKNOWN),
        (httpx.Response(301, headers={"location": "https://other.amocrm.ru"}), Verdict.CONFIGURATION),
        (httpx.Response(200, content=b'{"_embedded":'), Verdict.UNKNOWN),
        (httpx.ReadTimeout("slow"), Verdict.UNKNOWN),
        (httpx.RemoteProtocolError("cut"), Verdict.UNKNOWN),
        (httpx.ConnectError("refused"), Verdict.OUTAGE),
        (httpx.ConnectTimeout("no way"), Verdict.OUTAGE),
    ],
)
async def test_a_write_is_sent_once_and_judged(
    answer: httpx.Response | Exception, verdict: Verdict, tmp_path: Path
) -> None:
    async with Wire(in_turn(answer), tmp_path) as wire:
        reply = await wire.client.tell("POST", "leads", [{}])
    assert isinstance(reply, Refusal)
    assert reply.verdict is verdict
    assert len(wire.requests) == 1
    if verdict is not Verdict.DATA:
        assert reply.outcome is (OutcomeKind.UNKNOWN if verdict is Verdict.UNKNOWN else OutcomeKind.TRANSIENT)


async def test_a_forbidden_account_probe_is_a_block_whatever_it_says(tmp_path: Path) -> None:
    async with Wire(in_turn(httpx.Response(403, json={"title": "Forbidden"})), tmp_path) as wire:
        with pytest.raises(PermissionDeniedError, match="ТРЕВОГА"):
            await wire.client.ask("account", {"with": "version"})
        assert wire.client.blocked


async def test_a_block_is_asked_about_ever_more_seldom(tmp_path: Path) -> None:
    async with Wire(in_turn(httpx.Response(403, **HTML)), tmp_path) as wire:
        for _ in range(200):
            await wire.client.tell("POST", "leads", [{}])
            wire.clock.advance(60)
    gaps = [round(later - earlier) for earlier, later in zip(wire.times, wire.times[1:], strict=False)]
    assert gaps[:4] == [300, 600, 1200, 2400]
    assert set(gaps[4:]) == {3600}


@pytest.mark.parametrize(
    ("headers", "body", "least"),
    [({}, None, 2), ({"retry-after": "7"}, None, 7), ({}, {"retry_after": 300}, 300)],
)
async def test_after_a_429_nothing_is_sent_for_as_long_as_it_says(
    headers: dict[str, str], body: Any, least: float, tmp_path: Path
) -> None:
    refused = (
        httpx.Response(429, json=body, headers=headers) if body else httpx.Response(429, headers=headers)
    )
    async with Wire(in_turn(refused, fine()), tmp_path) as wire:
        assert isinstance(await wire.client.ask("leads"), Answer)
    assert wire.times[1] - wire.times[0] >= least


async def test_reads_give_up_in_the_end(tmp_path: Path) -> None:
    async with Wire(in_turn(httpx.Response(502, **HTML)), tmp_path) as wire:
        with pytest.raises(OutageError):
            await wire.client.ask("leads")
        assert len(wire.requests) == 5
    async with Wire(in_turn(httpx.Response(429)), tmp_path) as wire:
        with pytest.raises(LimitError):
            await wire.client.ask("leads")


async def test_where_nobody_has_ever_answered_a_person_hears_of_it_soon(tmp_path: Path) -> None:
    away = httpx.ConnectError("refused")
    async with Wire(in_turn(away), tmp_path) as wire:
        with pytest.raises(OutageError):
            await wire.client.ask("leads")
        assert len(wire.requests) == 2
        assert wire.clock.slept <= 3.0
    async with Wire(in_turn(fine(), away), tmp_path) as wire:
        await wire.client.ask("leads")
        with pytest.raises(OutageError):
            await wire.client.ask("leads")
        assert len(wire.requests) == 1 + 5


@pytest.mark.parametrize(("options", "rate"), [({}, 5), ({"rate": 7}, 7 / 1.05), ({"rate": 2.5}, 2.5)])
async def test_requests_are_evenly_spaced(options: dict[str, Any], rate: float, tmp_path: Path) -> None:
    async with Wire(in_turn(fine()), tmp_path, **options) as wire:
        for _ in range(10):
            await wire.client.ask("leads")
    gaps = [later - earlier for earlier, later in zip(wire.times, wire.times[1:], strict=False)]
    assert min(gaps) == pytest.approx(1 / rate)
    assert max(gaps) == pytest.approx(1 / rate)


async def test_another_process_on_the_account_leaves_what_it_does_not_use(tmp_path: Path) -> None:
    others = [FileLock(path) for path in lock_paths("clinic.amocrm.ru", tmp_path)]
    assert all(other.take() for other in others[:4])
    async with Wire(in_turn(fine()), tmp_path) as wire:
        assert wire.client.pace.shared
        assert wire.client.pace.rate == 3 / 1.05
        for other in others:
            other.let_go()
        wire.clock.advance(1)
        await wire.client.ask("leads")
        assert wire.client.pace.rate == 5.0
        assert not wire.client.pace.shared
        assert sum(other.take() for other in others) == 1, "5 a second may fill six places"
        for other in others:
            other.let_go()
    assert all(other.take() for other in others), "closing the client lets go of the account"
    for other in others:
        other.let_go()


async def test_a_process_that_finds_no_place_sends_nothing_and_says_so(tmp_path: Path) -> None:
    others = [FileLock(path) for path in lock_paths("clinic.amocrm.ru", tmp_path)]
    assert all(other.take() for other in others)
    async with Wire(in_turn(fine()), tmp_path) as wire:
        with pytest.raises(LimitError, match="другие процессы Kreslo"):
            await wire.client.ask("leads")
        refusal = await wire.client.tell("POST", "leads", [{}])
        assert isinstance(refusal, Refusal)
        assert refusal.outcome is OutcomeKind.TRANSIENT
        assert wire.requests == []
        others[2].let_go()
        wire.clock.advance(1)
        await wire.client.ask("leads")
        assert wire.client.pace.rate == 1 / 1.05
    for other in others:
        other.let_go()


async def test_a_slower_bridge_gives_places_back(tmp_path: Path) -> None:
    async with Wire(in_turn(fine()), tmp_path) as wire:
        slow = wire.options.model_copy(update={"rate": 2.0})
        second = Client(slow, wire.seams)
        assert wire.client.pace.rate == 2.0
        others = [FileLock(path) for path in lock_paths("clinic.amocrm.ru", tmp_path)]
        assert sum(other.take() for other in others) == 4
        for other in others:
            other.let_go()
        await second.close()


async def test_the_accounts_clock_is_told_by_its_answers(tmp_path: Path) -> None:
    async with Wire(
        in_turn(httpx.Response(200, json={}, headers={"date": "Mon, 02 Mar 2026 09:10:00 GMT"})), tmp_path
    ) as wire:
        await wire.client.ask("leads")
        assert wire.client.now() == DAY + timedelta(minutes=10)


async def test_pages_are_read_to_the_last(tmp_path: Path) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        links = {"next": {"href": "…"}} if page < 3 else {}
        return fine({"_links": links, "_embedded": {"leads": [{"id": page}]}})

    async with Wire(respond, tmp_path) as wire:
        assert [row["id"] for row in await wire.client.pages("leads", "leads")] == [1, 2, 3]


async def test_250_ids_fit_into_a_request_line(tmp_path: Path) -> None:
    async with Wire(in_turn(httpx.Response(204)), tmp_path) as wire:
        await wire.client.ask(
            "contacts", {"filter": {"id": [str(10**9 + at) for at in range(250)]}, "limit": 250}
        )
    line = wire.requests[0].url.raw_path
    assert line.startswith(b"/api/v4/contacts?filter[id][]=1000000000&")
    assert len(line) < 8000


async def test_the_token_goes_in_the_header_and_is_shown_nowhere(tmp_path: Path) -> None:
    async with Wire(in_turn(httpx.ConnectError(f"bad {TOKEN}")), tmp_path) as wire:
        reply = await wire.client.tell("POST", "leads", [])
        assert wire.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in f"{reply!r} {wire.client!r} {wire.options!r}"
