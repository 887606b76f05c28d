"""Habits of published clients, each as it goes over the wire: bitrix24-rest, pybitrix24, CRest, b24pysdk, curl."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

import httpx
import pytest
from b24_portal import Rest

from connectors.bitrix24.sandbox.oauth import CLIENT_ID, CLIENT_SECRET


async def test_a_get_with_everything_in_an_unescaped_query_and_a_last_ampersand(rest: Rest) -> None:
    query = (
        "fields[NAME]=Анна&fields[PHONE][0][VALUE]=%2B79001112233&fields[PHONE][0][VALUE_TYPE]=WORK&start=0&"
    )
    made = await rest.http.get(f"{rest.webhook}crm.contact.add.json?{query}")
    assert made.json()["result"] == 1
    listed = await rest.http.get(f"{rest.webhook}crm.contact.list.json?select[0]=ID&select[1]=NAME&start=0&")
    assert listed.json()["result"] == [{"ID": "1", "NAME": "Анна"}]
    assert listed.json()["total"] == 1
    by_filter = await rest.http.get(
        f"{rest.webhook}crm.contact.list.json",
        params={"filter[>ID]": 0, "order[ID]": "DESC", "select[]": "ID"},
    )
    assert by_filter.json()["result"] == [{"ID": "1"}]


async def test_a_form_of_http_build_query_and_a_batch_of_doubly_encoded_commands(rest: Rest) -> None:
    command = f"crm.deal.add?fields%5BTITLE%5D={quote('Приём & осмотр')}"
    form = {"halt": "0", "cmd[one]": command, "cmd[two]": "crm.deal.get?id=$result[one]"}
    answer = await rest.http.post(f"{rest.webhook}batch.json", data=form)
    assert answer.request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert answer.json()["result"]["result"]["two"]["TITLE"] == "Приём & осмотр"
    nested = {"fields[TITLE]": "Вторая", "fields[CONTACT_IDS][]": ["7"], "params[REGISTER_SONET_EVENT]": "N"}
    assert (await rest.http.post(f"{rest.webhook}crm.deal.add", data=nested)).json()["result"] == 2


@pytest.mark.parametrize("place", ["query", "json", "form"])
async def test_a_token_may_stand_in_the_query_or_in_the_body(rest: Rest, place: str) -> None:
    auth = (await rest.order("install", {}))["auth"]["access_token"]
    url = f"{rest.base}/rest/crm.deal.add.json"
    fields = {"TITLE": "Приём"}
    if place == "query":
        answer = await rest.http.post(f"{url}?auth={auth}", json={"fields": fields})
    elif place == "json":
        answer = await rest.http.post(url, json={"auth": auth, "fields": fields})
    else:
        answer = await rest.http.post(url, data={"auth": auth, "fields[TITLE]": "Приём"})
    assert answer.json()["result"] == 1


async def test_tokens_are_exchanged_by_get_and_by_post(rest: Rest) -> None:
    refresh = (await rest.order("install", {}))["auth"]["refresh_token"]
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "refresh_token"}
    first = await rest.http.get(f"{rest.base}/oauth/token/", params={**client, "refresh_token": refresh})
    refresh = first.json()["refresh_token"]
    second = await rest.http.post(f"{rest.base}/oauth/token/", data={**client, "refresh_token": refresh})
    assert second.json()["access_token"] != first.json()["access_token"]
    assert second.json()["client_endpoint"] == f"{rest.base}/rest/"


async def test_the_last_part_of_an_address_may_end_in_json_xml_or_a_slash(rest: Rest) -> None:
    await rest.contact("Анна")
    for ending in ("", ".json", "/", ".json/"):
        answer = await rest.http.get(f"{rest.webhook}crm.contact.get{ending}?id=1")
        assert answer.json()["result"]["NAME"] == "Анна", ending
    answer = await rest.http.get(f"{rest.webhook}crm.contact.list.xml?select[]=ID&select[]=NAME")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.content)  # noqa: S314 - made by the sandbox
    assert (root.tag, root.findtext("result/item/NAME"), root.findtext("total")) == ("response", "Анна", "1")
    refused = await rest.http.get(f"{rest.webhook}crm.contact.get.xml?id=7")
    assert (refused.status_code, ET.fromstring(refused.content).findtext("error_description")) == (  # noqa: S314
        400,
        "Not found",
    )


async def test_an_application_asks_with_a_slash_at_the_end_too(rest: Rest) -> None:
    auth = (await rest.order("install", {}))["auth"]["access_token"]
    answer = await rest.http.get(f"{rest.base}/rest/app.info/", params={"auth": auth})
    assert answer.json()["result"]["INSTALLED"] is True


async def test_a_fast_list_filters_by_ids_of_the_page_before_in_the_same_batch(rest: Rest) -> None:
    for number in range(120):
        await rest.contact(f"Имя{number}")
    cmd = {"p0": "crm.contact.list?order[ID]=ASC&select[]=ID&start=-1&filter[>ID]=0"}
    for at in range(1, 3):
        after = f"$result[p{at - 1}][49][ID]"
        cmd[f"p{at}"] = f"crm.contact.list?order[ID]=ASC&select[]=ID&start=-1&filter[>ID]={after}"
    answer = await rest.batch(cmd)
    ids = [int(row["ID"]) for page in answer["result"].values() for row in page]
    assert ids == list(range(1, 121))


async def test_an_empty_body_and_no_content_type_are_a_call_without_parameters(rest: Rest) -> None:
    answer = await rest.http.post(f"{rest.webhook}profile", content=b"")
    assert answer.json()["result"]["ID"] == "1"
    bad = await rest.http.post(
        f"{rest.webhook}crm.deal.list", content=b"{", headers={"content-type": "application/json"}
    )
    assert (bad.status_code, bad.json()["result"]) == (httpx.codes.OK, [])
