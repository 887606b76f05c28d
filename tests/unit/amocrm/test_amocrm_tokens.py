import asyncio
import json
import random
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from amo_wire import Wire, jwt

from connectors.amocrm.client import Answer, Client
from connectors.amocrm.sandbox import sandbox
from connectors.amocrm.tokens import Pair, expiry, read_pair, write_pair
from kreslo.connectors.contract import Seams
from kreslo.connectors.errors import ConfigurationError, OutageError, PermissionDeniedError
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing import HandClock

HOUR = 3600.0


def oauth(path: Path, **more: Any) -> dict[str, Any]:
    known = {"client_id": "id", "client_secret": "hush", "redirect_uri": "https://kreslo.example/cb"}
    return {**known, "tokens": str(path), **more}


def stored(path: Path, clock: HandClock, left: float, **more: Any) -> None:
    write_pair(path, Pair("access-1", "refresh-1", clock.now().timestamp() + left, **more))


class Account:
    """Gives a new pair for the refresh token it knows; `lost`: answers that are lost on the way."""

    def __init__(self, lost: int = 0) -> None:
        self.known = "refresh-1"
        self.refreshes = 0
        self.lost = lost
        self.valid = {"access-1"}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/access_token":
            sent = json.loads(request.content)
            if sent["refresh_token"] != self.known:
                return httpx.Response(401, json={"hint": "Token has been revoked"})
            self.refreshes += 1
            self.known = f"refresh-{self.refreshes + 1}"
            access = f"access-{self.refreshes + 1}"
            self.valid = {access}
            if self.lost:
                self.lost -= 1
                raise httpx.ReadTimeout("lost")
            pair = {"access_token": access, "refresh_token": self.known, "expires_in": 86_400}
            return httpx.Response(200, json={"token_type": "Bearer", **pair})
        given = request.headers["authorization"].removeprefix("Bearer ")
        return httpx.Response(200 if given in self.valid else 401, json={})


async def test_a_pair_is_renewed_before_its_end_and_stored_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), 10 * HOUR)
    account = Account()
    async with Wire(account, tmp_path, oauth=oauth(path)) as wire:
        await wire.client.ask("leads")
        assert account.refreshes == 0
        wire.clock.advance(9.5 * HOUR)
        await wire.client.ask("leads")
    assert account.refreshes == 1
    pair = read_pair(path)
    assert pair is not None
    assert (pair.access_token, pair.refresh_token, pair.asked_at) == ("access-2", "refresh-2", 0.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_refused_token_is_renewed_once_and_the_request_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), 10 * HOUR)
    account = Account()
    account.valid = set()
    async with Wire(account, tmp_path, oauth=oauth(path)) as wire:
        assert isinstance(await wire.client.tell("POST", "leads", [{}]), Answer)
    assert account.refreshes == 1


async def test_many_at_once_refresh_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), 60)
    account = Account()
    async with Wire(account, tmp_path, oauth=oauth(path)) as wire:
        second = Client(wire.options, wire.seams)
        await asyncio.gather(*(client.ask("leads") for client in (wire.client, second) for _ in range(5)))
        await second.close()
    assert account.refreshes == 1


async def test_a_pair_that_another_process_has_renewed_is_taken_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), 2 * HOUR)
    account = Account()
    async with Wire(account, tmp_path, oauth=oauth(path)) as wire:
        await wire.client.ask("leads")
        wire.clock.advance(1.5 * HOUR)
        write_pair(path, Pair("access-9", "refresh-9", wire.clock.now().timestamp() + 20 * HOUR))
        account.valid = {"access-9"}
        await wire.client.ask("leads")
    assert account.refreshes == 0


async def test_a_refresh_whose_answer_was_lost_is_not_repeated_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), 0.5 * HOUR)
    account = Account(lost=1)
    account.valid = {"access-1"}
    async with Wire(account, tmp_path, oauth=oauth(path)) as wire:
        account_valid = account.valid
        for _ in range(5):
            await wire.client.tell("GET", "leads", None)
        assert account.refreshes == 1
        assert account_valid == {"access-1"}
        pair = read_pair(path)
        assert pair is not None
        assert pair.asked_at > 0
        wire.clock.advance(0.6 * HOUR)
        with pytest.raises(PermissionDeniedError, match="новая авторизация"):
            await wire.client.ask("leads")
    assert account.refreshes == 1


async def test_a_refresh_that_never_left_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    stored(path, HandClock(), -1)
    account, down = Account(), [True]

    def respond(request: httpx.Request) -> httpx.Response:
        if down and request.url.path == "/oauth2/access_token":
            down.clear()
            raise httpx.ConnectError("no")
        return account(request)

    async with Wire(respond, tmp_path, oauth=oauth(path)) as wire:
        with pytest.raises(OutageError):
            await wire.client.ask("leads")
        await wire.client.ask("leads")
    assert account.refreshes == 1


async def test_without_tokens_or_code_a_person_is_told_what_to_do(tmp_path: Path) -> None:
    async with Wire(Account(), tmp_path, oauth=oauth(tmp_path / "none.json")) as wire:
        with pytest.raises(PermissionDeniedError, match=r"oauth\.code"):
            await wire.client.ask("leads")
    (tmp_path / "broken.json").write_text("{")
    async with Wire(Account(), tmp_path, oauth=oauth(tmp_path / "broken.json")) as wire:
        with pytest.raises(ConfigurationError, match=r"broken\.json"):
            await wire.client.ask("leads")


async def test_a_code_becomes_a_pair_in_the_sandbox_and_is_renewed_for_weeks(tmp_path: Path) -> None:
    clock = HandClock()
    app = sandbox.build(SandboxPlan(clock=clock))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        given = (await http.post("/_control/codes", json={})).json()
    options = Wire(Account(), tmp_path, oauth=oauth(tmp_path / "t.json", **given))
    await options.client.close()
    reached = options.options.model_copy(update={"address": "http://127.0.0.1"})
    client = Client(reached, Seams(clock=clock, chance=random.Random(1), transport=transport))
    try:
        for _ in range(20):
            assert (await client.ask("account")).body["subdomain"] == "sandbox"
            clock.advance(20 * HOUR)
    finally:
        await client.close()


def test_the_end_of_a_token_is_read_from_it() -> None:
    found = expiry(jwt(exp=1_800_000_000))
    assert found is not None
    assert found.timestamp() == 1_800_000_000
    for text in ("", "plain", "a.b.c", "a.!!.c"):
        assert expiry(text) is None
