"""The wire of one account: one HTTP client, one pace, answers judged.

Reads are repeated here, a bounded number of times. Writes are sent once; what is not surely unapplied is `UNKNOWN`,
and whoever asked must look before it sends again.
"""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from connectors.amocrm.answers import PERMISSION_PAUSE, Refusal, Verdict, judge
from connectors.amocrm.limits import pace_of
from connectors.amocrm.options import AmocrmOptions
from connectors.amocrm.tokens import access_of
from connectors.amocrm.wire import Query, embedded, masked, query_string
from kreslo.connectors.contract import Seams
from kreslo.connectors.errors import ConfigurationError, KresloError, OutageError
from kreslo.connectors.server_clock import ServerClock

PAGE = 250
_SAME_CLOCK = 2.0
"""Seconds: the header has whole ones, and the answer took a while."""
_ATTEMPTS = 5
_FIRST_ATTEMPTS = 2
"""Where nobody has ever answered, the address may be wrong: a person should hear of it soon."""
_LONGEST_BACKOFF = 30.0
_LONGEST_BLOCK = 3600.0
_AGAIN = frozenset((Verdict.LIMIT, Verdict.OUTAGE, Verdict.UNKNOWN))


_NO_PLACE = Refusal(Verdict.CROWDED, retry_after=30.0)


class Answer(msgspec.Struct, frozen=True):
    """A request that succeeded. `body` None: 204, nothing there."""

    body: Any = None

    def rows(self, name: str) -> list[dict[str, Any]]:
        return embedded(self.body, name)

    @property
    def more(self) -> bool:
        links = self.body.get("_links") if isinstance(self.body, dict) else None
        return isinstance(links, dict) and "next" in links


Reply = Answer | Refusal
Unless = Callable[[], Refusal | None] | None


