"""Access to the account: a long-lived token, or an OAuth pair whose refresh token works once.

Two refreshes at once kill an integration: the loser stores a dead pair (issues 123, 269, 315 of amoCRM's official PHP
client). So one refreshes, under a lock among all processes; it reads the stored pair again first, stores the new one
before it is used, and a refresh without an answer is never repeated at once.
"""

import asyncio
import base64
import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from connectors.amocrm.options import AmocrmOptions, OAuthOptions
from connectors.amocrm.wire import masked
from kreslo.connectors.errors import ConfigurationError, OutageError, PermissionDeniedError
from kreslo.connectors.locking import FileLock
from kreslo.connectors.seams import Clock

_EARLY = 3600.0  # seconds before its end that an access token is renewed
_LOCK_TRIES, _LOCK_PAUSE = 60, 0.5
_AGAIN = 300.0  # seconds after a refresh without an answer before the old refresh token is tried once more


class Access(Protocol):
    """`expires_at`: when a person has to do something, None where it cannot be known."""

    expires_at: datetime | None

    async def current(self) -> str:
        """The token to send. Raises PermissionDeniedError, OutageError, ConfigurationError."""
        ...

    async def renewed(self, refused: str) -> bool:
        """After a 401 for `refused`: whether there is another token to try."""
        ...


class LongLived:
    def __init__(self, token: str) -> None:
        self._token = token
        self.expires_at = expiry(token)

    async def current(self) -> str:
        return self._token

    async def renewed(self, refused: str) -> bool:  # noqa: ARG002 - it has no successor
        return False


class Pair(msgspec.Struct, frozen=True):
    """What the file holds. `asked_at`: when the refresh was sent whose answer never came, 0 where all is well."""

    access_token: str
    refresh_token: str
    expires_at: float
    asked_at: float = 0.0


class OAuth:
    def __init__(self, options: OAuthOptions, address: str, http: httpx.AsyncClient, clock: Clock) -> None:
        self._options = options
        self._url = f"{address}/oauth2/access_token"
        self._http = http
        self._clock = clock
        self._pair: Pair | None = None
        self._turn = asyncio.Lock()
        self._lock = FileLock(options.tokens.with_name(options.tokens.name + ".lock"))
        self.expires_at: datetime | None = None

    async def current(self) -> str:
        now = self._clock.now().timestamp()
        if self._pair is None or self._pair.expires_at - now < _EARLY:
            await self._renew(None)
        if self._pair is None:
            raise PermissionDeniedError(_ASK_AGAIN)
        return self._pair.access_token

    async def renewed(self, refused: str) -> bool:
        await self._renew(refused)
        return self._pair is not None and self._pair.access_token != refused

    async def _renew(self, refused: str | None) -> None:
        async with self._turn:
            await self._locked()
            try:
                await self._renew_alone(refused)
            finally:
                self._lock.let_go()

    async def _locked(self) -> None:
        for _ in range(_LOCK_TRIES):
            if self._lock.take():
                return
            await self._clock.sleep(_LOCK_PAUSE)
        raise OutageError("Токен amoCRM обновляет другой процесс Kreslo, и он не закончил за 30 секунд")

    async def _renew_alone(self, refused: str | None) -> None:
        now = self._clock.now().timestamp()
        self._pair = read_pair(self._options.tokens)
        if self._pair is None:
            if self._options.code is None:
                raise PermissionDeniedError(_ASK_AGAIN)
            await self._exchange("authorization_code", "code", self._options.code.get_secret_value())
            return
        fresh = self._pair.expires_at - now >= _EARLY and self._pair.access_token != refused
        usable = self._pair.expires_at > now and self._pair.access_token != refused
        if fresh or (self._pair.asked_at and now - self._pair.asked_at < _AGAIN and usable):
            return
        if self._pair.asked_at and now - self._pair.asked_at < _AGAIN:
            raise OutageError(
                "Ответ на обновление токена amoCRM потерян; пробуем ещё раз через несколько минут",
                retry_after=_AGAIN,
            )
        pair = msgspec.structs.replace(self._pair, asked_at=now)
        write_pair(self._options.tokens, pair)  # before the first byte leaves: the old pair may die with it
        try:
            await self._exchange("refresh_token", "refresh_token", pair.refresh_token)
        except OutageError:
            if not usable:
                raise
        if (
            self._pair is not None
            and self._pair.asked_at == 0
            and self._pair.refresh_token == pair.refresh_token
        ):
            self._pair = pair

    async def _exchange(self, grant: str, name: str, secret: str) -> None:
        body = {
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret.get_secret_value(),
            "grant_type": grant,
            name: secret,
            "redirect_uri": self._options.redirect_uri,
        }
        try:
            response = await self._http.post(self._url, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._unsent()
            raise OutageError(detail=f"token: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise OutageError(detail=f"token: {type(error).__name__} {masked(str(error))}") from error
        if response.status_code in (400, 401):
            raise PermissionDeniedError(f"{_ASK_AGAIN} Ответ: {_hint(response)}.", retry_after=_AGAIN)
        if response.status_code == 429:
            self._unsent()
        try:
            pair = msgspec.json.decode(response.content, type=_Answer)
        except msgspec.DecodeError as error:
            raise OutageError(detail=f"token: {response.status_code}", retry_after=_AGAIN) from error
        expires = self._clock.now().timestamp() + pair.expires_in
        self._pair = Pair(pair.access_token, pair.refresh_token, expires)
        write_pair(self._options.tokens, self._pair)

    def _unsent(self) -> None:
        """The refresh was surely not executed: it may be sent again at any time."""
        if self._pair is not None:
            write_pair(self._options.tokens, msgspec.structs.replace(self._pair, asked_at=0.0))


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str
    expires_in: float


_ASK_AGAIN = (
    "Нужна новая авторизация в amoCRM: возьмите в карточке интеграции новый код и запишите его в oauth.code "
    "(код живёт 20 минут и работает один раз), файл с прежними токенами удалите."
)


def access_of(options: AmocrmOptions, http: httpx.AsyncClient, clock: Clock) -> Access:
    if options.token is not None:
        return LongLived(options.token.get_secret_value())
    if options.oauth is None:
        raise ConfigurationError("У amoCRM нет ни token, ни oauth")
    return OAuth(options.oauth, options.address, http, clock)


def expiry(token: str) -> datetime | None:
    """`exp` of a JWT; None for a text that is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None
    found = claims.get("exp") if isinstance(claims, dict) else None
    return datetime.fromtimestamp(found, UTC) if isinstance(found, int | float) else None


def read_pair(path: Path) -> Pair | None:
    """Raises ConfigurationError for a file that cannot be read as one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pair)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"Файл токенов {path} не читается: {error}") from error


def write_pair(path: Path, pair: Pair) -> None:
    """Whole or not at all, on the disk before this returns, and readable by its owner only."""
    new = path.with_name(path.name + ".new")
    try:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(pair))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ConfigurationError(f"Файл токенов {path} не записывается: {error}") from error


def _hint(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return str(response.status_code)
    told = body.get("hint") or body.get("detail") or body.get("title") if isinstance(body, dict) else None
    return masked(str(told or response.status_code))
