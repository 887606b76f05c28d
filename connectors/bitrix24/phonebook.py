"""Who in the portal has a telephone number: contacts and leads, whichever way the number is spelled there.

The portal's own index (`crm.duplicate.findbycomm`) is asked for several spellings, since its documentation and its
code disagree on whether it normalises; what it names is only a candidate until its digits have been compared here.
An import asks for tens of thousands: once the questions have cost as much as reading every card would, every card is
read, and after that only what has changed since.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import Kind
from connectors.bitrix24.listing import PAGE, Query, chunks, read_all, walk
from connectors.bitrix24.wire import Call, section
from kreslo.connectors.numbers import comparable, is_e164
from kreslo.connectors.seams import Clock
from kreslo.records.phones import search_forms

_VALUES = 20  # of one findbycomm; more are ignored
_FORMS = 4
_CAP = 20  # hits that one value can have at most
_WORTH = 20  # questions after which it is worth asking how many cards there are
_FORGET = 1800.0  # seconds without a question, after which the cards that were read are let go
_SLACK = timedelta(seconds=60)  # changes of the last seconds before a reading are read again by the next
_OURS = timedelta(
    minutes=10
)  # cards that we made ourselves so recently are not read again for our own change


class Phonebook:
    """The numbers of one kind of cards in one portal. Only ids and digits are kept, in memory."""

    def __init__(self, client: Client, clock: Clock, kind: Kind) -> None:
        self._client = client
        self._clock = clock
        self._kind = kind
        self._ends: dict[str, frozenset[str]] | None = None  # by card; None: not read
        self._holders: dict[str, set[str]] = {}
        self._last_id = 0
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._pages = 1
        self._asked = 0
        self._used = clock.monotonic()
        self._turn = asyncio.Lock()

    async def owners(self, phones: Iterable[str], me: str) -> set[str]:
        """Ids of cards that may hold one of the numbers: all that do are among them. A text that is not E.164 is
        nobody's. `me`: our own user.
        """
        async with self._turn:
            return await self._owners(phones, me)

    async def _owners(self, phones: Iterable[str], me: str) -> set[str]:
        wanted = sorted({phone for phone in phones if is_e164(phone)})
        if not wanted:
            return set()
        self._forget()
        self._asked += -(-len(wanted) // (_VALUES // _FORMS))
        if self._ends is not None:
            await self._catch_up(me)
        elif self._asked < _WORTH or not await self._read_whole():
            return await _indexed(self._client, self._kind, wanted)
        return {one for phone in wanted for one in self._holders.get(comparable(phone), ())}

    def _forget(self) -> None:
        now = self._clock.monotonic()
        if now - self._used > _FORGET:
            self._ends, self._asked = None, 0
            self._holders = {}
        self._used = now

    # --- every card -----------------------------------------------------------------------------------------------

    async def _read_whole(self) -> bool:
        """False where the portal has more pages of cards than we have asked questions."""
        counted = await self._client.ask(self._kind.method("list"), {"select": ["ID"], "start": 0})
        if counted.total is None or (pages := counted.total // PAGE + 1) > self._asked:
            return False
        started = self._client.now()
        found = await walk(self._client, {"all": (self._query({}), pages)})
        self._ends, self._holders, self._last_id = {}, {}, 0
        self._keep(found["all"], started)
        return True

    async def _catch_up(self, me: str) -> None:
        """What was made or changed since the last reading, by whomever. What was deleted or merged is found out when
        its card is read.
        """
        started = self._client.now()
        since = (self._read_at - _SLACK).isoformat(timespec="seconds")
        queries = {"new": (self._query({}, self._last_id), self._pages)}
        if self._last_id:
            changed = {">=DATE_MODIFY": since, "<=ID": self._last_id}
            made = (self._read_at - _OURS).isoformat(timespec="seconds")
            queries["theirs"] = (self._query({**changed, "!MODIFY_BY_ID": me}), 1)
            queries["ours"] = (self._query({**changed, "MODIFY_BY_ID": me, "<DATE_CREATE": made}), 1)
        found = await walk(self._client, queries)
        self._pages = max(len(found["new"]) // PAGE + 2, self._pages // 2)
        self._keep([row for rows in found.values() for row in rows], started)

    def _keep(self, rows: Sequence[dict[str, Any]], read_at: datetime) -> None:
        known = self._ends if self._ends is not None else {}
        for row in rows:
            one, ends = str(row["ID"]), frozenset(row_ends(row))
            for end in known.get(one, frozenset()) - ends:
                self._holders[end].discard(one)
            for end in ends:
                self._holders.setdefault(end, set()).add(one)
            known[one] = ends
            self._last_id = max(self._last_id, int(one))
        self._read_at = read_at

    def _query(self, condition: dict[str, Any], after: int = 0) -> Query:
        return Query(
            method=self._kind.method("list"),
            filter=condition,
            select=("ID", "PHONE"),
            fits=lambda row: int(row["ID"]) > after,
            after=after,
        )


# --- by the portal's index ------------------------------------------------------------------------------------------


async def _indexed(client: Client, kind: Kind, wanted: Sequence[str]) -> set[str]:
    groups = chunks(wanted, _VALUES // _FORMS)
    calls = [
        Call(
            "crm.duplicate.findbycomm",
            {"type": "PHONE", "entity_type": kind.word.upper(), "values": _spellings(group)},
        )
        for group in groups
    ]
    found: set[str] = set()
    crowded: list[str] = []
    for group, reply in zip(groups, await client.ask_all(calls), strict=True):
        answer = accepted(reply, "crm.duplicate.findbycomm").result
        hits = section(answer).get(kind.word.upper())
        ids = {str(one) for one in hits} if isinstance(hits, list) else set()
        found |= ids
        if len(ids) >= _CAP:
            crowded += group
    return found | await _listed(client, kind, crowded)


def _spellings(phones: Sequence[str]) -> list[str]:
    return [form for phone in phones for form in search_forms(phone)]


async def _listed(client: Client, kind: Kind, phones: Sequence[str]) -> set[str]:
    """The index names twenty cards a number and no more; the list by the exact text has no such end."""
    queries = [_by_text(kind, comparable(phone), form) for phone in phones for form in search_forms(phone)]
    return {str(row["ID"]) for found in await read_all(client, queries) for row in found}


def _by_text(kind: Kind, end: str, form: str) -> Query:
    return Query(
        method=kind.method("list"),
        filter={"PHONE": form},
        select=("ID", "PHONE"),
        fits=lambda row: end in row_ends(row),
    )


def row_ends(row: dict[str, Any]) -> set[str]:
    """The comparable digits of a row's numbers."""
    listed = row.get("PHONE")
    if not isinstance(listed, list):
        return set()
    return {end for one in listed if isinstance(one, dict) and (end := comparable(str(one.get("VALUE", ""))))}
