"""What a person decides, over HTTP and on the page; and who is not let in."""

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from kreslo.connectors.errors import ConfigurationError, OutageError
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.journal.model import Explained, ParkedItem, ReviewItem
from kreslo.records import RecordKind
from kreslo.service.app import create_app
from kreslo.sync.drift import Drift, DriftKind, Reconciled

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HEADER = {"X-Kreslo-Request": "1"}
ANSWER = {"choice": "link", "target_id": "41", "by": "Ольга"}


def question(number: int = 7, rule: str = "several", **more: Any) -> ReviewItem:
    candidates = (
        Candidate(target_id="41", name="Пётр <Иванов>", evidence="+79001112233"),
        Candidate(target_id="42", name="Иванов П.", evidence=""),
    )
    wish = ReviewWish(question="contact:1", rule=rule, text="Кто это?", candidates=more.pop("of", candidates))
    return ReviewItem(id=number, case="patient:1", wish=wish, asked_at=NOW, **more)


def parked() -> ParkedItem:
    reason = "CRM не берёт +79001112233"
    return ParkedItem(id=3, case="patient:1", about="ident/patient/1", reason=reason, fix="Исправьте", at=NOW)


@pytest.fixture
def full(bridge: Any) -> Any:
    bridge.asked = [question()]
    bridge.held = [parked()]
    bridge.told = {
        "patient:1": Explained(case="patient:1", why="records", rules=("upcoming", "tel +79001112233"))
    }
    bridge.becomes(review=1, parked=1)
    return bridge


async def test_open_questions_show_whom_a_person_must_tell_apart(
    client: httpx.AsyncClient, full: Any
) -> None:
    full.asked.append(question(8, choice="never"))
    (told,) = (await client.get("/api/clinic/reviews")).json()["reviews"]
    assert (told["id"], told["case"], told["rule"]) == (7, "patient:1", "several")
    assert told["candidates"][0] == {
        "target_id": "41",
        "name": "Пётр <Иванов>",
        "evidence": "+79001112233",
    }
    answered = (await client.get("/api/clinic/reviews?answered=true")).json()["reviews"]
    assert [(each["id"], each["choice"]) for each in answered] == [(8, "never")]


async def test_an_answer_reaches_the_bridge(client: httpx.AsyncClient, full: Any) -> None:
    said = await client.post("/api/clinic/reviews/7", json=ANSWER, headers=HEADER)
    assert (said.status_code, said.json()) == (200, {"answered": 7})
    assert full.answers == [(7, "link", "41", "Ольга")]


@pytest.mark.parametrize(
    ("number", "body", "code"),
    [
        (9, ANSWER, 404),
        (7, {**ANSWER, "choice": "maybe"}, 422),
        (7, {**ANSWER, "target_id": ""}, 422),
        (7, {**ANSWER, "by": " "}, 422),
        (7, {**ANSWER, "chioce": "new"}, 422),
    ],
)
async def test_a_wrong_answer_is_refused(
    client: httpx.AsyncClient, full: Any, number: int, body: dict[str, str], code: int
) -> None:
    said = await client.post(f"/api/clinic/reviews/{number}", json=body, headers=HEADER)
    assert said.status_code == code
    assert full.answers == []


