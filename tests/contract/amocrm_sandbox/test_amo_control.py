"""The control plane: leads that arrive, staff, robots, the board."""

from typing import Any

import pytest
from amo_account import PHONE, Api, Build

LEAD = {"name": "Анна", "phone": "8 900 111-22-33", "created_at": "2025-03-01T10:00:00+03:00"}


async def test_a_lead_arrives_by_itself_with_its_contact(api: Api) -> None:
    shown = await api.order(
        "leads", {**LEAD, "stage": "Записан на консультацию", "source": "CALL", "utm_source": "yandex"}
    )
    assert (shown["stage"], shown["funnel"], shown["semantic"]) == ("Записан на консультацию", "Лиды", "P")
    assert (shown["phones"], shown["fields"]["UTM_SOURCE"], shown["tags"]) == (
        ["8 900 111-22-33"],
        "yandex",
        ["CALL"],
    )
    row = await api.get(f"leads/{shown['id']}?with=contacts")
    assert (row["created_at"], row["created_by"]) == (1_740_812_400, 0)
    (contact,) = row["_embedded"]["contacts"]
    assert (await api.get(f"contacts/{contact['id']}"))["name"] == "Анна"
    await api.order("leads", {**LEAD, "stage": "Пациент уже записан"})
    assert "Пациент уже записан" in (await api.main())[1]
    assert (await api.control("stats"))["requests"] == 3


async def test_an_incoming_lead_waits_until_it_is_accepted(api: Api) -> None:
    shown = await api.order("leads", {**LEAD, "stage": "Неразобранное"})
    assert shown["unsorted"] is True
    (item,) = await api.rows("leads/unsorted")
    assert item["_embedded"]["leads"][0]["id"] == shown["id"]
    moved = await api.order("staff/accept", {"id": shown["id"], "stage": "Квалификация"})
    assert (moved["stage"], moved["unsorted"], moved["modified_by"]) == ("Квалификация", False, 8_000_003)
    assert await api.get("leads/unsorted") is None
    other = await api.order("leads", {**LEAD, "stage": "Неразобранное"})
    assert await api.order("staff/decline", {"id": other["id"]}) is None
    assert await api.get(f"leads/{other['id']}") is None


async def test_staff_move_and_edit_as_themselves(api: Api) -> None:
    pipeline, stages = await api.pipeline("Приёмы", "Записан", "Подтвердил по смс")
    await api.field("leads", "select", "Плательщик", enums=[{"value": "ДМС", "sort": 1}])
    lead = await api.lead()
    api.clock.advance(60)
    moved = await api.order("staff/move", {"id": lead, "stage": "Квалификация", "user_id": 8_000_004})
    assert (moved["stage"], moved["funnel"], moved["modified_by"]) == ("Квалификация", "Лиды", 8_000_004)
    moved = await api.order("staff/move", {"id": lead, "stage": "Успешно реализовано", "funnel": "Приёмы"})
    assert (moved["stage_id"], moved["category_id"], moved["semantic"]) == (142, pipeline, "S")
    edited = await api.order(
        "staff/edit", {"id": lead, "fields": {"name": "Сама", "price": 5, "Плательщик": "ДМС"}}
    )
    assert (edited["title"], edited["named"], edited["fields"]["price"]) == ("Сама", {"Плательщик": "ДМС"}, 5)
    replied = await api.order("staff/reply", {"id": lead, "answer": "Да."})
    assert replied["stage_id"] == stages["Подтвердил по смс"]
    row = await api.get(f"leads/{lead}")
    assert (row["updated_at"], row["updated_by"]) == (int(api.clock.now().timestamp()), 8_000_003)
    history = (await api.state("history"))["deal"]
    assert [(one["stage"], one["by"]) for one in history][:2] == [
        ("Новый", 8_000_001),
        ("Квалификация", 8_000_004),
    ]


async def test_staff_make_cards_and_add_phones(api: Api) -> None:
    made = await api.order(
        "staff/create", {"entity": "contact", "fields": {"name": "Олег", "PHONE": ["+79001112233"]}}
    )
    assert (made["title"], made["phones"], made["created_by"]) == ("Олег", ["+79001112233"], 8_000_003)
    edited = await api.order(
        "staff/edit", {"entity": "contact", "id": made["id"], "fields": {"PHONE": [PHONE]}}
    )
    assert edited["phones"] == ["+79001112233", PHONE]
    deal = await api.order(
        "staff/create", {"stage": "Квалификация", "fields": {"name": "Ручная"}, "contact_ids": [made["id"]]}
    )
    assert (deal["stage"], deal["contact_ids"]) == ("Квалификация", [made["id"]])


