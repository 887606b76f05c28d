"""The iDent exchange's share: tickets that are served to iDent, and the timetable that it posted last."""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import select

from kreslo.connectors.model import Entity
from kreslo.journal import schema as t
from kreslo.journal.room import Room
from kreslo.records.exchange import Ticket, TimeTable

TICKET = b"tickets.body"
TIMETABLE = b"timetable.body"


class Tickets(Room):
    def put_ticket(self, entity: Entity, card: str, ticket: Ticket) -> bool:
        """Keep the ticket of a card. One that there is already stays as it was: iDent keeps what it was served once
        for good. Returns whether it is new.
        """
        row = {
            "bridge": self._bridge,
            "entity": entity,
            "card": card,
            "at": ticket.date_and_time,
            "phone": self._phone_token(ticket.client_phone),
            "body": self._box.seal(msgspec.json.encode(ticket), TICKET),
        }
        with self._writing() as conn:
            known = select(t.tickets.c.at).where(
                t.tickets.c.bridge == self._bridge, t.tickets.c.entity == entity, t.tickets.c.card == card
            )
            if conn.execute(known).first() is not None:
                return False
            self._add(conn, t.tickets, [row])
        return True

    def ticketed(self, entity: Entity, cards: Collection[str]) -> frozenset[str]:
        """Those of the cards that have had their ticket."""
        query = select(t.tickets.c.card).where(
            t.tickets.c.bridge == self._bridge, t.tickets.c.entity == entity
        )
        with self._reading() as conn:
            return frozenset(row.card for row in self._gather(conn, query, t.tickets.c.card, cards))

    def tickets(
        self, since: datetime | None, until: datetime | None, *, limit: int | None = None, offset: int = 0
    ) -> list[Ticket]:
        """Tickets of [since, until], both included, in the order of their instants; None is without a bound."""
        query = select(t.tickets.c.body).where(
            t.tickets.c.bridge == self._bridge, t.tickets.c.body.is_not(None)
        )
        if since is not None:
            query = query.where(t.tickets.c.at >= since)
        if until is not None:
            query = query.where(t.tickets.c.at <= until)
        query = query.order_by(t.tickets.c.at, t.tickets.c.entity, t.tickets.c.card)
        # SQLite knows no OFFSET without a LIMIT; SQLAlchemy writes -1 for it there.
        query = query.offset(offset).limit(limit)
        with self._reading() as conn:
            bodies = list(conn.execute(query).scalars())
        return [msgspec.json.decode(self._box.open(body, TICKET), type=Ticket) for body in bodies]

    def put_timetable(self, table: TimeTable, now: datetime) -> None:
        """The whole horizon: what stood there before is gone."""
        body = self._box.seal(msgspec.json.encode(table), TIMETABLE)
        with self._writing() as conn:
            self._put(conn, t.timetable, [{"bridge": self._bridge, "at": now, "body": body}])

    def timetable(self) -> tuple[TimeTable, datetime] | None:
        """What was posted last, and when."""
        query = select(t.timetable).where(t.timetable.c.bridge == self._bridge)
        with self._reading() as conn:
            row = conn.execute(query).one_or_none()
        if row is None:
            return None
        return msgspec.json.decode(self._box.open(row.body, TIMETABLE), type=TimeTable), row.at
