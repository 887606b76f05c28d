"""Tasks, notes, pipelines, users, loss reasons, incoming leads, calls, events, and what cannot be deleted."""

from typing import Any

import pytest
from amo_account import PHONE, Api, Build


def task(lead: int, **more: Any) -> dict[str, Any]:
    return {
        "text": "Перезвонить",
        "complete_till": 1_800_000_000,
        "entity_id": lead,
        "entity_type": "leads",
        **more,
    }


def note(lead: int, text: str = "kreslo:i1 перенесён") -> dict[str, Any]:
    return {"entity_id": lead, "note_type": "common", "params": {"text": text}}


async def test_a_task_is_made_read_and_completed(api: Api) -> None:
    lead = await api.lead()
    (made,) = (await api.write("POST", "tasks", [task(lead, request_id="t1")]))["_embedded"]["tasks"]
    assert made["request_id"] == "t1"
    row = await api.get(f"tasks/{made['id']}")
    assert (row["entity_id"], row["entity_type"], row["result"], row["task_type_id"]) == (
        lead,
        "leads",
        [],
        1,
    )
    assert row["responsible_user_id"] == 8_000_001
    assert (await api.get(f"leads/{lead}"))["closest_task_at"] == 1_800_000_000
    done = await api.write(
        "PATCH", f"tasks/{made['id']}", {"is_completed": True, "result": {"text": "Дозвонились"}}
    )
    assert set(done["_embedded"]["tasks"][0]) == {"id", "updated_at", "request_id", "_links"}
    assert (await api.get(f"tasks/{made['id']}"))["result"] == {"text": "Дозвонились"}
    assert (await api.get(f"leads/{lead}"))["closest_task_at"] is None


async def test_tasks_are_checked_and_filtered(api: Api) -> None:
    lead, other = await api.lead(), await api.lead()
    assert await api.refused("POST", "tasks", [{"entity_id": lead, "entity_type": "leads"}]) == [
        ("0", "FieldMissing", "text"),
        ("0", "FieldMissing", "complete_till"),
    ]
    assert (await api.refused("POST", "tasks", [task(5)]))[0][2] == "entity_id"
    ids = await api.add("tasks", task(lead), task(other, task_type_id=2))
    await api.write("PATCH", "tasks", [{"id": ids[0], "is_completed": True}])
    for query, wanted in (
        ("filter[is_completed]=0", [ids[1]]),
        ("filter[is_completed]=1", [ids[0]]),
        ("filter[task_type]=2", [ids[1]]),
        ("filter[task_type_id]=2", [ids[1]]),
        (f"filter[entity_type]=leads&filter[entity_id][]={lead}", [ids[0]]),
        (f"filter[entity_id][]={lead}", ids),
        (f"filter[id]={ids[1]}", [ids[1]]),
    ):
        assert sorted(await api.ids(f"tasks?{query}")) == sorted(wanted), query


async def test_notes_need_their_text_and_are_listed_by_card(api: Api) -> None:
    lead, other = await api.lead(), await api.lead()
    assert await api.refused(
        "POST", "leads/notes", [{"entity_id": lead, "note_type": "common", "text": "x"}]
    ) == [("0", "FieldMissing", "params.text")]
    assert await api.refused("POST", "leads/notes", [note(5)]) == [("0", "NotSupportedChoice", "entity_id")]
    (made,) = (await api.write("POST", "leads/notes", [note(lead)]))["_embedded"]["notes"]
    assert made["_links"]["self"]["href"] == f"{api.base}/api/v4/leads/{lead}/notes/{made['id']}"
    call = {"note_type": "call_in", "params": {"uniq": "u", "duration": 5, "source": "АТС", "phone": PHONE}}
    (second,) = await api.add(f"leads/{other}/notes", call)
    (twin,) = await api.add(f"leads/{other}/notes", call)
    assert second != twin
    assert await api.ids(f"leads/{lead}/notes") == [made["id"]]
    assert await api.ids("leads/notes?filter[note_type][]=call_in") == [second, twin]
    assert (await api.get(f"leads/{lead}/notes/{made['id']}"))["params"] == {"text": "kreslo:i1 перенесён"}
    changed = [{"id": made["id"], "entity_id": lead, "note_type": "common", "params": {"text": "иначе"}}]
    await api.write("PATCH", "leads/notes", changed)
    assert (await api.rows(f"leads/{lead}/notes"))[0]["params"]["text"] == "иначе"
    assert (await api.raw("POST", f"leads/{lead}/notes/{made['id']}/pin")).status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [("leads/{lead}", 405), ("tasks/{task}", 403), ("leads/notes/{note}", 405), ("calls/1", 404)],
)
async def test_what_cannot_be_deleted_through_the_api(api: Api, path: str, status: int) -> None:
    lead = await api.lead()
    (a_task,), (a_note,) = await api.add("tasks", task(lead)), await api.add("leads/notes", note(lead))
    answer = await api.raw("DELETE", path.format(lead=lead, task=a_task, note=a_note))
    assert answer.status_code == status
    if status == 405:
        assert answer.content == b""
    if status == 403:
        assert answer.json()["detail"] == "Invalid scope"
    if status == 404:
        assert answer.json()["detail"] == f"Cannot DELETE {api.base}/api/v4/calls/1!"


