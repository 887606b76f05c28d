"""Duplicates, links to contacts, comments, to-dos, tasks, stage history."""

import pytest
from b24_portal import Build, Rest


async def test_findbycomm_compares_match_codes(rest: Rest) -> None:
    await rest.contact("А", "8 (900) 111-22-33")
    await rest.contact("Б", "+79001112233", EMAIL=[{"VALUE": "Mail@Clinic.example"}])
    await rest.call("crm.lead.add", fields={"PHONE": [{"VALUE": "79001112233"}]})
    found = await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["+7 900 111 22 33"])
    assert found == {"LEAD": [1], "CONTACT": [1, 2]}
    found = await rest.call(
        "crm.duplicate.findbycomm", type="PHONE", values=["9001112233", "89001112233"], entity_type="CONTACT"
    )
    assert found == {"CONTACT": [1, 2]}
    assert await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["9001112233"]) == []
    found = await rest.call("crm.duplicate.findbycomm", type="EMAIL", values=[" mail@clinic.EXAMPLE"])
    assert found == {"CONTACT": [2]}


async def test_findbycomm_may_be_sensitive_to_the_writing(portal: Build) -> None:
    async with portal(phone_search="format_sensitive") as rest:
        await rest.contact("А", "+79001112233")
        assert await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["89001112233"]) == []
        found = await rest.call(
            "crm.duplicate.findbycomm", type="PHONE", values=["89001112233", "+79001112233"]
        )
        assert found == {"CONTACT": [1]}


async def test_findbycomm_takes_twenty_values_and_gives_twenty_hits(rest: Rest) -> None:
    await rest.batch(
        [f"crm.contact.add?fields[NAME]=n{at}&fields[PHONE][0][VALUE]=89001112233" for at in range(25)]
    )
    found = await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["+79001112233"])
    assert len(found["CONTACT"]) == 20
    late = [f"+7900000{at:04d}" for at in range(20)] + ["+79001112233"]
    assert await rest.call("crm.duplicate.findbycomm", type="PHONE", values=late) == []
    assert await rest.call("crm.duplicate.findbycomm", type="PHONE", values=["", 79001112233]) == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"values": ["1"]}, "Communication type is not defined."),
        ({"type": "FAX", "values": ["1"]}, "Communication type 'FAX' is not supported in current context."),
        ({"type": "PHONE"}, "Communication values is not defined."),
        ({"type": "PHONE", "values": "1"}, "Communication values is not defined."),
        (
            {"type": "PHONE", "values": ["1"], "entity_type": "DEAL"},
            "Deal is not supported in current context.",
        ),
    ],
)
async def test_findbycomm_refuses_by_its_own_texts(
    portal: Build, params: dict[str, object], text: str
) -> None:
    async with portal() as rest:
        assert await rest.refused("crm.duplicate.findbycomm", **params) == (400, "", text)


async def test_links_of_a_deal(rest: Rest) -> None:
    for name in "АБВ":
        await rest.contact(name)
    await rest.deal()
    items = [{"CONTACT_ID": 1, "SORT": 20}, {"CONTACT_ID": 2, "IS_PRIMARY": "Y", "SORT": 10}]
    assert await rest.call("crm.deal.contact.items.set", id=1, items=items) is True
    assert await rest.call("crm.deal.contact.items.get", id=1) == [
        {"CONTACT_ID": 2, "SORT": 10, "ROLE_ID": 0, "IS_PRIMARY": "Y"},
        {"CONTACT_ID": 1, "SORT": 20, "ROLE_ID": 0, "IS_PRIMARY": "N"},
    ]
    assert (await rest.call("crm.deal.get", id=1))["CONTACT_ID"] == "2"
    assert await rest.call("crm.deal.contact.add", id=1, fields={"CONTACT_ID": 3, "IS_PRIMARY": "Y"}) is True
    assert await rest.call("crm.deal.contact.add", id=1, fields={"CONTACT_ID": 3}) is False
    assert (await rest.call("crm.deal.get", id=1))["CONTACT_ID"] == "3"
    assert await rest.call("crm.deal.contact.delete", id=1, fields={"CONTACT_ID": 3}) is True
    assert await rest.call("crm.deal.contact.delete", id=1, fields={"CONTACT_ID": 3}) is False
    assert (await rest.call("crm.deal.get", id=1))["CONTACT_ID"] == "2"
    assert await rest.call("crm.deal.contact.items.delete", id=1) is True
    assert await rest.call("crm.deal.contact.items.get", id=1) == []
    assert (await rest.refused("crm.deal.contact.items.get", id=7))[2] == "Not found."
    refused = await rest.refused("crm.deal.contact.items.get")
    assert refused[2] == "The parameter 'ownerEntityID' is invalid or not defined."
    refused = await rest.refused("crm.deal.contact.items.set", items=[])
    assert refused[2] == "The parameter ownerEntityID is invalid or not defined."
    refused = await rest.refused("crm.deal.contact.items.set", id=1, items="x")
    assert refused[2] == "The parameter items must be array."


