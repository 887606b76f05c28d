"""crm.contact.*, crm.deal.*, crm.lead.*: what is kept, what falls away in silence, what comes back."""

from typing import Any

from b24_portal import Build, Rest


async def test_a_contact_comes_back_as_strings(rest: Rest) -> None:
    await rest.contact(
        "Анна", "+79001112233", LAST_NAME="Смирнова", OPENED="N", EMAIL=[{"VALUE": "a@b.example"}]
    )
    row = await rest.call("crm.contact.get", id="1")
    assert row["ID"] == "1"
    assert row["ASSIGNED_BY_ID"] == row["CREATED_BY_ID"] == row["MODIFY_BY_ID"] == "1"
    assert (row["OPENED"], row["HAS_PHONE"], row["BIRTHDATE"], row["SECOND_NAME"]) == ("N", "Y", "", None)
    assert row["PHONE"] == [{"ID": "2", "VALUE_TYPE": "WORK", "VALUE": "+79001112233", "TYPE_ID": "PHONE"}]
    assert row["EMAIL"][0]["VALUE"] == "a@b.example"


async def test_a_contact_needs_a_name(rest: Rest) -> None:
    assert (await rest.refused("crm.contact.add", fields={"POST": "врач"}))[:2] == (400, "")


async def test_unknown_read_only_and_immutable_fields_fall_away(rest: Rest) -> None:
    deal = await rest.deal(
        TITLE="Приём", LEAD_ID=5, DATE_CREATE="2020-01-01", CREATED_BY_ID=4, UF_CRM_NONE="x"
    )
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    assert (
        await rest.call("crm.deal.update", id=deal, fields={"CATEGORY_ID": 1, "LEAD_ID": 5, "NOTHING": 1})
        is True
    )
    row = await rest.call("crm.deal.get", id=deal)
    assert (row["CATEGORY_ID"], row["LEAD_ID"], row["CREATED_BY_ID"]) == ("0", None, "1")
    assert row["DATE_CREATE"] == "2025-03-03T12:00:00+03:00"
    assert "UF_CRM_NONE" not in row


async def test_a_deal_has_the_portals_defaults(rest: Rest) -> None:
    row = await rest.call("crm.deal.get", id=await rest.deal())
    assert row["TITLE"] == "Сделка #1"
    assert (row["STAGE_ID"], row["STAGE_SEMANTIC_ID"], row["CLOSED"]) == ("NEW", "P", "N")
    assert (row["OPPORTUNITY"], row["CURRENCY_ID"], row["CONTACT_ID"]) == ("0.00", "RUB", None)
    assert (row["BEGINDATE"][:10], row["CLOSEDATE"][:10]) == ("2025-03-03", "2025-03-10")


async def test_update_touches_date_and_author_even_without_a_change(rest: Rest) -> None:
    await rest.contact()
    rest.clock.advance(3600)
    assert await rest.call("crm.contact.update", ID=1, FIELDS={"NAME": "Иван"}) is True
    assert (await rest.call("crm.contact.get", id=1))["DATE_MODIFY"] == "2025-03-03T13:00:00+03:00"


async def test_errors_have_the_legacy_texts(rest: Rest) -> None:
    assert await rest.refused("crm.contact.get") == (400, "", "ID is not defined or invalid.")
    assert await rest.refused("crm.contact.get", id=9) == (400, "", "Not found")
    assert (await rest.refused("crm.contact.update", id=9, fields={}))[2] == "Contact is not found"
    assert (await rest.refused("crm.lead.update", id=9, fields={}))[2] == "Lead is not found"
    assert (await rest.refused("crm.deal.update", id=9, fields={}))[2] == "Not found"
    assert (await rest.refused("crm.deal.add", fields="x"))[2] == "Parameter 'fields' must be array."
    assert (await rest.refused("crm.deal.list", filter="x"))[2] == "Parameter 'filter' must be array."


