"""The wire of one portal: one HTTP client, one limiter, answers judged.

Reads are repeated here, a bounded number of times. Writes are sent once; what is not surely unapplied is `UNKNOWN`,
and whoever asked must look before it sends again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from connectors.bitrix24.answers import Refusal, Verdict, judge
from connectors.bitrix24.auth import AppAuth, FileTokenStore
from connectors.bitrix24.desk import BATCH, Desk
from connectors.bitrix24.limits import Operating, bucket_of
from connectors.bitrix24.options import Bitrix24Options, Plan, is_loopback
from connectors.bitrix24.wire import Call, guard_logs, masked, section
from kreslo.connectors.contract import Seams

_ATTEMPTS = 5
_FIRST_ATTEMPTS = 2
"""Where nobody has ever answered, the address may be wrong: a person should hear of it soon."""
_LONGEST_PARK = 90.0  # a read waits this long for a blocked method; longer is the caller's to decide
_LONGEST_BACKOFF = 30.0
_HOPS = 3
_STALE = frozenset(("expired_token",))
_TOKENS = 3  # the one that we hold, that of the file, and a new one
_GATEWAY_TIMEOUT = 60.0
_CUT_OFF = 50.0  # seconds: a request without an answer after this was cut off at the portal's 60
_AGAIN = frozenset((Verdict.LIMIT, Verdict.BLOCKED, Verdict.OUTAGE, Verdict.UNKNOWN))


class Answer(msgspec.Struct, frozen=True):
    """A call that succeeded. `next`: where the next page starts, None on the last."""

    result: Any
    next: int | None = None
    total: int | None = None


Reply = Answer | Refusal


class Client:
    """One portal as one webhook sees it.

    `operating`: working time of the methods, and by how much the portal's clock is ahead of ours. `moved_to`: the host
    that the portal redirected us to, "" while it has not. `connector`: the queue of events that our own writes are to be
    left out of, "" where there is none.
    """

    def __init__(self, options: Bitrix24Options, seams: Seams) -> None:
        guard_logs()
        self._base = options.base_url
        self._clock = seams.clock
        self._chance = seams.chance
        self._bucket = bucket_of(seams.clock, options.host, options.plan)
        self.operating = Operating(seams.clock)
        self._http = httpx.AsyncClient(
            transport=seams.transport,
            timeout=httpx.Timeout(options.timeout, connect=10.0),
            follow_redirects=False,
            headers={"Accept": "application/json"},
        )
        self.moved_to = ""
        self.connector = ""
        self._reached = False
        self._asked_last = 0
        self._desk: Desk[Reply] = Desk(self._send_keyed)
        self._auth: AppAuth | None = None
        if options.app is not None:
            store = FileTokenStore(options.app.tokens, options.app.key.get_secret_value())
            self._auth = AppAuth(options.app, self._http, store, seams.clock)

    def __repr__(self) -> str:
        return f"Client({masked(self._base)})"

    def now(self) -> datetime:
        """The portal's time."""
        return self.operating.portal.now()

    @property
    def crowded(self) -> bool:
        """Whether requests are what there is least of."""
        return self._bucket.crowded

    def learned(self, plan: Plan) -> None:
        """The portal's plan, as it told it."""
        self._bucket.learned(plan)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def close(self) -> None:
        await self._http.aclose()

    # --- reads ------------------------------------------------------------------------------------------------

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> Answer:
        """Read one call. Raises the error that its refusal means."""
        (reply,) = await self.ask_all([Call(method, params or {})])
        return accepted(reply, method)

    async def ask_all(self, calls: Sequence[Call]) -> list[Reply]:
        """Read many, 50 a request, in order. A refusal that concerns one call is its reply; raises LimitError and
        OutageError when the portal stays away, PermissionDeniedError when it refuses the webhook itself.
        """
        replies: list[Reply | None] = [None] * len(calls)
        waiting = list(range(len(calls)))
        tries = [0] * len(calls)
        while waiting:
            part = waiting[:BATCH]
            await self._wait_for([calls[index].method for index in part])
            answers = await self._asked([calls[index] for index in part])
            again: list[int] = []
            for index, reply in zip(part, answers, strict=True):
                if isinstance(reply, Refusal) and reply.verdict in _AGAIN:
                    tries[index] += 1
                    if tries[index] >= self._attempts:
                        raise _given_up(reply).error(calls[index].method)
                    again.append(index)
                    refusal = reply
                else:
                    replies[index] = reply
            if (
                again and refusal.verdict is not Verdict.BLOCKED
            ):  # a blocked one is parked: `_wait_for` knows how long
                await self._back_off(max(tries[index] for index in again))
            waiting = again + waiting[BATCH:]
        return [reply for reply in replies if reply is not None]

    async def ask_together(self, calls: Mapping[str, Call]) -> dict[str, Reply]:
        """Read up to 50 calls in one request, where later ones use the results of earlier ones by their keys
        (`$result[key]…`); asked again whole. Keys must not be numbers. Raises as `ask_all` does.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            await self._wait_for([call.method for call in calls.values()])
            replies = dict(zip(calls, await self._desk.ask(calls), strict=True))
            failed = [
                reply for reply in replies.values() if isinstance(reply, Refusal) and reply.verdict in _AGAIN
            ]
            if not failed:
                return replies
            if attempt >= self._attempts:
                raise _given_up(failed[0]).error("batch")
            await self._back_off(attempt)
        raise AssertionError

    @property
    def _attempts(self) -> int:
        return _ATTEMPTS if self._reached else _FIRST_ATTEMPTS

    async def _back_off(self, attempt: int) -> None:
        spread = 1.5 + self._chance.random()
        await self._clock.sleep(min(2.0 ** (attempt - 1) * spread, _LONGEST_BACKOFF))

    async def _wait_for(self, methods: Sequence[str]) -> None:
        parked = max(self.operating.parked_for(method) for method in methods)
        if parked > _LONGEST_PARK:
            raise Refusal(Verdict.BLOCKED, "OPERATION_TIME_LIMIT", "", parked).error(
                ", ".join(sorted(set(methods)))
            )
        if parked > 0:
            await self._clock.sleep(parked)

    # --- writes -----------------------------------------------------------------------------------------------

    async def tell(self, calls: Sequence[Call]) -> list[Reply]:
        """Send each call once, at most 50, in order and in one request (calls that may not stand in a batch follow by
        themselves). Never raises for what a reply can say. A call of a parked method is not sent.
        """
        if self.connector:
            own = {"auth_connector": self.connector}
            calls = [msgspec.structs.replace(call, params={**call.params, **own}) for call in calls]
        replies: list[Reply | None] = [None] * len(calls)
        for index, call in enumerate(calls):
            if (parked := self.operating.parked_for(call.method)) > 0:
                replies[index] = Refusal(Verdict.BLOCKED, "OPERATION_TIME_LIMIT", "", parked)
        sent = [index for index, reply in enumerate(replies) if reply is None]
        for index, reply in zip(sent, await self._send_all([calls[index] for index in sent]), strict=True):
            replies[index] = reply
        return [reply for reply in replies if reply is not None]

    # --- requests ---------------------------------------------------------------------------------------------

    async def _asked(self, calls: Sequence[Call]) -> list[Reply]:
        """Read up to 50 calls, those that may share a request with whatever else is asked at this moment."""
        keyed: dict[str, Call] = {}
        for call in calls:
            if not call.solo:
                self._asked_last += 1
                keyed[f"q{self._asked_last}"] = call
        told = iter(await self._desk.ask(keyed) if keyed else [])
        return [await self._send_one(call) if call.solo else next(told) for call in calls]

    async def _send_keyed(self, calls: Mapping[str, Call]) -> list[Reply]:
        if len(calls) == 1:
            return [await self._send_one(*calls.values())]
        return await self._send_batch(calls)

    async def _send_all(self, calls: Sequence[Call]) -> list[Reply]:
        batched = [call for call in calls if not call.solo]
        if len(batched) < 2:
            return [await self._send_one(call) for call in calls]
        # The keys must not be numbers: PHP would make lists of the answer's maps.
        told = iter(await self._send_batch({f"c{index:04}": call for index, call in enumerate(batched)}))
        return [await self._send_one(call) if call.solo else next(told) for call in calls]

    async def _send_one(self, call: Call) -> Reply:
        await self._slow_down([call.method])
        body = await self._post(call.method, call.params)
        if isinstance(body, Refusal):
            if body.verdict is Verdict.BLOCKED:
                body = self._park(call.method, None, body)
            self._lost([call], body)
            return body
        self.operating.told(call.method, body.get("time"), call.items)
        return Answer(body["result"], _number(body.get("next")), _number(body.get("total")))

    async def _send_batch(self, calls: Mapping[str, Call]) -> list[Reply]:
        await self._slow_down([call.method for call in calls.values()])
        body = await self._post(
            "batch", {"halt": 0, "cmd": {key: call.command() for key, call in calls.items()}}
        )
        if isinstance(body, Refusal):
            self._lost(list(calls.values()), body)
            return [body] * len(calls)
        outer = body["result"]
        if not isinstance(outer, dict) or "result" not in outer:
            return [Refusal(Verdict.UNKNOWN, "", "the answer to a batch is not one")] * len(calls)
        results, errors = section(outer["result"]), section(outer.get("result_error"))
        times, pages, totals = (section(outer.get(f"result_{name}")) for name in ("time", "next", "total"))
        replies: list[Reply] = []
        for key, call in calls.items():
            self.operating.told(call.method, times.get(key), call.items)
            if key in errors:
                error = (
                    errors[key] if isinstance(errors[key], dict) else {"error_description": str(errors[key])}
                )
                refusal = judge(200, error.get("error"), error.get("error_description"))
                if refusal.verdict is Verdict.BLOCKED:
                    refusal = self._park(call.method, times.get(key), refusal)
                replies.append(refusal)
            elif key in results:
                replies.append(Answer(results[key], _number(pages.get(key)), _number(totals.get(key))))
            else:
                replies.append(Refusal(Verdict.UNKNOWN, "", "the batch was cut off before this command"))
        return replies

    def _lost(self, calls: Sequence[Call], refusal: Refusal) -> None:
        """A request that the portal cut off for its length tells what its calls cost: more than was thought."""
        if refusal.verdict is Verdict.UNKNOWN and refusal.seconds >= _CUT_OFF:
            items = sum(call.items for call in calls)
            for method in {call.method for call in calls}:
                self.operating.lost(method, items, refusal.seconds)

    async def _slow_down(self, methods: Sequence[str]) -> None:
        if (delay := self.operating.delay(methods)) > 0:
            await self._clock.sleep(delay)

    def _park(self, method: str, time: Any, refusal: Refusal) -> Refusal:
        self.operating.blocked(method, time)
        wait = self.operating.parked_for(method)
        return Refusal(refusal.verdict, refusal.code, refusal.text, wait)

    async def _post(self, method: str, params: dict[str, Any]) -> dict[str, Any] | Refusal:
        """One request; of an application with its token, and again with a new one where that had expired (such a call was
        not executed): with the one that another process has fetched, then with one of our own. The body of a success
        has `result`.
        """
        if self._auth is None:
            return await self._post_once(method, params)
        token = await self._auth.access()
        for _ in range(_TOKENS):
            if isinstance(token, Refusal):
                return token
            body = await self._post_once(method, {**params, "auth": token})
            if not isinstance(body, Refusal) or body.code.lower() not in _STALE:
                return body
            token = await self._auth.renewed(token)
        return body

    async def _post_once(self, method: str, params: dict[str, Any]) -> dict[str, Any] | Refusal:
        for _ in range(_HOPS):
            await self._bucket.take()
            started = self._clock.monotonic()
            try:
                response = await self._http.post(self._base + method, json=params)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
                return Refusal(Verdict.OUTAGE, "", f"{type(error).__name__}: {masked(str(error))}", 10.0)
            except httpx.RequestError as error:
                self._reached = True
                seconds = self._clock.monotonic() - started
                text = f"{type(error).__name__}: {masked(str(error))}"
                return Refusal(Verdict.UNKNOWN, "", text, seconds=seconds)
            self._reached = True
            if not response.is_redirect:
                return self._read(response)
            if (refusal := self._follow(response, method)) is not None:
                return refusal
        return Refusal(Verdict.CONFIGURATION, "", "адрес портала всё время перенаправляет", 300.0)

    def _follow(self, response: httpx.Response, method: str) -> Refusal | None:
        """A renamed portal answers 302; the call was not executed and is sent again, as POST, to the new address."""
        target = urljoin(self._base + method, response.headers["location"])
        parts = urlsplit(target)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if not safe or not parts.path.startswith("/rest/") or method not in parts.path.rsplit("/", 1)[-1]:
            text = f"портал перенаправляет на {parts.hostname}: возьмите адрес вебхука в портале заново"
            return Refusal(Verdict.CONFIGURATION, "", text, 300.0)
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rsplit('/', 1)[0]}/"
        self.moved_to = parts.hostname or ""
        return None

    def _read(self, response: httpx.Response) -> dict[str, Any] | Refusal:
        try:
            body = response.json()
        except ValueError:  # HTML of the front-end proxy, or a cut body
            cut = _GATEWAY_TIMEOUT if response.status_code == httpx.codes.GATEWAY_TIMEOUT else 0.0
            return Refusal(Verdict.UNKNOWN, "", f"HTTP {response.status_code} without JSON", seconds=cut)
        if not isinstance(body, dict):
            return Refusal(
                Verdict.UNKNOWN, "", f"HTTP {response.status_code} with a body that is no envelope"
            )
        if "error" in body:
            refusal = judge(response.status_code, body["error"], body.get("error_description"))
            if refusal.verdict is Verdict.LIMIT:
                self._bucket.overflowed()
            return refusal
        if "result" not in body or response.status_code >= 400:
            return Refusal(Verdict.UNKNOWN, "", f"HTTP {response.status_code} without a result")
        time = body.get("time")
        if isinstance(time, dict) and isinstance(finish := time.get("finish"), int | float):
            self.operating.portal.tell(float(finish))
        return body


def accepted(reply: Reply, doing: str) -> Answer:
    """The answer, or raise what the refusal means."""
    if isinstance(reply, Refusal):
        raise reply.error(doing)
    return reply


def _given_up(refusal: Refusal) -> Refusal:
    """Of a read: nothing was to be applied, so an unclear answer is simply no answer."""
    if refusal.verdict is Verdict.UNKNOWN:
        return Refusal(Verdict.OUTAGE, refusal.code, refusal.text, 10.0)
    return refusal


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else None
