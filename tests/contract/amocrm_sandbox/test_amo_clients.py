"""Clients that others published work against the sandbox as they are."""

from typing import Any

import pytest
from amo_account import FAST, PHONE, Api, opened

aioamocrm: Any = pytest.importorskip("aioamocrm", reason="aioamocrm, a client by others, is not installed")


@pytest.fixture
async def opened_account() -> Any:
    async with opened(FAST) as api:
        auth = aioamocrm.LongLivedToken(api.token)
        async with aioamocrm.AmoCRMClient(
            auth=auth, base_url=api.base, http=api.http, rate_limit=None
        ) as amo:
            yield api, amo


Opened = tuple[Api, Any]


async def test_leads_contacts_links_and_pages(opened_account: Opened) -> None:
    api, amo = opened_account
    person = aioamocrm.Contact(name="Иванова Мария")
    person.set_field("PHONE", PHONE, enum_code="MOB")
    (contact,) = await amo.contacts.create([person])
    leads = await amo.leads.create([aioamocrm.Lead(name=f"Приём {at}", price=at) for at in range(260)])
    assert len(leads) == 260
    (link,) = await amo.leads.link(leads[0].id, "contacts", contact.id, metadata={"is_main": True})
    assert link.to_entity_id == contact.id
    read = await amo.leads.get(leads[0].id, with_=["contacts"])
    assert ([one.id for one in read.embedded.contacts], read.embedded.contacts[0].is_main) == (
        [contact.id],
        True,
    )
    assert (await amo.contacts.get(contact.id)).field_value("PHONE", enum_code="MOB") == PHONE
    seen = [lead.id async for lead in amo.leads.iterate(limit=100, order={"id": "asc"})]
    assert seen == [lead.id for lead in leads]
    await amo.leads.update([aioamocrm.Lead(id=leads[0].id, status_id=142, pipeline_id=read.pipeline_id)])
    assert (await amo.leads.get(leads[0].id)).closed_at is not None
    await amo.leads.unlink(leads[0].id, "contacts", contact.id)
    assert (await amo.leads.get(leads[0].id, with_=["contacts"])).embedded.contacts == []
    api.clock.advance(5)
    assert contact.id in [one.id async for one in amo.contacts.iterate(query=PHONE[-10:])]
    with pytest.raises(aioamocrm.NotFoundError):
        await amo.leads.get(5)


async def test_complex_leads_notes_and_tasks(opened_account: Opened) -> None:
    _, amo = opened_account
    lead = aioamocrm.Lead(name="С сайта")
    lead.embedded.contacts.append(aioamocrm.Contact(name="Анна"))
    (made,) = await amo.leads.create_complex([lead])
    assert (made.merged, isinstance(made.contact_id, int)) == (False, True)
    (note,) = await amo.leads.notes.create([aioamocrm.Note.common(made.id, "Перенесён")])
    assert (await amo.leads.notes.get(note.id, entity_id=made.id)).text == "Перенесён"
    task = aioamocrm.Task(
        text="Перезвонить", complete_till=1_800_000_000, entity_id=made.id, entity_type="leads"
    )
    (ref,) = await amo.tasks.create([task])
    assert (await amo.tasks.get(ref.id)).result is None
    await amo.tasks.complete(ref.id, result="Дозвонились")
    assert (await amo.tasks.get(ref.id)).result.text == "Дозвонились"


async def test_pipelines_fields_users_account_and_errors(opened_account: Opened) -> None:
    _, amo = opened_account
    (pipeline,) = await amo.pipelines.list()
    assert [one.id for one in await amo.pipelines.statuses(pipeline.id)][-2:] == [142, 143]
    assert (await amo.pipelines.get(pipeline.id)).name == "Лиды"
    fields = [field async for field in amo.contacts.custom_fields.iterate()]
    assert {field.code for field in fields} == {"PHONE", "EMAIL", "POSITION", "IM"}
    assert (await amo.contacts.custom_fields.get(fields[0].id)).code == fields[0].code
    me = (await amo.account.get(with_=["task_types"])).current_user_id
    assert me in [user.id async for user in amo.users.iterate()]
    with pytest.raises(aioamocrm.ValidationError) as refusal:
        await amo.leads.create([{"name": "x", "price": "дорого"}])
    (issue,) = refusal.value.errors
    assert (issue.code, issue.path) == ("InvalidType", "price")


async def test_webhooks_are_read_by_its_parser(opened_account: Opened) -> None:
    api, amo = opened_account
    destination = {"destination": "http://127.0.0.1:1/hook", "settings": ["add_contact", "status_lead"]}
    await amo.request("POST", "webhooks", json=destination)
    (contact,) = await amo.contacts.create(
        [{"name": "Мария", "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": PHONE}]}]}]
    )
    (lead,) = await amo.leads.create([{"name": "x"}])
    await api.order("staff/move", {"id": lead.id, "stage": "Квалификация"})
    bodies = [one["body"] for one in (await api.control("hooks"))["deliveries"]]
    events = [event for body in bodies for event in aioamocrm.parse_webhook(body).events]
    assert [(event.entity, event.action, event.id) for event in events] == [
        ("contacts", "add", contact.id),
        ("leads", "status", lead.id),
    ]
    assert events[0].custom_fields[0]["values"][0]["value"] == PHONE
    assert {"old_status_id", "modified_user_id"} <= set(events[1].payload)


async def test_an_oauth_pair_is_exchanged_and_refreshed() -> None:
    async with opened(FAST) as api:
        keys = await api.order("codes", {})
        code = keys.pop("code")
        auth = aioamocrm.OAuth2(**keys, storage=aioamocrm.MemoryTokenStorage())
        async with aioamocrm.AmoCRMClient(
            auth=auth, base_url=api.base, http=api.http, rate_limit=None
        ) as amo:
            await amo.exchange_code(code)
            assert (await amo.account.get()).id == 31_500_001
            api.clock.advance(86_400)
            assert (await amo.account.get()).id == 31_500_001
