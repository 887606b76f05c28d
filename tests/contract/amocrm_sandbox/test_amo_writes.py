"""Writes: bodies, validation, batches, custom fields, tags."""

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from amo_account import PHONE, Api, Build

MOSCOW = timezone(timedelta(hours=3))


async def value(api: Api, lead: int, field: int) -> Any:
    """The only value of a lead's field, None where it is empty."""
    rows = (await api.get(f"leads/{lead}"))["custom_fields_values"] or []
    found = [row["values"][0]["value"] for row in rows if row["field_id"] == field]
    return found[0] if found else None


def filled(field: int, given: Any) -> dict[str, Any]:
    return {"custom_fields_values": [{"field_id": field, "values": [{"value": given}]}]}


async def test_a_write_answers_thinly_and_echoes_the_request_id(api: Api) -> None:
    made = await api.write("POST", "leads", [{"name": "а", "request_id": "appt-778"}, {"name": "б"}])
    first, second = made["_embedded"]["leads"]
    assert (first["request_id"], second["request_id"]) == ("appt-778", "1")
    assert set(first) == {"id", "request_id", "_links"}
    assert first["_links"]["self"]["href"] == f"{api.base}/api/v4/leads/{first['id']}"
    again = await api.write("POST", "leads", [{"name": "а", "request_id": "appt-778"}])
    assert again["_embedded"]["leads"][0]["id"] not in {first["id"], second["id"]}
    changed = await api.write("PATCH", "leads", [{"id": first["id"], "name": "в"}])
    assert set(changed["_embedded"]["leads"][0]) == {"id", "updated_at", "_links"}
    contact = await api.write("POST", "contacts", [{"name": "Мария"}])
    assert set(contact["_embedded"]["contacts"][0]) == {
        "id",
        "is_deleted",
        "is_unsorted",
        "request_id",
        "_links",
    }


async def test_a_patch_of_one_is_flat_for_leads_and_wrapped_for_others(account: Build) -> None:
    async with account() as api:
        lead, contact = await api.lead(), await api.contact()
        assert (await api.write("PATCH", f"leads/{lead}", {"name": "x"}))["id"] == lead
        told = await api.write("PATCH", f"contacts/{contact}", {"name": "x"})
        assert told["_embedded"]["contacts"][0]["name"] == "x"
    async with account(lead_patch="wrapped") as api:
        lead = await api.lead()
        assert (await api.write("PATCH", f"leads/{lead}", {}))["_embedded"]["leads"][0]["id"] == lead


async def test_a_collection_takes_an_array_and_one_card_an_object(api: Api) -> None:
    lead = await api.lead()
    assert await api.refused("POST", "leads", {"name": "x"}) == [("", "InvalidType", "")]
    assert await api.refused("PATCH", "leads", {"id": lead}) == [("", "InvalidType", "")]
    assert await api.refused("PATCH", f"leads/{lead}", [{"name": "x"}]) == [("", "InvalidType", "")]
    assert await api.refused("POST", "leads", []) == [("", "TooFew", "")]
    assert await api.refused("POST", "leads", [{}] * 251) == [("", "TooMany", "")]
    answer = await api.http.post(
        f"{api.base}/api/v4/leads", content=b"{", headers={"Authorization": f"Bearer {api.token}"}
    )
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


