"""Links, and leads made together with their contacts."""

from typing import Any

from amo_account import PHONE, Api, Build


async def contacts(api: Api, lead: int) -> list[tuple[int, bool]]:
    row = await api.get(f"leads/{lead}?with=contacts")
    return [(one["id"], one["is_main"]) for one in row["_embedded"]["contacts"]]


def to(entity: int, kind: str = "contacts", **metadata: Any) -> dict[str, Any]:
    return {"to_entity_id": entity, "to_entity_type": kind, **({"metadata": metadata} if metadata else {})}


async def test_a_link_is_written_as_is_main_and_read_as_main_contact(api: Api) -> None:
    lead, first, second = await api.lead(), await api.contact("А"), await api.contact("Б")
    made = await api.write("POST", f"leads/{lead}/link", [to(first)])
    assert made["_total_items"] == 1
    assert made["_embedded"]["links"] == [
        {
            "entity_id": lead,
            "entity_type": "leads",
            "to_entity_id": first,
            "to_entity_type": "contacts",
            "metadata": {"main_contact": True},
        }
    ]
    await api.write("POST", f"leads/{lead}/link", [to(second, is_main=True)])
    assert await contacts(api, lead) == [(second, True), (first, False)]
    assert await api.rows(f"leads/{lead}/links") == [
        {"to_entity_id": second, "to_entity_type": "contacts", "metadata": {"main_contact": True}},
        {"to_entity_id": first, "to_entity_type": "contacts", "metadata": {"main_contact": False}},
    ]
    assert (await api.rows(f"contacts/{second}/links"))[0]["to_entity_id"] == lead


async def test_unlinking_answers_204_and_another_contact_becomes_the_main_one(api: Api) -> None:
    first, second = await api.contact("А"), await api.contact("Б")
    lead = await api.lead(_embedded={"contacts": [{"id": first}, {"id": second, "is_main": True}]})
    assert await contacts(api, lead) == [(second, True), (first, False)]
    assert (await api.raw("POST", f"leads/{lead}/unlink", [to(second)])).status_code == 204
    assert await contacts(api, lead) == [(first, True)]
    assert (await api.get(f"leads/{lead}/links"))["_total_items"] == 1


async def test_companies_hang_without_metadata(api: Api) -> None:
    lead, contact = await api.lead(), await api.contact()
    (company,) = await api.add("companies", {"name": "Завод"})
    await api.write("POST", f"leads/{lead}/link", [to(company, "companies")])
    await api.write("POST", f"contacts/{contact}/link", [to(company, "companies")])
    assert (await api.rows(f"leads/{lead}/links"))[0]["metadata"] is None
    found = {
        (one["to_entity_type"], one["to_entity_id"]) for one in await api.rows(f"companies/{company}/links")
    }
    assert found == {("leads", lead), ("contacts", contact)}


async def test_many_links_at_once(api: Api) -> None:
    leads, person = [await api.lead(), await api.lead()], await api.contact()
    await api.write("POST", "leads/link", [{"entity_id": lead, **to(person)} for lead in leads])
    asked = "&".join(f"filter[entity_id][]={lead}" for lead in leads)
    assert [one["entity_id"] for one in await api.rows(f"leads/links?{asked}")] == leads
    narrowed = f"leads/links?{asked}&filter[to_entity_id]=5&filter[to_entity_type]=contacts"
    assert await api.rows(narrowed) == []
    assert len(await api.rows(f"leads/links?{asked}&filter[to_entity_id]=5")) == 2
    assert (await api.raw("POST", "leads/unlink", [{"entity_id": leads[0], **to(person)}])).status_code == 204
    assert (await contacts(api, leads[0]), await contacts(api, leads[1])) == ([], [(person, True)])


async def test_a_link_to_nothing_is_refused_and_a_repeat_is_a_switch(account: Build) -> None:
    for way in ("ok", "error"):
        async with account(repeat_link=way) as api:
            lead, person = await api.lead(), await api.contact()
            assert await api.refused("POST", f"leads/{lead}/link", [to(5)]) == [
                ("0", "NotSupportedChoice", "to_entity_id")
            ]
            assert await api.refused("POST", f"leads/{lead}/link", [to(lead, "leads")]) == [
                ("0", "NotSupportedChoice", "to_entity_id")
            ]
            await api.write("POST", f"leads/{lead}/link", [to(person)])
            again = await api.raw("POST", f"leads/{lead}/link", [to(person)])
            assert again.status_code == (200 if way == "ok" else 400)
            assert len(await contacts(api, lead)) == 1


def complex_lead(phone: str, **more: Any) -> dict[str, Any]:
    person = {
        "first_name": "Анна",
        "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": phone}]}],
    }
    return {
        "name": "Новая",
        "price": 5,
        "_embedded": {"contacts": [person], "companies": [{"name": "Завод"}]},
        **more,
    }


async def test_a_complex_add_answers_with_a_bare_array(api: Api) -> None:
    (row,) = await api.write("POST", "leads/complex", [complex_lead(PHONE, request_id="1")])
    assert set(row) == {"id", "contact_id", "company_id", "request_id", "merged"}
    assert (row["request_id"], row["merged"]) == (["1"], False)
    assert await contacts(api, row["id"]) == [(row["contact_id"], True)]
    (again,) = await api.write(
        "POST", "leads/complex", [{"_embedded": {"contacts": [{"id": row["contact_id"]}]}}]
    )
    assert (again["contact_id"], again["company_id"], again["request_id"]) == (row["contact_id"], None, ["0"])


async def test_a_complex_add_merges_only_where_duplicate_control_is_on(account: Build) -> None:
    for switches, merged in (
        ({}, False),
        ({"complex_merges": True}, True),
        ({"complex_merges": True, "duplicate_phones": "raw"}, False),
    ):
        async with account(**switches) as api:
            person = await api.contact("Мария", "8 900 123 45 67")
            (row,) = await api.write("POST", "leads/complex", [complex_lead(PHONE)])
            assert (row["merged"], row["contact_id"] == person) == (merged, merged)
            assert len(await api.state("contacts")) == (1 if merged else 2)


async def test_limits_of_a_complex_add(api: Api) -> None:
    assert (await api.refused("POST", "leads/complex", [complex_lead(PHONE)] * 51))[0][1] == "TooMany"
    two = {"_embedded": {"contacts": [{"name": "а"}, {"name": "б"}]}}
    assert await api.refused("POST", "leads/complex", [two]) == [("0", "TooMany", "_embedded.contacts")]
    bad = {"_embedded": {"contacts": [{"name": 5}]}}
    assert await api.refused("POST", "leads/complex", [bad]) == [
        ("0", "InvalidType", "_embedded.contacts.0.name")
    ]
    assert await api.state("contacts") == []
