"""Lists of both families: filters, selects, orders, pages."""

import time
from typing import Any

import pytest
from b24_portal import Build, Rest

from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.multifields import MultiOp
from connectors.bitrix24.sandbox.rules import Draft, create


async def _ids(rest: Rest, method: str = "crm.contact.list", **params: Any) -> list[int]:
    return [int(row["ID"]) for row in await rest.call(method, select=["ID"], **params)]


async def test_an_unknown_field_in_a_legacy_filter_vanishes_and_everything_comes(rest: Rest) -> None:
    for name in "АБВ":
        await rest.contact(name)
    assert await _ids(rest, filter={"=ORIGIN_IDD": "42"}) == [1, 2, 3]
    assert await _ids(rest, filter={"=ORIGIN_IDD": "42", "NAME": "Б"}) == [2]
    assert await _ids(rest, filter={"CONTACT_IDS": [9]}, method="crm.deal.list") == []
    await rest.deal(CONTACT_ID=1)
    assert await _ids(rest, filter={"CONTACT_IDS": [9]}, method="crm.deal.list") == [1]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"NAME": "Анна"}, [1]),
        ({"=NAME": ["Анна", "Олег"]}, [1, 3]),
        ({"@NAME": ["Анна", "Олег"]}, [1, 3]),
        ({"!@NAME": ["Анна", "Олег"]}, [2, 4]),
        ({"!NAME": "Анна"}, [2, 3, 4]),
        ({"!=NAME": "Анна"}, [2, 3, 4]),
        ({"%NAME": "НН"}, [1, 2]),
        ({"=%NAME": "Ан%"}, [1]),
        ({"%=NAME": "%ег"}, [3]),
        ({"!%NAME": "нн"}, [3, 4]),
        ({"!=%NAME": "Ан%"}, [2, 3, 4]),
        ({">ID": 2}, [3, 4]),
        ({">=ID": "2", "<ID": 4}, [2, 3]),
        ({"<=ID": 1}, [1]),
        ({"@ID": [4, 1, 99]}, [1, 4]),
        ({"NAME": ""}, [4]),
        ({"!NAME": ""}, [1, 2, 3]),
        ({"PHONE": "+79001112233"}, [2]),
        ({"SOURCE_ID": "WEB"}, [1]),
        ({"%SOURCE_ID": "WE"}, []),
        ({">DATE_CREATE": "2025-03-03T12:00:30+03:00"}, [4]),
        ({"<DATE_CREATE": "03.03.2025 12:00:30"}, [1, 2, 3]),
        ({"BIRTHDATE": "1990-01-02"}, [3]),
    ],
)
async def test_prefixes(portal: Build, condition: Any, found: Any) -> None:
    async with portal() as rest:
        await rest.contact("Анна", SOURCE_ID="WEB")
        await rest.contact("Жанна", "+79001112233")
        await rest.contact("Олег", BIRTHDATE="1990-01-02")
        rest.clock.advance(60)
        await rest.contact("", LAST_NAME="Безымянный")
        assert await _ids(rest, filter=condition) == found


async def test_select_masks(rest: Rest) -> None:
    await rest.call("crm.contact.userfield.add", fields={"USER_TYPE_ID": "string", "FIELD_NAME": "KEY"})
    await rest.contact("Анна", "+79001112233", UF_CRM_KEY="k")
    (default,) = await rest.call("crm.contact.list")
    assert default["UF_CRM_KEY"] == "k"
    assert "PHONE" not in default
    (star,) = await rest.call("crm.contact.list", select=["*"])
    assert "NAME" in star
    assert "UF_CRM_KEY" not in star
    assert await rest.call("crm.contact.list", select=["UF_*"]) == [{"UF_CRM_KEY": "k"}]
    (phones,) = await rest.call("crm.contact.list", select=["PHONE", "NOTHING"])
    assert set(phones) == {"ID", "PHONE"}


async def test_pages_of_fifty(rest: Rest) -> None:
    await rest.batch([f"crm.contact.add?fields[NAME]=n{at}" for at in range(50)])
    await rest.batch([f"crm.contact.add?fields[NAME]=m{at}" for at in range(50)])
    await rest.contact("последний")
    first = await rest.body("crm.contact.list", select=["ID"])
    assert (len(first["result"]), first["next"], first["total"]) == (50, 50, 101)
    second = await rest.body("crm.contact.list", start=80, select=["ID"])
    assert (second["result"][0]["ID"], second["next"]) == ("51", 100)
    last = await rest.body("crm.contact.list", start=100, select=["ID"])
    assert (last["result"], "next" in last, last["total"]) == ([{"ID": "101"}], False, 101)


@pytest.mark.parametrize(("switch", "shown"), [(0, 0), (50, 50), (None, None)])
async def test_start_minus_one_does_not_count(portal: Build, switch: Any, shown: Any) -> None:
    async with portal(legacy_total_minus_one=switch) as rest:
        await rest.batch([f"crm.contact.add?fields[NAME]=n{at}" for at in range(50)])
        await rest.contact()
        legacy = await rest.body("crm.contact.list", start=-1, filter={">ID": 0}, order={"ID": "ASC"})
        assert (len(legacy["result"]), legacy.get("total"), "next" in legacy) == (50, shown, False)
        item = await rest.body("crm.item.list", entityTypeId=3, start=-1)
        assert (len(item["result"]["items"]), "total" in item, "next" in item) == (50, False, False)


