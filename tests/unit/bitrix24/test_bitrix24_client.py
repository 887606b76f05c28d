import json
import logging
from datetime import timedelta

import httpx
import pytest
from b24_wire import CODE, Wire, commands, error, in_turn, success

from connectors.bitrix24.answers import Refusal, Verdict, judge
from connectors.bitrix24.client import Answer
from connectors.bitrix24.wire import Call
from kreslo.connectors.errors import (
    ConfigurationError,
    DataError,
    KresloError,
    LimitError,
    OutageError,
    PermissionDeniedError,
)
from kreslo.connectors.model import OutcomeKind

ADD = Call("crm.deal.add", {"fields": {"TITLE": "Приём"}})


# --- what an answer means -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "text", "verdict"),
    [
        (503, "QUERY_LIMIT_EXCEEDED", "Too many requests", Verdict.LIMIT),
        (200, "query_limit_exceeded", "", Verdict.LIMIT),
        (429, "OPERATION_TIME_LIMIT", "", Verdict.BLOCKED),
        (401, "INVALID_CREDENTIALS", "", Verdict.PERMISSION),
        (403, "INVALID_CREDENTIALS", "", Verdict.PERMISSION),
        (401, "insufficient_scope", "", Verdict.PERMISSION),
        (401, "ACCESS_DENIED", "REST is available only by subscription.", Verdict.PERMISSION),
        (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload.", Verdict.PERMISSION),
        (410, "PORTAL_DELETED", "", Verdict.PERMISSION),
        (400, "", "Access denied.", Verdict.PERMISSION),
        (404, "ERROR_METHOD_NOT_FOUND", "Method not found!", Verdict.CONFIGURATION),
        (400, "", "Not found", Verdict.DATA),
        (400, 100, "Could not find value for parameter {fields}", Verdict.DATA),
        (400, 0, "SHIPMENT_DOCUMENT entity is not supported", Verdict.DATA),
        (400, "ERROR_CORE", "Task title is not specified<br>", Verdict.DATA),
        (500, "ERROR_CORE", "SQL query error!", Verdict.UNKNOWN),
        (200, "ERROR_CORE", "SQL query error!", Verdict.UNKNOWN),
        (500, "INTERNAL_SERVER_ERROR", "", Verdict.UNKNOWN),
        (502, "SOMETHING_NEW", "", Verdict.UNKNOWN),
        (422, "SOMETHING_NEW", "", Verdict.DATA),
    ],
)
def test_a_code_is_judged_before_the_status(status: int, code: object, text: str, verdict: Verdict) -> None:
    assert judge(status, code, text).verdict is verdict


@pytest.mark.parametrize(
    "text", ["Not found", "Contact is not found", "Lead is not found", "Element not found."]
)
def test_a_card_that_is_not_there_is_recognised(text: str) -> None:
    assert judge(400, "", text).gone
    assert not judge(401, "NO_AUTH_FOUND", text).gone


def test_a_refused_login_pauses_instead_of_parking() -> None:
    refusal = judge(401, "expired_token", "")
    assert (refusal.outcome, refusal.retry_after) == (OutcomeKind.TRANSIENT, 300.0)


# --- writes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (httpx.ConnectError("refused"), Verdict.OUTAGE),
        (httpx.ConnectTimeout("late"), Verdict.OUTAGE),
        (httpx.ReadTimeout("late"), Verdict.UNKNOWN),
        (httpx.WriteError("reset"), Verdict.UNKNOWN),
        (httpx.RemoteProtocolError("gone"), Verdict.UNKNOWN),
        (httpx.Response(504, html="<html>504</html>"), Verdict.UNKNOWN),
        (httpx.Response(403, html="<html>403</html>"), Verdict.UNKNOWN),
        (httpx.Response(200, text='{"result": 5'), Verdict.UNKNOWN),
        (httpx.Response(200, json=[]), Verdict.UNKNOWN),
        (httpx.Response(200, json={"time": {}}), Verdict.UNKNOWN),
        (error(200, "ERROR_CORE", "Обязательное поле"), Verdict.DATA),
    ],
)
async def test_a_write_is_sent_once_whatever_becomes_of_it(
    answer: httpx.Response | Exception, verdict: Verdict
) -> None:
    async with Wire(in_turn(answer)) as wire:
        (reply,) = await wire.client.tell([ADD])
        assert isinstance(reply, Refusal)
        assert reply.verdict is verdict
        assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "answer", [httpx.ReadTimeout("late"), error(503, "QUERY_LIMIT_EXCEEDED"), httpx.Response(502)]
)
async def test_a_failed_batch_is_the_reply_to_each_of_its_commands(
    answer: httpx.Response | Exception,
) -> None:
    async with Wire(in_turn(answer)) as wire:
        replies = await wire.client.tell([ADD, ADD, ADD])
        assert len(replies) == 3
        assert len({reply.verdict for reply in replies if isinstance(reply, Refusal)}) == 1
        assert wire.methods == ["batch"]


