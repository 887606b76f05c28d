"""Funnels, stages, dictionaries, user fields: what `setup` makes and reads."""

from b24_portal import Build, Rest


async def test_a_fresh_portal_has_one_funnel_and_its_stages(rest: Rest) -> None:
    body = await rest.body("crm.category.list", entityTypeId=2)
    assert body["result"] == {
        "categories": [{"id": 0, "name": "Общая", "sort": 300, "entityTypeId": 2, "isDefault": "Y"}]
    }
    assert body["total"] == 1
    stages = await rest.call("crm.status.list", filter={"ENTITY_ID": "DEAL_STAGE"})
    assert [row["STATUS_ID"] for row in stages] == [
        *("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "LOSE", "APOLOGY"),
    ]
    leads = await rest.call("crm.status.list", filter={"ENTITY_ID": "STATUS"}, order={"SORT": "DESC"})
    assert [(row["STATUS_ID"], row["SEMANTICS"]) for row in leads] == [
        ("CONVERTED", "S"),
        ("JUNK", "F"),
        ("PROCESSED", None),
        ("IN_PROCESS", None),
        ("NEW", None),
    ]
    assert leads[-1]["NAME"] == "Новый"
    assert leads[-1]["EXTRA"] == {"SEMANTICS": "process", "COLOR": "#39A8EF"}
    sources = await rest.call("crm.status.list", filter={"ENTITY_ID": "SOURCE"})
    assert [row["STATUS_ID"] for row in sources][:4] == ["CALL", "EMAIL", "WEB", "ADVERTISING"]
    assert len(sources) == 12


async def test_a_new_funnel_comes_with_stages_of_its_own_prefix(rest: Rest) -> None:
    category = (await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы", "sort": 10}))[
        "category"
    ]
    assert category == {
        "id": 1,
        "name": "Приёмы",
        "sort": 10,
        "entityTypeId": 2,
        "isDefault": "N",
        "originId": "",
        "originatorId": "",
    }
    listed = (await rest.call("crm.category.list", entityTypeId=2))["categories"]
    assert [row["id"] for row in listed] == [1, 0]
    fields = {"ENTITY_ID": "DEAL_STAGE_1", "STATUS_ID": "TOMORROW", "NAME": "Визит завтра", "SORT": 15}
    status = await rest.call("crm.status.add", fields=fields)
    stages = await rest.call("crm.status.list", filter={"ENTITY_ID": "DEAL_STAGE_1"})
    assert [(row["STATUS_ID"], row["NAME"], row["SYSTEM"]) for row in stages][:3] == [
        ("C1:NEW", "Новая", "Y"),
        ("C1:TOMORROW", "Визит завтра", "N"),
        ("C1:PREPARATION", "Подготовка документов", "Y"),
    ]
    assert (stages[1]["ID"], stages[1]["CATEGORY_ID"], stages[1]["SORT"]) == (str(status), "1", "15")
    assert (await rest.refused("crm.status.add", fields=fields))[0] == 400
    assert (await rest.refused("crm.status.add", fields={**fields, "STATUS_ID": "T" * 22}))[0] == 400
    assert (await rest.refused("crm.status.add", fields={**fields, "ENTITY_ID": "DEAL_STAGE_9"}))[0] == 400
    won = {"ENTITY_ID": "STATUS", "STATUS_ID": "BOOKED", "NAME": "Записан", "SEMANTICS": "S"}
    await rest.call("crm.status.add", fields=won)
    await rest.call("crm.lead.add", fields={"STATUS_ID": "BOOKED"})
    assert (await rest.call("crm.lead.get", id=1))["STATUS_SEMANTIC_ID"] == "S"


async def test_user_fields_are_made_and_listed_with_labels_only_for_a_language(rest: Rest) -> None:
    fields = {
        "USER_TYPE_ID": "enumeration",
        "FIELD_NAME": "PAYER",
        "EDIT_FORM_LABEL": {"ru": "Плательщик", "en": "Payer"},
        "LIST": [{"VALUE": "ДМС"}, {"VALUE": "Сам", "DEF": "Y"}],
    }
    assert await rest.call("crm.deal.userfield.add", fields=fields) == 1
    assert (await rest.refused("crm.deal.userfield.add", fields=fields))[:2] == (400, "")
    (bare,) = await rest.call("crm.deal.userfield.list")
    assert (bare["ID"], bare["FIELD_NAME"], bare["USER_TYPE_ID"], bare["MULTIPLE"]) == (
        "1",
        "UF_CRM_PAYER",
        "enumeration",
        "N",
    )
    assert "EDIT_FORM_LABEL" not in bare
    (row,) = await rest.call("crm.deal.userfield.list", filter={"LANG": "ru", "FIELD_NAME": "UF_CRM_PAYER"})
    assert row["EDIT_FORM_LABEL"] == "Плательщик"
    assert [(option["ID"], option["VALUE"], option["DEF"]) for option in row["LIST"]] == [
        ("1", "ДМС", "N"),
        ("2", "Сам", "Y"),
    ]
    assert await rest.call("crm.lead.userfield.list") == []
    refused = await rest.refused("crm.deal.userfield.add", fields={"FIELD_NAME": "X"})
    assert refused == (400, "", "The 'USER_TYPE_ID' field is not found.")
    long = {"USER_TYPE_ID": "string", "FIELD_NAME": "X" * 44}
    assert (await rest.refused("crm.deal.userfield.add", fields=long))[0] == 400


async def test_values_of_user_fields_have_their_forms(rest: Rest) -> None:
    for code, kind, multiple in (
        ("PAYER", "enumeration", "N"),
        ("SUM", "double", "N"),
        ("FLAG", "boolean", "N"),
        ("WHEN", "datetime", "N"),
        ("DAY", "date", "N"),
        ("MANY", "string", "Y"),
        ("MONEY", "money", "N"),
    ):
        row = {"USER_TYPE_ID": kind, "FIELD_NAME": code, "MULTIPLE": multiple, "LIST": [{"VALUE": "ДМС"}]}
        await rest.call("crm.deal.userfield.add", fields=row)
    empty = await rest.call("crm.deal.get", id=await rest.deal())
    assert (empty["UF_CRM_MANY"], empty["UF_CRM_WHEN"], empty["UF_CRM_PAYER"]) == (False, "", None)
    deal = await rest.deal(
        UF_CRM_PAYER=1,
        UF_CRM_SUM="1111.10",
        UF_CRM_FLAG="Y",
        UF_CRM_WHEN="2025-03-04T09:30:00+00:00",
        UF_CRM_DAY="2025-03-04",
        UF_CRM_MANY=["a", "", "b"],
        UF_CRM_MONEY="300|RUB",
    )
    row = await rest.call("crm.deal.get", id=deal)
    assert {code: value for code, value in row.items() if code.startswith("UF_")} == {
        "UF_CRM_PAYER": "1",
        "UF_CRM_SUM": "1111.1",
        "UF_CRM_FLAG": "1",
        "UF_CRM_WHEN": "2025-03-04T12:30:00+03:00",
        "UF_CRM_DAY": "2025-03-04T03:00:00+03:00",
        "UF_CRM_MANY": ["a", "b"],
        "UF_CRM_MONEY": "300|RUB",
    }
    item = (await rest.call("crm.item.get", entityTypeId=2, id=deal, useOriginalUfNames="Y"))["item"]
    assert (item["UF_CRM_PAYER"], item["UF_CRM_SUM"], item["UF_CRM_FLAG"]) == (1, 1111.1, "Y")
    await rest.call("crm.deal.update", id=deal, fields={"UF_CRM_PAYER": "ДМС"})
    assert (await rest.call("crm.deal.get", id=deal))["UF_CRM_PAYER"] is None
    await rest.call("crm.deal.update", id=deal, fields={"UF_CRM_MANY": [], "UF_CRM_SUM": ""})
    row = await rest.call("crm.deal.get", id=deal)
    assert (row["UF_CRM_MANY"], row["UF_CRM_SUM"]) == (False, None)


async def test_one_who_is_no_administrator_makes_no_fields(portal: Build) -> None:
    async with portal(admin=False) as rest:
        field = {"USER_TYPE_ID": "string", "FIELD_NAME": "X"}
        assert await rest.refused("crm.deal.userfield.add", fields=field) == (400, "", "Access denied.")
        assert (await rest.call("profile"))["ADMIN"] is False
