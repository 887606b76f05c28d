"""Webhooks: bodies, retries, disabling, and what goes astray."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from amo_account import PHONE, Api, Build, opened
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kreslo.connectors.sandboxing import php
from kreslo.connectors.testing.serving import served

LEADS = ["add_lead", "update_lead", "delete_lead", "status_lead", "responsible_lead", "note_lead"]


class Receiver:
    """What was posted to it, decoded; it answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.bodies.append(php.decode(body))
        self.requests.append(request)
        return Response(status_code=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with served(Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])) as base:
        receiver.url = f"{base}/hook?secret=x"
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def subscribe(api: Api, url: str, *settings: str) -> Any:
    return await api.write("POST", "webhooks", {"destination": url, "settings": list(settings)})


async def delivered(api: Api) -> list[dict[str, Any]]:
    return list((await api.control("hooks"))["deliveries"])


async def test_a_subscription_is_made_changed_and_ended(account: Build) -> None:
    async with account() as api:
        made = await subscribe(api, "http://127.0.0.1:1/x", "add_lead")
        assert (made["settings"], made["disabled"]) == ({"add_lead": 1}, False)
        again = await subscribe(api, "http://127.0.0.1:1/x", "status_lead", "update_contact")
        assert again["id"] == made["id"]
        told = await api.get("webhooks?filter[destination]=http://127.0.0.1:1/x")
        assert (told["_total_items"], told["_embedded"]["webhooks"][0]["settings"]) == (
            1,
            ["status_lead", "update_contact"],
        )
        bad = {"destination": "http://127.0.0.1:1/y", "settings": ["add_nothing"]}
        assert await api.refused("POST", "webhooks", bad) == [("", "NotSupportedChoice", "settings")]
        gone = {"destination": "http://127.0.0.1:1/x"}
        assert [(await api.raw("DELETE", "webhooks", gone)).status_code for _ in range(2)] == [204, 404]
    async with account(hook_settings="list") as api:
        assert (await subscribe(api, "http://127.0.0.1:1/x", "add_lead"))["settings"] == ["add_lead"]


async def test_the_body_of_a_new_lead(api: Api, receiver: Receiver) -> None:
    day = await api.field("leads", "date", "День")
    paid = await api.field("leads", "checkbox", "ДМС")
    await subscribe(api, receiver.url, *LEADS)
    fields = [
        {"field_id": day, "values": [{"value": "2026-03-05T00:00:00+03:00"}]},
        {"field_id": paid, "values": [{"value": True}]},
    ]
    lead = await api.lead(
        name="Лид", price=1000, custom_fields_values=fields, _embedded={"tags": [{"name": "ident"}]}
    )
    await delivered(api)
    (body,) = receiver.bodies
    (told,) = body["leads"]["add"]
    now = str(int(api.clock.now().timestamp()))
    assert {
        name: told[name]
        for name in ("id", "name", "price", "created_at", "last_modified", "modified_user_id")
    } == {
        "id": str(lead),
        "name": "Лид",
        "price": "1000",
        "created_at": now,
        "last_modified": now,
        "modified_user_id": "8000001",
    }
    assert told["custom_fields"] == [
        {"id": str(day), "name": "День", "values": ["1772658000"]},
        {"id": str(paid), "name": "ДМС", "values": [{"value": "1"}]},
    ]
    assert told["tags"][0]["name"] == "ident"
    assert body["account"] == {"subdomain": "sandbox", "id": "31500001", "_links": {"self": api.base}}
    request = receiver.requests[0]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.query_params["secret"] == "x"
    assert not [name for name in request.headers if "signature" in name]
    assert b"%5B0%5D" in (await delivered(api))[0]["body"].encode()


