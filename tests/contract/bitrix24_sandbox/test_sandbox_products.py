"""Product rows and the amount they make; the universal user fields; older activities; dictionaries of stages."""

from b24_portal import Rest


async def test_product_rows_make_the_amount_unless_it_was_set_by_hand(rest: Rest) -> None:
    deal = await rest.deal(TITLE="Приём")
    rows = [
        {"productName": "Осмотр", "price": 1500, "quantity": 2},
        {"productName": "Снимок", "price": 350.5},
    ]
    told = await rest.call("crm.item.productrow.set", ownerType="D", ownerId=deal, productRows=rows)
    assert [(row["productName"], row["price"], row["quantity"]) for row in told["productRows"]] == [
        ("Осмотр", 1500, 2),
        ("Снимок", 350.5, 1),
    ]
    assert (await rest.call("crm.deal.get", id=deal))["OPPORTUNITY"] == "3350.50"
    await rest.call("crm.deal.update", id=deal, fields={"OPPORTUNITY": 99, "IS_MANUAL_OPPORTUNITY": "Y"})
    await rest.call("crm.deal.productrows.set", id=deal, rows=[{"PRODUCT_NAME": "Осмотр", "PRICE": "10"}])
    assert (await rest.call("crm.deal.get", id=deal))["OPPORTUNITY"] == "99.00"
    (row,) = await rest.call("crm.deal.productrows.get", id=deal)
    assert (row["PRODUCT_NAME"], row["PRICE"], row["OWNER_ID"]) == ("Осмотр", "10", str(deal))
    listed = await rest.call("crm.item.productrow.list", filter={"=ownerType": "D", "=ownerId": deal})
    assert [row["productName"] for row in listed["productRows"]] == ["Осмотр"]
    await rest.call("crm.deal.productrows.set", id=deal, rows=[])
    await rest.call("crm.deal.update", id=deal, fields={"IS_MANUAL_OPPORTUNITY": "N"})
    assert (await rest.call("crm.deal.get", id=deal))["OPPORTUNITY"] == "0.00"


async def test_rows_of_nobody_and_rows_that_are_none_are_refused(rest: Rest) -> None:
    rows = [{"productName": "Осмотр"}]
    refused = await rest.refused("crm.item.productrow.set", ownerType="D", ownerId=7, productRows=rows)
    assert refused[:2] == (400, "OWNER_NOT_FOUND")
    deal = await rest.deal()
    texts = [
        (await rest.refused("crm.deal.productrows.set", rows=[]))[2],
        (await rest.refused("crm.deal.productrows.set", id=deal, rows="x"))[2],
        (await rest.refused("crm.deal.productrows.set", id=77, rows=[]))[2],
    ]
    assert texts == [
        "The parameter id is invalid or not defined.",
        "The parameter rows must be array.",
        "Not found",
    ]


async def test_a_user_field_is_made_with_its_options_and_the_older_methods_show_it_too(rest: Rest) -> None:
    field = {
        "entityId": "CRM_DEAL",
        "fieldName": "UF_CRM_PAYER",
        "userTypeId": "enumeration",
        "editFormLabel": {"ru": "Плательщик"},
        "enum": [{"value": "ДМС", "xmlId": "dms"}, {"value": "Сам", "sort": 5}],
    }
    made = (await rest.call("userfieldconfig.add", moduleId="crm", field=field))["field"]
    assert made["entityId"] == "CRM_DEAL"
    assert [(row["value"], row["userFieldId"]) for row in made["enum"]] == [
        ("ДМС", made["id"]),
        ("Сам", made["id"]),
    ]
    assert made["enum"][0]["xmlId"] == "dms"
    (row,) = await rest.call("crm.deal.userfield.list", filter={"FIELD_NAME": "UF_CRM_PAYER"})
    assert [option["VALUE"] for option in row["LIST"]] == ["ДМС", "Сам"]
    listed = await rest.call("userfieldconfig.list", moduleId="crm", filter={"entityId": "CRM_DEAL"})
    assert [one["fieldName"] for one in listed["fields"]] == ["UF_CRM_PAYER"]
    got = (await rest.call("userfieldconfig.get", moduleId="crm", id=made["id"]))["field"]
    assert got["enum"] == made["enum"]
    assert (await rest.refused("userfieldconfig.add", moduleId="sale", field=field))[1] == "ACCESS_DENIED"


async def test_an_older_activity_carries_a_key_of_another_system(rest: Rest) -> None:
    deal = await rest.deal()
    fields = {"OWNER_TYPE_ID": 2, "OWNER_ID": deal, "TYPE_ID": 2, "ORIGIN_ID": "call-7", "SUBJECT": "Звонок"}
    start = "2025-03-04T10:00:00+03:00"
    one = await rest.call("crm.activity.add", fields={**fields, "START_TIME": start})
    row = await rest.call("crm.activity.get", id=one)
    assert (row["ORIGIN_ID"], row["DEADLINE"], row["COMPLETED"]) == ("call-7", start, "N")
    assert await rest.call("crm.activity.update", id=one, fields={"COMPLETED": "Y"}) is True
    (listed,) = await rest.call("crm.activity.list", filter={"OWNER_ID": deal, "COMPLETED": "Y"})
    assert listed["ID"] == str(one)
    assert await rest.call("crm.activity.delete", id=one) is True
    assert (await rest.refused("crm.activity.get", id=one))[2] == "Activity is not found."
    log = {"entityTypeId": 2, "entityId": deal, "title": "Kreslo", "text": "Записан"}
    assert (await rest.call("crm.timeline.logmessage.add", fields=log))["logMessage"]["title"] == "Kreslo"


async def test_a_stage_that_was_added_can_be_deleted_and_the_portals_own_cannot(rest: Rest) -> None:
    made = await rest.call(
        "crm.status.add", fields={"ENTITY_ID": "STATUS", "STATUS_ID": "X", "NAME": "Новая"}
    )
    assert (await rest.call("crm.status.get", id=made))["STATUS_ID"] == "X"
    assert await rest.call("crm.status.delete", id=made) is True
    assert (await rest.refused("crm.status.get", id=made))[2] == "Status is not found."
    assert (await rest.refused("crm.status.delete", id=1))[0] == 400
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    types = {row["ID"]: row.get("PREFIX") for row in await rest.call("crm.status.entity.types")}
    assert (types["DEAL_STAGE_1"], types["DEAL_STAGE"], types["SOURCE"]) == ("C1", "", None)
