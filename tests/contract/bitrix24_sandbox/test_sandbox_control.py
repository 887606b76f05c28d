"""The control plane: leads that arrive, staff, robots, the board."""

from typing import Any

import pytest
from b24_portal import Build, Rest

LEAD = {"name": "Анна", "phone": "8 900 111-22-33", "created_at": "2025-03-01T10:00:00+03:00"}


async def test_a_lead_arrives_by_itself(rest: Rest) -> None:
    shown = await rest.order(
        "leads",
        {
            **LEAD,
            "stage": "Записан на консультацию",
            "source": "CALL",
            "utm_source": "yandex",
            "utm_campaign": "c",
        },
    )
    assert (shown["id"], shown["stage"], shown["semantic"]) == (1, "Записан на консультацию", "P")
    row = await rest.call("crm.lead.get", id=1)
    assert (row["DATE_CREATE"], row["SOURCE_ID"], row["UTM_SOURCE"], row["UTM_CAMPAIGN"]) == (
        "2025-03-01T10:00:00+03:00",
        "CALL",
        "yandex",
        "c",
    )
    assert row["MODIFY_BY_ID"] == "2"
    found = await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["+79001112233"])
    assert found == {"LEAD": [1]}
    await rest.order("leads", {**LEAD, "stage": "Записан на консультацию"})
    names = [row["NAME"] for row in await rest.call("crm.status.list", filter={"ENTITY_ID": "STATUS"})]
    assert names.count("Записан на консультацию") == 1
    assert names.index("Записан на консультацию") < names.index("Некачественный лид")
    assert (await rest.stats())["requests"] == 3


async def test_staff_move_and_edit_as_themselves(rest: Rest) -> None:
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    await rest.call(
        "crm.deal.userfield.add",
        fields={
            "USER_TYPE_ID": "enumeration",
            "FIELD_NAME": "PAYER",
            "LABEL": "Плательщик",
            "LIST": [{"VALUE": "ДМС"}],
        },
    )
    await rest.deal()
    rest.clock.advance(60)
    moved = await rest.order("staff/move", {"id": 1, "stage": "В работе", "user_id": 4})
    assert (moved["stage"], moved["funnel"], moved["modified_by"]) == ("В работе", "Общая", 4)
    moved = await rest.order("staff/move", {"id": 1, "stage": "Сделка успешна", "funnel": "Приёмы"})
    assert (moved["stage_id"], moved["category_id"], moved["semantic"]) == ("C1:WON", 1, "S")
    edited = await rest.order(
        "staff/edit", {"id": 1, "fields": {"TITLE": "Сама", "Плательщик": "ДМС"}, "user_id": 5}
    )
    assert (edited["title"], edited["named"], edited["modified_by"]) == ("Сама", {"Плательщик": "ДМС"}, 5)
    row = await rest.call("crm.deal.get", id=1)
    assert (row["DATE_MODIFY"], row["MODIFY_BY_ID"]) == ("2025-03-03T12:01:00+03:00", "5")
    assert await rest.order("staff/delete", {"id": 1}) is None
    assert [(row["id"], row["by"], row["why"]) for row in await rest.state("deleted")] == [(1, 3, "deleted")]


async def test_staff_make_cards_by_hand(rest: Rest) -> None:
    made = await rest.order(
        "staff/create", {"entity": "contact", "fields": {"Имя": "Олег", "PHONE": ["+79001112233"]}}
    )
    assert (made["title"], made["phones"], made["created_by"]) == ("Олег", ["+79001112233"], 3)
    made = await rest.order(
        "staff/create", {"stage": "В работе", "fields": {"TITLE": "Ручная"}, "contact_ids": [1]}
    )
    assert (made["stage"], made["contact_ids"]) == ("В работе", [1])


async def test_a_reply_moves_the_card(rest: Rest) -> None:
    for code, name in (("YES", "Подтвердил по смс"), ("NO", "Отменил по смс")):
        await rest.call("crm.status.add", fields={"ENTITY_ID": "DEAL_STAGE", "STATUS_ID": code, "NAME": name})
    await rest.deal()
    assert (await rest.order("staff/reply", {"id": 1, "answer": "Да"}))["stage_id"] == "YES"
    assert (await rest.order("staff/reply", {"id": 1, "answer": "нет."}))["stage_id"] == "NO"
    assert (await rest.order("staff/reply", {"id": 1, "answer": "потом", "stage": "В работе"}))[
        "stage_id"
    ] == "EXECUTING"


async def test_merged_contacts_leave_the_survivor_with_everything(rest: Rest) -> None:
    await rest.contact("Анна", "+79001112233")
    await rest.contact("Анна", "+79004445566", LAST_NAME="Смирнова")
    await rest.deal(CONTACT_IDS=[2])
    await rest.deal(CONTACT_IDS=[1, 2])
    await rest.call(
        "crm.timeline.comment.add", fields={"ENTITY_ID": 2, "ENTITY_TYPE": "contact", "COMMENT": "x"}
    )
    await rest.call("tasks.task.add", fields={"TITLE": "t", "RESPONSIBLE_ID": 1, "UF_CRM_TASK": ["C_2"]})
    survivor = await rest.order("staff/merge", {"entity": "contact", "id": 2, "into": 1, "user_id": 4})
    assert survivor["phones"] == ["+79001112233", "+79004445566"]
    assert (survivor["title"], survivor["modified_by"]) == ("Смирнова Анна", 4)
    assert [row["contact_ids"] for row in await rest.state("deals")] == [[1], [1]]
    assert [row["fields"]["CONTACT_ID"] for row in await rest.state("deals")] == [1, 1]
    assert [row["why"] for row in await rest.state("deleted")] == ["merged into 1"]
    assert (await rest.state("comments"))[0]["entity_id"] == 1
    assert (await rest.state("tasks"))[0]["uf_crm_task"] == ["C_1"]
    assert (await rest.refused("crm.contact.update", id=2, fields={}))[2] == "Contact is not found"
    found = await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["+79004445566"])
    assert found == {"CONTACT": [1]}


