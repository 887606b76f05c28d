"""Webhooks: who is subscribed, and the sender with its retries. Deliveries go to this machine only, and are not signed.

A change is told to the subscribers after the request that made it, all the changes of that request in one body.
"""

import asyncio
import ssl
from collections import deque
from typing import Any

import httpx
import msgspec

from connectors.amocrm.sandbox.hook_bodies import encoded
from connectors.amocrm.sandbox.switches import Switches
from kreslo.connectors.seams import Clock

SETTINGS = frozenset(
    {f"{act}_{kind}" for act in ("responsible", "restore", "add", "update", "delete") for kind in ("lead", "contact", "company")}
    | {f"{act}_{kind}" for act in ("responsible", "add", "update", "delete") for kind in ("customer", "task")}
    | {f"note_{kind}" for kind in ("lead", "contact", "company", "customer")}
    | {"status_lead", "add_talk", "update_talk", "add_message", "add_outgoing_message", "add_chat_template_review"}
)  # fmt: skip

_RETRY_ANY = (300.0, 900.0)
_RETRY_SERVER = (900.0, 3600.0)
_DISABLE_AFTER, _DISABLE_WINDOW = 100, 7200.0
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_POLL = 0.2
_PLAIN = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # never used: http on this machine; the default one is slow to make


class Hook(msgspec.Struct, kw_only=True):
    id: int
    destination: str
    settings: list[str]
    sort: int
    created_at: int
    updated_at: int
    created_by: int
    disabled: bool = False
    invalid: deque[float] = msgspec.field(default_factory=deque)


class Told(msgspec.Struct, frozen=True):
    """One change as a body holds it: `top`[`action`][n] = `payload`."""

    setting: str
    top: str
    action: str
    payload: dict[str, Any]


class Delivery(msgspec.Struct, kw_only=True):
    """A body on its way. `code` 0: no answer in time. `state`: waiting, delivered, failed, lost."""

    hook_id: int
    destination: str
    settings: list[str]
    body: str
    due: float
    attempt: int = 1
    code: int | None = None
    state: str = "waiting"


class Hooks:
    def __init__(self, switches: Switches, clock: Clock) -> None:
        self.all: dict[int, Hook] = {}
        self.sent: list[Delivery] = []
        self.switches = switches
        self._clock = clock
        self._told: list[tuple[Told, dict[str, Any]]] = []
        self._waiting: list[Delivery] = []
        self._bodies = 0
        self._passing = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None

    def tell(self, told: Told, account: dict[str, Any]) -> None:
        """A change has happened; `account` is the block that says whose."""
        if any(told.setting in hook.settings and not hook.disabled for hook in self.all.values()):
            self._told.append((told, account))
            self.wake()

    def wake(self) -> None:
        """Start the sender, unless it runs or there is nothing to send."""
        if (self._told or self._waiting) and (self._sender is None or self._sender.done()):
            self._sender = asyncio.get_running_loop().create_task(self._run())

    def waiting(self) -> list[Delivery]:
        return list(self._waiting)

    async def settle(self) -> None:
        """Deliver what is due by now, and return when it is done."""
        async with self._passing:
            self._pack()
            await self._deliver_due()

    async def _run(self) -> None:
        while self._told or self._waiting:
            await self.settle()
            if self._waiting:
                await asyncio.sleep(_POLL)

    def _pack(self) -> None:
        told, self._told = self._told, []
        for hook in self.all.values():
            if hook.disabled:
                continue
            own = [(one, account) for one, account in told if one.setting in hook.settings]
            if own:
                self._dispatch(hook, own)

    def _dispatch(self, hook: Hook, own: list[tuple[Told, dict[str, Any]]]) -> None:
        tree: dict[str, Any] = {}
        for one, _ in own:
            tree.setdefault(one.top, {}).setdefault(one.action, []).append(one.payload)
        tree["account"] = own[-1][1]
        delivery = Delivery(
            hook_id=hook.id,
            destination=hook.destination,
            settings=sorted({one.setting for one, _ in own}),
            body=encoded(tree).decode(),
            due=self._clock.monotonic(),
        )
        self._bodies += 1
        self.sent.append(delivery)
        if _every(self.switches.hook_lose_every, self._bodies):
            delivery.state = "lost"
            return
        self._waiting.append(delivery)
        if _every(self.switches.hook_repeat_every, self._bodies):
            again = msgspec.structs.replace(delivery)
            self.sent.append(again)
            self._waiting.append(again)

    async def _deliver_due(self) -> None:
        now = self._clock.monotonic()
        due = [delivery for delivery in self._waiting if delivery.due <= now]
        if not due:
            return
        self._waiting = [delivery for delivery in self._waiting if delivery.due > now]
        if self.switches.hook_reverse:
            due.reverse()
        transport = httpx.AsyncHTTPTransport(verify=_PLAIN)
        async with httpx.AsyncClient(transport=transport, timeout=self.switches.hook_timeout) as http:
            for delivery in due:
                await self._deliver(http, delivery)

    async def _deliver(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        hook = self.all.get(delivery.hook_id)
        if hook is None or hook.disabled:
            delivery.state = "failed"
            return
        delivery.code = await self._post(http, delivery)
        if 100 <= delivery.code <= 299:
            delivery.state = "delivered"
            return
        now = self._clock.monotonic()
        hook.invalid.append(now)
        while hook.invalid[0] <= now - _DISABLE_WINDOW:
            hook.invalid.popleft()
        hook.disabled = len(hook.invalid) > _DISABLE_AFTER
        wait = _retry_after(delivery.attempt, delivery.code)
        if wait is None or hook.disabled:
            delivery.state = "failed"
            return
        delivery.attempt += 1
        delivery.due = now + wait
        self._waiting.append(delivery)

    async def _post(self, http: httpx.AsyncClient, delivery: Delivery) -> int:
        if httpx.URL(delivery.destination).host not in _HERE:
            return 0
        headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": "amoCRM-Webhooks/3.0"}
        try:
            async with asyncio.timeout(self.switches.hook_timeout):
                answer = await http.post(delivery.destination, content=delivery.body, headers=headers)
        except (httpx.HTTPError, TimeoutError):
            return 0
        return answer.status_code


def _retry_after(attempt: int, code: int) -> float | None:
    """Seconds to the next attempt after this one: two more for any failure, two more yet for a server's own."""
    steps = _RETRY_ANY + (_RETRY_SERVER if code >= 499 and code < 600 else ())
    return steps[attempt - 1] if attempt <= len(steps) else None


def _every(nth: int, count: int) -> bool:
    return nth > 0 and count % nth == 0