async def test_comments(rest: Rest) -> None:
    await rest.deal()
    where = {"ENTITY_ID": 1, "ENTITY_TYPE": "deal"}
    assert await rest.call("crm.timeline.comment.add", fields={**where, "COMMENT": "Перенос [k-1]"}) == 1
    body = await rest.body("crm.timeline.comment.list", filter=where)
    assert body["result"] == [
        {
            "ID": "1",
            "ENTITY_ID": "1",
            "ENTITY_TYPE": "deal",
            "CREATED": "2025-03-03T12:00:00+03:00",
            "COMMENT": "Перенос [k-1]",
            "AUTHOR_ID": "1",
            "FILES": [],
        }
    ]
    assert body["total"] == 1
    assert await rest.call("crm.timeline.comment.list", filter={**where, "ENTITY_TYPE": "lead"}) == []
    assert (await rest.refused("crm.timeline.comment.list"))[0] == 400
    refused = await rest.refused("crm.timeline.comment.add", FIELDS={**where, "COMMENT": "x"})
    assert refused[1] == "100"
    refused = await rest.refused("crm.timeline.comment.add", fields={**where, "ENTITY_ID": 5, "COMMENT": "x"})
    assert refused[1] == "OWNER_NOT_FOUND"
    refused = await rest.refused("crm.timeline.comment.add", fields={**where, "COMMENT": " "})
    assert refused[1] == "INVALID_ARG_VALUE"
    assert (await rest.state("comments"))[0]["comment"] == "Перенос [k-1]"


async def test_to_dos_are_found_again_by_their_text(rest: Rest) -> None:
    await rest.deal()
    todo = {"ownerTypeId": 2, "ownerId": 1, "deadline": "2025-03-04T10:00:00+03:00"}
    added = await rest.call(
        "crm.activity.todo.add", **todo, title="Перезвонить", description="Без даты [k-2]"
    )
    assert added == {"id": 1}
    await rest.call("crm.activity.todo.add", **todo, description="другое")
    found = await rest.call(
        "crm.activity.list",
        filter={"OWNER_TYPE_ID": 2, "OWNER_ID": 1, "%DESCRIPTION": "[k-2]"},
        select=["ID", "SUBJECT", "DEADLINE"],
    )
    assert found == [{"ID": "1", "SUBJECT": "Перезвонить", "DEADLINE": "2025-03-04T10:00:00+03:00"}]
    assert await rest.call("crm.activity.list", filter={"OWNER_ID": 9}) == []
    assert (await rest.refused("crm.activity.todo.add", **{**todo, "deadline": "?"}))[
        1
    ] == "WRONG_DATETIME_FORMAT"
    assert (await rest.refused("crm.activity.todo.add", **{**todo, "ownerId": 9}))[1] == "OWNER_NOT_FOUND"
    assert (await rest.refused("crm.activity.todo.add", ownerTypeId=2, ownerId=1))[1] == "100"