class Client:
    """One account as one token sees it. `blocked`: the API is closed to the account, and nothing is sent."""

    def __init__(self, options: AmocrmOptions, seams: Seams) -> None:
        self._base = f"{options.address}/api/v4/"
        self._host = options.host
        self._clock = seams.clock
        self._chance = seams.chance
        self._http = httpx.AsyncClient(
            transport=seams.transport,
            timeout=httpx.Timeout(options.timeout, connect=min(10.0, options.timeout)),
            follow_redirects=False,
            headers={"Accept": "application/json", "User-Agent": "Kreslo"},
        )
        self.access = access_of(options, self._http, seams.clock)
        self.pace = pace_of(seams.clock, options.host, options.rate, options.state)
        self._closed = False
        self._reached = False
        self._block_until = 0.0
        self._block = PERMISSION_PAUSE
        self._server = ServerClock(seams.clock)

    def __repr__(self) -> str:
        return f"Client({self._host})"

    def now(self) -> datetime:
        """The account's time."""
        return self._server.now()

    @property
    def blocked(self) -> bool:
        return self._block_until > self._clock.monotonic()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.pace.leave()
            await self._http.aclose()

    # --- reads ------------------------------------------------------------------------------------------------

    async def ask(self, path: str, params: Query | None = None) -> Answer:
        """Read one page. Raises LimitError and OutageError when the account stays away, PermissionDeniedError when it
        refuses the token, the error that any other refusal means.
        """
        query = query_string(params or {})
        where = f"{path}?{query}" if query else path
        for attempt in range(1, _ATTEMPTS + 1):
            reply = await self._send("GET", where, None, None)
            if isinstance(reply, Answer):
                return reply
            if reply.verdict not in _AGAIN or attempt >= self._attempts:
                raise _given_up(reply).error(f"GET {path}")
            if reply.verdict is not Verdict.LIMIT:  # the pace itself waits a limit out
                spread = 1.0 + self._chance.random()
                await self._clock.sleep(min(2.0 ** (attempt - 1) * spread, _LONGEST_BACKOFF))
        raise OutageError

    @property
    def _attempts(self) -> int:
        return _ATTEMPTS if self._reached else _FIRST_ATTEMPTS

    async def pages(
        self, path: str, name: str, params: Query | None = None, most: int = 0
    ) -> list[dict[str, Any]]:
        """All rows of a list, page by page. `most`: pages after which it is given up with ConfigurationError."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = await self.ask(path, {**(params or {}), "limit": PAGE, "page": page})
            found += answer.rows(name)
            if not answer.more:
                return found
            page += 1
            if most and page > most:
                raise ConfigurationError(f"Список {path} длиннее {most} страниц")

    # --- writes -----------------------------------------------------------------------------------------------

    async def tell(self, verb: str, path: str, body: Any, *, unless: Unless = None) -> Reply:
        """Send once. Never raises for what a reply can say. `unless` is asked when its turn has come: where it gives a
        refusal, nothing is sent.
        """
        try:
            return await self._send(verb, path, body, unless)
        except KresloError as error:  # there is no token to send it with
            return Refusal(Verdict.LOGIN, error.message, error.retry_after or PERMISSION_PAUSE)

    # --- requests ---------------------------------------------------------------------------------------------

    async def _send(self, verb: str, path: str, body: Any, unless: Unless) -> Reply:
        token = await self.access.current()
        reply = await self._once(verb, path, body, token, unless)
        if isinstance(reply, Refusal) and reply.verdict is Verdict.LOGIN and await self.access.renewed(token):
            token = await self.access.current()
            reply = await self._once(verb, path, body, token, unless)  # a 401 was not executed
        return reply

    async def _once(self, verb: str, path: str, body: Any, token: str, unless: Unless) -> Reply:
        if not self.blocked and not await self.pace.take():
            return _NO_PLACE
        if self.blocked:  # another request may have learnt of it meanwhile
            return Refusal(Verdict.BLOCKED, "", self._block_until - self._clock.monotonic())
        if unless is not None and (called_off := unless()) is not None:
            return called_off
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {token}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._http.request(verb, self._base + path, content=content, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            text = f"{type(error).__name__}: {masked(str(error))}"
            return Refusal(Verdict.OUTAGE, f"{self._host} недоступен ({text})", 10.0)
        except httpx.RequestError as error:
            self._reached = True
            return Refusal(Verdict.UNKNOWN, f"{type(error).__name__}: {masked(str(error))}")
        self._reached = True
        self._read_clock(response)
        return self._judged(response, path)

    def _judged(self, response: httpx.Response, path: str) -> Reply:
        if response.status_code == 204:
            return Answer()
        if response.is_success:
            try:
                return Answer(response.json())
            except ValueError:  # a body that was cut short
                return Refusal(Verdict.UNKNOWN, "ответ не прочитан")
        refusal = judge(response, path)
        if refusal.verdict is Verdict.LIMIT:
            self.pace.hold(refusal.retry_after or 2.0)
        if refusal.verdict is Verdict.BLOCKED:
            self._block_until = self._clock.monotonic() + self._block
            refusal = msgspec.structs.replace(refusal, retry_after=self._block)
            self._block = min(self._block * 2, _LONGEST_BLOCK)
        elif refusal.verdict is not Verdict.UNKNOWN:
            self._block = PERMISSION_PAUSE
        return refusal

    def _read_clock(self, response: httpx.Response) -> None:
        told = response.headers.get("date")
        if told is None:
            return
        try:
            theirs = parsedate_to_datetime(told)
        except ValueError:
            return
        if theirs.tzinfo is not None:
            ours = self._clock.now().timestamp()
            told = theirs.timestamp()
            self._server.tell(ours if abs(told - ours) < _SAME_CLOCK else told)


def _given_up(refusal: Refusal) -> Refusal:
    """A read that was not answered is an outage: there is nothing to look for."""
    if refusal.verdict is Verdict.UNKNOWN:
        return msgspec.structs.replace(refusal, verdict=Verdict.OUTAGE, retry_after=30.0)
    return refusal