@pytest.mark.parametrize(
    ("item", "code", "path"),
    [
        ({"price": "5"}, "InvalidType", "price"),
        ({"price": 5.5}, "InvalidType", "price"),
        ({"name": 5}, "InvalidType", "name"),
        ({"status_id": 5}, "NotSupportedChoice", "status_id"),
        ({"pipeline_id": 5}, "NotSupportedChoice", "pipeline_id"),
        ({"responsible_user_id": 5}, "NotSupportedChoice", "responsible_user_id"),
        ({"responsible_user_id": 8_000_006}, "NotSupportedChoice", "responsible_user_id"),
        ({"loss_reason_id": 5}, "NotSupportedChoice", "loss_reason_id"),
        ({"_embedded": {"contacts": [{"id": 5}]}}, "NotSupportedChoice", "_embedded.contacts.0.id"),
        (
            {"custom_fields_values": [{"field_id": 5, "values": [{"value": 1}]}]},
            "NotSupportedChoice",
            "custom_fields_values.0.field_id",
        ),
        (
            {"custom_fields_values": [{"field_code": "NOPE", "values": None}]},
            "NotSupportedChoice",
            "custom_fields_values.0.field_code",
        ),
        (
            {"custom_fields_values": [{"field_code": "UTM_SOURCE", "values": []}]},
            "TooFew",
            "custom_fields_values.0.values",
        ),
        (
            {"custom_fields_values": [{"field_code": "UTM_SOURCE", "values": [{"value": {}}]}]},
            "InvalidType",
            "custom_fields_values.0.values.0.value",
        ),
    ],
)
async def test_bad_values_are_refused_by_code_and_path(
    api: Api, item: dict[str, Any], code: str, path: str
) -> None:
    assert await api.refused("POST", "leads", [{"request_id": "r7", **item}]) == [("r7", code, path)]
    assert await api.state("deals") == []


async def test_the_validation_envelope_is_exact(api: Api) -> None:
    answer = await api.raw("POST", "leads", [{"status_id": 5}])
    assert answer.json() == {
        "validation-errors": [
            {
                "request_id": "0",
                "errors": [
                    {
                        "code": "NotSupportedChoice",
                        "path": "status_id",
                        "detail": "The value you selected is not a valid choice.",
                    }
                ],
            }
        ],
        "title": "Bad Request",
        "type": "https://httpstatus.es/400",
        "status": 400,
        "detail": "Request validation failed",
    }


async def test_one_bad_item_refuses_the_batch_unless_the_switch_says_otherwise(account: Build) -> None:
    for way, made in (("nothing", []), ("valid", ["а", "в"])):
        async with account(batch_on_error=way) as api:
            batch = [{"name": "а"}, {"name": "б", "price": "x"}, {"name": "в"}]
            assert await api.refused("POST", "leads", batch) == [("1", "InvalidType", "price")]
            assert [row["title"] for row in await api.state("deals")] == made


async def test_a_write_to_a_missing_id_is_refused_in_one_of_three_ways(account: Build) -> None:
    async with account() as api:
        assert await api.refused("PATCH", "leads", [{"id": 5}]) == [("0", "NotSupportedChoice", "id")]
        assert await api.refused("PATCH", "leads/5", {}) == [("0", "NotSupportedChoice", "id")]
    async with account(missing_patch="not_found") as api:
        assert (await api.raw("PATCH", "contacts/5", {})).status_code == 404
    async with account(missing_patch="226") as api:
        answer = await api.raw("PATCH", "leads", [{"id": 5}])
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 226)


async def test_won_and_lost_stand_in_every_pipeline_so_a_move_names_both(api: Api) -> None:
    pipeline, stages = await api.pipeline("Приёмы", "Записан")
    lead = await api.lead()
    assert await api.refused("PATCH", f"leads/{lead}", {"status_id": stages["Записан"]}) == [
        ("0", "NotSupportedChoice", "status_id")
    ]
    api.clock.advance(10)
    await api.write("PATCH", f"leads/{lead}", {"pipeline_id": pipeline, "status_id": 143})
    row = await api.get(f"leads/{lead}")
    assert (row["pipeline_id"], row["status_id"], row["closed_at"]) == (
        pipeline,
        143,
        int(api.clock.now().timestamp()),
    )
    await api.write("PATCH", f"leads/{lead}", {"pipeline_id": pipeline, "status_id": stages["Записан"]})
    assert (await api.get(f"leads/{lead}"))["closed_at"] is None


