"""iDent's HTTP exchange in a world: leads that enter the ticket stage, iDent that asks for tickets, an administrator who
books some of them; and the checkers, from what the exchange promises.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from fastapi import FastAPI

from kreslo.records import Appointment, Patient
from kreslo.service.ident_exchange import KEY_HEADER, exchange_routes
from tests.simulation.rules import CLAIM_STAGE, EXCHANGE_KEY

if TYPE_CHECKING:
    from kreslo.sync.bridge import BridgeRun
    from tests.simulation.checks import Scene
    from tests.simulation.world import World

_NEVER = "2200-01-01T23:59:59+03:00"
"""To here iDent asks: what a live one sent."""

_PAGE = 3


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that an administrator confirmed, while its lead stood on the stage. `at`: monotonic."""

    appointment: str
    patient: str
    lead: str
    phone: str
    at: float


class Exchange:
    """`served`: tickets by Id, as they came first; `changed`: Ids that came otherwise later; `twice`: Ids that one answer
    named twice; `claims`: confirmed bookings that were held against their leads.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = Random(f"tickets {world.seed}")
        self._app: httpx.ASGITransport | None = None
        self._of: BridgeRun | None = None
        self._asked = world.clock.now()
        self._leads = 0
        self.served: dict[str, dict[str, Any]] = {}
        self.changed: list[str] = []
        self.twice: list[str] = []
        self.booked: list[Booked] = []
        self.claims: set[str] = set()

    def begin(self, days: float) -> None:
        for _ in range(self._chance.randint(2, 5)):
            self._world.clock.plan(self._chance.uniform(0, days * 86400), self._lead)
        self._world.clock.plan(self._chance.uniform(0, 3600), self._tick)

    # --- what people do -----------------------------------------------------------------------------------------

    def _lead(self) -> None:
        """Somebody new asks; staff agree with them on a time now or later, and may take it back."""
        clock, life = self._world.clock, self._world.life
        self._leads += 1
        at_once = self._chance.random() < 0.5
        lead = life.staff.lead(
            "Заявкина", f"+7900555{5000 + self._leads}", CLAIM_STAGE if at_once else "Новый"
        )
        if not at_once:
            clock.plan(self._chance.uniform(5, 20000), lambda: life.staff.drag_lead(lead, CLAIM_STAGE))
        if self._chance.random() < 0.2:
            away = self._chance.uniform(20000, 40000)
            clock.plan(away, lambda: life.staff.drag_lead(lead, "Новый"))
            clock.plan(away + self._chance.uniform(1, 20000), lambda: life.staff.drag_lead(lead, CLAIM_STAGE))

    def _confirm(self, ticket: dict[str, Any]) -> None:
        """An administrator books the ticket in the MIS."""
        world = self._world
        lead = _card_of(ticket)
        stands = {
            card.id for card in world.crm.cards() if card.entity == "lead" and card.stage == CLAIM_STAGE
        }
        visit = world.life.confirm_ticket(ticket["ClientPhone"], self._chance.uniform(0.5, 4))
        if lead in stands:
            self.booked.append(
                Booked(
                    appointment=visit.id,
                    patient=visit.patient_id,
                    lead=lead,
                    phone=ticket["ClientPhone"],
                    at=world.clock.monotonic(),
                )
            )

    # --- iDent at a workplace -----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        day = self._asked.replace(hour=0, minute=0, second=0, microsecond=0)
        answer = await self._get(dateTimeFrom=day.isoformat(), dateTimeTo=_NEVER)
        if answer is not None:
            self._asked = self._world.clock.now()
            self._take(answer)
        pause = self._chance.choice((120.0, 3600.0, 3 * 3600.0, 8 * 3600.0))
        self._world.clock.plan(pause, self._tick)

    async def ask_all(self) -> list[str]:
        """Ids of all tickets, page by page, while the process is up."""
        assert self._world.engine.run is not None
        found: list[dict[str, Any]] = []
        while True:
            page = await self._get(limit=str(_PAGE), offset=str(len(found)))
            if page is None:
                return await self.ask_all()  # the journal was locked for a moment
            found += page
            if len(page) < _PAGE:
                break
        self._take(found)
        return [each["Id"] for each in found]

    def _take(self, tickets: list[dict[str, Any]]) -> None:
        self.twice += [each for each, count in Counter(one["Id"] for one in tickets).items() if count > 1]
        for ticket in tickets:
            known = self.served.get(ticket["Id"])
            if known is None:
                self.served[ticket["Id"]] = ticket
                self._world.tell(f"iDent: takes {ticket['Id']}")
                if self._chance.random() < 0.7:
                    self._world.clock.plan(self._chance.uniform(60, 20000), partial(self._confirm, ticket))
            elif known != ticket:
                self.changed.append(ticket["Id"])

    async def _get(self, **asked: str) -> list[dict[str, Any]] | None:
        """None where Kreslo is down, or says that it cannot answer now."""
        run = self._world.engine.run
        if run is None:
            return None
        if self._app is None or self._of is not run:
            app = FastAPI()
            app.include_router(exchange_routes([run]))
            self._app, self._of = httpx.ASGITransport(app), run
        with self._unbroken():
            async with httpx.AsyncClient(
                transport=self._app, base_url="http://kreslo/ident", headers={KEY_HEADER: EXCHANGE_KEY}
            ) as client:
                answer = await client.get("/GetTickets", params=asked)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        answer.raise_for_status()
        return list(answer.json())

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """The process does not end just while it answers: nothing is written then."""
        crashes = self._world.crashes
        rate, crashes.rate = crashes.rate, 0.0
        try:
            yield
        finally:
            crashes.rate = rate


def _card_of(ticket: dict[str, Any]) -> str:
    return str(ticket["Id"]).rpartition("-")[2]


def broken(scene: "Scene", exchange: Exchange, served_now: list[str]) -> Iterator[tuple[str, str]]:
    """What the exchange promises and does not hold at a rest: (rule, about). `served_now`: what iDent is served when it
    asks for all.
    """
    entered = scene.world.life.staff.entered
    for each in (*exchange.changed, *exchange.twice):
        yield "a ticket once served stays", each
    for each in sorted(exchange.served.keys() - set(served_now)):
        yield "a ticket once served stays", f"{each} is served no more"
    count = Counter(_card_of(exchange.served[each]) for each in exchange.served)
    for card in scene.cards:
        if card.entity == "lead" and card.stage == CLAIM_STAGE and count[card.id] != 1:
            yield "one ticket a card", f"lead {card.id} stands at «{CLAIM_STAGE}», has {count[card.id]}"
    for lead, number in count.items():
        if number > 1:
            yield "one ticket a card", f"lead {lead} has {number}"
        if lead not in entered:
            yield "a ticket has its card", f"lead {lead} never stood at «{CLAIM_STAGE}»"
        elif (
            exchange.served[next(each for each in exchange.served if each.endswith(f"-{lead}"))][
                "ClientPhone"
            ]
            not in entered[lead]
        ):
            yield "a ticket has its card", f"the ticket of lead {lead} has another phone"
    for booked in exchange.booked:
        if _plain(scene, booked):
            exchange.claims.add(booked.appointment)
            yield from _claimed(scene, booked)


def _plain(scene: "Scene", booked: Booked) -> bool:
    """Whether nobody but this lead can be meant: the phone is one person's, who has this visit only and never had
    another, and staff left the lead and the card where they were.
    """
    log = [each.record for each in scene.world.mis.log]
    people = [each for each in log if isinstance(each, Patient)]
    visits = [each for each in log if isinstance(each, Appointment) and each.patient_id == booked.patient]
    phones = {each.id: {phone.e164 for phone in each.phones} for each in people}
    own = [{phone.e164 for phone in each.phones} for each in people if each.id == booked.patient]
    of_phone = {each.id for each in people if booked.phone in {phone.e164 for phone in each.phones}}
    asked = any(booked.phone in {p.e164 for p in each.phones} for each in scene.world.mis.enquiries())
    leads = {card.id for card in scene.cards if card.entity == "lead" and booked.phone in card.phones}
    disturbed = any(
        (act.entity == "lead" and act.id == booked.lead and act.at >= booked.at)
        or (act.entity == "deal" and act.kind in {"delete", "merge"} and booked.appointment in act.value)
        for act in scene.acts
    )
    return (
        all(each == {booked.phone} for each in own)
        and of_phone == {booked.patient} <= phones.keys()
        and {each.id for each in visits} == {booked.appointment}
        and not any(each.cancelled_at for each in visits)
        and booked.appointment in scene.visits
        and leads == {booked.lead}
        and not (asked or disturbed)
        and f"contact:{booked.patient}" not in scene.questions
    )


def _claimed(scene: "Scene", booked: Booked) -> Iterator[tuple[str, str]]:
    about = f"appointment {booked.appointment} was booked from the ticket of lead {booked.lead}"
    cards = scene.of_visit.get(booked.appointment, [])
    if [card.lead for card in cards] != [booked.lead]:
        yield "the booking claims its lead", f"{about}, its cards come from {[each.lead for each in cards]}"
    lead = next(card for card in scene.cards if card.entity == "lead" and card.id == booked.lead)
    if lead.semantic != "S":
        yield "the booking claims its lead", f"{about}, which still stands at «{lead.stage}»"
