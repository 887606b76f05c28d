"""crm.item.*: camel names, numbers, funnels, leads, phones, imports."""

from typing import Any

from b24_portal import Build, Rest


async def test_add_gives_the_whole_item_in_numbers(rest: Rest) -> None:
    await rest.contact()
    fields = {
        "title": "Приём",
        "opportunity": 999.99,
        "contactIds": [1],
        "TITLE": "x",
        "nothing": 1,
        "begindate": "2025-03-04",
    }
    item = (await rest.call("crm.item.add", entityTypeId=2, fields=fields))["item"]
    assert (item["id"], item["title"], item["opportunity"], item["isManualOpportunity"]) == (
        1,
        "Приём",
        999.99,
        "Y",
    )
    assert (item["contactId"], item["contactIds"], item["categoryId"], item["stageId"]) == (1, [1], 0, "NEW")
    assert (item["createdTime"], item["createdBy"], item["begindate"]) == (
        "2025-03-03T12:00:00+03:00",
        1,
        "2025-03-04T03:00:00+03:00",
    )
    assert (item["entityTypeId"], item["sourceId"], item["taxValue"]) == (2, None, 0)


async def test_a_deal_is_made_from_a_lead_and_linked_later_only_by_the_switch(portal: Build) -> None:
    for linked, lead_id in ((True, 1), (False, None)):
        async with portal(lead_id_on_update=linked) as rest:
            await rest.call("crm.lead.add", fields={"TITLE": "Заявка"})
            item = (await rest.call("crm.item.add", entityTypeId=2, fields={"leadId": 1}))["item"]
            assert item["leadId"] == 1
            deal = await rest.deal()
            item = (await rest.call("crm.item.update", entityTypeId=2, id=deal, fields={"leadId": 1}))["item"]
            assert item["leadId"] == lead_id


async def test_a_deal_changes_its_funnel_here(rest: Rest) -> None:
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    deal = await rest.deal()
    item = (
        await rest.call(
            "crm.item.update", entityTypeId=2, id=deal, fields={"categoryId": 1, "stageId": "C1:PREPARATION"}
        )
    )["item"]
    assert (item["categoryId"], item["stageId"]) == (1, "C1:PREPARATION")
    item = (await rest.call("crm.item.update", entityTypeId=2, id=deal, fields={"categoryId": 0}))["item"]
    assert (item["categoryId"], item["stageId"]) == (0, "NEW")
    for fields in ({"stageId": "C1:WON"}, {"categoryId": 7}, {"categoryId": 1, "stageId": "NEW"}):
        refused = await rest.refused("crm.item.update", entityTypeId=2, id=deal, fields=fields)
        assert refused[:2] == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")


async def test_an_update_without_a_change_is_not_saved(rest: Rest) -> None:
    await rest.call("crm.item.add", entityTypeId=3, fields={"name": "Анна"})
    rest.clock.advance(60)
    await rest.call("crm.item.update", entityTypeId=3, id=1, fields={"name": "Анна"})
    item = (await rest.call("crm.item.get", entityTypeId=3, id=1))["item"]
    assert item["updatedTime"] == item["createdTime"]
    await rest.call("crm.item.update", entityTypeId=3, id=1, fields={"name": "Яна"})
    item = (await rest.call("crm.item.get", entityTypeId=3, id=1))["item"]
    assert item["updatedTime"] == "2025-03-03T12:01:00+03:00"


async def test_phones_by_fm(rest: Rest) -> None:
    row = {"typeId": "PHONE", "valueType": "WORK", "value": "+79001112233"}
    await rest.call("crm.item.add", entityTypeId=3, fields={"name": "Анна", "fm": [row]})

    async def phones(fm: Any) -> list[tuple[int, str, str]]:
        item = (await rest.call("crm.item.update", entityTypeId=3, id=1, fields={"fm": fm}))["item"]
        return [
            (value["id"], value["valueType"], value["value"])
            for value in item["fm"]
            if value["typeId"] == "PHONE"
        ]

    first = (1, "WORK", "+79001112233")
    assert await phones({"n0": {"valueType": "WORK", "value": "+79990000000"}}) == [first]
    assert await phones("+79990000000") == [first]
    assert await phones([row]) == [first, (2, "WORK", "+79001112233")]
    assert await phones({"2": {"typeId": "PHONE", "value": ""}}) == [first]
    assert await phones({"1": {"typeId": "PHONE", "valueType": "HOME", "value": "+7901"}}) == [
        (1, "HOME", "+7901")
    ]
    assert await phones({"77": {"typeId": "PHONE", "value": "+7902"}}) == [
        (1, "HOME", "+7901"),
        (3, "WORK", "+7902"),
    ]
    listed = await rest.call("crm.item.list", entityTypeId=3, select=["id", "fm"])
    assert "fm" not in listed["items"][0]
    listed = await rest.call("crm.item.list", entityTypeId=3, select=["*"])
    assert len(listed["items"][0]["fm"]) == 2