async def test_who_wrote_it_and_when(account: Build) -> None:
    async with account() as api:
        lead = await api.lead(created_by=0, created_at=1_600_000_000)
        row = await api.get(f"leads/{lead}")
        now = int(api.clock.now().timestamp())
        assert (row["created_by"], row["created_at"], row["updated_by"], row["updated_at"]) == (
            0,
            1_600_000_000,
            8_000_001,
            now,
        )
        api.clock.advance(7)
        await api.write("PATCH", f"leads/{lead}", {"updated_at": 5, "updated_by": 0})
        row = await api.get(f"leads/{lead}")
        assert (row["updated_at"], row["updated_by"]) == (now + 7, 0)
    async with account(updated_at_sent="stored") as api:
        lead = await api.lead()
        await api.write("PATCH", f"leads/{lead}", {"updated_at": 5})
        assert (await api.get(f"leads/{lead}"))["updated_at"] == 5


async def test_names_of_a_contact(account: Build) -> None:
    async with account() as api:
        contact = await api.contact("Иванова Мария", first_name="Маша", last_name="Иванова")
        row = await api.get(f"contacts/{contact}")
        assert (row["name"], row["first_name"], row["last_name"]) == ("Иванова Мария", "Маша", "Иванова")
        (other,) = await api.add("contacts", {"first_name": "Пётр", "last_name": "Дуб"})
        assert (await api.get(f"contacts/{other}"))["name"] == "Пётр Дуб"
    async with account(name_parts="parts") as api:
        contact = await api.contact("Иванова Мария", first_name="Маша", last_name="Иванова")
        assert (await api.get(f"contacts/{contact}"))["name"] == "Маша Иванова"
        contact = await api.contact("Иванова Мария")
        assert (await api.get(f"contacts/{contact}"))["first_name"] == "Иванова"


@pytest.mark.parametrize(
    ("type_", "written", "read"),
    [
        ("text", "  как есть \r\n<b>\U0001f9b7", "  как есть \r\n<b>\U0001f9b7"),
        ("textarea", "строка", "строка"),
        ("text", 5, "5"),
        ("numeric", 1.5, "1.5"),
        ("numeric", "12", "12"),
        ("numeric", 0, "0"),
        ("checkbox", True, True),
        ("checkbox", False, False),
        ("date_time", 1_700_000_000, 1_700_000_000),
        ("date_time", "2025-10-02T20:59:00+03:00", 1_759_427_940),
        ("url", "https://example.com", "https://example.com"),
    ],
)
async def test_values_come_back_in_their_own_form(api: Api, type_: str, written: Any, read: Any) -> None:
    field = await api.field("leads", type_)
    lead = await api.lead(**filled(field, written))
    assert await value(api, lead, field) == read


@pytest.mark.parametrize("type_", ["date", "birthday"])
async def test_a_date_is_cut_to_a_day_of_the_account(account: Build, type_: str) -> None:
    midnight = int(datetime(2001, 11, 11, tzinfo=MOSCOW).timestamp())
    late = int(datetime(2001, 11, 11, 23, 30, tzinfo=MOSCOW).timestamp())
    utc_day = int(datetime(2001, 11, 10, tzinfo=MOSCOW).timestamp())
    for switch, bare in (("account", midnight), ("utc", utc_day)):
        async with account(date_cut=switch) as api:
            field = await api.field("leads", type_)
            lead = await api.lead(**filled(field, "2001-11-11T00:00:00+03:00"))
            assert await value(api, lead, field) == midnight
            lead = await api.lead(**filled(field, late))
            assert await value(api, lead, field) == midnight
            lead = await api.lead(**filled(field, midnight))
            assert await value(api, lead, field) == bare


async def test_a_date_before_1970(api: Api) -> None:
    field = await api.field("contacts", "birthday")
    contact = await api.contact(**filled(field, "1930-01-01T00:00:00+03:00"))
    (row,) = (await api.get(f"contacts/{contact}"))["custom_fields_values"]
    moment = datetime.fromtimestamp(row["values"][0]["value"], ZoneInfo("Europe/Moscow"))
    assert (moment.isoformat(), moment.utcoffset()) == ("1930-01-01T00:00:00+02:00", timedelta(hours=2))