async def test_phones_are_added_changed_deleted_and_matched_by_type_and_spelling(rest: Rest) -> None:
    await rest.contact("Анна", "+79001112233")

    async def phones(*rows: dict[str, Any]) -> list[tuple[str, str, str]]:
        await rest.call("crm.contact.update", id=1, fields={"PHONE": list(rows)})
        return [
            (row["ID"], row["VALUE_TYPE"], row["VALUE"])
            for row in (await rest.call("crm.contact.get", id=1))["PHONE"]
        ]

    first = ("1", "WORK", "+79001112233")
    assert await phones({"VALUE": " +79001112233 ", "VALUE_TYPE": "WORK"}) == [first]
    assert await phones({"VALUE": "89001112233"}) == [first, ("2", "WORK", "89001112233")]
    assert await phones({"VALUE": "+79001112233", "VALUE_TYPE": "MOBILE"}) == [
        first,
        ("2", "WORK", "89001112233"),
        ("3", "MOBILE", "+79001112233"),
    ]
    assert await phones({"ID": 2, "DELETE": "Y"}, {"ID": 3, "VALUE": ""}, {"VALUE": ""}) == [first]
    assert await phones({"ID": 1, "VALUE": "+79005556677", "VALUE_TYPE": "HOME"}) == [
        ("1", "HOME", "+79005556677")
    ]
    await rest.call("crm.contact.update", id=1, fields={"PHONE": [{"ID": 1}]})
    row = await rest.call("crm.contact.get", id=1)
    assert "PHONE" not in row
    assert row["HAS_PHONE"] == "N"
    assert (await rest.refused("crm.contact.update", id=1, fields={"EMAIL": [{"VALUE": "none"}]}))[
        1
    ] == "ERROR_CORE"


async def test_contact_ids_replace_the_whole_set_and_do_not_come_back(rest: Rest) -> None:
    for name in "АБВ":
        await rest.contact(name)
    deal = await rest.deal(CONTACT_IDS=[1, 2, 77])
    row = await rest.call("crm.deal.get", id=deal)
    assert row["CONTACT_ID"] == "1"
    assert "CONTACT_IDS" not in row
    await rest.call("crm.deal.update", id=deal, fields={"CONTACT_IDS": [3]})
    assert [link["CONTACT_ID"] for link in await rest.call("crm.deal.contact.items.get", id=deal)] == [3]
    await rest.call("crm.deal.update", id=deal, fields={"TITLE": "x"})
    assert (await rest.state("deals"))[0]["contact_ids"] == [3]


async def test_a_stage_of_another_funnel_is_not_applied(rest: Rest) -> None:
    await rest.call("crm.category.add", entityTypeId=2, fields={"name": "Приёмы"})
    deal = await rest.deal(STAGE_ID="C1:WON")
    assert (await rest.call("crm.deal.get", id=deal))["STAGE_ID"] == "NEW"
    await rest.call("crm.deal.update", id=deal, fields={"STAGE_ID": "C1:WON", "TITLE": "moved"})
    row = await rest.call("crm.deal.get", id=deal)
    assert (row["STAGE_ID"], row["TITLE"]) == ("NEW", "moved")
    other = await rest.deal(CATEGORY_ID=1, STAGE_ID="C1:WON")
    row = await rest.call("crm.deal.get", id=other)
    assert (row["STAGE_ID"], row["STAGE_SEMANTIC_ID"], row["CLOSED"], row["CLOSEDATE"][:10]) == (
        "C1:WON",
        "S",
        "Y",
        "2025-03-03",
    )


async def test_an_amount_alone_turns_to_manual_by_the_switch(portal: Build) -> None:
    for alone, shown in ((True, ("1500.50", "Y")), (False, ("0.00", "N"))):
        async with portal(opportunity_alone_manual=alone) as rest:
            row = await rest.call("crm.deal.get", id=await rest.deal(OPPORTUNITY="1500.5"))
            assert (row["OPPORTUNITY"], row["IS_MANUAL_OPPORTUNITY"]) == shown
            row = await rest.call(
                "crm.deal.get", id=await rest.deal(OPPORTUNITY=10, IS_MANUAL_OPPORTUNITY="Y")
            )
            assert (row["OPPORTUNITY"], row["IS_MANUAL_OPPORTUNITY"]) == ("10.00", "Y")
            row = await rest.call(
                "crm.deal.get", id=await rest.deal(OPPORTUNITY=10, IS_MANUAL_OPPORTUNITY="N")
            )
            assert row["OPPORTUNITY"] == "0.00"


