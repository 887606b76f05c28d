"""Lists: pages, filters, orders, search; and what is ignored without a word."""

import pytest
from amo_account import PHONE, Api, Build


async def test_what_is_not_there_is_204_without_a_body(api: Api) -> None:
    for path in (
        "leads",
        "contacts",
        "companies",
        "tasks",
        "leads/notes",
        "leads/unsorted",
        "webhooks",
        "events",
    ):
        assert await api.get(path) is None
    for path in ("leads/5", "contacts/5", "companies/5", "tasks/5", "leads/notes/5"):
        assert await api.get(path) is None
    await api.lead()
    future = int(api.clock.now().timestamp()) + 1000
    assert await api.get(f"leads?filter[updated_at][from]={future}") is None
    assert await api.get("leads?page=2") is None


async def test_pages_are_of_50_at_most_250_and_linked(api: Api) -> None:
    for _ in range(2):
        await api.add("leads", *({"name": str(at)} for at in range(150)))
    assert len(await api.rows("leads")) == 50
    for asked, given in ((250, 250), (251, 250), (500, 250), (7, 7)):
        assert len(await api.rows(f"leads?limit={asked}")) == given
    first = await api.get("leads?limit=100&filter[created_by][]=8000001&order[id]=asc")
    assert first["_page"] == 1
    assert "prev" not in first["_links"]
    assert "_total_items" not in first
    assert "filter%5Bcreated_by%5D%5B%5D=8000001" in first["_links"]["next"]["href"]
    seen, page = [], first
    while True:
        seen += [row["id"] for row in page["_embedded"]["leads"]]
        following = page["_links"].get("next")
        if following is None:
            break
        page = await api.get(following["href"].removeprefix(f"{api.base}/api/v4/"))
    assert len(seen) == len(set(seen)) == 300
    assert seen == sorted(seen)
    assert page["_page"] == 3
    assert {"prev", "first", "self"} == set(page["_links"])


async def test_one_card_is_bare_and_names_itself(api: Api) -> None:
    lead = await api.lead(name="Сделка", price=5)
    row = await api.get(f"leads/{lead}")
    assert row["_links"]["self"]["href"] == f"{api.base}/api/v4/leads/{lead}?page=1&limit=50"
    assert (row["custom_fields_values"], row["price"], row["closed_at"]) == (None, 5, None)
    assert set(row["_embedded"]) == {"tags", "companies"}


@pytest.mark.parametrize(
    "ignored",
    [
        "filter[nonsense_field]=zzz",
        "filter[contacts]=1",
        "filter[custom_fields_values]=1450100=x",
        "filter[custom_fields_values][{field}][]=нет такого",
        "filter[statuses][0][status_id]=142",
        "order[price]=desc",
        "order[id]=sideways",
        "nonsense=1",
    ],
)
async def test_what_the_server_does_not_know_gives_the_whole_collection(api: Api, ignored: str) -> None:
    field = await api.field("leads", "text")
    ids = await api.add("leads", {"name": "один"}, {"name": "два"}, {"name": "три"})
    assert await api.ids(f"leads?{ignored.format(field=field)}") == ids


async def test_the_default_order_is_by_update_so_an_edited_card_moves_to_the_end(api: Api) -> None:
    ids = await api.add("leads", {}, {}, {})
    api.clock.advance(5)
    await api.write("PATCH", f"leads/{ids[0]}", {"name": "новое"})
    assert await api.ids("leads") == [ids[1], ids[2], ids[0]]
    assert await api.ids("leads?order[updated_at]=desc") == [ids[0], ids[2], ids[1]]
    assert await api.ids("leads?order[id]=asc") == ids