async def test_a_move_a_handover_a_note_and_a_deletion(api: Api, receiver: Receiver) -> None:
    main, stages = await api.main()
    lead = await api.lead()
    await subscribe(api, receiver.url, *LEADS)
    await api.order("staff/move", {"id": lead, "stage": "Квалификация"})
    await api.write("PATCH", f"leads/{lead}", {"responsible_user_id": 8_000_004})
    await api.write("PATCH", f"leads/{lead}", {"name": "Иначе"})
    await api.add("leads/notes", {"entity_id": lead, "note_type": "common", "params": {"text": "заметка"}})
    await api.order("staff/delete", {"id": lead})
    await delivered(api)
    told = {action: rows[0] for body in receiver.bodies for action, rows in body["leads"].items()}
    assert set(told) == {"status", "responsible", "update", "note", "delete"}
    assert (told["status"]["old_status_id"], told["status"]["status_id"]) == (
        str(stages["Новый"]),
        str(stages["Квалификация"]),
    )
    assert told["status"]["modified_user_id"] == "8000003"
    assert told["responsible"]["old_responsible_user_id"] == "8000001"
    assert (told["note"]["note"]["text"], told["note"]["note"]["element_id"]) == ("заметка", str(lead))
    assert told["delete"] == {
        "id": str(lead),
        "status_id": str(stages["Квалификация"]),
        "pipeline_id": str(main),
    }


async def test_companies_come_under_contacts_and_tasks_in_the_singular(api: Api, receiver: Receiver) -> None:
    await subscribe(api, receiver.url, "add_contact", "add_company", "add_task", "update_task")
    person = await api.contact("Мария", PHONE)
    await api.add("companies", {"name": "Завод"})
    task = {"text": "т", "complete_till": 1_772_528_400, "entity_id": person, "entity_type": "contacts"}
    (made,) = await api.add("tasks", task)
    await api.order("staff/complete", {"id": made, "answer": "да"})
    await delivered(api)
    contacts = [row for body in receiver.bodies for row in body.get("contacts", {}).get("add", [])]
    assert [row["type"] for row in contacts] == ["contact", "company"]
    assert contacts[0]["custom_fields"][0]["code"] == "PHONE"
    assert contacts[0]["custom_fields"][0]["values"][0]["value"] == PHONE
    tasks = {action: rows[0] for body in receiver.bodies for action, rows in body.get("task", {}).items()}
    assert (tasks["add"]["complete_till"], tasks["add"]["element_type"]) == ("2026-03-03 12:00:00", "1")
    assert (tasks["update"]["action_close"], tasks["update"]["status"]) == ("1", "1")


async def test_one_request_is_one_body_with_all_its_cards(api: Api, receiver: Receiver) -> None:
    await subscribe(api, receiver.url, "add_lead")
    ids = await api.add("leads", {"name": "а"}, {"name": "б"})
    await delivered(api)
    assert [[row["id"] for row in body["leads"]["add"]] for body in receiver.bodies] == [
        [str(one) for one in ids]
    ]


async def test_changes_of_the_api_and_their_author_are_switches(account: Build, receiver: Receiver) -> None:
    async with account(hooks_of_api=False) as api:
        await subscribe(api, receiver.url, *LEADS)
        lead = await api.lead()
        await api.order("staff/edit", {"id": lead, "fields": {"name": "x"}})
        await delivered(api)
        assert [list(body["leads"]) for body in receiver.bodies] == [["update"]]
    async with account(hook_author="zero") as api:
        await subscribe(api, receiver.url, *LEADS)
        await api.lead()
        await delivered(api)
        assert receiver.bodies[-1]["leads"]["add"][0]["modified_user_id"] == "0"


async def test_a_merge_tells_of_both_cards_or_of_none(account: Build, receiver: Receiver) -> None:
    for told in (True, False):
        async with account(merge_hooks=told) as api:
            survivor, loser = await api.contact("А"), await api.contact("Б")
            await subscribe(api, receiver.url, "delete_contact", "update_contact")
            receiver.bodies.clear()
            await api.order("staff/merge", {"entity": "contact", "id": loser, "into": survivor})
            await delivered(api)
            gone = [row["id"] for body in receiver.bodies for row in body["contacts"].get("delete", [])]
            kept = [row["id"] for body in receiver.bodies for row in body["contacts"].get("update", [])]
            assert (gone, kept) == ([str(loser)] if told else [], [str(survivor)])


