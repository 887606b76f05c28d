"""How changes of staff reach us, by what the portal's plan allows: the application's queue of events, else by asking
what changed; and what `kreslo check` says of either.

The queue alone is not trusted: its bindings vanish when the application is updated, and what a robot does within our own
call may be left out of it as ours. So from time to time the bindings are looked at, and all that changed is asked for.
"""

from datetime import datetime, timedelta

from connectors.bitrix24.client import Client, Reply
from connectors.bitrix24.events import changed_since
from connectors.bitrix24.offline import OfflineQueue, allowed, lacking
from connectors.bitrix24.options import Bitrix24Options
from kreslo.connectors.errors import ErrorKind, PermissionDeniedError
from kreslo.connectors.model import Event, Problem
from kreslo.connectors.seams import Clock

_SWEEP = 600.0  # seconds between two looks at the bindings and at all that changed
_EVENT_SLACK = timedelta(seconds=5)


class Hearing:
    """One target's ear."""

    def __init__(self, options: Bitrix24Options, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._name = options.app.queue if options.app is not None else ""
        self._queue: OfflineQueue | None = None
        self._given_until: datetime | None = None
        self._swept_at: float | None = None
        self._swept_until: datetime | None = None

    async def since(self, since: datetime) -> tuple[list[Event], datetime]:
        """Both instants are by the portal's clock; changes of the last seconds may come again. Asking from the instant that
        was given back says that everything before it has been written down.
        """
        asked_at = self._client.now()
        swept = await self._sweep(since) if self._is_time() else None
        if self._queue is None:
            events = swept if swept is not None else await self._polled(since)
        else:
            if self._given_until is not None and since >= self._given_until:
                await self._queue.confirm()
            # What is taken from here on is given back only where nothing fails before the end.
            self._given_until = None
            told, whole = await self._queue.take()
            events = [*(swept or ()), *told]
            if not whole and swept is None:
                events += await self._polled(since)
        # Later than `since` even if no time has passed, or asking again would pass for having written down.
        self._given_until = max(asked_at, since + timedelta(microseconds=1))
        return events, self._given_until

    def _is_time(self) -> bool:
        return bool(self._name) and (
            self._swept_at is None or self._clock.monotonic() - self._swept_at >= _SWEEP
        )

    async def _sweep(self, since: datetime) -> list[Event]:
        """Everything that changed since the last sweep, however it would have been told; the queue is opened first, so
        that nothing falls between the two.
        """
        began = self._client.now()
        await self._open()
        events = await self._polled(min(since, self._swept_until or since))
        self._swept_at, self._swept_until = self._clock.monotonic(), began
        return events

    async def _open(self) -> None:
        if not await allowed(self._client):
            self._queue, self._client.connector = None, ""
            return
        queue = self._queue or OfflineQueue(self._client, self._name)
        try:
            await queue.bind()
        except PermissionDeniedError:  # the user is no administrator: `kreslo check` says so
            self._queue, self._client.connector = None, ""
            return
        self._queue, self._client.connector = queue, self._name

    async def _polled(self, since: datetime) -> list[Event]:
        least = (since - _EVENT_SLACK).replace(microsecond=0)
        return await changed_since(self._client, least)


def hearing_problems(options: Bitrix24Options, features: list[Reply], *, admin: bool) -> list[Problem]:
    """Which ways of hearing the portal allows, and what is lost without the others. `features`: the answers to
    `feature.get` of `offline.FEATURES`; `admin`: whether our user is an administrator.
    """
    if options.app is None:
        return [] if options.hook_token is not None else [Problem(_NO_HOOK, fatal=False)]
    if missing := lacking(features):
        return [Problem(_NO_QUEUE.format(", ".join(missing)), fatal=False)]
    if not admin:
        return [Problem(_NO_ADMIN, ErrorKind.PERMISSION, fatal=False)]
    return []


_NO_HOOK = (
    "Исходящего вебхука нет (hook_token): правки сотрудников видны не сразу, а при опросе раз в несколько "
    "секунд, об удалении карточки Kreslo узнает, только когда обратится к ней"
)
_NO_QUEUE = (
    "Тариф портала не даёт очереди событий с подтверждением (нет {}; нужен «Профессиональный» или выше): "
    "правки сотрудников читаются опросом, об удалении карточки Kreslo узнает, только когда обратится к ней, "
    "а свои записи отличает по пользователю"
)
_NO_ADMIN = (
    "Пользователь приложения — не администратор портала: очередь событий ему не открыть, правки сотрудников "
    "читаются опросом, об удалении карточки Kreslo узнает, только когда обратится к ней"
)
