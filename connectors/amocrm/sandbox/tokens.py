"""Access: the long-lived token, and the OAuth pair with its single-use refresh token.

Tokens are JWTs, as amoCRM's are: clients read `exp` and `api_domain` from them.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Any

import msgspec

from connectors.amocrm.sandbox.people import INTEGRATION_USER

ACCOUNT_ID = 31_500_001
CLIENT_ID = "5c1f0a52-7f0e-4d6b-9a53-0d6c4b1f7e01"
CLIENT_SECRET = "sandbox-secret-of-kreslo"  # noqa: S105 - of a made-up account
REDIRECT_URI = "https://kreslo.example/amocrm/callback"
LONG_LIVED_UNTIL = 4_102_444_800  # 2100-01-01: the starting token outlives every clock that a test drives
ACCESS_SECONDS = 86_400
CODE_SECONDS = 20 * 60
REFRESH_SECONDS = 90 * 86_400

_KEY = b"the sandbox signs with this"


class Grant(msgspec.Struct, frozen=True):
    """Whose a token is and which integration counts the requests made with it."""

    user_id: int
    integration: str
    expires_at: int
    id: str


class OAuthRefusedError(Exception):
    """Of the token endpoint, in its own envelope."""

    def __init__(self, status: int, title: str, detail: str, hint: str = "") -> None:
        kind = {"type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson", "status": status}
        self.status = status
        self.body = {**({"hint": hint} if hint else {}), "title": title, **kind, "detail": detail}
        super().__init__(title)


_BAD_REQUEST = ("Некорректный запрос", "В запросе отсутствует ряд параметров или параметры невалидны")


class Tokens:
    """`grace`: seconds for which a spent refresh token is still taken."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._codes: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._revoked: set[str] = set()
        self._given: set[str] = set()

    def code(self, now: float) -> str:
        """An authorization code, as the consent page hands it to a browser."""
        made = "def502" + secrets.token_hex(20)
        self._codes[made] = now + CODE_SECONDS
        return made

    def exchange(self, sent: dict[str, Any], now: float, api_domain: str) -> dict[str, Any]:
        """The token endpoint. Raises OAuthRefusedError."""
        if sent.get("client_id") != CLIENT_ID or sent.get("client_secret") != CLIENT_SECRET:
            raise OAuthRefusedError(401, "Некорректный клиент", "Авторизация клиента не прошла")
        if sent.get("redirect_uri") != REDIRECT_URI:
            raise OAuthRefusedError(400, *_BAD_REQUEST, hint="Check the `redirect_uri` parameter")
        grant, code = sent.get("grant_type"), str(sent.get("code"))
        if grant == "authorization_code":
            if self._codes.pop(code, 0.0) < now:
                raise OAuthRefusedError(400, *_BAD_REQUEST, hint="Authorization code has been revoked")
        elif grant == "refresh_token":
            self._spend(str(sent.get("refresh_token")), now)
        else:
            raise OAuthRefusedError(400, *_BAD_REQUEST, hint="Check the `grant_type` parameter")
        refresh = "def502" + secrets.token_hex(40)
        self._refresh[refresh] = now + REFRESH_SECONDS
        number = secrets.token_hex(20)
        self._given.add(number)
        access = token(INTEGRATION_USER, now, now + ACCESS_SECONDS, api_domain, id=number)
        pair = {"access_token": access, "refresh_token": refresh}
        return {"token_type": "Bearer", "expires_in": ACCESS_SECONDS, **pair}

    def _spend(self, refresh: str, now: float) -> None:
        if self._spent.get(refresh, -1.0) >= now:
            return
        if self._refresh.pop(refresh, 0.0) < now:
            raise OAuthRefusedError(401, *_BAD_REQUEST, hint="Token has been revoked")
        if self._grace > 0:
            self._spent[refresh] = now + self._grace

    def expire(self) -> None:
        """Every access token that was given out with a refresh token ends now."""
        self._revoked |= self._given
        self._given.clear()

    def revoke(self, sent: str) -> None:
        self._revoked.add(_claims(sent).get("jti", ""))

    def grant(self, header: str, now: float) -> Grant | None:
        """What an `Authorization` header gives; None: nothing."""
        scheme, _, sent = header.partition(" ")
        claims = _claims(sent.strip()) if scheme.lower() == "bearer" else {}
        if not claims or claims["exp"] <= now or claims["jti"] in self._revoked:
            return None
        return Grant(int(claims["sub"]), claims["aud"], claims["exp"], claims["jti"])


def token(user_id: int, now: float, until: float, api_domain: str, *, id: str = "") -> str:  # noqa: A002
    """A signed access token."""
    claims = {
        "aud": CLIENT_ID,
        "jti": id or secrets.token_hex(20),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(until),
        "sub": str(user_id),
        "grant_type": "",
        "account_id": ACCOUNT_ID,
        "base_domain": "amocrm.ru",
        "version": 2,
        "scopes": ["push_notifications", "files", "crm", "files_delete", "notifications"],
        "api_domain": api_domain,
    }
    parts = [_coded(msgspec.json.encode(part)) for part in ({"typ": "JWT", "alg": "HS256"}, claims)]
    return ".".join([*parts, _signature(".".join(parts))])


def _claims(sent: str) -> dict[str, Any]:
    head, _, signature = sent.rpartition(".")
    if not head or not hmac.compare_digest(signature.encode(), _signature(head).encode()):
        return {}
    payload = head.partition(".")[2]
    claims: dict[str, Any] = msgspec.json.decode(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def _signature(text: str) -> str:
    return _coded(hmac.new(_KEY, text.encode(), hashlib.sha256).digest())


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
