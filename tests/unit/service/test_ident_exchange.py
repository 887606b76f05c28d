"""iDent's rules of its HTTP exchange, each asked of the service over HTTP with a real journal behind it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import msgspec
import pytest
from exchanging import FakeExchange

from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Entity
from kreslo.journal import Journal
from kreslo.records.exchange import Ticket, TimeTable
from kreslo.service import ident_exchange
from kreslo.service.app import create_app

NOW = datetime(2026, 5, 12, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "k9PxQ2vT7mZc4RbW"
ASKED = {"IDENT-Integration-Key": KEY}
GETS = ("/ident/GetTickets", "/ident/GetFinishedCalls", "/ident/GetOngoingCalls")
TABLE: dict[str, Any] = {
    "Doctors": [{"Id": 7, "Name": "Петров П."}],
    "Branches": [{"Id": 1, "Name": "Центр"}],
    "Intervals": [
        {
            "BranchId": 1,
            "DoctorId": 7,
            "StartDateTime": "2026-05-12T15:00:00+03:00",
            "LengthInMinutes": 15,
            "IsBusy": False,
        }
    ],
}


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[FakeExchange]:
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        yield FakeExchange("clinic", KEY, journal.bridge("clinic", "ident"), NOW)


@pytest.fixture
async def ident(exchange: FakeExchange) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app([], exchanges=[exchange])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://kreslo", headers=ASKED
    ) as client:
        yield client


def put(exchange: FakeExchange, id_: str, after: timedelta = timedelta(0), **more: Any) -> None:
    ticket = Ticket(**{"id": id_, "date_and_time": NOW + after, "client_phone": "+79001112233"} | more)
    exchange.journal.put_ticket(Entity.LEAD, id_, ticket)


async def ids(ident: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await ident.get("/ident/GetTickets", params=params)
    assert answer.status_code == 200, answer.text
    return [ticket["Id"] for ticket in answer.json()]


# --- the key ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("key", ["", "wrong", KEY.lower(), f"{KEY}x", "ключ".encode()])
async def test_a_wrong_key_is_refused_with_a_plain_reason(
    ident: httpx.AsyncClient, path: str, key: str | bytes
) -> None:
    answer = await ident.get(path, headers={"IDENT-Integration-Key": key})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "IDENT-Integration-Key" in answer.text


async def test_a_missing_key_is_refused_before_the_body_is_looked_at(exchange: FakeExchange) -> None:
    app = create_app([], exchanges=[exchange])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kreslo") as stranger:
        posted = await stranger.post("/ident/PostTimeTable", json=TABLE)
        assert (posted.status_code, posted.headers["Content-Type"]) == (401, "text/plain; charset=utf-8")
        assert (await stranger.get("/ident/GetTickets?limit=x")).status_code == 401
    assert exchange.journal.timetable() is None


async def test_a_bridge_without_a_key_is_opened_by_no_key(exchange: FakeExchange) -> None:
    exchange.exchange_key = ""
    app = create_app([], exchanges=[exchange])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kreslo") as stranger:
        answer = await stranger.get("/ident/GetTickets", headers={"IDENT-Integration-Key": ""})
    assert answer.status_code == 401


async def test_keys_are_compared_in_constant_time(
    ident: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(ident_exchange.hmac, "compare_digest", compare)
    assert (await ident.get("/ident/GetTickets")).status_code == 200
    assert compared == [(KEY.encode(), KEY.encode())]


async def test_without_an_exchange_its_addresses_are_not_there() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app([])), base_url="http://kreslo"
    ) as client:
        for path in (*GETS, "/slots"):
            assert (await client.get(path, headers=ASKED)).status_code == 404


# --- tickets ------------------------------------------------------------------------------------------------------


async def test_tickets_are_a_bare_array_and_are_served_again_unchanged(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    put(exchange, "1", client_full_name="Анна", doctor_id=7, comment="Филиал: Центр")
    first, second = [await ident.get("/ident/GetTickets") for _ in range(2)]
    assert first.headers["Content-Type"].startswith("application/json")
    assert first.content == second.content
    assert first.json() == [
        {
            "Id": "1",
            "DateAndTime": "2026-05-12T09:00:00Z",
            "ClientPhone": "+79001112233",
            "ClientFullName": "Анна",
            "Comment": "Филиал: Центр",
            "DoctorId": 7,
        }
    ]


async def test_both_bounds_belong_to_the_window_in_any_offset(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    for number in range(4):
        put(exchange, str(number), number * HOUR)
    window = {"dateTimeFrom": "2026-05-12T17:00:00+07:00", "dateTimeTo": "2026-05-12T11:00:00+00:00"}
    assert await ids(ident, **window) == ["1", "2"]
    later = {"dateTimeFrom": "2026-05-12T17:00:01+07:00", "dateTimeTo": "2026-05-12T10:59:59Z"}
    assert await ids(ident, **later) == []
    far = {"dateTimeFrom": "2026-05-12T00:00:00+07:00", "dateTimeTo": "2200-01-01T23:59:59+07:00"}
    assert await ids(ident, **far) == ["0", "1", "2", "3"]


async def test_a_plus_that_was_not_encoded_is_still_an_offset(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    put(exchange, "1")
    answer = await ident.get("/ident/GetTickets?dateTimeFrom=2026-05-12T12:00:00+03:00")
    assert [ticket["Id"] for ticket in answer.json()] == ["1"]


async def test_pages_follow_the_filter_and_the_last_is_short(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    put(exchange, "before", -HOUR)
    for number in range(5):
        put(exchange, str(number), number * HOUR)
    window = {"dateTimeFrom": "2026-05-12T09:00:00Z"}
    pages = [await ids(ident, **window, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert pages == [["0", "1"], ["2", "3"], ["4"], []]


@pytest.mark.parametrize(
    "params",
    [
        {"dateTimeFrom": "yesterday"},
        {"dateTimeFrom": "2026-05-12T00:00:00"},
        {"dateTimeTo": ""},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "all"},
        {"offset": "-1"},
        {"offset": "9999999999"},
    ],
)
async def test_a_wrong_parameter_is_never_a_success(ident: httpx.AsyncClient, params: dict[str, str]) -> None:
    answer = await ident.get("/ident/GetTickets", params=params)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert next(iter(params)) in answer.text


@pytest.mark.parametrize("path", GETS[1:])
async def test_a_service_without_telephony_answers_an_empty_array(
    ident: httpx.AsyncClient, path: str
) -> None:
    answer = await ident.get(path, params={"dateTimeFrom": "2026-05-12T00:00:00+07:00"})
    assert (answer.status_code, answer.json()) == (200, [])


async def test_xml_is_answered_where_xml_is_asked_for(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    put(exchange, "1", client_full_name="Анна <b>\x01", doctor_id=7)
    answer = await ident.get("/ident/GetTickets", headers={"Accept": "application/xml"})
    assert answer.headers["Content-Type"].startswith("application/xml")
    (ticket,) = ET.fromstring(answer.content)  # noqa: S314
    assert {leaf.tag: leaf.text for leaf in ticket} == {
        "Id": "1",
        "DateAndTime": "2026-05-12T09:00:00Z",
        "ClientPhone": "+79001112233",
        "ClientFullName": "Анна <b>",
        "DoctorId": "7",
    }
    both = await ident.get("/ident/GetTickets", headers={"Accept": "application/json, text/xml"})
    assert both.headers["Content-Type"].startswith("application/json")


async def test_a_journal_that_is_locked_is_a_failure_and_not_an_empty_list(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    exchange.fail = OutageError("the journal is locked")
    answer = await ident.get("/ident/GetTickets")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert (await ident.post("/ident/PostTimeTable", json=TABLE)).status_code == 503


# --- the timetable ------------------------------------------------------------------------------------------------


async def test_a_posted_timetable_takes_the_place_of_the_one_before(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    assert (await ident.post("/ident/PostTimeTable", json=TABLE)).status_code == 200
    moved = [{**TABLE["Intervals"][0], "StartDateTime": "2026-05-13T15:00:00+03:00"}]
    assert (await ident.post("/ident/PostTimeTable", json={**TABLE, "Intervals": moved})).status_code == 200
    stored = exchange.journal.timetable()
    assert stored
    assert stored[0] == msgspec.convert({**TABLE, "Intervals": moved}, TimeTable)


XML_TABLE = """\
<?xml version="1.0" encoding="utf-8"?>
<TimeTable xmlns="http://schemas.example/ident">
  <Doctors><Doctor><Id>7</Id><Name>Петров П.</Name></Doctor></Doctors>
  <Branches><Branch><Id>1</Id><Name>Центр</Name></Branch></Branches>
  <Intervals><Interval>
    <BranchId>1</BranchId><DoctorId>7</DoctorId><StartDateTime>2026-05-12T15:00:00+03:00</StartDateTime>
    <LengthInMinutes>15</LengthInMinutes><IsBusy>false</IsBusy>
  </Interval></Intervals>
