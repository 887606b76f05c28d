"""Cards that enter the stages which the mapping names become tickets for iDent, each once."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import structlog

from kreslo.connectors.contract import Target
from kreslo.connectors.model import ById, Card, CreatedSince, Entity, Event, EventKind, Value
from kreslo.connectors.seams import Clock
from kreslo.journal import BridgeJournal
from kreslo.mapping.model import Bridge, TicketPlan
from kreslo.records.exchange import Ticket
from kreslo.records.phones import phone_key
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

BACK = timedelta(days=60)
"""How old cards may be that stand on the stages already when the exchange is switched on."""

LOOKED = "tickets"
LONGEST_TEXT = 4000


class Ticketer:
    def __init__(
        self, bridge: Bridge, journal: BridgeJournal, target: Target, clock: Clock, threads: Threads, me: str
    ) -> None:
        self._bridge = bridge
        self._plan = bridge.tickets
        self._journal = journal
        self._target = target
        self._clock = clock
        self._threads = threads
        self._me = me
        self._looked = False

    async def first_look(self) -> None:
        """Once, when the exchange is switched on: what stands on the stages already."""
        if self._plan is None or self._looked:
            return
        if not await self._threads.run(self._journal.flag, LOOKED):
            since = self._target.now() - BACK
            for found in await self._target.find([CreatedSince(self._plan.entity, since)]):
                await self.take(found.cards)
            await self._threads.run(self._journal.save_flag, LOOKED, self._clock.now().isoformat())
        self._looked = True

    async def accept(self, events: Sequence[Event], seen: Sequence[Card]) -> None:
        """What happened in the CRM; `seen`: the cards that were read for it by now, so that none is asked for twice."""
        if self._plan is None:
            return
        entity = self._plan.entity
        known = {card.id for card in seen if card.entity is entity}
        told = [each for each in events if each.entity is entity and each.kind is EventKind.CHANGED]
        # What we did to a card of ours is no news, and after an import there is much of it.
        mine = {(each.entity, each.id) for each in told if self._me and each.by == self._me}
        ours = await self._threads.run(self._journal.owners, mine) if mine else {}
        ids = {each.id for each in told if (each.entity, each.id) not in ours}
        cards = [card for card in seen if card.entity is entity]
        if missing := sorted(ids - known):
            done = await self._threads.run(self._journal.ticketed, entity, missing)
            lookups = [ById(entity, each) for each in missing if each not in done]
            for found in await self._target.find(lookups) if lookups else ():
                cards += found.cards
        await self.take(cards)

    async def take(self, cards: Sequence[Card]) -> int:
        """Makes the tickets of the cards that stand on the stages; how many are new. A card without a phone waits until
        it has one: iDent takes no ticket without.
        """
        plan = self._plan
        if plan is None:
            return 0
        standing = [card for card in cards if card.entity is plan.entity and card.stage in plan.stages]
        if not standing:
            return 0
        done = await self._threads.run(self._journal.ticketed, plan.entity, [card.id for card in standing])
        fresh = [card for card in standing if card.id not in done]
        contacts = await self._contacts_of(fresh)
        made = 0
        for card in fresh:
            ticket = ticket_of(self._bridge, plan, card, contacts.get(card.id), self._clock.now())
            if ticket is None:
                log.info("a card has no phone for a ticket yet", bridge=self._bridge.name, card=card.id)
            elif await self._threads.run(self._journal.put_ticket, plan.entity, card.id, ticket):
                made += 1
        return made

    async def _contacts_of(self, cards: Sequence[Card]) -> dict[str, Card]:
        """The main contact of each card that has no phone or no client's name of its own, by the card's id."""
        wanted = {
            card.id: card.contacts[0] for card in cards if card.contacts and not (card.phones and card.name)
        }
        if not wanted:
            return {}
        lookups = [ById(Entity.CONTACT, each) for each in dict.fromkeys(wanted.values())]
        people = {card.id: card for found in await self._target.find(lookups) for card in found.cards}
        return {card: people[person] for card, person in wanted.items() if person in people}


def ticket_of(
    bridge: Bridge, plan: TicketPlan, card: Card, contact: Card | None, now: datetime
) -> Ticket | None:
    """The card's ticket, None where there is no phone. Its instant is that of its making, in whole seconds and never
    earlier: iDent asks for windows, and a ticket must not fall into one that it has taken already.
    """
    phone = phone_key(card.phones) or (phone_key(contact.phones) if contact else None)
    if phone is None:
        return None
    at = now.astimezone(bridge.zone)
    if at.microsecond:
        at = at.replace(microsecond=0) + timedelta(seconds=1)
    doctor = _text(card.fields.get(plan.doctor_field), bridge.zone)
    numbered = doctor.isascii() and doctor.isdigit() and len(doctor) < 10
    start = card.fields.get(plan.time_field) if plan.time_field else None
    planned = (
        start.astimezone(bridge.zone) if isinstance(start, datetime) and start.tzinfo is not None else None
    )
    mail = card.fields.get(plan.email_field) if plan.email_field else None
    utm = {f"utm_{part}": _text(card.fields.get(code), bridge.zone) for part, code in plan.utm.items()}
    said = [(title, _text(card.fields.get(code), bridge.zone)) for title, code in plan.comment]
    return Ticket(
        id=f"{bridge.name}-{card.entity}-{card.id}",
        date_and_time=at,
        client_phone=phone,
        client_email=mail[0] if isinstance(mail, tuple) and mail else "",
        form_name=card.title,
        client_full_name=card.name or (contact.name if contact else ""),
        plan_start=planned,
        plan_end=planned + plan.length if planned else None,
        comment="\n".join(f"{title}: {text}" for title, text in said if text)[:LONGEST_TEXT],
        doctor_id=int(doctor) if numbered else None,
        doctor_name="" if numbered else doctor,
        **utm,
    )


def _text(value: Value, zone: ZoneInfo) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "да" if value else "нет"
        case float() | Decimal() if value % 1 == 0:
            return str(int(value))
        case datetime():
            return f"{value.astimezone(zone):%d.%m.%Y %H:%M}"
        case date():
            return f"{value:%d.%m.%Y}"
        case tuple():
            return ", ".join(value)
        case _:
            return str(value).strip()