@pytest.mark.parametrize(
    ("type_", "given", "code"),
    [
        ("numeric", "пять", "InvalidType"),
        ("checkbox", "да", "InvalidType"),
        ("date", "завтра", "InvalidFormat"),
        ("date", "2025-10-02T20:59:00", "InvalidFormat"),
        ("text", True, "InvalidType"),
    ],
)
async def test_values_of_a_wrong_type(api: Api, type_: str, given: Any, code: str) -> None:
    field = await api.field("leads", type_)
    path = "custom_fields_values.0.values.0.value"
    assert await api.refused("POST", "leads", [filled(field, given)]) == [("0", code, path)]


async def test_a_list_takes_its_own_options_only(api: Api) -> None:
    enums = [{"value": "ДМС", "sort": 1, "code": "DMS"}, {"value": "Наличные", "sort": 2}]
    field = await api.field("leads", "select", enums=enums)
    known = {one["value"]: one["id"] for one in (await api.get(f"leads/custom_fields/{field}"))["enums"]}
    for item in ({"value": "ДМС"}, {"enum_id": known["ДМС"]}, {"enum_code": "DMS"}):
        lead = await api.lead(custom_fields_values=[{"field_id": field, "values": [item]}])
        (row,) = (await api.get(f"leads/{lead}"))["custom_fields_values"]
        assert row["values"] == [{"value": "ДМС", "enum_id": known["ДМС"], "enum_code": "DMS"}]
        assert (row["field_name"], row["field_type"], row["is_computed"]) == ("Поле", "select", False)
    for item in ({"value": "дмс"}, {"enum_id": 5}, {"value": "Карта"}):
        body = [{"custom_fields_values": [{"field_id": field, "values": [item]}]}]
        ((_, code, _),) = await api.refused("POST", "leads", body)
        assert code == "NotSupportedChoice"


async def test_a_field_that_is_named_is_replaced_whole_and_null_clears_it(api: Api) -> None:
    other = await api.field("contacts", "text")
    contact = await api.contact("Мария", PHONE)
    await api.write("PATCH", f"contacts/{contact}", filled(other, "остаётся"))
    phones = [{"value": "8 (900) 1", "enum_code": "MOB"}, {"value": "+7900", "enum_code": "HOME"}]
    await api.write(
        "PATCH", f"contacts/{contact}", {"custom_fields_values": [{"field_code": "PHONE", "values": phones}]}
    )
    rows = {row["field_code"]: row for row in (await api.get(f"contacts/{contact}"))["custom_fields_values"]}
    assert [(one["value"], one["enum_code"]) for one in rows["PHONE"]["values"]] == [
        ("8 (900) 1", "MOB"),
        ("+7900", "HOME"),
    ]
    assert rows[None]["values"] == [{"value": "остаётся"}]
    await api.write(
        "PATCH", f"contacts/{contact}", {"custom_fields_values": [{"field_code": "PHONE", "values": None}]}
    )
    rows = (await api.get(f"contacts/{contact}"))["custom_fields_values"]
    assert [row["field_id"] for row in rows] == [other]


async def test_a_phone_without_a_label_is_a_work_phone_kept_as_it_was_sent(api: Api) -> None:
    contact = await api.contact("Мария", "8 (903) 145-34-55")
    (row,) = (await api.get(f"contacts/{contact}"))["custom_fields_values"]
    assert (row["values"][0]["value"], row["values"][0]["enum_code"]) == ("8 (903) 145-34-55", "WORK")
    bad = [{"custom_fields_values": [{"field_code": "PHONE", "values": [{"value": "1", "enum_code": "X"}]}]}]
    assert (await api.refused("POST", "contacts", bad))[0][1] == "NotSupportedChoice"


