"""Who may ask for what people decide: not the page of another site that a browser of this machine has open.

The service has no logins yet and listens on this machine alone, so a browser is the one way in from outside: by a
form that another site sends here (CSRF), by a frame around our page, and by a name of the other site's that suddenly
means 127.0.0.1 (DNS rebinding).
"""

import hmac
import secrets
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, status

REQUEST_HEADER = "X-Kreslo-Request"
"""A page of another site cannot set it without asking first, and is not allowed to."""

PRIVATE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
"""Of answers that name people: kept in no cache, shown in no frame."""

OURS = frozenset({"same-origin", "none"})


class Guard:
    """`names`: host names that the service is reached by, besides `localhost` and addresses. One a process: the token
    of its forms ends with it.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = {"localhost", *(name.casefold() for name in names)}
        self.token = secrets.token_urlsafe(32)

    def changing(self, request: Request) -> None:
        """For a call that changes something. Raises HTTPException 403."""
        if request.headers.get(REQUEST_HEADER) != "1":
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"the header {REQUEST_HEADER}: 1 is missing")
        self.check_site(request)

    def form(self, request: Request, given: str) -> None:
        """For a form of the page. Raises HTTPException 403."""
        self.check_site(request)
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPException(
                status.HTTP_403_FORBIDDEN,
                "Страница устарела: Kreslo с тех пор перезапускали. Вернитесь на неё, обновите и повторите.",
            )

    def check_host(self, request: Request) -> None:
        """For what names people. Raises HTTPException 421 where the browser was led here under a foreign name."""
        host = _host(f"//{request.headers.get('host', '')}")
        if host in self._names or _is_address(host):
            return
        raise HTTPException(
            status.HTTP_421_MISDIRECTED_REQUEST,
            f'"{host}" is no name of this service; if it should be one, add it to KRESLO_NAMES',
        )

    @staticmethod
    def check_site(request: Request) -> None:
        """Refuses what a browser says comes from another site. Commands send neither header."""
        origin = request.headers.get("origin")
        foreign = origin is not None and _place(origin) != request.headers.get("host", "").casefold()
        if foreign or request.headers.get("sec-fetch-site", "none") not in OURS:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "asked by another site")


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.casefold()
    except ValueError:
        return ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
