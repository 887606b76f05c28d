"""`kreslo review`, `parked` and `case`: of a journal whose service is down, and of a running service."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from kreslo.cli.app import build_app
from kreslo.cli.desk import RemoteDesk, Sought
from kreslo.connectors.errors import ConfigurationError, DataError, KresloError, OutageError
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.journal import Journal
from kreslo.journal.model import CasePlan, Priority
from kreslo.records import Patient, Phone, PhoneKind, RecordKind
from kreslo.sync.drift import Compared, Drift, DriftKind, Reconciled

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PHONE = "+79001112233"
Kreslo = Callable[..., Result]


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A journal with one question and one parked case."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    wish = ReviewWish(
        question="contact:1",
        rule="several",
        text="Кто это?",
        candidates=(Candidate(target_id="41", name="Иванов Пётр", evidence=PHONE),),
    )
    with Journal.open(url) as whole:
        book = whole.bridge("clinic", "ident")
        people = [
            Patient(id=id_, surname="Иванов", name="Пётр", phones=(Phone(PHONE, PhoneKind.MOBILE),))
            for id_ in ("1", "2")
        ]
        book.take(people, cursor="c", now=NOW, priority=Priority.LIVE)
        versions = {due.key: due.version for due in book.due(NOW, 10)}
        plan = CasePlan(
            key="patient:1", version=versions["patient:1"], reviews=(wish,), rules=("contact: several",)
        )
        book.commit([plan], NOW)
        book.park_case("patient:2", versions["patient:2"], reason="нет поля", fix="Создайте", now=NOW)
    return url


@pytest.fixture
def down(mapping: Path, state: str) -> Kreslo:
    """Runs a command on the mapping while no service answers."""

    def run(*args: str) -> Result:
        more = [str(mapping), "--url", "http://127.0.0.1:9", "--state", state]
        return CliRunner().invoke(build_app(args), [*args, *more], env={"COLUMNS": "200"})

    return run


def test_a_question_is_listed_and_answered(down: Kreslo) -> None:
    listed = down("review", "list")
    assert all(text in listed.output for text in ("Кто это?", "41", "Иванов Пётр", PHONE)), listed.output
    assert down("review", "answer", "1", "--link", "41", "--by", "Ольга").exit_code == 0
    assert "Вопросов нет" in down("review", "list").output
    assert "link 41" in down("review", "list", "--answered").output
    assert down("review", "answer", "1", "--never").exit_code == 0
    assert "never" in down("review", "list", "--answered").output


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("1",), ConfigurationError),
        (("1", "--new", "--never"), ConfigurationError),
        (("1", "--link", "99"), DataError),
        (("77", "--new"), DataError),
    ],
)
def test_an_answer_that_is_none_is_refused(
    down: Kreslo, args: tuple[str, ...], error: type[KresloError]
) -> None:
    assert isinstance(down("review", "answer", *args).exception, error)
    assert "Кто это?" in down("review", "list").output


def test_what_is_parked_is_listed_and_released(down: Kreslo) -> None:
    listed = down("parked", "list")
    assert "нет поля" in listed.output
    assert "Создайте" in listed.output
    assert down("parked", "release", "1").exit_code == 0
    assert "Ничего не отложено" in down("parked", "list").output
    assert isinstance(down("parked", "release", "1").exception, DataError)


def test_a_case_is_found_by_phone_and_explained_without_it(down: Kreslo) -> None:
    told = down("case", "--phone", "8 900 111-22-33")
    assert all(text in told.output for text in ("patient:1", "patient:2", "contact: several")), told.output
    assert "9001112233" not in told.output
    assert "Ничего не найдено" in down("case", "--last4", "0000").output
    assert isinstance(down("case").exception, ConfigurationError)
    assert isinstance(down("case", "--phone", "нет").exception, DataError)


def test_the_lock_and_a_journal_that_is_not_there_are_told(down: Kreslo, state: str, mapping: Path) -> None:
    with Journal.open(state) as whole, whole.lock("clinic", "test"):
        refused = down("review", "list")
    assert isinstance(refused.exception, ConfigurationError)
    assert "clinic" in refused.exception.message
    args = ["review", "list", str(mapping), "--url", "http://127.0.0.1:9", "--state", f"{state}.other"]
    missing = CliRunner().invoke(build_app(args), args)
    assert isinstance(missing.exception, ConfigurationError)
    assert not Path(f"{state}.other".removeprefix("sqlite:///")).exists()


def test_nothing_is_compared_before_the_first_read(down: Kreslo) -> None:
    refused = down("reconcile")
    assert isinstance(refused.exception, KresloError)


class Comparing:
    """A desk of which only the comparison is asked."""

    def __init__(self, **more: Any) -> None:
        self.asked: list[tuple[bool, bool]] = []
        self.compared = Compared(at=NOW, **more)

    def reconcile(self, *, heal: bool, sure: bool) -> Compared:
        self.asked.append((heal, sure))
        return self.compared


@pytest.fixture
def compares(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, Comparing]]:
    def run(*options: str, **more: Any) -> tuple[Result, Comparing]:
        desk = Comparing(**more)
        monkeypatch.setattr("kreslo.cli.reconcile.opened_desk", lambda *_, **__: nullcontext(desk))
        args = ("reconcile", *options)
        return CliRunner().invoke(build_app(args), args, env={"COLUMNS": "200"}), desk

    return run


def test_what_differs_is_told_by_kind(compares: Callable[..., tuple[Result, Comparing]]) -> None:
    told, desk = compares(
        mis=[Reconciled(kind=RecordKind.PATIENT, known=5, found=1)],
        cards=9,
        counts={"missing": 0, "field": 2},
        moves=3,
        drift=[Drift(kind=DriftKind.FIELD, card="ident/patient/1", target_id="7", what=("NAME", "PHONE"))],
    )
    assert told.exit_code == 0
    for text in ("patient", "разошлись поля: ident/patient/1 (7): NAME, PHONE", "9", "затронет: 3"):
        assert text in told.output, told.output
    assert desk.asked == [(False, False)]


def test_mending_that_was_stopped_is_a_failure_and_yes_goes_with_heal(
    compares: Callable[..., tuple[Result, Comparing]],
) -> None:
    told, desk = compares("--heal", moves=300, stopped="слишком много")
    assert desk.asked == [(True, False)]
    assert isinstance(told.exception, DataError)
    assert "слишком много" in told.exception.message
    told, desk = compares("--heal", "--yes", moves=300, healed=300)
    assert (desk.asked, told.exit_code) == ([(True, True)], 0)
    assert "исправлено: 300" in told.output
    told, desk = compares("--yes")
    assert isinstance(told.exception, ConfigurationError)
    assert desk.asked == []


def test_a_failure_ends_with_code_2_and_a_message_in_russian(kreslo: Callable[..., object]) -> None:
    result = kreslo("parked", "list", "--url", "http://127.0.0.1:9")
    assert result.returncode == 2  # type: ignore[attr-defined]
    assert "никто не отвечает" in result.stderr  # type: ignore[attr-defined]


# --- of a running service ---------------------------------------------------------------------------------------


def remote(answer: Callable[[httpx.Request], httpx.Response]) -> RemoteDesk:
    transport = httpx.MockTransport(answer)
    return RemoteDesk(
        httpx.Client(transport=transport, base_url="http://k/api/clinic", headers={"X-Kreslo-Request": "1"})
    )


def test_a_running_service_is_asked_with_its_header() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"answered": 7} if request.method == "POST" else {"cases": ["a"]})

    desk = remote(answer)
    desk.answer(7, "link", "41", "Ольга")
    assert desk.cases(Sought(phone=PHONE)).cases == ["a"]
    assert asked[0].url.path == "/api/clinic/reviews/7"
    assert asked[0].headers["x-kreslo-request"] == "1"
    assert json.loads(asked[0].content) == {"choice": "link", "target_id": "41", "by": "Ольга"}
    assert asked[1].url.params["phone"] == PHONE


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (404, {"detail": {"kind": "data", "message": "gone"}}, DataError),
        (503, {"detail": {"kind": "outage", "message": "gone"}}, OutageError),
        (409, {"detail": {"kind": "configuration", "message": "gone"}}, ConfigurationError),
        (500, {"detail": "?"}, ConfigurationError),
    ],
)
def test_what_the_service_refuses_is_told_in_its_words(
    code: int, body: object, error: type[KresloError]
) -> None:
    desk = remote(lambda _request: httpx.Response(code, json=body))
    with pytest.raises(error) as raised:
        desk.release(3)
    assert raised.value.message == "gone" or str(code) in raised.value.message
