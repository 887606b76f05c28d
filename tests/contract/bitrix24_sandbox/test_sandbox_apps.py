"""Applications: tokens, events, the offline queue; the outgoing webhook; a renamed portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from b24_portal import Build, Rest, opened, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.bitrix24.sandbox.oauth import CLIENT_ID, CLIENT_SECRET


class App:
    """A local application: its tokens, and calls with them."""

    def __init__(self, rest: Rest, auth: dict[str, Any]) -> None:
        self._rest = rest
        self.auth = auth

    async def raw(self, method: str, **params: Any) -> httpx.Response:
        body = {"auth": self.auth["access_token"], **params}
        return await self._rest.http.post(f"{self._rest.base}/rest/{method}", json=body)

    async def call(self, method: str, **params: Any) -> Any:
        answer = await self.raw(method, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def token(self, **params: Any) -> httpx.Response:
        asked = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **params}
        return await self._rest.http.get(f"{self._rest.base}/oauth/token/", params=asked)


@pytest.fixture
async def app(rest: Rest) -> App:
    return App(rest, (await rest.order("install", {}))["auth"])


async def test_a_token_works_for_an_hour_of_the_clock_and_a_refresh_gives_a_new_pair(
    rest: Rest, app: App
) -> None:
    assert (await app.call("profile"))["ID"] == "1"
    rest.clock.advance(3600)
    expired = await app.raw("profile")
    assert (expired.status_code, expired.json()["error"]) == (401, "expired_token")
    old = app.auth["refresh_token"]
    told = (await app.token(grant_type="refresh_token", refresh_token=old)).json()
    assert told["expires_in"] == 3600
    assert told["refresh_token"] != old
    app.auth = told
    assert (await app.call("profile"))["ID"] == "1"
    again = await app.token(grant_type="refresh_token", refresh_token=old)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


async def test_a_wrong_client_is_told_so_with_200_and_a_wrong_secret_with_400(app: App) -> None:
    wrong = await app.token(grant_type="refresh_token", refresh_token="x", client_id="nobody")
    assert (wrong.status_code, wrong.json()) == (200, {"error": "wrong_client"})
    secret = await app.token(grant_type="refresh_token", refresh_token="x", client_secret="x")
    assert (secret.status_code, secret.json()) == (400, {"error": "invalid_client"})
    refresh = app.auth["refresh_token"]
    assert (await app.token(grant_type="password", refresh_token=refresh)).json() == {
        "error": "invalid_request"
    }


async def test_no_token_is_no_entry_and_events_are_not_for_webhooks(rest: Rest, app: App) -> None:
    app.auth = {"access_token": "nobody"}
    refused = await app.raw("profile")
    assert (refused.status_code, refused.json()["error"]) == (401, "NO_AUTH_FOUND")
    assert (await rest.refused("event.get"))[:2] == (403, "WRONG_AUTH_TYPE")


async def test_the_offline_queue_keeps_one_record_a_change_and_not_our_own(rest: Rest, app: App) -> None:
    await app.call("event.bind", event="ONCRMDEALUPDATE", event_type="offline", auth_connector="kreslo")
    deal = await rest.deal(TITLE="Визит")
    for title in ("а", "б"):
        await rest.order("staff/edit", {"id": deal, "fields": {"TITLE": title}})
    own = {"id": deal, "fields": {"TITLE": "в"}, "auth_connector": "kreslo"}
    await app.call("crm.deal.update", **own)
    taken = await app.call("event.offline.get", clear=0, auth_connector="kreslo")
    (row,) = taken["events"]
    assert (row["EVENT_NAME"], row["EVENT_DATA"]) == ("ONCRMDEALUPDATE", {"FIELDS": {"ID": deal}})
    assert len(taken["process_id"]) == 32
    assert (await app.call("event.offline.get", clear=0, auth_connector="kreslo"))["events"] == []
    assert len(await app.call("event.offline.list")) == 1
    process = taken["process_id"]
    assert await app.call("event.offline.error", process_id=process, message_id=[row["MESSAGE_ID"]]) is True
    taken = await app.call("event.offline.get", clear=0, auth_connector="kreslo")
    assert len(taken["events"]) == 1
    assert await app.call("event.offline.clear", process_id=taken["process_id"]) is True
    assert await app.call("event.offline.list") == []


async def test_taking_with_clear_forgets_at_once(rest: Rest, app: App) -> None:
    await app.call("event.bind", event="ONCRMCONTACTADD", event_type="offline")
    await rest.contact("Анна")
    taken = await app.call("event.offline.get")
    assert (taken["process_id"], len(taken["events"])) == (None, 1)
    assert (await app.call("event.offline.get"))["events"] == []
    assert await app.call("event.unbind", event="ONCRMCONTACTADD", event_type="offline") == {"count": 1}
    assert (await app.raw("event.bind", event="ONNOTHING", event_type="offline")).json()["error"] == (
        "ERROR_EVENT_NOT_FOUND"
    )


async def test_a_small_plan_has_neither_confirmation_nor_connectors(portal: Build) -> None:
    async with portal(extended_offline=False) as rest:
        app = App(rest, (await rest.order("install", {}))["auth"])
        for params in ({"clear": 0}, {"auth_connector": "kreslo"}):
            assert (await app.raw("event.offline.get", **params)).status_code == 403


@asynccontextmanager
async def listening(heard: list[dict[str, str]], status: int = 200) -> AsyncIterator[str]:
    async def hook(request: Request) -> Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        heard.append({key: values[0] for key, values in parse_qs((await request.body()).decode()).items()})
        return Response(status_code=status)

    async with served(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as base:
        yield f"{base}/hook"


async def test_an_outgoing_webhook_tells_the_number_alone_once_and_of_own_writes_too() -> None:
    heard: list[dict[str, str]] = []
    async with listening(heard, status=500) as url, opened("socket", {}) as rest:
        events = ["ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMDEALMOVETOCATEGORY", "ONCRMDEALDELETE"]
        await rest.order("hooks", {"url": url, "token": "t0ken", "events": events})
        made = await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
        funnel = made["category"]["id"]
        deal = await rest.deal(TITLE="Визит")
        moved = {"categoryId": funnel, "stageId": f"C{funnel}:NEW"}
        await rest.call("crm.item.update", entityTypeId=2, id=deal, fields=moved)
        await rest.call("crm.deal.delete", id=deal)
        told = (await rest.http.get(f"{rest.base}/_control/hooks")).json()["deliveries"]
        assert [one["status"] for one in told] == [500, 500, 500]
        names = [one["event"] for one in heard]
        assert names == ["ONCRMDEALADD", "ONCRMDEALMOVETOCATEGORY", "ONCRMDEALDELETE"]
        assert {one["auth[application_token]"] for one in heard} == {"t0ken"}
        assert {one["data[FIELDS][ID]"] for one in heard} == {str(deal)}
        assert "data[FIELDS][TITLE]" not in heard[0]
        assert heard[1]["data[FIELDS][CATEGORY_ID]"] == str(funnel)


async def test_a_renamed_portal_answers_302_with_its_new_address(portal: Build) -> None:
    async with portal(renamed_to="new.example") as rest:
        answer = await rest.raw("profile")
        assert answer.status_code == 302
        moved = urlsplit(answer.headers["location"])
        assert (moved.hostname, moved.path) == ("new.example", urlsplit(rest.webhook).path + "profile")
