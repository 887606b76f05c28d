"""Tokens: the long-lived one, and the OAuth pair with its single-use refresh token."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from amo_account import Api, Build


async def token_call(api: Api, sent: dict[str, Any], *, form: bool = False) -> httpx.Response:
    body: dict[str, Any] = {"data": sent} if form else {"json": sent}
    return await api.http.post(f"{api.base}/oauth2/access_token", **body)


async def authorised(api: Api, *, form: bool = False) -> tuple[dict[str, str], dict[str, Any]]:
    """The integration's own settings, and the first pair."""
    keys = await api.order("codes", {})
    code = keys.pop("code")
    answer = await token_call(api, {**keys, "grant_type": "authorization_code", "code": code}, form=form)
    assert answer.status_code == 200, answer.text
    return keys, answer.json()


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "==")))


async def test_the_long_lived_token_is_a_jwt_that_names_its_end_and_its_host(api: Api) -> None:
    told = claims(api.token)
    assert told["exp"] > api.clock.now().timestamp() + 365 * 86_400
    assert told["api_domain"] == httpx.URL(api.base).netloc.decode()
    assert (await api.get("account"))["current_user_id"] == int(told["sub"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Bearer a.b.c", "Basic x"])
async def test_no_good_token_is_a_401(api: Api, header: str) -> None:
    answer = await api.raw("GET", "leads", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json() == {
        "title": "Unauthorized",
        "type": "https://httpstatus.es/401",
        "status": 401,
        "detail": "Неверный логин или пароль",
    }


async def test_every_answer_carries_a_request_id(api: Api) -> None:
    answers = [await api.raw("GET", path) for path in ("account", "leads", "nonsense")]
    assert [answer.status_code for answer in answers] == [200, 204, 404]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


async def test_a_token_ends_on_the_clock_or_when_it_is_revoked(api: Api) -> None:
    api.token = (await api.order("tokens", {"seconds": 60}))["token"]
    assert (await api.raw("GET", "account")).status_code == 200
    api.clock.advance(61)
    assert (await api.raw("GET", "account")).status_code == 401
    api.token = (await api.order("tokens", {"seconds": 60}))["token"]
    await api.order("tokens", {"revoke": api.token})
    assert (await api.raw("GET", "account")).status_code == 401


@pytest.mark.parametrize("form", [False, True])
async def test_a_code_is_exchanged_once_as_json_or_as_a_form(api: Api, form: bool) -> None:
    keys, pair = await authorised(api, form=form)
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 86_400)
    api.token = pair["access_token"]
    assert (await api.raw("GET", "account")).status_code == 200
    api.clock.advance(86_400)
    assert (await api.raw("GET", "account")).status_code == 401
    answer = await token_call(
        api, {**keys, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}, form=form
    )
    api.token = answer.json()["access_token"]
    assert (await api.raw("GET", "account")).status_code == 200


async def test_a_code_lives_twenty_minutes_and_works_once(api: Api) -> None:
    keys = await api.order("codes", {})
    sent = {**keys, "grant_type": "authorization_code"}
    assert (await token_call(api, sent)).status_code == 200
    assert (await token_call(api, sent)).status_code == 400
    late = {**await api.order("codes", {}), "grant_type": "authorization_code"}
    api.clock.advance(20 * 60 + 1)
    assert (await token_call(api, late)).status_code == 400


async def test_of_two_workers_that_refresh_at_once_one_is_refused(api: Api) -> None:
    keys, pair = await authorised(api)
    sent = {**keys, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    answers = await asyncio.gather(token_call(api, sent), token_call(api, sent))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    refusal = next(answer for answer in answers if answer.status_code == 401)
    assert refusal.json() == {
        "hint": "Token has been revoked",
        "title": "Некорректный запрос",
        "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
        "status": 401,
        "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
    }


async def test_a_refresh_token_dies_after_three_months_of_silence(api: Api) -> None:
    keys, pair = await authorised(api)
    api.clock.advance(91 * 86_400)
    sent = {**keys, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    assert (await token_call(api, sent)).status_code == 401


async def test_a_grace_period_is_a_switch(account: Build) -> None:
    async with account(refresh_grace=30.0) as api:
        keys, pair = await authorised(api)
        sent = {**keys, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
        assert [(await token_call(api, sent)).status_code for _ in range(2)] == [200, 200]
        api.clock.advance(31)
        assert (await token_call(api, sent)).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "status", "title"),
    [
        ({"client_secret": "x"}, 401, "Некорректный клиент"),
        ({"client_id": "x"}, 401, "Некорректный клиент"),
        ({"redirect_uri": "https://else.example"}, 400, "Некорректный запрос"),
        ({"grant_type": "password"}, 400, "Некорректный запрос"),
    ],
)
async def test_wrong_keys_of_the_integration(
    api: Api, wrong: dict[str, str], status: int, title: str
) -> None:
    keys = await api.order("codes", {})
    answer = await token_call(api, {**keys, "grant_type": "authorization_code", **wrong})
    assert (answer.status_code, answer.json()["title"]) == (status, title)


async def test_an_administrators_token_may_act_as_another_user(api: Api) -> None:
    anna = (await api.rows("users"))[2]["id"]
    headers = {"X-Context-User-ID": str(anna)}
    made = await api.raw("POST", "leads", [{"name": "x"}], headers=headers)
    (lead,) = await api.rows("leads")
    assert (made.status_code, lead["created_by"], lead["responsible_user_id"]) == (200, anna, anna)
    assert (await api.raw("GET", "account", headers={"X-Context-User-ID": "1"})).status_code == 403
    assert (await api.raw("GET", "users", headers=headers)).status_code == 403


async def test_rights_are_json_and_say_so(account: Build) -> None:
    async with account(admin=False) as api:
        for verb, path in (
            ("GET", "users"),
            ("POST", "leads/pipelines"),
            ("POST", "contacts/custom_fields"),
            ("GET", "webhooks"),
        ):
            answer = await api.raw(verb, path, [{}] if verb == "POST" else None)
            assert (answer.status_code, answer.json()["detail"]) == (403, "Invalid scope")
        assert (await api.raw("GET", "leads/pipelines")).status_code == 200
    async with account(external=True) as api:
        assert (await api.raw("GET", "users")).status_code == 403