async def test_tags_are_replaced_or_added_and_deleted(api: Api) -> None:
    async def tags() -> set[str]:
        return {one["name"] for one in (await api.get(f"leads/{lead}"))["_embedded"]["tags"]}

    lead = await api.lead(_embedded={"tags": [{"name": "а"}, {"name": "б"}]})
    await api.write("PATCH", f"leads/{lead}", {"_embedded": {"tags": None}})
    assert await tags() == {"а", "б"}
    await api.write(
        "PATCH", f"leads/{lead}", {"tags_to_add": [{"name": "в"}], "tags_to_delete": [{"name": "а"}]}
    )
    assert await tags() == {"б", "в"}
    await api.write("PATCH", f"leads/{lead}", {"_embedded": {"tags": [{"name": "г"}]}})
    assert await tags() == {"г"}
    await api.write("PATCH", f"leads/{lead}", {"_embedded": {"tags": []}})
    assert await tags() == set()


async def test_definitions_of_fields(api: Api) -> None:
    made = await api.write(
        "POST", "leads/custom_fields", [{"name": "Ключ", "type": "text", "code": "KEY", "is_api_only": True}]
    )
    (field,) = made["_embedded"]["custom_fields"]
    assert (made["_total_items"], field["is_api_only"], field["is_deletable"], field["entity_type"]) == (
        1,
        True,
        True,
        "leads",
    )
    again = [{"name": "Ещё", "type": "text", "code": "KEY"}]
    assert await api.refused("POST", "leads/custom_fields", again) == [("0", "NotSupportedChoice", "code")]
    assert await api.refused("POST", "leads/custom_fields", [{"name": "Деньги", "type": "monetary"}]) == [
        ("0", "FieldMissing", "currency")
    ]
    listed = await api.get("leads/custom_fields?limit=5&filter[type][]=tracking_data")
    assert (listed["_total_items"], listed["_page_count"]) == (19, 4)
    assert {"self", "next", "last"} == set(listed["_links"])
    assert "UTM_SOURCE" in {row["code"] for row in listed["_embedded"]["custom_fields"]}
    codes = {row["code"] for row in await api.rows("contacts/custom_fields")}
    assert codes == {"PHONE", "EMAIL", "POSITION", "IM"}
    assert (await api.raw("DELETE", f"leads/custom_fields/{field['id']}")).status_code == 204
    assert (await api.raw("GET", f"leads/custom_fields/{field['id']}")).status_code == 404


async def test_options_are_sent_whole_and_what_is_left_out_is_gone(api: Api) -> None:
    field = await api.field("leads", "select", enums=[{"value": "а", "sort": 1}, {"value": "б", "sort": 2}])
    first, second = (await api.get(f"leads/custom_fields/{field}"))["enums"]
    kept, lost = [await api.lead(**filled(field, name)) for name in ("а", "б")]
    body = {"enums": [{"id": first["id"], "value": "А", "sort": 1}, {"value": "в", "sort": 2}]}
    changed = await api.write("PATCH", f"leads/custom_fields/{field}", body)
    assert [one["value"] for one in changed["enums"]] == ["А", "в"]
    assert changed["enums"][0]["id"] == first["id"]
    assert second["id"] not in {one["id"] for one in changed["enums"]}
    assert await value(api, kept, field) == "а"
    assert await value(api, lost, field) is None


async def test_required_statuses_bind_the_api_only_by_a_switch(account: Build) -> None:
    for way, refused in (("ui", False), ("api", True)):
        async with account(required_statuses=way) as api:
            pipeline, stages = await api.main()
            required = [{"pipeline_id": pipeline, "status_id": stages["Квалификация"]}]
            field = await api.field("leads", "text", required_statuses=required)
            lead = await api.lead()
            move = {"pipeline_id": pipeline, "status_id": stages["Квалификация"]}
            answer = await api.raw("PATCH", f"leads/{lead}", move)
            assert (answer.status_code == 400) is refused
            await api.write("PATCH", f"leads/{lead}", {**move, **filled(field, "x")})
