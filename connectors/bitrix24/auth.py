"""A local application's login: an access token that lives an hour, renewed only when the portal says that it has expired.

Source: Bitrix24 REST documentation, «OAuth 2.0»: each refresh gives a new pair and spends the old refresh token; the
answer to a client that is not known comes with HTTP 200, so the body is judged.
"""

import asyncio
import os
from pathlib import Path
from typing import Protocol

import httpx
import msgspec
from cryptography.fernet import Fernet, InvalidToken

from connectors.bitrix24.answers import PERMISSION_PAUSE, Refusal, Verdict
from connectors.bitrix24.options import AppOptions
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.locking import FileLock
from kreslo.connectors.seams import Clock

_SPENT = "invalid_grant"
_INSTALL_AGAIN = (
    "токены приложения истекли или уже потрачены (invalid_grant): установите приложение заново и впишите новый "
    "app.refresh_token"
)
_ASK_AGAIN = 60.0
"""Seconds for which a refusal stands: all that was asked together would else try the same spent token one by one."""
_LOCK_TRIES = 120
_LOCK_PAUSE = 0.25  # seconds


class Tokens(msgspec.Struct, frozen=True):
    access: str
    refresh: str


class _Refused(msgspec.Struct, frozen=True):
    """`kept`: the refresh token of the file with which it was refused; `at`: on the steady clock."""

    refusal: Refusal
    kept: str
    at: float


class TokenStore(Protocol):
    """Keeps the pair over restarts. A pair that is lost cannot be renewed: the application is then installed again."""

    def load(self) -> Tokens | None: ...

    def save(self, tokens: Tokens) -> None: ...


class FileTokenStore:
    """One file, encrypted (Fernet), replaced whole, readable by its owner only."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise ConfigurationError("app.key — не ключ: это 32 байта в base64, как ключ журнала") from None

    def load(self) -> Tokens | None:
        """Raises ConfigurationError where the file was written with another key."""
        if not self._path.exists():
            return None
        try:
            return msgspec.json.decode(self._fernet.decrypt(self._path.read_bytes()), type=Tokens)
        except (InvalidToken, msgspec.DecodeError):
            raise ConfigurationError(
                f"Файл токенов {self._path.name} не читается этим ключом: верните прежний app.key или удалите файл и "
                "установите приложение заново"
            ) from None

    def save(self, tokens: Tokens) -> None:
        fresh = self._path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(self._fernet.encrypt(msgspec.json.encode(tokens)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


class AppAuth:
    """One application in one portal. Renewed by one at a time, of all processes and bridges that share its file: a
    refresh token works once, so a second refresher would be left with a spent one.
    """

    def __init__(self, options: AppOptions, http: httpx.AsyncClient, store: TokenStore, clock: Clock) -> None:
        self._options = options
        self._http = http
        self._store = store
        self._clock = clock
        self._tokens: Tokens | None = None
        self._refused: _Refused | None = None
        self._turn = asyncio.Lock()
        self._lock = FileLock(options.tokens.with_name(options.tokens.name + ".lock"))

    def __repr__(self) -> str:
        return f"AppAuth({self._options.client_id})"

    async def access(self) -> str | Refusal:
        """The token to call with."""
        if self._tokens is None:
            self._tokens = self._store.load()
        if self._tokens is None or self._refused is not None:
            return await self.renewed(self._tokens.access if self._tokens else "")
        return self._tokens.access

    async def renewed(self, stale: str) -> str | Refusal:
        """A token other than `stale`: the one that somebody else has fetched meanwhile, else a new one."""
        async with self._turn:
            if not await self._locked():
                text = "токены обновляет другой процесс Kreslo, и он не закончил за 30 секунд"
                return Refusal(Verdict.OUTAGE, "", text, 30.0)
            try:
                self._tokens = self._store.load()
                if self._tokens is not None and self._tokens.access != stale:
                    self._refused = None
                    return self._tokens.access
                kept = self._tokens.refresh if self._tokens else ""
                now = self._clock.monotonic()
                if self._refused and self._refused.kept == kept and now - self._refused.at < _ASK_AGAIN:
                    return self._refused.refusal
                given = await self._given(kept, self._options.first_token)
                self._refused = None
                if isinstance(given, Refusal) and given.verdict is Verdict.PERMISSION:
                    self._refused = _Refused(given, kept, now)
                return given
            finally:
                self._lock.let_go()

    async def _given(self, kept: str, installed: str) -> str | Refusal:
        if not (kept or installed):
            return _refused("no_tokens", "приложение не установлено: укажите app.refresh_token")
        given = await self._ask(kept or installed)
        if isinstance(given, Refusal) and given.code == _SPENT and kept and installed not in ("", kept):
            # The answer with the pair that followed was lost; it may have been installed again since.
            given = await self._ask(installed)
        return given

    async def _locked(self) -> bool:
        for _ in range(_LOCK_TRIES):
            if self._lock.take():
                return True
            await self._clock.sleep(_LOCK_PAUSE)
        return False

    async def _ask(self, refresh: str) -> str | Refusal:
        asked = {
            "grant_type": "refresh_token",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret.get_secret_value(),
            "refresh_token": refresh,
        }
        try:
            answer = await self._http.post(f"{self._options.oauth.rstrip('/')}/oauth/token/", data=asked)
            body = answer.json()
        except (httpx.RequestError, ValueError) as error:
            return Refusal(Verdict.OUTAGE, "", f"сервер авторизации: {type(error).__name__}", 30.0)
        if not isinstance(body, dict) or "error" in body or "access_token" not in body:
            code = str(body.get("error", "")) if isinstance(body, dict) else ""
            return _refused(
                code, _INSTALL_AGAIN if code == _SPENT else "сервер авторизации не дал новых токенов"
            )
        self._tokens = Tokens(str(body["access_token"]), str(body["refresh_token"]))
        self._store.save(self._tokens)
        return self._tokens.access


def _refused(code: str, text: str) -> Refusal:
    return Refusal(Verdict.PERMISSION, code, text, PERMISSION_PAUSE)
