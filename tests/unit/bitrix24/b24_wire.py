"""A portal of a few lines, for what the sandbox cannot be made to do: it answers as each test says."""

import json
import random
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import parse_qsl

import httpx

from connectors.bitrix24.client import Client
from connectors.bitrix24.options import Bitrix24Options
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing import HandClock

CODE = "abcdef1234567890"
WEBHOOK = f"https://clinic.bitrix24.ru/rest/17/{CODE}/"

Respond = Callable[[httpx.Request], httpx.Response]


def success(result: Any, clock: HandClock, **time: Any) -> httpx.Response:
    block = {"start": clock.now().timestamp(), "finish": clock.now().timestamp(), **time}
    return httpx.Response(200, json={"result": result, "time": block})


def error(status: int, code: Any, text: str = "") -> httpx.Response:
    return httpx.Response(status, json={"error": code, "error_description": text})


def commands(request: httpx.Request) -> dict[str, tuple[str, dict[str, str]]]:
    """The commands of a batch: key → method and its flat parameters."""
    sent = json.loads(request.content)["cmd"]
    parsed = {}
    for key, command in sent.items():
        method, _, query = command.partition("?")
        parsed[key] = (method, dict(parse_qsl(query, keep_blank_values=True)))
    return parsed


def method_of(request: httpx.Request) -> str:
    return request.url.path.rsplit("/", 1)[-1]


class Wire:
    """A client before `respond`; `requests` in the order they came."""

    def __init__(self, respond: Respond, **options: Any) -> None:
        self.clock = HandClock()
        self.requests: list[httpx.Request] = []
        self.respond = respond
        self.options = Bitrix24Options.model_validate({"webhook": WEBHOOK, **options})
        seams = Seams(clock=self.clock, chance=random.Random(3), transport=httpx.MockTransport(self._answer))
        self.client = Client(self.options, seams)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.respond(request)

    @property
    def methods(self) -> list[str]:
        return [method_of(request) for request in self.requests]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()


def in_turn(*answers: httpx.Response | Exception) -> Respond:
    """These, one after another; the last again and again."""
    left = list(answers)

    def respond(_: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return respond