@pytest.mark.parametrize(
    ("status", "waits"), [(404, [300, 900]), (500, [300, 900, 900, 3600]), (499, [300, 900, 900, 3600])]
)
async def test_the_table_of_retries(api: Api, receiver: Receiver, status: int, waits: list[int]) -> None:
    receiver.status = status
    await subscribe(api, receiver.url, "add_lead")
    await api.lead()
    await delivered(api)
    for at, wait in enumerate(waits, 1):
        assert len(receiver.bodies) == at
        await api.order("clock", {"seconds": wait - 1})
        assert len(receiver.bodies) == at
        await api.order("clock", {"seconds": 1})
    assert len(receiver.bodies) == len(waits) + 1
    (delivery,) = await delivered(api)
    assert (delivery["state"], delivery["code"]) == ("failed", status)


async def test_a_retry_that_is_answered_well_is_the_last(api: Api, receiver: Receiver) -> None:
    receiver.status = 503
    await subscribe(api, receiver.url, "add_lead")
    await api.lead()
    await delivered(api)
    receiver.status = 204
    await api.order("clock", {"seconds": 300})
    (delivery,) = await delivered(api)
    assert (delivery["state"], delivery["attempt"]) == ("delivered", 2)
    assert (await api.control("hooks"))["waiting"] == 0


async def test_an_address_outside_this_machine_is_never_called(api: Api) -> None:
    await subscribe(api, "https://clinic.example/hook", "add_lead")
    await api.lead()
    (delivery,) = await delivered(api)
    assert (delivery["code"], delivery["state"]) == (0, "waiting")


async def test_a_subscriber_that_keeps_failing_is_disabled(api: Api) -> None:
    hook = {"destination": "http://127.0.0.1:1/closed", "settings": ["add_lead"]}
    await api.write("POST", "webhooks", hook)
    for _ in range(100):
        await api.lead()
        await delivered(api)
    assert (await api.rows("webhooks"))[0]["disabled"] is False
    await api.lead()
    await delivered(api)
    assert (await api.rows("webhooks"))[0]["disabled"] is True
    await api.lead()
    assert len(await delivered(api)) == 101
    await api.write("POST", "webhooks", hook)
    assert (await api.rows("webhooks"))[0]["disabled"] is False


async def test_bodies_are_lost_repeated_and_reordered_on_order(receiver: Receiver) -> None:
    async with opened({"rate": 10_000, "account_rate": 10_000, "hook_lose_every": 2}) as api:
        await subscribe(api, receiver.url, "add_lead")
        for _ in range(4):
            await api.lead()
            await delivered(api)
        assert (len(receiver.bodies), [one["state"] for one in await delivered(api)]) == (
            2,
            ["delivered", "lost"] * 2,
        )
        receiver.bodies.clear()
        await api.order("hooks", {"lose_every": 0, "repeat_every": 1})
        await api.lead()
        await delivered(api)
        assert receiver.bodies[0] == receiver.bodies[1]
        receiver.bodies.clear()
        await api.order("hooks", {"repeat_every": 0, "reverse": True})
        await subscribe(api, f"{receiver.url}&second=1", "update_lead")
        receiver.status = 500
        lead = await api.lead()
        await delivered(api)
        await api.order("staff/edit", {"id": lead, "fields": {"name": "x"}})
        await delivered(api)
        receiver.bodies.clear()
        await api.order("clock", {"seconds": 300})
        assert [list(body["leads"]) for body in receiver.bodies] == [["update"], ["add"]]


async def test_hooks_go_out_by_themselves(api: Api, receiver: Receiver) -> None:
    await subscribe(api, receiver.url, "add_lead")
    await api.lead()
    async with receiving():  # any real work of the loop
        while not receiver.bodies:
            await api.get("account")
    assert list(receiver.bodies[0]["leads"]) == ["add"]