@pytest.mark.parametrize(
    ("kind", "field", "works"),
    [
        *(("leads", name, True) for name in ("id", "updated_at", "created_at")),
        *(("leads", name, False) for name in ("complete_till", "name")),
        *(("contacts", name, True) for name in ("id", "updated_at", "name")),
        *(("contacts", name, False) for name in ("created_at", "complete_till")),
        *(("companies", name, True) for name in ("id", "updated_at", "name")),
        ("companies", "created_at", False),
        *(("tasks", name, True) for name in ("id", "created_at", "complete_till")),
        *(("tasks", name, False) for name in ("updated_at", "name")),
        *(("leads/notes", name, True) for name in ("id", "updated_at")),
        *(("leads/notes", name, False) for name in ("created_at", "name")),
    ],
)
async def test_the_order_matrix(api: Api, kind: str, field: str, works: bool) -> None:
    lead = await api.lead()
    items = {
        "tasks": [{"text": "т", "complete_till": 100 + at} for at in range(3)],
        "leads/notes": [{"entity_id": lead, "note_type": "common", "params": {"text": "з"}}] * 3,
    }.get(kind, [{"name": name} for name in "абв"])
    for item in items:
        api.clock.advance(1)
        await api.add(kind, item)
    falling = await api.ids(f"{kind}?order[{field}]=desc")
    rising = await api.ids(f"{kind}?order[{field}]=asc")
    assert (falling == rising[::-1]) is works
    assert rising == sorted(rising)


async def test_filters_that_are_known(api: Api) -> None:
    pipeline, stages = await api.pipeline("Приёмы", "Записан")
    start = int(api.clock.now().timestamp())
    ids = []
    for price in (10, 20, 30):
        ids.append(await api.lead(name=f"Цена {price}", price=price))
        api.clock.advance(100)
    await api.write("PATCH", f"leads/{ids[1]}", {"pipeline_id": pipeline, "status_id": stages["Записан"]})
    place = f"filter[statuses][0][pipeline_id]={pipeline}&filter[statuses][0][status_id]={stages['Записан']}"
    for query, wanted in (
        (f"filter[id][]={ids[0]}&filter[id][]={ids[2]}", [ids[0], ids[2]]),
        (f"filter[id]={ids[2]}", [ids[2]]),
        ("filter[price][from]=15&filter[price][to]=25", [ids[1]]),
        ("filter[price]=30", [ids[2]]),
        (f"filter[created_at][from]={start + 100}", ids[1:]),
        (f"filter[created_at][from]={start}&filter[created_at][to]={start + 100}", ids[:2]),
        (f"filter[updated_at][from]={start + 200}", ids[1:]),
        (place, [ids[1]]),
        (f"filter[pipeline_id]={pipeline}", [ids[1]]),
        ("filter[name]=Цена 20", [ids[1]]),
        ("filter[responsible_user_id]=8000002", []),
    ):
        assert sorted(await api.ids(f"leads?{query}")) == wanted, query


async def test_borders_of_a_range_are_a_switch(account: Build) -> None:
    async with account(range_borders="exclusive") as api:
        await api.lead()
        now = int(api.clock.now().timestamp())
        assert await api.get(f"leads?filter[created_at][from]={now}") is None
        assert len(await api.ids(f"leads?filter[created_at][from]={now - 1}")) == 1


async def test_a_filter_by_custom_fields_works_only_where_it_was_bought(account: Build) -> None:
    for bought in (False, True):
        async with account(api_filter=bought) as api:
            told = await api.get("account?with=is_api_filter_enabled")
            assert told["is_api_filter_enabled"] is bought
            key = await api.field("leads", "text", code="IDENT_KEY")
            sums = await api.field("leads", "numeric", "Число")
            ids = [
                await api.lead(
                    custom_fields_values=[
                        {"field_id": key, "values": [{"value": f"ident/{at}"}]},
                        {"field_id": sums, "values": [{"value": at * 10}]},
                    ]
                )
                for at in range(3)
            ]
            assert await api.ids(f"leads?filter[custom_fields_values][{key}][]=ident/1") == (
                [ids[1]] if bought else ids
            )
            ranged = await api.ids(
                f"leads?filter[custom_fields_values][{sums}][from]=5&filter[custom_fields_values][{sums}][to]=15"
            )
            assert ranged == ([ids[1]] if bought else ids)