async def test_staff_cannot_write_a_field_of_the_api(api: Api) -> None:
    await api.field("leads", "text", "Ключ", code="KEY", is_api_only=True)
    lead = await api.lead()
    answer = await api.http.post(f"{api.base}/_control/staff/edit", json={"id": lead, "fields": {"KEY": "x"}})
    assert (answer.status_code, "API only" in answer.json()["error"]) == (400, True)


async def test_deleted_cards_lie_in_the_trash_and_hardly_anything_is_left(account: Build) -> None:
    async with account() as api:
        lead, person = await api.lead(name="Удалят"), await api.contact()
        holder = await api.lead(_embedded={"contacts": [{"id": person}]})
        api.clock.advance(5)
        await api.order("staff/delete", {"id": lead})
        await api.order("staff/delete", {"entity": "contact", "id": person})
        assert (await api.get(f"leads/{holder}?with=contacts"))["_embedded"]["contacts"] == []
        assert await api.get(f"leads/{lead}") is None
        assert await api.get(f"leads?filter[id]={lead}") is None
        assert await api.refused("PATCH", f"leads/{lead}", {}) == [("0", "NotSupportedChoice", "id")]
        (row,) = await api.rows(f"leads?with=only_deleted&filter[id]={lead}")
        assert (row["is_deleted"], row["name"], row["price"], row["status_id"]) == (True, None, None, None)
        assert row["updated_at"] == int(api.clock.now().timestamp())
        (row,) = await api.rows(f"contacts?with=only_deleted&filter[id]={person}")
        assert row["is_deleted"] is False
        assert [
            row["type"] for row in await api.rows("events?filter[type]=lead_deleted,contact_deleted")
        ] == ["contact_deleted", "lead_deleted"]
        assert [(one["id"], one["by"], one["why"]) for one in await api.state("deleted")] == [
            (lead, 8_000_003, "deleted"),
            (person, 8_000_003, "deleted"),
        ]
        api.clock.advance(31 * 86_400)
        assert await api.get(f"leads?with=only_deleted&filter[id]={lead}") is None


async def test_a_merged_contact_is_gone_and_the_survivor_has_everything(account: Build) -> None:
    for told in (True, False):
        async with account(merge_event=told) as api:
            survivor, loser = await api.contact("Анна", PHONE), await api.contact("Анна", "+79004445566")
            leads = [await api.lead(_embedded={"contacts": [{"id": one}]}) for one in (survivor, loser)]
            note = {"entity_id": loser, "note_type": "common", "params": {"text": "x"}}
            await api.add("contacts/notes", note)
            merged = await api.order("staff/merge", {"entity": "contact", "id": loser, "into": survivor})
            assert merged["phones"] == [PHONE, "+79004445566"]
            assert await api.get(f"contacts/{loser}") is None
            assert await api.get(f"contacts?with=only_deleted&filter[id]={loser}") is None
            for lead in leads:
                row = await api.get(f"leads/{lead}?with=contacts")
                assert [(one["id"], one["is_main"]) for one in row["_embedded"]["contacts"]] == [
                    (survivor, True)
                ]
            assert len(await api.rows(f"contacts/{survivor}/notes")) == 1
            assert bool(await api.rows("events?filter[type]=entity_merged")) is told
            assert [one["why"] for one in await api.state("deleted")] == [f"merged into {survivor}"]


async def test_merged_leads_keep_the_survivors_stage_and_all_contacts(api: Api) -> None:
    first, second = await api.contact("А"), await api.contact("Б")
    survivor = await api.lead(_embedded={"contacts": [{"id": first}]})
    loser = await api.lead(price=7, status_id=142, _embedded={"contacts": [{"id": second}]})
    merged = await api.order("staff/merge", {"id": loser, "into": survivor})
    assert (merged["contact_ids"], merged["stage"], merged["fields"]["price"]) == (
        [first, second],
        "Новый",
        7,
    )


async def test_staff_complete_a_task(api: Api) -> None:
    lead = await api.lead()
    (task,) = await api.add(
        "tasks", {"text": "т", "complete_till": 5, "entity_id": lead, "entity_type": "leads"}
    )
    assert await api.order("staff/complete", {"entity": "task", "id": task, "answer": "Дозвонились"}) is None
    row = await api.get(f"tasks/{task}")
    assert (row["is_completed"], row["result"], row["updated_by"]) == (
        True,
        {"text": "Дозвонились"},
        8_000_003,
    )
    assert [one["type"] for one in await api.rows("events?filter[entity]=task")] == [
        "task_completed",
        "task_added",
    ]