async def test_where_nobody_has_ever_answered_a_person_hears_of_it_soon() -> None:
    away = httpx.ConnectError("refused")
    async with Wire(in_turn(away)) as wire:
        with pytest.raises(OutageError):
            await wire.client.ask("profile")
        assert len(wire.requests) == 2
        assert wire.clock.slept <= 4.0
    async with Wire(in_turn(httpx.Response(200, json={"result": {}}), away)) as wire:
        await wire.client.ask("profile")
        with pytest.raises(OutageError):
            await wire.client.ask("profile")
        assert len(wire.requests) == 1 + 5


async def test_a_batch_is_read_command_by_command_however_php_shapes_it() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        keys = list(commands(request))
        assert not any(key.isdecimal() for key in keys)
        outer = {
            "result": {keys[0]: 77, keys[2]: None},
            "result_error": {keys[1]: {"error": "", "error_description": "Not found"}},
            "result_total": [],
            "result_next": [],
            "result_time": [],
        }
        return httpx.Response(200, json={"result": outer})

    async with Wire(respond) as wire:
        first, second, third, fourth = await wire.client.tell([ADD, ADD, ADD, ADD])
    assert first == Answer(77)
    assert isinstance(second, Refusal)
    assert second.verdict is Verdict.DATA
    assert third == Answer(None)
    assert isinstance(fourth, Refusal)
    assert fourth.verdict is Verdict.UNKNOWN, "neither a result nor an error: cut off"


async def test_a_batch_with_nothing_but_errors_is_read_too() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        refused = {key: {"error": "insufficient_scope", "error_description": ""} for key in commands(request)}
        return httpx.Response(200, json={"result": {"result": [], "result_error": refused}})

    async with Wire(respond) as wire:
        replies = await wire.client.tell([ADD, ADD])
    assert [reply.verdict for reply in replies if isinstance(reply, Refusal)] == [Verdict.PERMISSION] * 2


async def test_a_command_survives_the_two_encodings_of_a_batch() -> None:
    seen = {}

    def respond(request: httpx.Request) -> httpx.Response:
        seen.update(commands(request))
        return httpx.Response(200, json={"result": {"result": dict.fromkeys(seen, 1)}})

    text = "a&b=c %41 +7 «ё» #1 ?x"
    async with Wire(respond) as wire:
        await wire.client.tell([Call("m", {"fields": {"T": text, "L": ["x", "y"], "F": True}}), ADD])
    assert seen["c0000"] == (
        "m",
        {"fields[T]": text, "fields[L][0]": "x", "fields[L][1]": "y", "fields[F]": "Y"},
    )


async def test_a_text_that_looks_like_a_reference_goes_outside_the_batch() -> None:
    async with Wire(lambda request: httpx.Response(200, json=_batch_or_one(request))) as wire:
        tricky = Call("crm.deal.add", {"fields": {"TITLE": "$result[c0000]"}})
        replies = await wire.client.tell([ADD, tricky, ADD])
        assert replies == [Answer("in batch"), Answer("alone"), Answer("in batch")]
        assert wire.methods == ["batch", "crm.deal.add"]
        assert json.loads(wire.requests[1].content)["fields"]["TITLE"] == "$result[c0000]"


def _batch_or_one(request: httpx.Request) -> dict[str, object]:
    if request.url.path.endswith("/batch"):
        return {"result": {"result": dict.fromkeys(commands(request), "in batch")}}
    return {"result": "alone"}


# --- reads --------------------------------------------------------------------------------------------------------


async def test_a_read_is_repeated_a_bounded_number_of_times() -> None:
    async with Wire(in_turn(httpx.Response(502, html="<html/>"))) as wire:
        with pytest.raises(OutageError):
            await wire.client.ask("crm.deal.list")
        assert len(wire.requests) == 5
        assert 20 < wire.clock.slept < 120


async def test_only_the_commands_that_failed_for_a_while_are_repeated() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/batch"):
            return httpx.Response(200, json={"result": "second"})
        first, second = commands(request)
        refused = {second: {"error": "QUERY_LIMIT_EXCEEDED", "error_description": ""}}
        return httpx.Response(200, json={"result": {"result": {first: "first"}, "result_error": refused}})

    async with Wire(respond) as wire:
        replies = await wire.client.ask_all([Call("a"), Call("b")])
        assert replies == [Answer("first"), Answer("second")]
        assert wire.methods == ["batch", "b"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, "INVALID_CREDENTIALS"), PermissionDeniedError),
        (error(404, "ERROR_METHOD_NOT_FOUND"), ConfigurationError),
        (error(400, "", "Not found"), DataError),
    ],
)
async def test_what_will_not_change_is_not_repeated(answer: httpx.Response, kind: type[KresloError]) -> None:
    async with Wire(in_turn(answer)) as wire:
        with pytest.raises(kind):
            await wire.client.ask("crm.deal.get", {"id": 1})
        assert len(wire.requests) == 1