async def test_the_starting_pipeline(api: Api) -> None:
    told = await api.get("leads/pipelines?limit=1&page=7")
    (main,) = told["_embedded"]["pipelines"]
    stages = main["_embedded"]["statuses"]
    assert (told["_total_items"], main["name"], main["is_main"]) == (1, "Лиды", True)
    assert [one["name"] for one in stages] == [
        *("Неразобранное", "Новый", "Квалификация", "Записан на консультацию"),
        *("Успешно реализовано", "Закрыто и не реализовано"),
    ]
    assert ([one["type"] for one in stages], [one["id"] for one in stages[-2:]]) == (
        [1, 0, 0, 0, 0, 0],
        [142, 143],
    )
    assert (await api.get(f"leads/{await api.lead()}"))["status_id"] == stages[1]["id"]


async def test_pipelines_and_statuses_are_made_changed_and_deleted(account: Build) -> None:
    async with account() as api:
        pipeline, stages = await api.pipeline("Приёмы", "Записан", "Визит завтра")
        assert list(stages) == [
            "Неразобранное",
            "Записан",
            "Визит завтра",
            "Успешно реализовано",
            "Закрыто и не реализовано",
        ]
        path = f"leads/pipelines/{pipeline}/statuses"
        (added,) = await api.add(path, {"name": "Перенесён", "sort": 40, "color": "#fffeb2"})
        assert (await api.write("PATCH", f"{path}/{added}", {"name": "Визит перенесён"}))[
            "name"
        ] == "Визит перенесён"
        assert (await api.get(f"leads/pipelines/{pipeline}"))["name"] == "Приёмы"
        lead = await api.lead(pipeline_id=pipeline, status_id=added)
        assert (await api.raw("DELETE", f"{path}/{added}")).status_code == 422
        refusal = await api.raw("DELETE", f"leads/pipelines/{pipeline}")
        assert (refusal.status_code, refusal.json()["detail"]) == (
            422,
            "Only pipelines without leads can be deleted",
        )
        main, main_stages = await api.main()
        await api.write("PATCH", f"leads/{lead}", {"pipeline_id": main, "status_id": main_stages["Новый"]})
        assert (await api.raw("DELETE", f"{path}/{added}")).status_code == 204
        assert (await api.raw("DELETE", f"leads/pipelines/{pipeline}")).status_code == 204
        assert await api.refused("DELETE", f"leads/pipelines/{pipeline}", None) == [
            ("", "NotSupportedChoice", "id")
        ]
    async with account(pipeline_by_id="wrapped") as api:
        main, _ = await api.main()
        assert (await api.get(f"leads/pipelines/{main}"))["_embedded"]["pipelines"][0]["id"] == main


async def test_users_and_loss_reasons(api: Api) -> None:
    told = await api.get("users?with=role")
    assert (told["_total_items"], told["_page_count"]) == (6, 1)
    assert [row["rights"]["is_active"] for row in told["_embedded"]["users"]] == [True] * 5 + [False]
    reasons = await api.rows("leads/loss_reasons")
    (made,) = await api.add("leads/loss_reasons", {"name": "Страх боли", "sort": 1})
    assert [row["id"] for row in await api.rows("leads/loss_reasons")] == [
        made,
        *(row["id"] for row in reasons),
    ]
    assert (await api.raw("DELETE", f"leads/loss_reasons/{made}")).status_code == 204


async def incoming(api: Api, name: str = "Заявка") -> str:
    body = [
        {
            "source_uid": "site-1",
            "source_name": "Сайт",
            "metadata": {
                "form_id": "1",
                "form_name": "Запись",
                "form_page": "/",
                "form_sent_at": 1,
                "ip": "127.0.0.1",
                "referer": "/",
            },
            "_embedded": {"leads": [{"name": name}], "contacts": [{"name": "Анна"}]},
        }
    ]
    return str((await api.write("POST", "leads/unsorted/forms", body))["_embedded"]["unsorted"][0]["uid"])