async def test_robots_write_once_an_entry_and_set_fields_as_another(api: Api) -> None:
    field = await api.field("leads", "text", "Отправлено")
    main, stages = await api.main()
    await api.order("robots", {"stage": "Квалификация", "funnel": "Лиды"})
    await api.order(
        "robots", {"stage": "Квалификация", "action": "set", "field": "Отправлено", "value": "да"}
    )
    lead = await api.lead(status_id=stages["Квалификация"])
    await api.write(
        "PATCH", f"leads/{lead}", {"pipeline_id": main, "status_id": stages["Квалификация"], "name": "x"}
    )
    assert await api.state("messages") == [
        {"entity": "deal", "deal": lead, "stage": "Квалификация", "at": "2026-03-02T09:00:00+00:00"}
    ]
    row = await api.get(f"leads/{lead}")
    assert [one["field_id"] for one in row["custom_fields_values"]] == [field]
    await api.order("staff/move", {"id": lead, "stage": "Новый"})
    await api.order("staff/move", {"id": lead, "stage": "Квалификация"})
    assert len(await api.state("messages")) == 2
    assert (await api.get(f"leads/{lead}"))["updated_by"] == 0
    assert (await api.http.delete(f"{api.base}/_control/robots")).json() == {"robots": 0}


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("staff/dance", {}, "dance"),
        ("staff/move", {"id": 7, "stage": "Новый"}, "no deal 7"),
        ("staff/move", {"id": 20000002, "stage": "Нет такой"}, "Нет такой"),
        ("staff/move", {"id": 20000002, "stage": "Новый", "user_id": 99}, "99"),
        ("staff/edit", {"id": 20000002, "fields": {"Нет": 1}}, "Нет"),
        ("staff/reply", {"id": 20000002, "answer": "может"}, "может"),
        ("staff/merge", {"id": 20000002, "into": 20000002}, "itself"),
        ("staff/accept", {"id": 20000002, "stage": "Новый"}, "not an incoming"),
        ("staff/complete", {"id": 5}, "no task 5"),
        ("staff/move", {"entity": "quote", "id": 1}, "quote"),
        ("robots", {"stage": "Новый", "action": "call"}, "action"),
        ("robots", {"stage": "Новый", "action": "set", "field": "NOPE"}, "NOPE"),
        ("leads", {"name": "x", "phone": "1", "created_at": "2025-03-01T10:00:00"}, "offset"),
        ("limits", {"speed": 1}, "speed"),
        ("faults", {"kind": "storm"}, "storm"),
    ],
)
async def test_a_wrong_order_says_what_is_wrong(api: Api, path: str, body: Any, word: str) -> None:
    await api.lead()
    answer = await api.http.post(f"{api.base}/_control/{path}", json=body)
    assert answer.status_code == 400
    assert word in answer.json()["error"]


async def test_the_board_shows_names_counts_and_no_markup_of_others(api: Api) -> None:
    person = await api.contact("<script>alert(1)</script>", PHONE)
    await api.add("leads", *({"name": f"лид {at}"} for at in range(51)))
    await api.lead(name="Приём <b>", price=15_000, status_id=142, _embedded={"contacts": [{"id": person}]})
    text = (await api.http.get(f"{api.base}/board")).text
    assert "amoCRM: учебный аккаунт" in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "15\u00a0000 ₽" in text
    assert "и ещё 1" in text
    assert text.count('class="card"') == 51


async def test_the_state_by_name(api: Api) -> None:
    field = await api.field("leads", "text", "Ключ", code="KEY")
    await api.lead(custom_fields_values=[{"field_id": field, "values": [{"value": "ident/1"}]}])
    (deal,) = await api.state("deals")
    assert (deal["fields"]["KEY"], deal["fields"][str(field)], deal["named"]) == (
        "ident/1",
        "ident/1",
        {"Ключ": "ident/1"},
    )
    whole = await api.control("state")
    assert {
        "contacts",
        "deals",
        "leads",
        "tasks",
        "notes",
        "messages",
        "history",
        "deleted",
        "funnels",
        "users",
        "now",
    } <= set(whole)
    assert whole["leads"] == []
    assert await api.control("state?only=now") == {"now": "2026-03-02T09:00:00+00:00"}


async def test_the_control_plane_drives_the_clock(api: Api) -> None:
    assert await api.order("clock", {"seconds": 90}) == {"now": "2026-03-02T09:01:30+00:00"}
    assert api.clock.monotonic() == 90