async def test_order_by_any_field_and_stages_by_the_board(rest: Rest) -> None:
    for title, stage in (("б", "WON"), ("а", "NEW"), ("в", "PREPARATION"), ("а", "LOSE")):
        await rest.deal(TITLE=title, STAGE_ID=stage)
    assert await _ids(rest, "crm.deal.list", order={"ID": "DESC"}) == [4, 3, 2, 1]
    assert await _ids(rest, "crm.deal.list", order={"TITLE": "ASC", "ID": "DESC"}) == [4, 2, 1, 3]
    assert await _ids(rest, "crm.deal.list", order={"STAGE_ID": "ASC"}) == [2, 3, 1, 4]
    assert await _ids(rest, "crm.deal.list", order={"STAGE_ID": "DESC"}) == [4, 1, 3, 2]


async def test_the_item_list_refuses_what_it_does_not_know(rest: Rest) -> None:
    refused = await rest.refused("crm.item.list", entityTypeId=2, filter={"=ORIGIN_ID": "1"})
    assert refused == (400, "INVALID_ARG_VALUE", "Invalid filter: field 'ORIGIN_ID' is not allowed in filter")
    assert (await rest.refused("crm.item.list", entityTypeId=2, filter={">createdTime": "вчера"}))[2] == (
        "Invalid filter: field 'createdTime' has invalid value"
    )
    assert (await rest.refused("crm.item.list", entityTypeId=2, order={"x": "ASC"}))[1] == "INVALID_ARG_VALUE"
    assert (await rest.refused("crm.item.list", entityTypeId=2, order={"id": "UP"}))[1] == "INVALID_ARG_VALUE"
    assert (await rest.refused("crm.item.list", entityTypeId=900))[:2] == (400, "NOT_FOUND")
    assert (await rest.refused("crm.item.list"))[:2] == (400, "100")


async def test_the_item_list_knows_or_and_nesting_and_contacts(rest: Rest) -> None:
    for name in "АБВ":
        await rest.contact(name)
    for title, contacts in (("x", [1, 2]), ("y", [2]), ("z", [3])):
        await rest.deal(TITLE=title, CONTACT_IDS=contacts)

    async def found(condition: Any) -> list[int]:
        answer = await rest.call("crm.item.list", entityTypeId=2, filter=condition, select=["id"])
        assert all(set(row) == {"id"} for row in answer["items"])
        return [row["id"] for row in answer["items"]]

    assert await found({"logic": "OR", "0": {"title": "x"}, "1": {"title": "z"}}) == [1, 3]
    assert await found({"0": {"logic": "OR", "=title": "x", "@id": [2]}, ">id": 1}) == [2]
    assert await found([{"logic": "OR", "0": {"title": "y"}, "1": {"title": "z"}}]) == [2, 3]
    assert await found({"contactIds": 2}) == [1, 2]
    assert await found({"@contactIds": [1, 3]}) == [1, 3]
    assert await found({"contactId": 2}) == [2]
    assert await found({"stageId": "NEW", "!title": "x"}) == [2, 3]


async def test_thirty_thousand_contacts_are_found_by_key_and_by_phone_at_once(portal: Build) -> None:
    async with portal() as rest:
        await rest.call("crm.contact.userfield.add", fields={"USER_TYPE_ID": "string", "FIELD_NAME": "KEY"})
        for at in range(30_000):
            phone = MultiOp(type="PHONE", value=f"+7900{at:07d}", value_type="WORK")
            draft = Draft(fields={"NAME": "n", "UF_CRM_KEY": f"k{at}"}, multi=[phone])
            create(rest.portal, Kind.CONTACT, draft, 1)
        await _ids(rest, filter={"=UF_CRM_KEY": "k0"})
        await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["1"])
        started = time.perf_counter()
        assert await _ids(rest, filter={"@UF_CRM_KEY": ["k29999", "k7", "none"]}) == [8, 30000]
        assert await _ids(rest, filter={"@ID": [30000, 5]}, start=-1) == [5, 30000]
        assert await _ids(rest, filter={">ID": 29990}, start=-1) == list(range(29991, 30001))
        found = await rest.call(
            "crm.duplicate.findbycomm", type="PHONE", values=["89000012345"], entity_type="CONTACT"
        )
        assert found == {"CONTACT": [12346]}
        assert time.perf_counter() - started < 0.5


async def test_indexes_follow_every_change(rest: Rest) -> None:
    await rest.call("crm.contact.userfield.add", fields={"USER_TYPE_ID": "string", "FIELD_NAME": "KEY"})
    await rest.contact("А", "+79001112233", UF_CRM_KEY="a")
    assert await _ids(rest, filter={"=UF_CRM_KEY": "a"}) == [1]
    await rest.call(
        "crm.contact.update", id=1, fields={"UF_CRM_KEY": "b", "PHONE": [{"ID": 1, "VALUE": "+79004445566"}]}
    )
    assert await _ids(rest, filter={"=UF_CRM_KEY": "a"}) == []
    assert await _ids(rest, filter={"=UF_CRM_KEY": "b"}) == [1]
    await rest.contact("Б", UF_CRM_KEY="b")
    assert await _ids(rest, filter={"=UF_CRM_KEY": "b"}) == [1, 2]
    await rest.call("crm.contact.delete", id=1)
    assert await _ids(rest, filter={"=UF_CRM_KEY": "b"}) == [2]
    assert await _ids(rest, filter={">ID": 0}) == [2]
