"""batch: references, errors, halting, its length."""

from b24_portal import Rest


async def test_results_feed_the_commands_after_them(rest: Rest) -> None:
    answer = await rest.batch(
        {
            "contact": "crm.contact.add?fields[NAME]=%D0%90%D0%BD%D0%BD%D0%B0",
            "deal": "crm.deal.add?fields[TITLE]=x$result[contact]y&fields[CONTACT_IDS][0]=$result[contact]",
            "list": "crm.deal.list?select[]=ID&select[]=TITLE",
            "again": "crm.deal.get?id=$result[list][0][ID]",
            "item": "crm.item.get?entityTypeId=2&id=$result[again][ID]",
            "lost": "crm.deal.add?fields[TITLE]=$result[nobody][0][ID]",
        }
    )
    assert answer["result_error"] == []
    assert answer["result"]["list"] == [{"ID": "1", "TITLE": "x1y"}]
    assert answer["result"]["item"]["item"]["contactIds"] == [1]
    assert answer["result"]["lost"] == 2
    assert answer["result_total"] == {"list": 1}
    assert answer["result_next"] == []
    assert set(answer["result_time"]) == set(answer["result"])


async def test_form_and_json_batches_are_alike(rest: Rest) -> None:
    url = rest.webhook + "batch"
    command = "crm.contact.add?fields%5BNAME%5D=A%26B"
    form = await rest.http.post(url, data={"cmd[one]": command, "halt": "0"})
    assert form.json()["result"]["result"] == {"one": 1}
    assert (await rest.call("crm.contact.get", id=1))["NAME"] == "A&B"
    assert (await rest.call("batch", CMD=[command]))["result"] == [2]


async def test_one_failure_leaves_the_others_and_nothing_is_rolled_back(rest: Rest) -> None:
    answer = await rest.batch(
        {"a": "crm.contact.add?fields[NAME]=A", "b": "crm.contact.get?id=77", "c": "crm.contact.get?id=1"}
    )
    assert answer["result_error"] == {"b": {"error": "", "error_description": "Not found"}}
    assert set(answer["result"]) == {"a", "c"}


async def test_halt_stops_at_the_first_failure(rest: Rest) -> None:
    answer = await rest.batch(
        {"a": "crm.contact.add?fields[NAME]=A", "b": "nothing", "c": "crm.contact.add?fields[NAME]=C"}, halt=1
    )
    assert (answer["result"], list(answer["result_error"])) == ({"a": 1}, ["b"])
    assert len(await rest.state("contacts")) == 1


async def test_sections_turn_into_lists_by_their_keys(rest: Rest) -> None:
    answer = await rest.batch({"0": "crm.contact.get?id=1", "1": "crm.contact.get", "2": "profile"})
    assert [row["error_description"] for row in answer["result_error"]] == [
        "Not found",
        "ID is not defined or invalid.",
    ]
    assert list(answer["result"]) == ["2"]


async def test_the_fifty_first_command_is_refused_and_batches_do_not_nest(rest: Rest) -> None:
    answer = await rest.batch([f"crm.contact.add?fields[NAME]={at}" for at in range(52)])
    assert len(answer["result"]) == 50
    assert [row["error"] for row in answer["result_error"].values()] == ["ERROR_BATCH_LENGTH_EXCEEDED"] * 2
    nested = await rest.batch({"a": "batch?cmd[x]=profile", "b": ["no text"], "c": "profile"})
    assert nested["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    assert set(nested["result"]) == {"c"}


async def test_paging_works_inside(rest: Rest) -> None:
    await rest.batch([f"crm.contact.add?fields[NAME]={at}" for at in range(50)])
    await rest.contact()
    answer = await rest.batch(
        {"a": "crm.contact.list?start=0&select[]=ID", "b": "crm.contact.list?start=50&select[]=ID"}
    )
    assert answer["result_next"] == {"a": 50}
    assert answer["result_total"] == {"a": 51, "b": 51}
    assert answer["result"]["b"] == [{"ID": "51"}]