</TimeTable>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_xml_says_the_same_as_json(
    ident: httpx.AsyncClient, exchange: FakeExchange, encoding: str
) -> None:
    text = XML_TABLE.replace('"utf-8"', '"utf-16"') if encoding == "utf-16" else XML_TABLE
    answer = await ident.post("/ident/PostTimeTable", content=text.encode(encoding))
    assert answer.status_code == 200, answer.text
    stored = exchange.journal.timetable()
    assert stored
    assert stored[0] == msgspec.convert(TABLE, TimeTable)


async def test_a_month_of_a_large_clinic_is_taken(ident: httpx.AsyncClient, exchange: FakeExchange) -> None:
    many = [{**TABLE["Intervals"][0], "DoctorId": number} for number in range(30_000)]
    content = msgspec.json.encode({**TABLE, "Intervals": many})
    assert len(content) > 3_000_000
    assert (await ident.post("/ident/PostTimeTable", content=content)).status_code == 200
    stored = exchange.journal.timetable()
    assert stored
    assert len(stored[0].intervals) == 30_000


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb">]><TimeTable><Doctors>&b;</Doctors></TimeTable>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"[]", "not as expected"),
        (b"{}", "Doctors"),
        (b"<TimeTable><Doctors>", "not XML"),
        (b"<TimeTable/>", "Doctors"),
        (BOMB, "document type"),
        ('{"Doctors": "Д"}'.encode("cp1251"), "not"),
        (
            msgspec.json.encode({**TABLE, "Intervals": [{**TABLE["Intervals"][0], "LengthInMinutes": 0}]}),
            "Intervals",
        ),
        (
            msgspec.json.encode(
                {**TABLE, "Intervals": [{**TABLE["Intervals"][0], "StartDateTime": "2026-05-12T15:00:00"}]}
            ),
            "StartDateTime",
        ),
    ],
)
async def test_what_is_no_timetable_is_refused_and_the_old_one_stays(
    ident: httpx.AsyncClient, exchange: FakeExchange, content: bytes, said: str
) -> None:
    await ident.post("/ident/PostTimeTable", json=TABLE)
    answer = await ident.post("/ident/PostTimeTable", content=content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert said in answer.text
    stored = exchange.journal.timetable()
    assert stored
    assert len(stored[0].intervals) == 1


async def test_a_body_without_end_and_a_compressed_one_are_refused(
    ident: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeezed = await ident.post("/ident/PostTimeTable", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (squeezed.status_code, "compressed" in squeezed.text) == (400, True)
    monkeypatch.setattr(ident_exchange, "MOST_BYTES", 10)
    assert (await ident.post("/ident/PostTimeTable", json=TABLE)).status_code == 413


# --- free times ---------------------------------------------------------------------------------------------------


def cell(
    start: str, *, branch: int = 1, doctor: int = 7, minutes: int = 15, busy: bool = False
) -> dict[str, Any]:
    return {
        "BranchId": branch,
        "DoctorId": doctor,
        "StartDateTime": start,
        "LengthInMinutes": minutes,
        "IsBusy": busy,
    }


async def test_free_times_are_offered_by_branch_doctor_and_day(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    cells = [
        cell("2026-05-12T11:45:00+03:00"),  # has begun
        cell("2026-05-12T12:00:00+03:00"),
        cell("2026-05-12T12:15:00+03:00"),
        cell("2026-05-12T12:15:00+03:00", minutes=30, busy=True),
        cell("2026-05-12T23:45:00+03:00", branch=2, doctor=8),
        cell("2026-05-13T00:00:00+03:00", branch=2, doctor=8),
    ]
    await ident.post("/ident/PostTimeTable", json={**TABLE, "Intervals": cells})

    async def free(**params: Any) -> list[str]:
        return [
            slot["starts_at"][5:16] for slot in (await ident.get("/slots", params=params)).json()["slots"]
        ]

    assert await free() == ["05-12T12:00", "05-12T23:45", "05-13T00:00"]
    assert await free(day="2026-05-12") == ["05-12T12:00", "05-12T23:45"]
    assert await free(day="2026-05-13", branch=2) == ["05-13T00:00"]
    assert await free(doctor=7) == ["05-12T12:00"]
    assert await free(branch=1, doctor=8) == []


async def test_any_site_may_ask_for_free_times_and_learns_nothing_else(
    ident: httpx.AsyncClient, exchange: FakeExchange
) -> None:
    put(exchange, "1", client_full_name="Анна")
    await ident.post("/ident/PostTimeTable", json=TABLE)
    del ident.headers["IDENT-Integration-Key"]
    answer = await ident.get("/slots", headers={"Origin": "https://clinic.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json() == {
        "posted_at": "2026-05-12T12:00:00+03:00",
        "branches": [{"id": 1, "name": "Центр"}],
        "doctors": [{"id": 7, "name": "Петров П."}],
        "slots": [{"branch": 1, "doctor": 7, "starts_at": "2026-05-12T15:00:00+03:00", "minutes": 15}],
    }


async def test_before_the_first_timetable_nothing_is_called_free(ident: httpx.AsyncClient) -> None:
    answer = await ident.get("/slots")
    assert (answer.status_code, "timetable" in answer.json()["error"]) == (503, True)


@pytest.mark.parametrize(
    "params", [{"day": "tomorrow"}, {"day": "9999-12-31"}, {"branch": "x"}, {"bridge": "none"}]
)
async def test_a_wrong_question_for_free_times_is_told(
    ident: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await ident.get("/slots", params=params)
    assert (answer.status_code, next(iter(params)) in answer.json()["error"]) == (400, True)