async def test_search_learns_of_a_write_late(account: Build) -> None:
    async with account(search_noise=0, search_lag=2.0) as api:
        contact = await api.contact("Иванова Мария", PHONE)
        assert await api.get("contacts?query=9001234567") is None
        api.clock.advance(2)
        assert await api.ids("contacts?query=9001234567") == [contact]
        await api.write(
            "PATCH",
            f"contacts/{contact}",
            {"custom_fields_values": [{"field_code": "PHONE", "values": None}]},
        )
        assert await api.ids("contacts?query=9001234567") == [contact]
        api.clock.advance(2)
        assert await api.get("contacts?query=9001234567") is None


@pytest.mark.parametrize(
    ("mode", "query", "hits"),
    [
        ("digits", "9001234567", 3),
        ("digits", "+7 900", 2),
        ("raw", "9001234567", 2),
        ("raw", "(900) 123", 1),
        ("digits", "мария", 1),
    ],
)
async def test_how_digits_are_matched_is_a_switch(account: Build, mode: str, query: str, hits: int) -> None:
    async with account(search_noise=0, search_lag=0.0, search_mode=mode) as api:
        await api.contact("Мария", PHONE)
        await api.contact("Пётр", "8 (900) 123-45-67")
        key = await api.field("contacts", "text")
        await api.contact(
            "79001234567 в имени", custom_fields_values=[{"field_id": key, "values": [{"value": "x"}]}]
        )
        assert len(await api.rows(f"contacts?query={query}".replace("+", "%2B"))) == hits


async def test_search_gives_more_than_was_asked_for(api: Api) -> None:
    stranger = await api.contact("Чужой", "+79990000000")
    own = await api.contact("Свой", PHONE)
    api.clock.advance(5)
    assert await api.ids("contacts?query=9001234567") == [stranger, own]
    assert await api.ids("contacts?query=1112223344") == [stranger]


async def test_a_query_may_be_too_short(account: Build) -> None:
    async with account(search_min=6, search_lag=0.0) as api:
        await api.contact("Свой", PHONE)
        assert await api.get("contacts?query=9001") is None
        assert len(await api.rows("contacts?query=900123")) == 1


async def test_what_stands_with_a_card(api: Api) -> None:
    contact = await api.contact()
    company = (await api.add("companies", {"name": "Завод"}))[0]
    reason = (await api.rows("leads/loss_reasons"))[0]
    embedded = {"contacts": [{"id": contact}], "companies": [{"id": company}]}
    lead = await api.lead(status_id=143, loss_reason_id=reason["id"], _embedded=embedded)
    row = await api.get(f"leads/{lead}?with=contacts,loss_reason,source_id,catalog_elements")
    links = {"self": {"href": f"{api.base}/api/v4/contacts/{contact}"}}
    assert row["_embedded"]["contacts"] == [{"id": contact, "is_main": True, "_links": links}]
    assert row["_embedded"]["companies"][0]["id"] == company
    assert row["_embedded"]["loss_reason"] == [{"id": reason["id"], "name": reason["name"]}]
    assert row["source_id"] is None
    assert [one["id"] for one in (await api.get(f"contacts/{contact}?with=leads"))["_embedded"]["leads"]] == [
        lead
    ]
    assert [
        one["id"] for one in (await api.get(f"companies/{company}?with=leads"))["_embedded"]["leads"]
    ] == [lead]


async def test_account_says_what_it_is_asked_for(api: Api) -> None:
    told = await api.get("account?with=task_types,users_groups,datetime_settings,version")
    assert {one["id"] for one in told["_embedded"]["task_types"]} == {1, 2}
    settings = told["_embedded"]["datetime_settings"]
    assert (settings["timezone"], settings["timezone_offset"]) == ("Europe/Moscow", "+03:00")
    assert "_embedded" not in await api.get("account")
