"""What is kept no longer: a patient who is to be forgotten, and what has grown old."""

from datetime import datetime

from sqlalchemy import Connection, and_, delete, or_, select, update

from kreslo.connectors.errors import DataError
from kreslo.connectors.model import Entity
from kreslo.journal import schema as t
from kreslo.journal.model import IntentState
from kreslo.journal.room import IN_FLIGHT, PHONE_CASE, Room, patient_of
from kreslo.records import RecordKind


class Erasing(Room):
    def forget(self, case_key: str) -> list[tuple[Entity, str]]:
        """Erase a case and all that the journal holds of it. Returns the cards that the CRM still holds. A patient whom
        the MIS still has comes back with the next change that is read. Raises DataError while something of the case is
        in flight.
        """
        with self._writing() as conn:
            in_flight = select(t.intents.c.id).where(
                t.intents.c.bridge == self._bridge,
                t.intents.c.case_key == case_key,
                t.intents.c.state.in_(IN_FLIGHT),
            )
            if conn.execute(in_flight).first() is not None:
                raise DataError(
                    "something is being sent for this patient just now: try again in some minutes"
                )
            held = (
                select(t.cards.c.entity, t.cards.c.target_id)
                .where(
                    t.cards.c.bridge == self._bridge,
                    t.cards.c.case_key == case_key,
                    t.cards.c.target_id.is_not(None),
                )
                .order_by(t.cards.c.entity, t.cards.c.target_id)
            )
            left = [(Entity(row.entity), row.target_id) for row in conn.execute(held)]
            self._forget_indexes(conn, case_key)
            for table in (
                t.reviews,
                t.intents,
                t.parked,
                t.overwrites,
                t.occasions,
                t.look_again,
                t.cards,
                t.records,
            ):
                conn.execute(
                    delete(table).where(table.c.bridge == self._bridge, table.c.case_key == case_key)
                )
            conn.execute(delete(t.cases).where(t.cases.c.bridge == self._bridge, t.cases.c.key == case_key))
        return left

    def _forget_indexes(self, conn: Connection, case_key: str) -> None:
        patient = patient_of(case_key)
        if patient is not None:
            tokens = self._phones_of(conn, RecordKind.PATIENT, [patient], linking=False).get(patient, set())
            self._empty_tickets(conn, tokens)
            self._remove(conn, t.names, t.names.c.patient_id, [patient])
            self._remove(conn, t.phones, t.phones.c.id, [patient], t.phones.c.kind == RecordKind.PATIENT)
            return
        query = select(t.records.c.id).where(
            t.records.c.bridge == self._bridge,
            t.records.c.kind == RecordKind.ENQUIRY,
            t.records.c.case_key == case_key,
        )
        enquiries = list(conn.execute(query).scalars())
        self._remove(conn, t.phones, t.phones.c.id, enquiries, t.phones.c.kind == RecordKind.ENQUIRY)
        token = case_key.removeprefix(PHONE_CASE)
        self._empty_tickets(conn, {token})
        for entity in Entity:
            leads = select(t.phones.c.id).where(
                t.phones.c.bridge == self._bridge, t.phones.c.kind == entity, t.phones.c.phone == token
            )
            ids = list(conn.execute(leads).scalars())
            self._remove(conn, t.observed, t.observed.c.id, ids, t.observed.c.entity == entity)
            self._remove(conn, t.phones, t.phones.c.id, ids, t.phones.c.kind == entity)

    def _empty_tickets(self, conn: Connection, tokens: set[str]) -> None:
        """The rows stay without their contents: a card that had its ticket gets no second one."""
        here = (t.tickets.c.bridge == self._bridge, t.tickets.c.phone.in_(tokens))
        conn.execute(update(t.tickets).where(*here).values(body=None))

    def prune(self, before: datetime) -> int:
        """Drop requests and answers, delivered and superseded intents, recorded overwrites, and what tickets say, older
        than `before`. Returns how many rows went or were emptied. What is parked, asked or still to be sent stays.
        """
        here = t.intents.c.bridge == self._bridge
        old = or_(
            and_(t.intents.c.state == IntentState.CONFIRMED, t.intents.c.settled_at < before),
            and_(t.intents.c.state == IntentState.SUPERSEDED, t.intents.c.created_at < before),
        )
        with self._writing() as conn:
            gone = 0
            for statement in (
                delete(t.attempts).where(t.attempts.c.bridge == self._bridge, t.attempts.c.at < before),
                delete(t.overwrites).where(t.overwrites.c.bridge == self._bridge, t.overwrites.c.at < before),
                delete(t.intents).where(here, old),
                # As for a forgotten patient: the rows stay, so that no card gets a second ticket.
                update(t.tickets)
                .where(
                    t.tickets.c.bridge == self._bridge,
                    t.tickets.c.at < before,
                    t.tickets.c.body.is_not(None),
                )
                .values(body=None),
            ):
                gone += conn.execute(statement).rowcount
            return gone
