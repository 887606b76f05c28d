"""The portal's queue of events for one application, asked from our side: nobody has to reach us.

Source: Bitrix24 REST documentation, «Offline events». A record is taken with `clear=0`, which hides it under the id of a
process, and is cleared only when what it told has been written down; what an earlier run took and never confirmed is
listed and told again. Our own writes carry the queue's `auth_connector`, and so do not come back through it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from connectors.bitrix24.answers import Refusal, Verdict
from connectors.bitrix24.cards import instant
from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import KINDS
from connectors.bitrix24.events import event_of
from connectors.bitrix24.wire import Call, rows, section
from kreslo.connectors.model import Event

NAMES = (
    *(f"ONCRM{kind.word.upper()}{act}" for kind in KINDS for act in ("ADD", "UPDATE", "DELETE")),
    "ONCRMDEALMOVETOCATEGORY",
)
FEATURES = ("rest_offline_extended", "rest_auth_connector")
"""What the plan must have: confirmation of records, and queues that leave our own changes out."""

_PAGE = 50
_MOST = 20  # takes a round: a mass change of a thousand cards is one round


class OfflineQueue:
    """`name`: the queue's own, the same in each run. A record is told again until `confirm` says that it was kept."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._given: dict[str, list[Event]] = {}
        self._strays = True  # an earlier run may have taken what it did not confirm

    async def bind(self) -> bool:
        """Have every event put into the queue. True where one was not: what happened until now may be missing. Raises
        PermissionDeniedError where the application's user is no administrator.
        """
        told = rows((await self._client.ask("event.get")).result)
        bound = {
            str(row.get("event", "")).upper()
            for row in told
            if str(row.get("offline")) == "1" and str(row.get("connector_id") or "") == self._name
        }
        missing = [name for name in NAMES if name not in bound]
        calls = [
            Call("event.bind", {"event": name, "event_type": "offline", **self._own}) for name in missing
        ]
        for call, reply in zip(calls, await self._client.tell(calls) if calls else [], strict=True):
            if not (isinstance(reply, Refusal) and _is_bound_already(reply)):
                accepted(reply, call.method)
        return bool(missing)

    async def take(self) -> tuple[list[Event], bool]:
        """Everything that stands in the queue, with what was told before and not confirmed; and whether all of it
        could be read (a record may name no card). Raises what the client raises.
        """
        whole = True
        for _ in range(_MOST):
            if self._strays:
                whole = await self._take_strays() and whole
            # Sent once: an answer that is lost has hidden its records under a process that we do not know.
            call = Call("event.offline.get", {"clear": 0, "limit": _PAGE, **self._own})
            (reply,) = await self._client.tell([call])
            if isinstance(reply, Refusal) and reply.verdict is Verdict.UNKNOWN:
                self._strays = True
                continue
            taken = section(accepted(reply, call.method).result)
            found = rows(taken.get("events"))
            if found:
                whole = self._keep(str(taken.get("process_id") or ""), found) and whole
            if len(found) < _PAGE:
                break
        return [event for events in self._given.values() for event in events], whole

    async def confirm(self) -> None:
        """What `take` has told is written down. Clearing twice does no harm."""
        for process in list(self._given):
            if process:
                await self._client.ask("event.offline.clear", {"process_id": process, **self._own})
            del self._given[process]

    async def _take_strays(self) -> bool:
        """Records that are hidden under a process which is none of this run's."""
        whole, start = True, 0
        while True:
            answer = await self._client.ask("event.offline.list", {"start": start, **self._own})
            page = rows(answer.result)
            for process in dict.fromkeys(str(row.get("PROCESS_ID") or "") for row in page):
                if process:
                    whole = (
                        self._keep(process, [row for row in page if row.get("PROCESS_ID") == process])
                        and whole
                    )
            if answer.next is None or len(page) < _PAGE:
                self._strays = False
                return whole
            start = answer.next

    def _keep(self, process: str, found: Sequence[dict[str, Any]]) -> bool:
        events = [_event(row) for row in found]
        held = self._given.setdefault(process, [])
        held += [event for event in events if event is not None and event not in held]
        return None not in events

    @property
    def _own(self) -> dict[str, str]:
        return {"auth_connector": self._name}


async def allowed(client: Client) -> bool:
    """Whether the portal's plan has what the queue needs."""
    replies = await client.ask_all([Call("feature.get", {"CODE": code}) for code in FEATURES])
    return not lacking(replies)


def lacking(replies: Iterable[object]) -> list[str]:
    """Of FEATURES, those that the answers to `feature.get` do not grant."""
    return [
        code
        for code, reply in zip(FEATURES, replies, strict=True)
        if isinstance(reply, Refusal) or section(getattr(reply, "result", None)).get("value") != "Y"
    ]


def _event(row: dict[str, Any]) -> Event | None:
    fields = section(section(row.get("EVENT_DATA")).get("FIELDS"))
    at: datetime | None = instant(row.get("TIMESTAMP_X"))
    return event_of(str(row.get("EVENT_NAME", "")), str(fields.get("ID") or ""), at)


def _is_bound_already(refusal: Refusal) -> bool:
    return "already" in refusal.text.lower()