async def test_user_fields_by_both_names(rest: Rest) -> None:
    for code, kind in (
        ("1747309879", "string"),
        ("44_1721812760630", "string"),
        ("3_DIGIT", "string"),
        ("3_DIGIT10", "string"),
        ("KRESLO_KEY", "boolean"),
    ):
        await rest.call(
            "crm.deal.userfield.add",
            fields={"USER_TYPE_ID": kind, "FIELD_NAME": code, "LABEL": f"Поле {code}"},
        )
    fields = (await rest.call("crm.item.fields", entityTypeId=2))["fields"]
    names = {row["upperName"]: name for name, row in fields.items() if row["isDynamic"]}
    assert names == {
        "UF_CRM_1747309879": "ufCrm_1747309879",
        "UF_CRM_44_1721812760630": "ufCrm44_1721812760630",
        "UF_CRM_3_DIGIT": "ufCrm3Digit",
        "UF_CRM_3_DIGIT10": "ufCrm_3_DIGIT10",
        "UF_CRM_KRESLO_KEY": "ufCrmKresloKey",
    }
    assert fields["createdTime"]["upperName"] == "CREATED_TIME"
    assert fields["leadId"]["isReadOnly"] is False
    original = {"entityTypeId": 2, "useOriginalUfNames": "Y"}
    item = (
        await rest.call(
            "crm.item.add", **original, fields={"UF_CRM_KRESLO_KEY": "Y", "ufCrm_1747309879": "lost"}
        )
    )["item"]
    assert (item["UF_CRM_KRESLO_KEY"], item["UF_CRM_1747309879"]) == ("Y", None)
    item = (
        await rest.call(
            "crm.item.add", entityTypeId=2, fields={"ufCrm_1747309879": "kept", "UF_CRM_KRESLO_KEY": "Y"}
        )
    )["item"]
    assert (item["ufCrmKresloKey"], item["ufCrm_1747309879"]) == ("N", "kept")
    found = await rest.call(
        "crm.item.list", **original, filter={"=UF_CRM_KRESLO_KEY": 1}, select=["id", "UF_CRM_KRESLO_KEY"]
    )
    assert found["items"] == [{"id": 1, "UF_CRM_KRESLO_KEY": "Y"}]
    refused = await rest.refused("crm.item.list", **original, filter={"=UF_CRM_KRESLO_KEY": "Y"})
    assert refused[1] == "INVALID_ARG_VALUE"


async def test_mandatory_fields_are_asked_for_here_and_not_by_the_legacy_methods(rest: Rest) -> None:
    await rest.call(
        "crm.deal.userfield.add", fields={"USER_TYPE_ID": "string", "FIELD_NAME": "MUST", "MANDATORY": "Y"}
    )
    assert (await rest.refused("crm.item.add", entityTypeId=2, fields={}))[1] == "CRM_FIELD_ERROR_REQUIRED"
    assert await rest.deal() == 1


async def test_an_import_is_quiet_and_may_set_its_dates(rest: Rest) -> None:
    await rest.order("robots", {"stage": "Новая"})
    rows = [{"title": f"t{at}", "createdTime": "2020-01-01T10:00:00+03:00"} for at in range(20)]
    answer = await rest.call("crm.item.batchImport", entityTypeId=2, data=rows)
    assert [row["item"]["id"] for row in answer["items"]] == list(range(1, 21))
    assert (await rest.call("crm.item.import", entityTypeId=2, fields={"title": "x"})) == {"item": {"id": 21}}
    assert (await rest.refused("crm.item.batchImport", entityTypeId=2, data=[*rows, {}]))[0] == 400
    assert (await rest.call("crm.deal.get", id=1))["DATE_CREATE"] == "2020-01-01T10:00:00+03:00"
    assert await rest.state("messages") == []
    await rest.call("crm.item.add", entityTypeId=2, fields={})
    assert [message["deal"] for message in await rest.state("messages")] == [22]


async def test_errors_of_items(rest: Rest) -> None:
    assert await rest.refused("crm.item.get", entityTypeId=3, id=5) == (400, "NOT_FOUND", "Element not found")
    refused = await rest.refused("crm.item.add", entityTypeId=3)
    assert refused == (400, "100", "Could not find value for parameter {fields}")
    await rest.contact()
    assert await rest.call("crm.item.delete", entityTypeId=3, id=1) == []
    assert await rest.state("contacts") == []
