"""What published clients send besides what amoCRM's pages show: each form of a request means the same."""

from typing import Any

import pytest
from amo_account import PHONE, Api


@pytest.mark.parametrize(
    "query",
    ["with=contacts,loss_reason", "with[]=contacts&with[]=loss_reason", "with%5B0%5D=contacts,loss_reason"],
)
async def test_what_is_to_stand_with_a_card_is_a_comma_list_or_an_array(api: Api, query: str) -> None:
    person = await api.contact("Анна", PHONE)
    lead = await api.lead(name="x", _embedded={"contacts": [{"id": person}]})
    embedded = (await api.get(f"leads/{lead}?{query}"))["_embedded"]
    assert ([one["id"] for one in embedded["contacts"]], embedded["loss_reason"]) == ([person], [])


@pytest.mark.parametrize(
    "query",
    [
        "filter[id]={0}",
        "filter[id][]={0}",
        "filter[id][0]={0}",
        "filter%5Bid%5D%5B%5D={0}",
        "filter[id]={0},{0}",
    ],
)
async def test_an_id_is_filtered_as_a_scalar_a_list_or_an_array(api: Api, query: str) -> None:
    wanted, _ = await api.lead(name="x"), await api.lead(name="y")
    assert await api.ids(f"leads?{query.format(wanted)}") == [wanted]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "application/hal+json"},
        {"content-type": "text/plain", "accept": "*/*"},
        {
            "accept": "application/hal+json",
            "user-agent": "amoCRM-API-Library/1.16.0",
            "x-library-version": "1.16.0",
        },
    ],
)
async def test_a_body_is_json_whatever_the_headers_call_it(api: Api, headers: dict[str, str]) -> None:
    answer = await api.raw("POST", "leads", headers=headers, content=b'[{"name": "x"}]')
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/hal+json"


async def test_a_slash_at_the_end_changes_nothing(api: Api) -> None:
    lead = await api.lead(name="x")
    assert await api.ids("leads/") == [lead]
    assert (await api.get(f"leads/{lead}/"))["id"] == lead


async def test_what_the_official_client_sends_with_a_value_that_it_read(api: Api) -> None:
    """It writes a whole model back: the labels that a value does not have as null, what it read beside what it means."""
    person = await api.contact("Анна", PHONE)
    read = await api.get(f"contacts/{person}")
    values = [{"value": PHONE, "enum_id": None, "enum_code": None}]
    sent = {
        **read,
        "name": "Анна Первая",
        "custom_fields_values": [{"field_code": "PHONE", "values": values}],
    }
    await api.write("PATCH", "contacts", [sent])
    after = await api.get(f"contacts/{person}")
    assert after["name"] == "Анна Первая"
    assert after["custom_fields_values"][0]["values"][0]["enum_code"] == "WORK"


@pytest.mark.parametrize(
    "absent", [{"custom_fields_values": None}, {"_embedded": None}, {"_embedded": {"tags": None}}]
)
async def test_what_is_null_is_left_alone(api: Api, absent: dict[str, Any]) -> None:
    person = await api.contact("Анна", PHONE)
    await api.write("PATCH", "contacts", [{"id": person, "tags_to_add": [{"name": "vip"}]}])
    await api.write("PATCH", f"contacts/{person}", {"name": "Б", **absent})
    after = await api.get(f"contacts/{person}")
    assert after["custom_fields_values"][0]["values"][0]["value"] == PHONE
    assert [tag["name"] for tag in after["_embedded"]["tags"]] == ["vip"]


async def test_tags_are_listed_found_and_made(api: Api) -> None:
    assert await api.get("leads/tags") is None
    made = await api.write("POST", "leads/tags", [{"name": "vip", "request_id": "a"}, {"name": "ident"}])
    rows = made["_embedded"]["tags"]
    assert [(row["name"], row["request_id"]) for row in rows] == [("vip", "a"), ("ident", "1")]
    again = await api.write("POST", "leads/tags", [{"name": "vip"}])
    assert again["_embedded"]["tags"][0]["id"] == rows[0]["id"]
    lead = await api.lead(name="x", _embedded={"tags": [{"id": rows[1]["id"]}, {"name": "new"}]})
    assert [tag["name"] for tag in (await api.get(f"leads/{lead}"))["_embedded"]["tags"]] == ["ident", "new"]
    assert [row["name"] for row in await api.rows("leads/tags?query=id")] == ["ident"]
    assert [row["name"] for row in await api.rows("leads/tags?filter[name]=vip")] == ["vip"]
    assert await api.get("contacts/tags") is None, "each kind of card has its own"
    assert await api.refused("POST", "leads/tags", [{"color": "red"}]) == [("0", "FieldMissing", "name")]


async def test_groups_of_fields_are_made_changed_and_deleted(api: Api) -> None:
    (main,) = await api.rows("leads/custom_fields/groups")
    assert main["is_predefined"]
    made = await api.write("POST", "leads/custom_fields/groups", [{"name": "Kreslo", "sort": 7}])
    (group,) = made["_embedded"]["custom_field_groups"]
    field = await api.field("leads", "text", "Ключ", group_id=group["id"])
    path = f"leads/custom_fields/groups/{group['id']}"
    assert (await api.get(path))["fields"] == [field]
    assert (await api.write("PATCH", path, {"name": "Кресло"}))["name"] == "Кресло"
    assert (await api.raw("DELETE", path)).status_code == 204
    assert (await api.raw("GET", path)).status_code == 404
    assert (await api.raw("DELETE", f"leads/custom_fields/groups/{main['id']}")).status_code == 422