async def test_a_lead_of_a_known_contact_is_a_repeated_one(rest: Rest) -> None:
    await rest.contact()
    fields = {"TITLE": "Заявка", "STATUS_ID": "IN_PROCESS", "SOURCE_ID": "WEB", "UTM_SOURCE": "yandex"}
    await rest.call("crm.lead.add", fields={**fields, "CONTACT_ID": 1, "PHONE": [{"VALUE": "+79001112233"}]})
    row = await rest.call("crm.lead.get", id=1)
    assert (row["STATUS_ID"], row["STATUS_SEMANTIC_ID"], row["IS_RETURN_CUSTOMER"]) == (
        "IN_PROCESS",
        "P",
        "Y",
    )
    assert (row["DATE_CLOSED"], row["UTM_SOURCE"], row["CONTACT_ID"]) == ("", "yandex", "1")
    await rest.call("crm.lead.update", id=1, fields={"STATUS_ID": "CONVERTED"})
    row = await rest.call("crm.lead.get", id=1)
    assert (row["STATUS_SEMANTIC_ID"], row["DATE_CLOSED"]) == ("S", "2025-03-03T12:00:00+03:00")
    assert len(await rest.state("deals")) == 0


async def test_an_import_may_set_the_date_of_creation_and_starts_no_robots(rest: Rest) -> None:
    await rest.order("robots", {"entity": "lead", "stage": "Новый"})
    fields = {"NAME": "Анна", "DATE_CREATE": "2020-05-01T10:00:00+03:00"}
    await rest.call("crm.lead.add", fields=fields, params={"IMPORT": "Y"})
    await rest.call("crm.lead.add", fields=fields)
    created = [row["DATE_CREATE"][:4] for row in await rest.call("crm.lead.list")]
    assert created == ["2020", "2025"]
    assert [message["lead"] for message in await rest.state("messages")] == [2]


async def test_simple_mode_converts_a_lead_at_once(portal: Build) -> None:
    async with portal(crm_mode=2) as rest:
        assert await rest.call("crm.settings.mode.get") == 2
        await rest.call(
            "crm.lead.add", fields={"NAME": "Анна", "PHONE": [{"VALUE": "+79001112233"}], "SOURCE_ID": "WEB"}
        )
        assert [row["stage_id"] for row in await rest.state("leads")] == ["CONVERTED"]
        assert [row["phones"] for row in await rest.state("contacts")] == [["+79001112233"]]
        assert [(row["contact_ids"], row["lead_id"]) for row in await rest.state("deals")] == [([1], 1)]


async def test_delete_takes_the_card_and_its_links(rest: Rest) -> None:
    await rest.contact()
    await rest.deal(CONTACT_ID=1)
    assert await rest.call("crm.contact.delete", id=1) is True
    assert (await rest.call("crm.deal.get", id=1))["CONTACT_ID"] is None
    assert (await rest.refused("crm.contact.get", id=1))[2] == "Not found"
    assert await rest.contact("Новый") == 2


async def test_fields_are_described(rest: Rest) -> None:
    await rest.call(
        "crm.deal.userfield.add",
        fields={
            "USER_TYPE_ID": "enumeration",
            "FIELD_NAME": "KIND",
            "LABEL": "Вид",
            "LIST": [{"VALUE": "ДМС"}],
        },
    )
    fields = await rest.call("crm.deal.fields")
    assert fields["LEAD_ID"]["isReadOnly"] is True
    assert fields["CATEGORY_ID"]["isImmutable"] is True
    assert fields["STAGE_ID"]["statusType"] == "DEAL_STAGE"
    assert fields["UF_CRM_KIND"]["items"] == [{"ID": "1", "VALUE": "ДМС"}]
    assert (fields["UF_CRM_KIND"]["title"], fields["UF_CRM_KIND"]["formLabel"]) == ("UF_CRM_KIND", "Вид")
    assert (await rest.call("crm.contact.fields"))["PHONE"]["type"] == "crm_multifield"
