"""iDent at the front desk, seen from Kreslo: it asks for tickets all the time, books the people whose tickets it has, and
staff delete a card now and then, which only the portal's queue of events tells.

What it holds against Kreslo over all lives: a lead that came to the stage of tickets is served as one ticket, always the
same; a booking of its phone moves that very lead; a deletion that was in the queue is known in the end. A booking that was
given up before Kreslo saw it claims no lead, and whether it did see it nobody else knows: there either is right. Where such
a one is booked again the lead moves, but a portal does not link it to a deal that stands already.
"""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import msgspec

from connectors.ident.sandbox import desk, finding, phones
from connectors.ident.sandbox.leads import BOOKED_STAGE, stranger
from connectors.ident.sandbox.moments import local
from tests.crash.stage import Stage

KEY = "kreslo-demo-exchange"
ASKED_EVERY = 0.2
ACTED_EVERY = 1.0
_PHONES = phones.LEADS + 50_000
"""Past those of the first day's leads: nobody else has them."""


class FrontDesk:
    """`leads`: phones of the leads that it put on the stage, and their ids. `tickets`: as they were served first.
    `booked`: the reception that was made, by phone. `deleted`: the deal and its key, by lead.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._chance = Random("front desk")
        self._broken: list[str] = []
        self.leads: dict[str, str] = {}
        self.tickets: dict[str, dict[str, Any]] = {}
        self.booked: dict[str, str] = {}
        self.deleted: dict[str, tuple[str, str]] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """iDent asks until the end of the block."""
        asking = asyncio.ensure_future(self._ask_always())
        try:
            yield
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def _ask_always(self) -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            while True:
                await asyncio.sleep(ASKED_EVERY)
                # It may be down, or die in the middle of its answer.
                with contextlib.suppress(httpx.TransportError):
                    await self._ask(http)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """One act after another until the end of the block; the one that is under way is finished."""
        closing_time = asyncio.Event()
        work = asyncio.ensure_future(self._work(closing_time))
        try:
            yield
        finally:
            closing_time.set()
            await work

    async def _work(self, closing_time: asyncio.Event) -> None:
        turn = 0
        while not closing_time.is_set():
            await asyncio.sleep(ACTED_EVERY)
            await (self._lead_is_moved() if turn % 2 else self._lead(BOOKED_STAGE))
            await self._booking()
            await self._deletion()
            turn += 1

    async def violations(self) -> list[str]:
        """Once the last life has settled: what the front desk saw."""
        state = await self._stage.control("GET", "state?only=leads,deals")
        leads = {str(row["id"]): row for row in state["leads"]}
        deals = Counter(str(row["lead_id"]) for row in state["deals"])
        gone = await asyncio.to_thread(self._known_deals, gone=True)
        unknown = [deal for deal, _ in self.deleted.values() if deal not in gone]
        return [
            *self._broken,
            *self._ticketed(leads),
            *self._moved(leads, deals),
            *(f"deal {deal}: deleted by staff, and Kreslo does not know it" for deal in unknown),
        ]

    def _ticketed(self, leads: Collection[str]) -> Iterator[str]:
        known = {_ticket(each) for each in leads}
        yield from (f"ticket {each}: no such lead" for each in self.tickets if each not in known)
        of_phone = Counter(str(each["ClientPhone"]) for each in self.tickets.values())
        for phone, lead in self.leads.items():
            if of_phone[phone] != 1 or _ticket(lead) not in self.tickets:
                yield f"lead {lead}: {of_phone[phone]} tickets, and one was expected"

    def _moved(self, leads: dict[str, Any], deals: Counter[str]) -> Iterator[str]:
        chains = {each: chain for chain in self._stage.census(datetime.now(UTC)).chains for each in chain.ids}
        certain = 0
        for phone, reception in self.booked.items():
            lead, chain = self.leads[phone], chains[reception]
            fits = {(True, 0 if lead in self.deleted else 1)}
            if chain.ids[-1] != reception:
                fits.add((True, 0))
            if chain.state in {"cancelled", "rescheduled"}:
                fits.add((False, 0))
            certain += len(fits) == 1
            stands = leads[lead]
            if (stands["semantic"] == "S", deals[lead]) not in fits:
                yield f"lead {lead}: reception {reception}, «{stands['stage']}», {deals[lead]} deals"
        if not (certain and self.deleted):
            yield f"{certain} bookings that stand and {len(self.deleted)} cards deleted: too few to tell"

    async def _ask(self, http: httpx.AsyncClient) -> None:
        """For all there are."""
        url, window = f"{self._stage.address}/ident/GetTickets", {"limit": "100000", "offset": "0"}
        answer = await http.get(url, params=window, headers={"IDENT-Integration-Key": KEY})
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return
        if answer.status_code != httpx.codes.OK:
            self._broken.append(f"GetTickets: HTTP {answer.status_code} {answer.text}")
            return
        served = msgspec.json.decode(answer.content, type=list[dict[str, Any]])
        counted = Counter(str(each["Id"]) for each in served)
        self._broken += [f"ticket {each}: twice in one answer" for each, n in counted.items() if n > 1]
        self._broken += [f"ticket {each}: served no more" for each in self.tickets.keys() - counted.keys()]
        for ticket in served:
            if self.tickets.setdefault(ticket["Id"], ticket) != ticket:
                self._broken.append(f"ticket {ticket['Id']}: {self.tickets[ticket['Id']]} became {ticket}")

    async def _lead(self, stage: str) -> str:
        phone = phones.mobile(_PHONES + len(self.leads))
        lead = stranger(self._chance, phone, datetime.now(UTC), stage)
        card = await self._stage.control("POST", "leads", msgspec.to_builtins(lead))
        self.leads[phone] = str(card["id"])
        return self.leads[phone]

    async def _lead_is_moved(self) -> None:
        lead = await self._lead("Новый")
        await self._stage.control(
            "POST", "staff/move", {"entity": "lead", "id": int(lead), "stage": BOOKED_STAGE}
        )

    async def _booking(self) -> None:
        """Of the first whose ticket iDent has."""
        for phone, lead in self.leads.items():
            if _ticket(lead) in self.tickets and phone not in self.booked:
                self.booked[phone] = str(await asyncio.to_thread(self._book, phone))
                return

    def _book(self, phone: str) -> int:
        with finding.opened(self._stage.database) as clinic:
            return desk.book_caller(clinic, local(datetime.now(UTC)), self._chance, phone)

    async def _deletion(self) -> None:
        """Of every third booking's card, once its lead is claimed and Kreslo knows of the card: one whose create is still
        unknown is made again, as it must be.
        """
        if not self.booked:
            return
        state = await self._stage.control("GET", "state?only=leads,deals")
        known = await asyncio.to_thread(self._known_deals, gone=False)
        won = {str(row["id"]) for row in state["leads"] if row["semantic"] == "S"}
        deals = {str(row["lead_id"]): row for row in state["deals"] if str(row["id"]) in known}
        for phone in [*self.booked][::3]:
            lead = self.leads[phone]
            if lead in won and lead in deals and lead not in self.deleted:
                await self._stage.control("POST", "staff/delete", {"entity": "deal", "id": deals[lead]["id"]})
                self.deleted[lead] = (str(deals[lead]["id"]), deals[lead]["fields"]["UF_CRM_KRESLO_KEY"])
                return

    def _known_deals(self, *, gone: bool) -> set[str]:
        """The journal's own word: nothing else tells of a card of which nothing is wanted that it is known to be gone."""
        with closing(sqlite3.connect(self._stage.state, timeout=10)) as journal:
            rows = journal.execute(
                "SELECT target_id FROM cards WHERE gone = ? AND entity = 'deal' AND target_id IS NOT NULL",
                (gone,),
            )
            return {str(row[0]) for row in rows}


def _ticket(lead: str) -> str:
    """What Kreslo calls it."""
    return f"demo-lead-{lead}"