async def test_a_read_of_a_blocked_method_waits_until_the_portal_lets_it() -> None:
    wire = Wire(in_turn(error(500, "never")))
    blocked = [True]

    def respond(_: httpx.Request) -> httpx.Response:
        if blocked.pop() if blocked else False:
            return error(429, "OPERATION_TIME_LIMIT")
        return success("ok", wire.clock)

    wire.respond = respond
    async with wire:
        assert (await wire.client.ask("crm.deal.list")).result == "ok"
        assert 59 <= wire.clock.slept <= 61


async def test_a_long_block_is_told_instead_of_waited_for() -> None:
    wire = Wire(
        lambda _: success(
            "ok", wire.clock, operating=478.0, operating_reset_at=wire.clock.now().timestamp() + 400
        )
    )
    async with wire:
        await wire.client.ask("crm.deal.list")
        with pytest.raises(LimitError) as limit:
            await wire.client.ask("crm.deal.list")
        assert limit.value.retry_after == pytest.approx(400, abs=2)
        (reply,) = await wire.client.tell([Call("crm.deal.list")])
        assert isinstance(reply, Refusal)
        assert reply.verdict is Verdict.BLOCKED
        assert len(wire.requests) == 1, "a parked method is not sent"
        wire.clock.advance(401)
        assert (await wire.client.ask("crm.deal.list")).result == "ok"


async def test_working_time_is_told_inside_a_batch_too() -> None:
    wire = Wire(in_turn(error(500, "never")))

    def respond(request: httpx.Request) -> httpx.Response:
        keys = commands(request)
        now = wire.clock.now().timestamp()
        times = {key: {"operating": 479.0, "operating_reset_at": now + 300, "finish": now} for key in keys}
        return httpx.Response(200, json={"result": {"result": dict.fromkeys(keys, 1), "result_time": times}})

    wire.respond = respond
    async with wire:
        await wire.client.tell([ADD, ADD])
        replies = await wire.client.tell([ADD, ADD])
        assert all(isinstance(reply, Refusal) and reply.verdict is Verdict.BLOCKED for reply in replies)
        assert len(wire.requests) == 1


async def test_a_method_near_its_limit_is_slowed() -> None:
    wire = Wire(
        lambda _: success(
            "ok", wire.clock, operating=430.0, operating_reset_at=wire.clock.now().timestamp() + 400
        )
    )
    async with wire:
        await wire.client.ask("crm.deal.list")
        assert wire.clock.slept == 0
        await wire.client.ask("crm.deal.list")
        assert 1 < wire.clock.slept < 5


# --- addresses and secrets ------------------------------------------------------------------------------------------


async def test_a_renamed_portal_is_followed_with_the_body_and_remembered() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "clinic.bitrix24.ru":
            moved = str(request.url).replace("clinic.", "clinic-new.")
            return httpx.Response(302, headers={"location": moved})
        assert request.method == "POST"
        assert json.loads(request.content) == {"fields": {"TITLE": "Приём"}}
        return httpx.Response(200, json={"result": 5})

    async with Wire(respond) as wire:
        assert await wire.client.tell([ADD]) == [Answer(5)]
        assert await wire.client.tell([ADD]) == [Answer(5)]
        assert len(wire.requests) == 3
        assert wire.client.moved_to == "clinic-new.bitrix24.ru"


@pytest.mark.parametrize(
    "location", ["http://evil.example/rest/17/x/crm.deal.add", "https://portal.example/login/"]
)
async def test_a_redirect_to_elsewhere_is_not_followed(location: str) -> None:
    async with Wire(in_turn(httpx.Response(302, headers={"location": location}))) as wire:
        (reply,) = await wire.client.tell([ADD])
        assert isinstance(reply, Refusal)
        assert reply.verdict is Verdict.CONFIGURATION
        assert len(wire.requests) == 1


async def test_the_webhook_is_in_no_log_error_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    leaky = httpx.ReadTimeout(f"https://clinic.bitrix24.ru/rest/17/{CODE}/crm.deal.add timed out")
    async with Wire(in_turn(leaky)) as wire:
        (reply,) = await wire.client.tell([ADD])
        with pytest.raises(OutageError) as outage:
            await wire.client.ask("profile")
        shown = f"{reply!r} {outage.value!r} {outage.value.detail} {wire.client!r} {wire.options!r}"
        wire.respond = in_turn(httpx.Response(200, json={"result": 1}))
        await wire.client.ask("profile")
    assert "profile" in caplog.text, "httpx has logged the request"
    assert CODE not in shown + caplog.text


async def test_the_portals_clock_is_told_by_its_answers() -> None:
    async with Wire(lambda _: httpx.Response(200, json={"result": 1, "time": {"finish": ahead}})) as wire:
        ahead = wire.clock.now().timestamp() - 90
        await wire.client.ask("server.time")
        assert wire.client.now() == wire.clock.now() - timedelta(seconds=90)
