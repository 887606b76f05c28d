"""A client that others published, pointed at the sandbox: what it expects of a portal it must find here."""

import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from b24_portal import Rest, opened

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    fast_bitrix24 = pytest.importorskip("fast_bitrix24", reason="fast-bitrix24 is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    async with opened("socket", {"burst": 10_000, "rate": 1000}) as client:
        yield client


@pytest.fixture
async def client(rest: Rest) -> AsyncIterator[Any]:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        yield fast_bitrix24.BitrixAsync(rest.webhook, verbose=False, client=session)


async def test_lists_of_many_pages_come_whole(rest: Rest, client: Any) -> None:
    for number in range(130):
        await rest.contact(f"Имя{number}")
    found = await client.get_all("crm.contact.list", {"select": ["ID", "NAME"]})
    assert sorted(row["NAME"] for row in found) == sorted(f"Имя{number}" for number in range(130))


async def test_lists_of_items_come_whole(rest: Rest, client: Any) -> None:
    for number in range(60):
        await rest.deal(TITLE=f"Сделка {number}")
    found = await client.get_all("crm.item.list", {"entityTypeId": 2, "select": ["id", "title"]})
    assert len({row["id"] for row in found}) == 60


async def test_many_adds_and_updates_go_in_batches(rest: Rest, client: Any) -> None:
    made = await client.call("crm.deal.add", [{"fields": {"TITLE": f"Сделка {at}"}} for at in range(70)])
    assert sorted(int(one) for one in made) == list(range(1, 71))
    changed = await client.call(
        "crm.deal.update", [{"ID": one, "fields": {"TITLE": "Новая"}} for one in range(1, 71)]
    )
    assert len(changed) == 70
    assert {row["title"] for row in await rest.state("deals")} == {"Новая"}
    assert (await rest.stats())["by_method"].get("crm.deal.add") is None


async def test_cards_come_by_their_ids(rest: Rest, client: Any) -> None:
    ids = [await rest.contact(f"Имя{number}") for number in range(55)]
    found = await client.get_by_ID("crm.contact.get", ids)
    assert {int(one): row["NAME"] for one, row in found.items()} == {
        one: f"Имя{at}" for at, one in enumerate(ids)
    }


async def test_a_batch_of_its_own_keeps_its_keys_and_references(client: Any) -> None:
    answer = await client.call_batch(
        {
            "halt": 0,
            "cmd": {
                "made": "crm.contact.add?fields[NAME]=Анна",
                "read": "crm.contact.get?id=$result[made]",
            },
        }
    )
    assert answer["made"] == 1
    assert answer["read"]["NAME"] == "Анна"


async def test_fields_categories_statuses_and_duplicates(rest: Rest, client: Any) -> None:
    await rest.contact("Анна", "+79001112233")
    fields = await client.get_all("crm.contact.fields")
    assert fields["NAME"]["type"] == "string"
    categories = await client.get_all("crm.category.list", {"entityTypeId": 2})
    assert [row["id"] for row in categories] == [0]
    statuses = await client.get_all("crm.status.list", {"filter": {"ENTITY_ID": "SOURCE"}})
    assert {row["ENTITY_ID"] for row in statuses} == {"SOURCE"}
    found = await client.call(
        "crm.duplicate.findbycomm", {"type": "PHONE", "values": ["8 900 111-22-33"], "entity_type": "CONTACT"}
    )
    assert found == 1  # it unwraps what is alone
