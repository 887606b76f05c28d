"""Switches, thrown one at a time: what a client meets under each."""

import pytest
from b24_portal import Build, Rest

ADD = {"fields": {"NAME": "Анна"}}


@pytest.mark.parametrize(
    ("switches", "error", "old", "new"),
    [
        ({"closed": True}, "PORTAL_DELETED", 500, 403),
        ({"overloaded": True}, "OVERLOAD_LIMIT", 503, 401),
        ({"rest_by_plan": False}, "ACCESS_DENIED", 403, 401),
        ({"webhook_expired": True}, "INVALID_CREDENTIALS", 403, 401),
        ({"scopes": []}, "insufficient_scope", 403, 401),
    ],
)
async def test_a_portal_that_lets_nobody_in_says_why_by_the_chosen_table(
    portal: Build, switches: dict[str, object], error: str, old: int, new: int
) -> None:
    for table, status in (("old", old), ("new", new)):
        async with portal(status_set=table) as rest:
            assert await rest.call("crm.contact.add", **ADD) == 1
            await rest.order("switches", switches)
            assert (await rest.refused("crm.contact.add", **ADD))[:2] == (status, error)
            assert (await rest.refused("batch", cmd=["profile"]))[:2] == (status, error)
            assert len(await rest.state("contacts")) == 1


async def test_a_closed_portal_is_told_before_the_method_is_looked_for(portal: Build) -> None:
    async with portal(closed=True) as rest:
        assert (await rest.refused("crm.nothing"))[1] == "PORTAL_DELETED"


async def test_a_switch_that_is_not_known_or_cannot_be_turned_is_named(rest: Rest) -> None:
    for asked in ({"speed": 1}, {"timezone": "UTC"}, {"crm_mode": 7}):
        answer = await rest.http.post(f"{rest.base}/_control/switches", json=asked)
        assert answer.status_code == 400
        assert next(iter(asked)) in answer.json()["error"]


async def test_the_plan_is_told_by_app_info_and_by_its_features(portal: Build) -> None:
    async with portal(plan="ent250", extended_offline=False) as rest:
        assert (await rest.call("app.info"))["LICENSE"] == "ru_ent250"
        assert await rest.call("feature.get", CODE="rest_offline_extended") == {"value": "N"}
        await rest.order("switches", {"extended_offline": True})
        assert await rest.call("feature.get", CODE="rest_offline_extended") == {"value": "Y"}


async def test_a_filter_by_a_field_that_is_not_there_vanishes_or_is_refused(portal: Build) -> None:
    async with portal() as rest:
        await rest.contact("Анна")
        assert len(await rest.call("crm.contact.list", filter={"=ORIGIN_IDD": "42"})) == 1
        await rest.order("switches", {"unknown_filter": "refused"})
        assert (await rest.refused("crm.contact.list", filter={"=ORIGIN_IDD": "42"}))[
            1
        ] == "INVALID_ARG_VALUE"


async def test_an_identical_phone_without_its_id_is_joined_or_doubled(portal: Build) -> None:
    rows = [{"VALUE": "+79001112233", "VALUE_TYPE": "WORK"}]
    for joins, count in ((True, 1), (False, 2)):
        async with portal(joins_identical=joins) as rest:
            contact = await rest.contact("Анна", "+79001112233")
            await rest.call("crm.contact.update", id=contact, fields={"PHONE": rows})
            assert len((await rest.call("crm.contact.get", id=contact))["PHONE"]) == count


async def test_a_mandatory_field_is_minded_by_items_and_by_the_older_methods_if_so_set(portal: Build) -> None:
    async with portal() as rest:
        field = {"USER_TYPE_ID": "string", "FIELD_NAME": "MUST", "MANDATORY": "Y"}
        await rest.call("crm.deal.userfield.add", fields=field)
        assert (await rest.refused("crm.item.add", entityTypeId=2, fields={"title": "x"}))[1] == (
            "CRM_FIELD_ERROR_REQUIRED"
        )
        assert await rest.deal(TITLE="x") == 1
        await rest.order("switches", {"legacy_checks_mandatory": True})
        assert (await rest.refused("crm.deal.add", fields={"TITLE": "x"}))[1] == "CRM_FIELD_ERROR_REQUIRED"


async def test_user_fields_are_listed_to_readers_or_to_administrators_alone(portal: Build) -> None:
    async with portal(admin=False) as rest:
        assert await rest.call("crm.deal.userfield.list") == []
        await rest.order("switches", {"userfield_list_needs_admin": True})
        assert await rest.refused("crm.deal.userfield.list") == (400, "", "Access denied.")
        assert "TITLE" in await rest.call("crm.deal.fields")


async def test_the_code_of_a_refused_search_by_phone_is_empty_or_its_text(portal: Build) -> None:
    text = "Communication type is not defined."
    for switch, code in (("empty", ""), ("text", text[:-1])):
        async with portal(findbycomm_code=switch) as rest:
            assert await rest.refused("crm.duplicate.findbycomm", values=["1"]) == (400, code, text)


async def test_in_simple_mode_a_lead_becomes_a_contact_and_a_deal_at_once(portal: Build) -> None:
    async with portal(crm_mode=2) as rest:
        assert await rest.call("crm.settings.mode.get") == 2
        phone = [{"VALUE": "+79001112233"}]
        lead = await rest.call("crm.lead.add", fields={"TITLE": "Заявка", "NAME": "Анна", "PHONE": phone})
        assert (await rest.call("crm.lead.get", id=lead))["STATUS_ID"] == "CONVERTED"
        (deal,) = await rest.call("crm.deal.list", select=["ID", "TITLE", "LEAD_ID", "CONTACT_ID"])
        assert (deal["TITLE"], deal["LEAD_ID"]) == ("Заявка", str(lead))
        assert (await rest.call("crm.contact.get", id=deal["CONTACT_ID"]))["NAME"] == "Анна"


async def test_a_slow_answer_comes_late_and_is_good(rest: Rest) -> None:
    await rest.order("faults", {"kind": "slow", "hold": 50})
    before = rest.clock.monotonic()
    assert await rest.call("crm.contact.add", **ADD) == 1
    assert rest.clock.monotonic() - before == 50