async def test_tasks_speak_camel_case(rest: Rest) -> None:
    fields = {"TITLE": "Позвонить", "RESPONSIBLE_ID": 3, "DESCRIPTION": "[k-3]", "UF_CRM_TASK": ["D_1"]}
    task = (await rest.call("tasks.task.add", fields=fields))["task"]
    assert (task["id"], task["title"], task["status"], task["responsibleId"], task["deadline"]) == (
        "1",
        "Позвонить",
        "2",
        "3",
        None,
    )
    body = await rest.body(
        "tasks.task.list", filter={"UF_CRM_TASK": "D_1", "%DESCRIPTION": "[k-3]"}, select=["ID"]
    )
    assert (body["result"], body["total"]) == ({"tasks": [{"id": "1"}]}, 1)
    assert (await rest.call("tasks.task.list", filter={"UF_CRM_TASK": "D_2"})) == {"tasks": []}
    refused = await rest.refused("tasks.task.add", fields={"RESPONSIBLE_ID": 1})
    assert refused == (400, "ERROR_CORE", "Task title is not specified<br>")


async def test_every_move_is_in_the_history(rest: Rest) -> None:
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    await rest.deal()
    rest.clock.advance(60)
    for stage in ("PREPARATION", "PREPARATION", "WON"):
        await rest.call("crm.deal.update", id=1, fields={"STAGE_ID": stage})
    await rest.call("crm.item.update", entityTypeId=2, id=1, fields={"categoryId": 1, "stageId": "C1:NEW"})
    body = await rest.body(
        "crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": 1}, order={"ID": "ASC"}
    )
    rows = body["result"]["items"]
    assert [
        (row["TYPE_ID"], row["STAGE_ID"], row["STAGE_SEMANTIC_ID"], row["CATEGORY_ID"]) for row in rows
    ] == [
        ("1", "NEW", "P", "0"),
        ("2", "PREPARATION", "P", "0"),
        ("3", "WON", "S", "0"),
        ("5", "C1:NEW", "P", "1"),
    ]
    assert (rows[0]["CREATED_TIME"], body["total"]) == ("2025-03-03T12:00:00+03:00", 4)
    since = {">=CREATED_TIME": "2025-03-03T12:00:30+03:00"}
    assert len((await rest.call("crm.stagehistory.list", entityTypeId=2, filter=since))["items"]) == 3
    await rest.call("crm.lead.add", fields={})
    (lead,) = (await rest.call("crm.stagehistory.list", entityTypeId=1))["items"]
    assert (lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"]) == ("NEW", "P")
    row = await rest.call("crm.deal.get", id=1)
    assert (row["MOVED_TIME"], row["MOVED_BY_ID"]) == ("2025-03-03T12:01:00+03:00", "1")


async def test_duplicates_are_merged_where_they_do_not_contradict(rest: Rest) -> None:
    one, other, third = (
        await rest.contact("Анна", "+79001112233"),
        await rest.contact("Анна", "+79004445566"),
        await rest.contact("Мария"),
    )
    asked = {"entityTypeId": 3, "entityIds": [one, other]}
    assert await rest.call("crm.entity.mergeBatch", params=asked) == {
        "STATUS": "SUCCESS",
        "ENTITY_IDS": [one],
    }
    assert (await rest.refused("crm.contact.get", id=other))[2] == "Not found"
    assert len((await rest.call("crm.contact.get", id=one))["PHONE"]) == 2
    asked["entityIds"] = [one, third]
    assert (await rest.call("crm.entity.mergeBatch", params=asked))["STATUS"] == "CONFLICT"


async def test_the_old_names_of_funnels_still_answer(rest: Rest) -> None:
    made = await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    funnel = made["category"]["id"]
    assert [row["NAME"] for row in await rest.call("crm.dealcategory.list")] == ["Приёмы"]
    assert await rest.call("crm.dealcategory.default.get") == {"ID": 0, "NAME": "Общая"}
    assert await rest.call("crm.dealcategory.status", id=funnel) == f"DEAL_STAGE_{funnel}"
    stages = await rest.call("crm.dealcategory.stage.list", id=funnel)
    assert stages[0]["STATUS_ID"] == f"C{funnel}:NEW"
