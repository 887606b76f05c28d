"""Health, status, hooks and the page, asked over HTTP of a bridge that only answers."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kreslo.connectors.errors import DataError, OutageError, PermissionDeniedError
from kreslo.journal.model import IntentState, LastChange
from kreslo.service.hooks import MOST_BYTES
from kreslo.sync.status import DriftCounts, LastError

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("live", "ready", "whole", "alive", "prepared"),
    [(True, True, 200, 200, 200), (True, False, 503, 200, 503), (False, True, 503, 503, 200)],
)
async def test_live_and_ready_are_told_apart(
    client: httpx.AsyncClient, bridge: Any, live: bool, ready: bool, whole: int, alive: int, prepared: int
) -> None:
    bridge.becomes(live=live, ready=ready)
    health = await client.get("/health")
    assert health.status_code == whole
    assert (health.json()["live"], health.json()["ready"]) == (live, ready)
    assert (await client.get("/health/live")).status_code == alive
    assert (await client.get("/health/ready")).status_code == prepared


async def test_metrics_are_the_figures_of_the_status(client: httpx.AsyncClient, bridge: Any) -> None:
    bridge.becomes(live=True, parked=3, lag_seconds=2.5, cards={"visit": 7})
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    figures = _figures(answer.text)
    assert figures["kreslo_live"] == {(): 1}
    assert figures["kreslo_parked"] == {(): 3}
    assert figures["kreslo_lag_seconds"] == {(): 2.5}
    assert figures["kreslo_cards"] == {("visit",): 7}
    assert figures["kreslo_drift"] == figures["kreslo_compared_cards"] == {}  # nothing was compared yet
    bridge.becomes(drift=DriftCounts(at=NOW, cards=9, by_kind={"field": 2, "human-owned": 1}))
    figures = _figures((await client.get("/metrics")).text)
    assert figures["kreslo_drift"] == {("field",): 2, ("human-owned",): 1}
    assert figures["kreslo_compared_cards"] == {(): 9}


def _figures(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and by the labels beside the bridge, as a scraper reads them."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        values = found.setdefault(family.name, {})
        for sample in family.samples:
            assert sample.labels.pop("bridge") == "clinic"
            values[tuple(sample.labels.values())] = sample.value
    return found


async def test_health_says_what_went_wrong_until_it_is_over(client: httpx.AsyncClient, bridge: Any) -> None:
    error = LastError(at=NOW, kind="outage", message="the CRM does not answer", where="target")
    bridge.becomes(ready=False, last_error=error)
    assert (await client.get("/health")).json()["bridges"]["clinic"][
        "last_error"
    ] == "the CRM does not answer"
    bridge.becomes(ready=True, last_error=LastError(at=NOW, kind="x", message="m", where="w", over=True))
    assert (await client.get("/health")).json()["bridges"]["clinic"]["last_error"] is None


async def test_status_is_the_bridge_s_own(client: httpx.AsyncClient, bridge: Any) -> None:
    bridge.becomes(read=14, by_stage={"Записан на приём": 3}, last_read_at=NOW)
    (told,) = (await client.get("/status")).json()["bridges"]
    assert told["read"] == 14
    assert told["by_stage"] == {"Записан на приём": 3}
    assert told["last_read_at"] == "2026-11-21T10:00:00Z"


async def test_a_hook_reaches_its_bridge_with_headers_and_body(
    client: httpx.AsyncClient, bridge: Any
) -> None:
    answer = await client.post(
        "/hooks/clinic/unguessable", content=b"event=ONCRMDEALADD", headers={"x-a": "b"}
    )
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    ((headers, body),) = bridge.hooks
    assert body == b"event=ONCRMDEALADD"
    assert headers["x-a"] == "b"


@pytest.mark.parametrize(
    "path", ["/hooks/clinic", "/hooks/clinic/wrong", "/hooks/other/unguessable", "/hooks/clinic/é"]
)
async def test_a_wrong_address_learns_nothing(client: httpx.AsyncClient, bridge: Any, path: str) -> None:
    answer = await client.post(path, content=b"event=ONCRMDEALADD")
    assert (answer.status_code, answer.json()) == (404, {"detail": "no such hook"})
    assert bridge.hooks == []


@pytest.mark.parametrize(
    ("error", "code"), [(PermissionDeniedError("wrong token"), 403), (DataError("no hook"), 400)]
)
async def test_a_hook_that_the_connector_refuses_is_refused(
    client: httpx.AsyncClient, bridge: Any, error: Exception, code: int
) -> None:
    bridge.refuse = error
    answer = await client.post("/hooks/clinic/unguessable", content=b"x")
    assert (answer.status_code, answer.json()["detail"]) == (code, str(error))


async def test_a_hook_that_cannot_be_written_down_is_not_taken(
    client: httpx.AsyncClient, bridge: Any
) -> None:
    bridge.refuse = OutageError("the journal /var/lib/kreslo/state.db cannot be written: the disk is full")
    answer = await client.post("/hooks/clinic/unguessable", content=b"x")
    assert answer.status_code == 503
    assert "/var/lib" not in answer.text


async def test_a_hook_without_end_is_cut_off(client: httpx.AsyncClient, bridge: Any) -> None:
    answer = await client.post("/hooks/clinic/unguessable", content=b"x" * (MOST_BYTES + 1))
    assert answer.status_code == 413
    assert bridge.hooks == []


async def test_the_page_shows_stages_errors_and_links_and_escapes_them(
    client: httpx.AsyncClient, bridge: Any
) -> None:
    bridge.becomes(
        by_stage={"Записан <на> приём": 7},
        last_error=LastError(at=NOW, kind="outage", message="CRM молчит", where="target"),
    )
    page = await client.get("/")
    assert page.status_code == 200
    assert "Записан &lt;на&gt; приём" in page.text
    assert "CRM молчит" in page.text
    assert 'href="http://127.0.0.1:1/"' in page.text


async def test_the_page_needs_nothing_from_outside(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "@import" not in page.text


async def test_the_page_shows_the_last_changes(client: httpx.AsyncClient, bridge: Any) -> None:
    bridge.journal.changes = [
        LastChange(
            at=NOW,
            case="patient:7",
            card="ident/appointment/778",
            state=IntentState.CONFIRMED,
            what="create deal: TITLE; stage C1:NEW",
        )
    ]
    page = await client.get("/")
    assert "ident/appointment/778" in page.text
    assert "создана сделка: название; стадия «C1:NEW»" in page.text
    assert "подтверждено" in page.text


async def test_what_the_crm_s_side_warns_of_stands_in_the_status_and_on_the_page(
    client: httpx.AsyncClient, bridge: Any
) -> None:
    bridge.becomes(notices=["Токен истекает <завтра>"])
    (told,) = (await client.get("/status")).json()["bridges"]
    assert told["notices"] == ["Токен истекает <завтра>"]
    assert "Токен истекает &lt;завтра&gt;" in (await client.get("/")).text