async def test_merged_deals_keep_the_survivors_stage_and_all_contacts(rest: Rest) -> None:
    await rest.contact("А")
    await rest.contact("Б")
    await rest.deal(CONTACT_IDS=[1], STAGE_ID="EXECUTING")
    await rest.deal(CONTACT_IDS=[2], COMMENTS="важно")
    survivor = await rest.order("staff/merge", {"id": 2, "into": 1})
    assert (survivor["contact_ids"], survivor["stage_id"], survivor["fields"]["COMMENTS"]) == (
        [1, 2],
        "EXECUTING",
        "важно",
    )
    assert [row["id"] for row in await rest.state("deals")] == [1]


async def test_robots_write_once_an_entry_and_set_fields_as_another_user(rest: Rest) -> None:
    await rest.order("robots", {"stage": "В работе"})
    await rest.order(
        "robots", {"stage": "В работе", "action": "set", "field": "ADDITIONAL_INFO", "value": "отправлено"}
    )
    await rest.deal(STAGE_ID="EXECUTING")
    await rest.call("crm.deal.update", id=1, fields={"STAGE_ID": "EXECUTING", "TITLE": "x"})
    assert await rest.state("messages") == [
        {"entity": "deal", "deal": 1, "stage": "В работе", "at": "2025-03-03T09:00:00+00:00"}
    ]
    await rest.call("crm.deal.update", id=1, fields={"STAGE_ID": "NEW"})
    await rest.order("staff/move", {"id": 1, "stage": "В работе"})
    assert len(await rest.state("messages")) == 2
    row = await rest.call("crm.deal.get", id=1)
    assert (row["ADDITIONAL_INFO"], row["MODIFY_BY_ID"]) == ("отправлено", "2")


async def test_a_robot_may_belong_to_one_funnel(rest: Rest) -> None:
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    await rest.order("robots", {"stage": "Новая", "funnel": "Приёмы"})
    await rest.deal()
    await rest.deal(CATEGORY_ID=1)
    assert [message["deal"] for message in await rest.state("messages")] == [2]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("staff/dance", {}, "dance"),
        ("staff/move", {"id": 7, "stage": "Новая"}, "no deal 7"),
        ("staff/move", {"id": 1, "stage": "Нет такой"}, "Нет такой"),
        ("staff/move", {"id": 1, "stage": "Новая", "user_id": 99}, "99"),
        ("staff/edit", {"id": 1, "fields": {"Нет": 1}}, "Нет"),
        ("staff/reply", {"id": 1, "answer": "может"}, "может"),
        ("staff/merge", {"id": 1, "into": 1}, "itself"),
        ("staff/move", {"entity": "quote", "id": 1}, "quote"),
        ("robots", {"stage": "Новая", "action": "call"}, "action"),
        ("robots", {"stage": "Новая", "action": "set", "field": "NOPE"}, "NOPE"),
        ("leads", {"name": "x", "phone": "1", "created_at": "2025-03-01T10:00:00"}, "offset"),
        ("limits", {"speed": 1}, "speed"),
        ("faults", {"kind": "storm"}, "storm"),
    ],
)
async def test_a_wrong_order_says_what_is_wrong(portal: Build, path: str, body: Any, word: str) -> None:
    async with portal() as rest:
        await rest.deal()
        answer = await rest.http.post(f"{rest.base}/_control/{path}", json=body)
        assert answer.status_code == 400
        assert word in answer.json()["error"]


async def test_the_board_shows_names_counts_and_no_markup_of_others(rest: Rest) -> None:
    await rest.contact("<script>alert(1)</script>", "+79001112233")
    await rest.deal(TITLE="Приём <b>", CONTACT_IDS=[1], OPPORTUNITY=15000)
    await rest.batch([f"crm.deal.add?fields[TITLE]=card{at}" for at in range(50)])
    await rest.batch([f"crm.lead.add?fields[TITLE]=lead{at}" for at in range(3)])
    page = await rest.http.get(f"{rest.base}/board")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    text = page.text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert text.count('class="card"') == 53
    assert "и ещё 1" in text
    assert "Сделки: Общая" in text
    await rest.batch([f"crm.deal.delete?id={at}" for at in range(2, 52)])
    text = (await rest.http.get(f"{rest.base}/board")).text
    assert "&lt;script&gt;" in text
    assert "15\u00a0000 ₽" in text


async def test_the_state_can_be_asked_for_in_parts(rest: Rest) -> None:
    await rest.contact()
    whole = (await rest.http.get(f"{rest.base}/_control/state")).json()
    assert {
        "contacts",
        "deals",
        "leads",
        "comments",
        "todos",
        "tasks",
        "messages",
        "history",
        "deleted",
    } <= set(whole)
    part = (await rest.http.get(f"{rest.base}/_control/state", params={"only": "deals,now"})).json()
    assert part == {"now": "2025-03-03T09:00:00+00:00", "deals": []}


async def test_stats_can_be_started_anew(rest: Rest) -> None:
    await rest.raw("profile")
    assert (await rest.http.delete(f"{rest.base}/_control/stats")).json()["requests"] == 0
