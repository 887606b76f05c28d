"""Requests, envelopes, PHP's JSON, errors and the order of checks."""

import json
from datetime import datetime
from typing import Never

import pytest
from b24_portal import Build, Rest

from connectors.bitrix24.sandbox import sandbox
from connectors.bitrix24.sandbox.phones import phone_code
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.sandboxing import php


async def test_a_success_carries_result_and_time(rest: Rest) -> None:
    body = await rest.body("profile")
    assert body["result"] == {
        "ID": "1",
        "ADMIN": True,
        "NAME": "Интеграция",
        "LAST_NAME": "Kreslo",
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }
    assert list(body) == ["result", "time"]
    assert body["time"]["date_start"] == "2025-03-03T12:00:00+03:00"
    assert body["time"]["operating"] == 0
    assert body["time"]["operating_reset_at"] == int(rest.clock.now().timestamp()) + 600


async def test_get_form_and_json_say_the_same(rest: Rest) -> None:
    url = rest.webhook + "crm.contact.add"
    answers = [
        await rest.http.get(url, params={"fields[NAME]": "Анна", "fields[PHONE][0][VALUE]": "+79001112233"}),
        await rest.http.post(url, data={"fields[NAME]": "Анна", "fields[PHONE][][VALUE]": "+79001112233"}),
        await rest.http.post(
            url, files={"fields[NAME]": (None, "Анна"), "fields[PHONE][0][VALUE]": (None, "+79001112233")}
        ),
        await rest.http.post(
            url + ".json", json={"FIELDS": {"NAME": "Анна", "PHONE": [{"VALUE": "+79001112233"}]}}
        ),
    ]
    assert [answer.json()["result"] for answer in answers] == [1, 2, 3, 4]
    shown = [await rest.call("crm.contact.get", id=number) for number in (1, 2, 3, 4)]
    assert {row["NAME"] for row in shown} == {"Анна"}
    assert {row["PHONE"][0]["VALUE"] for row in shown} == {"+79001112233"}


async def test_json_without_its_header_and_json_on_get_are_not_parsed(rest: Rest) -> None:
    url = rest.webhook + "crm.duplicate.findbycomm"
    content = json.dumps({"type": "PHONE", "values": ["+79001112233"]})
    for answer in (
        await rest.http.post(url, content=content, headers={"content-type": "text/plain"}),
        await rest.http.request("GET", url, content=content, headers={"content-type": "application/json"}),
    ):
        assert answer.status_code == 400
        assert answer.json() == {"error": "", "error_description": "Communication type is not defined."}


async def test_method_names_have_no_case(rest: Rest) -> None:
    assert await rest.call("CRM.Contact.Add", fields={"NAME": "Анна"}) == 1


async def test_an_unknown_method_is_refused_even_before_the_webhook_is_looked_at(rest: Rest) -> None:
    answer = await rest.http.post(f"{rest.base}/rest/1/wrong/crm.nothing")
    assert answer.status_code == 404
    assert answer.json() == {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}


@pytest.mark.parametrize(("status_set", "status"), [("old", 403), ("new", 401)])
async def test_a_wrong_webhook_and_a_missing_scope_answer_by_the_chosen_table(
    portal: Build, status_set: str, status: int
) -> None:
    async with portal(status_set=status_set, scopes=["task"]) as rest:
        answer = await rest.http.post(f"{rest.base}/rest/1/wrong/profile")
        assert (answer.status_code, answer.json()["error"]) == (status, "INVALID_CREDENTIALS")
        assert (await rest.refused("crm.contact.list"))[:2] == (status, "insufficient_scope")
        assert await rest.call("tasks.task.list") == {"tasks": []}


async def test_slashes_are_escaped_and_cyrillic_is_not(rest: Rest) -> None:
    await rest.contact("А/Я")
    assert '"NAME":"А\\/Я"' in (await rest.raw("crm.contact.get", {"id": 1})).text


def test_php_arrays_become_lists_only_with_the_keys_in_a_row() -> None:
    assert (
        php.encode({"a": {}, "b": {"0": 1, "1": 2}, "c": {"1": 1}, "d": {0: "x"}})
        == b'{"a":[],"b":[1,2],"c":{"1":1},"d":["x"]}'
    )
    assert php.decode("a[]=1&a[]=2&b[x][y]=%D1%8F&c=&b[x][z]=3") == {
        "a": ["1", "2"],
        "b": {"x": {"y": "я", "z": "3"}},
        "c": "",
    }


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("+7 (912) 123-45-67", "79121234567"),
        ("8 912 1234567", "79121234567"),
        ("007 912 123 45 67", "79121234567"),
        ("9121234567", "9121234567"),
        ("8 (812) 123-45-67", "78121234567"),
        ("8121234567", "8121234567"),
        ("8352123456", "7352123456"),
        ("+8613912345678", "8613912345678"),
        ("+7 912 123-45-67 #4048", "79121234567"),
        ("+7 912 123-45-67;12", "79121234567"),
        ("112", "112"),
    ],
)
def test_the_match_code_of_a_phone(written: str, code: str) -> None:
    assert phone_code(written) == code


async def test_small_methods_answer(rest: Rest) -> None:
    assert await rest.call("server.time") == "2025-03-03T12:00:00+03:00"
    assert "crm" in await rest.call("scope")
    assert await rest.call("method.get", name="crm.deal.add") == {"isExisting": True, "isAvailable": True}
    assert await rest.call("method.get", name="crm.nothing") == {"isExisting": False, "isAvailable": False}
    assert await rest.call("crm.settings.mode.get") == 1
    assert await rest.call("feature.get", CODE="rest_offline_extended") == {"value": "Y"}
    assert (await rest.refused("feature.get"))[1] == "CODE_EMPTY"
    assert (await rest.call("user.current"))["ID"] == "1"
    assert [user["ID"] for user in await rest.call("user.get", filter={"ID": [3, 4]})] == ["3", "4"]
    assert [user["ID"] for user in await rest.call("user.get", ID=2)] == ["2"]
    assert (await rest.call("crm.currency.list"))[0]["CURRENCY"] == "RUB"
    assert (await rest.call("app.info"))["INSTALLED"] is True


async def test_dates_come_in_many_ways_and_go_out_with_the_servers_offset(rest: Rest) -> None:
    await rest.contact(BIRTHDATE="02.01.1990")
    row = await rest.call("crm.contact.get", id=1)
    assert row["BIRTHDATE"] == "1990-01-02T03:00:00+03:00"
    assert row["DATE_CREATE"] == "2025-03-03T12:00:00+03:00"
    await rest.call("crm.contact.update", id=1, fields={"BIRTHDATE": "1991-05-06"})
    assert (
        datetime.fromisoformat((await rest.call("crm.contact.get", id=1))["BIRTHDATE"]).date().isoformat()
        == "1991-05-06"
    )
    await rest.call("crm.contact.update", id=1, fields={"BIRTHDATE": "вчера"})
    assert (await rest.call("crm.contact.get", id=1))["BIRTHDATE"].startswith("1991-05-06")
    await rest.call("crm.contact.update", id=1, fields={"BIRTHDATE": ""})
    assert (await rest.call("crm.contact.get", id=1))["BIRTHDATE"] == ""


def test_an_unknown_switch_is_named() -> None:
    class Still:
        def now(self) -> Never:
            raise AssertionError

        monotonic = sleep = now

    with pytest.raises(ConfigurationError, match="speed"):
        sandbox.build(SandboxPlan(clock=Still(), switches={"speed": 1}))