async def test_an_incoming_lead_is_accepted_declined_or_joined(account: Build) -> None:
    async with account() as api:
        main, stages = await api.main()
        uids = [await incoming(api) for _ in range(3)]
        items = {row["uid"]: row for row in await api.rows("leads/unsorted?filter[category][]=forms")}
        leads = [items[uid]["_embedded"]["leads"][0]["id"] for uid in uids]
        move = {"pipeline_id": main, "status_id": stages["Новый"]}
        assert await api.refused("PATCH", f"leads/{leads[0]}", move) == [
            ("0", "NotSupportedChoice", "status_id")
        ]
        await api.write(
            "POST",
            f"leads/unsorted/{uids[0]}/accept",
            {"user_id": 8_000_003, "status_id": stages["Квалификация"]},
        )
        assert (await api.get(f"leads/{leads[0]}"))["status_id"] == stages["Квалификация"]
        assert (
            await api.raw("DELETE", f"leads/unsorted/{uids[1]}/decline", {"user_id": 8_000_003})
        ).status_code == 200
        assert await api.get(f"leads/{leads[1]}") is None
        link = {"link": {"entity_id": leads[0], "entity_type": "leads"}}
        await api.write("POST", f"leads/unsorted/{uids[2]}/link", link)
        assert len((await api.get(f"leads/{leads[0]}?with=contacts"))["_embedded"]["contacts"]) == 2
        assert await api.get("leads/unsorted") is None
    async with account(unsorted_moves=True) as api:
        main, stages = await api.main()
        await incoming(api)
        (lead,) = await api.ids("leads")
        await api.write("PATCH", f"leads/{lead}", {"pipeline_id": main, "status_id": stages["Новый"]})


async def test_incoming_leads_are_listed_the_newest_first_whatever_is_asked(api: Api) -> None:
    uids = []
    for at in range(3):
        uids.append(await incoming(api, str(at)))
        api.clock.advance(10)
    for order in ("asc", "desc"):
        rows = await api.rows(f"leads/unsorted?order[created_at]={order}")
        assert [row["uid"] for row in rows] == uids[::-1]
    assert await incoming(api) not in uids


async def test_a_call_hangs_on_whoever_has_the_number(account: Build) -> None:
    body = {"direction": "inbound", "uniq": "u", "duration": 60, "source": "ATC", "phone": "8 900 123-45-67"}
    async with account() as api:
        person = await api.contact("Мария", PHONE)
        (row,) = (await api.write("POST", "calls", [body]))["_embedded"]["calls"]
        assert (row["entity_id"], row["entity_type"]) == (person, "contact")
        assert [one["note_type"] for one in await api.rows(f"contacts/{person}/notes")] == ["call_in"]
        assert (await api.refused("POST", "calls", [{**body, "phone": "1"}]))[0][1] == "NotSupportedChoice"
    async with account(call_without_entity="skip") as api:
        assert (await api.write("POST", "calls", [body]))["_total_items"] == 0


async def test_events_tell_what_happened_the_newest_first(api: Api) -> None:
    main, stages = await api.main()
    lead = await api.lead()
    api.clock.advance(60)
    await api.write("PATCH", f"leads/{lead}", {"pipeline_id": main, "status_id": stages["Квалификация"]})
    rows = await api.rows("events")
    assert [row["type"] for row in rows] == ["lead_status_changed", "lead_added"]
    moved = rows[0]
    assert isinstance(moved["id"], str)
    assert (moved["entity_type"], moved["entity_id"], moved["created_by"]) == ("lead", lead, 8_000_001)
    assert moved["value_after"] == [{"lead_status": {"id": stages["Квалификация"], "pipeline_id": main}}]
    assert moved["value_before"] == [{"lead_status": {"id": stages["Новый"], "pipeline_id": main}}]
    now = int(api.clock.now().timestamp())
    for query, found in (
        ("filter[type]=lead_added,contact_added", ["lead_added"]),
        (f"filter[created_at]={now - 10},{now}", ["lead_status_changed"]),
        (f"filter[created_at][from]={now + 1}", []),
        (f"filter[entity]=lead&filter[entity_id]={lead},5&filter[type]=lead_added", ["lead_added"]),
        ("filter[created_by]=5", []),
    ):
        assert [row["type"] for row in await api.rows(f"events?{query}")] == found, query
    assert len(await api.rows("events/types")) > 10


async def test_a_page_of_events_is_a_switch(account: Build) -> None:
    for most in (100, 250):
        async with account(events_limit=most) as api:
            await api.add("leads", *({} for _ in range(250)))
            assert len(await api.rows("events?limit=250")) == most