@pytest.mark.parametrize("path", ["reviews/7", "parked/3/release", "reconcile"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Kreslo-Request": "yes"},
        {**HEADER, "Origin": "http://evil.example"},
        {**HEADER, "Origin": "null"},
        {**HEADER, "Origin": "http://127.0.0.1:9999"},
        {**HEADER, "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_the_page_of_another_site_changes_nothing(
    client: httpx.AsyncClient, full: Any, path: str, headers: dict[str, str]
) -> None:
    said = await client.post(f"/api/clinic/{path}", json=ANSWER, headers=headers)
    assert said.status_code == 403
    assert (full.answers, len(full.held)) == ([], 1)


async def test_our_own_origin_may_change(client: httpx.AsyncClient, full: Any) -> None:
    headers = {**HEADER, "Origin": "http://127.0.0.1:8470", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/api/clinic/parked/3/release", headers=headers)).status_code == 200
    assert full.held == []


@pytest.mark.parametrize("path", ["/", "/api/clinic/reviews", "/api/clinic/parked"])
async def test_a_foreign_name_that_leads_here_sees_nobody(full: Any, path: str) -> None:
    """DNS rebinding: to the browser the other site's page and ours are then one site."""
    app = create_app([full], names=["kreslo.clinic.example"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://evil.example"
    ) as client:
        refused = await client.get(path)
        assert refused.status_code == 421
        assert "79001112233" not in refused.text
        for name in ("localhost:8470", "[::1]:8470", "kreslo.clinic.example"):
            answer = await client.get(path, headers={"Host": name})
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-frame-options"] == "DENY"


async def test_parked_items_show_no_phone_and_can_be_released(client: httpx.AsyncClient, full: Any) -> None:
    told = await client.get("/api/clinic/parked")
    assert [each["id"] for each in told.json()["parked"]] == [3]
    assert "79001112233" not in told.text
    assert (await client.post("/api/clinic/parked/3/release", headers=HEADER)).status_code == 200
    assert (await client.post("/api/clinic/parked/3/release", headers=HEADER)).status_code == 404


async def test_a_comparison_tells_what_it_came_to_or_why_it_cannot_be(
    client: httpx.AsyncClient, full: Any
) -> None:
    full.compared = msgspec.structs.replace(
        full.compared,
        mis=[Reconciled(kind=RecordKind.PATIENT, known=5, gone=1)],
        counts={"field": 1},
        stopped="too many, ask 8 900 111-22-33",
        drift=[Drift(kind=DriftKind.FIELD, card="ident/patient/1", target_id="7", what=("NAME",))],
    )
    told = (await client.post("/api/clinic/reconcile", headers=HEADER)).json()
    assert (told["mis"][0]["kind"], told["mis"][0]["known"], told["mis"][0]["gone"]) == ("patient", 5, 1)
    assert (told["counts"], told["drift"][0]["what"]) == ({"field": 1}, ["NAME"])
    assert "111-22-33" not in told["stopped"]
    wish = {"heal": True, "sure": True}
    await client.post("/api/clinic/reconcile", headers=HEADER, json=wish)
    assert full.wished == [(False, False), (True, True)]
    wrong = await client.post("/api/clinic/reconcile", headers=HEADER, json={"heel": True})
    assert wrong.status_code == 422
    for error, code in ((OutageError("the MIS is off"), 503), (ConfigurationError("not yet"), 409)):
        full.trouble = error
        refused = await client.post("/api/clinic/reconcile", headers=HEADER)
        assert refused.status_code == code
        assert refused.json()["detail"] == {"kind": error.kind, "message": error.message}


async def test_cases_are_sought_and_explained_without_phones(client: httpx.AsyncClient, full: Any) -> None:
    found = await client.get("/api/clinic/cases", params={"phone": "8 900 111-22-33", "card": "A-17"})
    assert found.json() == {"cases": ["patient:1"]}
    assert full.sought == [{"phone": "+79001112233", "last4": "", "card": "A-17", "name": ""}]
    told = await client.get("/api/clinic/cases/patient:1")
    assert told.json()["rules"][0] == "upcoming"
    assert "79001112233" not in told.text
    assert (await client.get("/api/clinic/cases/patient:2")).status_code == 404


@pytest.mark.parametrize("params", [{}, {"name": " "}, {"phone": "нет"}, {"last4": "12"}])
async def test_a_search_for_nothing_is_refused(
    client: httpx.AsyncClient, full: Any, params: dict[str, str]
) -> None:
    assert (await client.get("/api/clinic/cases", params=params)).status_code == 422
    assert full.sought == []


async def test_an_unknown_bridge_is_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/other/reviews")).status_code == 404


# --- the page ---------------------------------------------------------------------------------------------------


def token_of(page: str) -> str:
    return page.split('name="token" value="')[1].split('"', maxsplit=1)[0]


async def test_the_page_shows_questions_with_buttons_and_waits_for_the_person(
    client: httpx.AsyncClient, full: Any
) -> None:
    page = (await client.get("/")).text
    assert "Кто это?" in page
    assert "Пётр &lt;Иванов&gt;, +79001112233" in page
    assert page.count("Это контакт пациента") == 2
    assert all(name in page for name in ("Завести новый контакт", "решено, отправить снова"))
    assert "http-equiv" not in page
    full.asked = []
    assert 'http-equiv="refresh"' in (await client.get("/")).text


async def test_a_question_without_candidates_asks_for_the_number(
    client: httpx.AsyncClient, full: Any
) -> None:
    full.asked = [question(rule="unknown_outcome", of=())]
    page = (await client.get("/")).text
    assert 'name="target_id"' in page
    assert "Записи нет, отправить" in page


async def test_the_page_s_buttons_answer_and_release(client: httpx.AsyncClient, full: Any) -> None:
    token = token_of((await client.get("/")).text)
    form = {"token": token, "choice": "link", "target_id": "41"}
    said = await client.post("/answers/clinic/7", data=form)
    assert (said.status_code, said.headers["location"]) == (303, "/")
    assert full.answers[0][:3] == (7, "link", "41")
    assert (await client.post("/released/clinic/3", data={"token": token})).status_code == 303
    assert full.held == []


async def test_the_page_says_what_was_not_taken(client: httpx.AsyncClient, full: Any) -> None:
    token = token_of((await client.get("/")).text)
    for trouble, number, said in ((None, 99, "уже решён"), (OutageError("locked"), 7, "журнал занят")):
        full.trouble = trouble
        back = await client.post(f"/answers/clinic/{number}", data={"token": token, "choice": "new"})
        assert said in (await client.get(back.headers["location"])).text


@pytest.mark.parametrize("path", ["answers/clinic/7", "released/clinic/3"])
async def test_a_form_of_another_site_is_refused(client: httpx.AsyncClient, full: Any, path: str) -> None:
    token = token_of((await client.get("/")).text)
    for given, origin in (("guess", "http://127.0.0.1:8470"), ("é", ""), (token, "http://evil.example")):
        headers = {"Origin": origin} if origin else {}
        form = {"token": given, "choice": "new"}
        assert (await client.post(f"/{path}", data=form, headers=headers)).status_code == 403
    assert (full.answers, len(full.held)) == ([], 1)
