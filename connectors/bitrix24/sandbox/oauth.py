"""The authorization server, and the one local application that the portal knows.

An access token lives an hour of the portal's clock (`access_seconds`), a refresh token 180 days; each refresh gives a new
pair and spends the old refresh token. A client that is not known is told so with HTTP 200.
"""

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from connectors.bitrix24.sandbox.portal import Portal

TECHNICAL_USER = 1
"""Owner of the webhook and of the application: the integration's own user, an administrator."""

WEBHOOK_CODE = "s4ndb0xkreslo0code"
CLIENT_ID = "local.5and60x.kres10"
CLIENT_SECRET = "s4ndb0xkreslo0client0secret"  # noqa: S105 - made up
MEMBER_ID = "a223c6b3710f85df22e9377d6c4f7553"
APPLICATION_TOKEN = "s4ndb0xkreslo0application0token"  # noqa: S105 - made up
REFRESH_SECONDS = 180 * 86400.0


def about(base: str) -> dict[str, Any]:
    """The `auth` block of an event of an outgoing webhook, without its token."""
    return {
        "domain": base.partition("://")[2],
        "client_endpoint": f"{base}/rest/",
        "server_endpoint": f"{base}/rest/",
        "member_id": MEMBER_ID,
    }


class Told(msgspec.Struct, frozen=True):
    status: int
    body: dict[str, Any]


class Tokens:
    """What has been given out, by token, with the instant of its end."""

    def __init__(self, portal: "Portal") -> None:
        self._portal = portal
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._codes: set[str] = set()
        self._made = 0
        self.refreshes = 0

    def install(self, base: str) -> dict[str, Any]:
        """What the portal posts to an application's install handler: a fresh pair, and the application's token."""
        return {"event": "ONAPPINSTALL", "auth": {**self._pair(base), "application_token": APPLICATION_TOKEN}}

    def code(self) -> str:
        """An authorization code, as a browser would be sent back with."""
        made = self._made_up()
        self._codes.add(made)
        return made

    def exchange(self, asked: dict[str, Any], base: str) -> Told:
        """`/oauth/token/`."""
        if asked.get("client_id") != CLIENT_ID:
            return Told(200, {"error": "wrong_client"})
        if asked.get("client_secret") != CLIENT_SECRET:
            return Told(400, {"error": "invalid_client"})
        match asked.get("grant_type"):
            case "authorization_code" if asked.get("code") in self._codes:
                self._codes.discard(asked["code"])
                return Told(200, self._pair(base))
            case "refresh_token" if self._refresh.pop(str(asked.get("refresh_token")), 0.0) > self._now():
                self.refreshes += 1
                pair = self._pair(base)
                return Told(
                    200, {**pair, "expires": int(self._now() + self._lives), "user_id": TECHNICAL_USER}
                )
            case "authorization_code" | "refresh_token":
                return Told(400, {"error": "invalid_grant"})
        return Told(400, {"error": "invalid_request"})

    def expire(self) -> None:
        """Every access token that has been given out ends now."""
        self._access = {token: min(until, self._now()) for token, until in self._access.items()}

    def state(self, access: str) -> str:
        """`known`, `expired` or `unknown`."""
        until = self._access.get(access)
        if until is None:
            return "unknown"
        return "known" if until > self._now() else "expired"

    def _made_up(self) -> str:
        """A token that no other is; the same ones in each life of the portal, so that a rehearsal can be repeated."""
        self._made += 1
        return hashlib.sha256(f"{CLIENT_SECRET} {self._made}".encode()).hexdigest()[:32]

    def _pair(self, base: str) -> dict[str, Any]:
        access, refresh = self._made_up(), self._made_up()
        self._access[access] = self._now() + self._lives
        self._refresh[refresh] = self._now() + REFRESH_SECONDS
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": int(self._lives),
            **about(base),
            "scope": ",".join(self._portal.switches.scopes),
            "status": "L",
        }

    @property
    def _lives(self) -> float:
        return self._portal.switches.access_seconds

    def _now(self) -> float:
        return self._portal.clock.now().timestamp()
