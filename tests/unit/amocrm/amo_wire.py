"""An account of a few lines, for what the sandbox cannot be made to do: it answers as each test says."""

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from connectors.amocrm.client import Client
from connectors.amocrm.options import AmocrmOptions
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing import HandClock

ADDRESS = "https://clinic.amocrm.ru"
Respond = Callable[[httpx.Request], httpx.Response]


def jwt(**claims: Any) -> str:
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"typ": "JWT"}, claims)
    )
    return ".".join([*parts, "signature"])


TOKEN = jwt(exp=4_102_444_800)


class Wire:
    """A client before `respond`; `requests` in the order they came, with the instants by our clock."""

    def __init__(self, respond: Respond, state: Path, **options: Any) -> None:
        self.clock = HandClock()
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.respond = respond
        settings = {
            "address": ADDRESS,
            "state": str(state),
            **({} if "oauth" in options else {"token": TOKEN}),
        }
        self.options = AmocrmOptions.model_validate({**settings, **options})
        self.seams = Seams(
            clock=self.clock, chance=random.Random(3), transport=httpx.MockTransport(self._answer)
        )
        self.client = Client(self.options, self.seams)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(self.clock.monotonic())
        return self.respond(request)

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
