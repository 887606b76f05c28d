"""What can be sent, what is being sent, and what nobody knows."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import Action, CreateCard, UpdateCard
from kreslo.decisions.desired import CardRef
from kreslo.journal import schema as t
from kreslo.journal.codec import IntentBody, pack_intent, unpack_intent
from kreslo.journal.model import Intent, IntentState, Priority
from kreslo.journal.room import IN_FLIGHT, INTENT, MESSAGE, UNSENT, Room

_BEGIN = (
    update(t.intents)
    .where(t.intents.c.id == bindparam("number"))
    .values(
        state=IntentState.SENDING,
        attempt=bindparam("attempt"),
        sent_at=bindparam("sent_at"),
        body=bindparam("body"),
    )
)


def intent_id(number: int) -> str:
    """`[a-z0-9]{12}`, in the order of creation."""
    return f"{number:012x}"


def intent_number(text: str) -> int:
    """Raises ValueError on a text that is no intent's id."""
    return int(text, 16)


class Delivery(Room):
    def sendable(self, now: datetime, limit: int) -> list[Intent]:
        """Planned intents that can go now, at most one a card: live before woken before imported, then in the order of
        creation. Contacts that are still to be made are waited for; one that nobody is about to make (refused, or its
        case wants none) is left out, and the case is decided again when it is made after all.
        """
        with self._reading() as conn:
            rows = list(conn.execute(_SENDABLE, {"here": self._bridge, "now": now, "most": limit}))
            intents = [self._intent(row) for row in rows]
            keys = {ref.key for intent in intents for ref in intent.contacts or () if ref.key}
            targets = self._targets(conn, keys)
        return [
            msgspec.structs.replace(
                intent, action=_resolved(intent.action, intent.contacts, row.target_id or "", targets)
            )
            for intent, row in zip(intents, rows, strict=True)
        ]

    def begin(self, intents: Sequence[Intent], now: datetime) -> list[Intent]:
        """Committed as `sending`, with the action as it goes out, before this returns. Only those that are returned may
        be sent: a decision may have taken the place of another one since `sendable`.
        """
        by_number = {intent_number(intent.id): intent for intent in intents}
        begun: list[Intent] = []
        with self._writing() as conn:
            query = select(t.intents.c.id, t.intents.c.attempt, t.intents.c.case_key).where(
                t.intents.c.bridge == self._bridge, t.intents.c.state == IntentState.PLANNED, ~_behind()
            )
            rows = sorted(self._gather(conn, query, t.intents.c.id, by_number), key=lambda row: row.id)
            sending: list[dict[str, Any]] = []
            for row in rows:
                intent = msgspec.structs.replace(
                    by_number[row.id], state=IntentState.SENDING, attempt=row.attempt + 1, sent_at=now
                )
                body = IntentBody(action=intent.action, contacts=intent.contacts, after=intent.after)
                sending.append(
                    {
                        "number": row.id,
                        "attempt": intent.attempt,
                        "sent_at": now,
                        "body": self._box.seal(pack_intent(body), INTENT),
                    }
                )
                begun.append(intent)
            if sending:
                conn.execute(_BEGIN, sending)
            self._fence(conn, {row.case_key for row in rows})
        return begun

    def recover(self, now: datetime, probe_at: datetime) -> int:
        """After a crash: what was being sent may have been applied. `probe_at`: when to look. Returns how many. What the
        CRM refused the login for is decided again now: whoever mends a login starts Kreslo anew.
        """
        with self._writing() as conn:
            refused = conn.execute(
                select(t.intents.c.case_key).where(
                    t.intents.c.bridge == self._bridge,
                    t.intents.c.state == IntentState.RETRY,
                    t.intents.c.error == ErrorKind.PERMISSION,
                )
            )
            keys = {row.case_key for row in refused}
            self._mark(conn, keys, at=now, why="delivery", priority=Priority.WOKEN)
            return conn.execute(
                update(t.intents)
                .where(t.intents.c.bridge == self._bridge, t.intents.c.state == IntentState.SENDING)
                .values(state=IntentState.UNKNOWN, due_at=probe_at, settled_at=now)
            ).rowcount

    def unknowns(self, now: datetime, limit: int) -> list[Intent]:
        """Those that are to be looked for in the CRM now, the oldest first."""
        with self._reading() as conn:
            asked = {"here": self._bridge, "now": now, "most": limit}
            return [self._intent(row) for row in conn.execute(_UNKNOWN, asked)]

    def postpone(self, ids: Collection[str], at: datetime) -> None:
        """Look for these unknowns at `at` (the CRM did not answer the probe)."""
        with self._writing() as conn:
            for chunk in self._chunks(map(intent_number, ids)):
                conn.execute(
                    update(t.intents)
                    .where(
                        t.intents.c.bridge == self._bridge,
                        t.intents.c.id.in_(chunk),
                        t.intents.c.state == IntentState.UNKNOWN,
                    )
                    .values(due_at=at)
                )

    def next_probe(self) -> datetime | None:
        """When the next unknown is to be looked for."""
        query = select(func.min(t.intents.c.due_at)).where(
            t.intents.c.bridge == self._bridge, t.intents.c.state == IntentState.UNKNOWN
        )
        with self._reading() as conn:
            at: datetime | None = conn.execute(query).scalar_one()
            return at

    def intent(self, number: str) -> Intent | None:
        with self._reading() as conn:
            found = self._intents_by_number(conn, [intent_number(number)])
            return self._intent(found[0]) if found else None

    # --- inside -------------------------------------------------------------------------------------------------

    def _intents_by_number(self, conn: Connection, numbers: Iterable[int]) -> list[Row[Any]]:
        query: Select[Any] = select(t.intents).where(t.intents.c.bridge == self._bridge)
        return list(self._gather(conn, query, t.intents.c.id, numbers))

    def _intent(self, row: Row[Any]) -> Intent:
        body = unpack_intent(self._box.open(row.body, INTENT))
        return Intent(
            id=intent_id(row.id),
            case=row.case_key,
            card=row.card_key,
            state=IntentState(row.state),
            action=body.action,
            contacts=body.contacts,
            after=body.after,
            marker=row.marker,
            occasion=row.occasion,
            created_at=row.created_at,
            sent_at=row.sent_at,
            due_at=row.due_at,
            attempt=row.attempt,
            error=row.error,
            message=self._box.open_text(row.message, MESSAGE) if row.message is not None else "",
        )

    def _targets(self, conn: Connection, keys: Iterable[str]) -> dict[str, str]:
        query = select(t.cards.c.key, t.cards.c.target_id).where(
            t.cards.c.bridge == self._bridge, t.cards.c.target_id.is_not(None), ~t.cards.c.gone
        )
        return {row.key: row.target_id for row in self._gather(conn, query, t.cards.c.key, keys)}

    def _fence(self, conn: Connection, keys: Iterable[str]) -> None:
        """A decision of these cases that is being made now must not be committed; it does not know what was sent."""
        for chunk in self._chunks(keys):
            conn.execute(
                update(t.cases)
                .where(t.cases.c.bridge == self._bridge, t.cases.c.key.in_(chunk))
                .values(version=t.cases.c.version + 1, fence=t.cases.c.version + 1)
            )


def _resolved(
    action: Action, contacts: tuple[CardRef, ...] | None, target_id: str, targets: dict[str, str]
) -> Action:
    ids = None
    if contacts is not None:
        found = (ref.target_id or targets.get(ref.key, "") for ref in contacts)
        ids = tuple(dict.fromkeys(each for each in found if each))
    if isinstance(action, CreateCard):
        return msgspec.structs.replace(action, contacts=action.contacts if ids is None else ids)
    if isinstance(action, UpdateCard):
        # None of the wished contacts is there yet: the card keeps those it has.
        return msgspec.structs.replace(action, id=target_id or action.id, contacts=ids or action.contacts)
    return msgspec.structs.replace(action, id=target_id or action.id)


def _of_card(table: Any) -> ColumnElement[bool]:
    return and_(t.cards.c.bridge == table.c.bridge, t.cards.c.key == table.c.card_key)


def _behind() -> ColumnElement[bool]:
    """Something of the same card is in flight, or was planned before."""
    other = t.intents.alias("other")
    return exists().where(
        other.c.bridge == t.intents.c.bridge,
        other.c.card_key == t.intents.c.card_key,
        or_(
            other.c.state.in_(IN_FLIGHT),
            and_(other.c.state.in_(UNSENT), other.c.id < t.intents.c.id),
        ),
    )


def _waiting() -> ColumnElement[bool]:
    """A contact that it needs has no id yet, and somebody is about to make it."""
    contact = t.cards.alias("contact")
    maker = t.intents.alias("maker")
    # Said, because SQLAlchemy correlates by itself to the next query only, and would join all intents of all bridges here.
    outer = (t.intents, t.waits)
    made = (
        exists()
        .where(
            contact.c.bridge == t.intents.c.bridge,
            contact.c.key == t.waits.c.card_key,
            contact.c.target_id.is_not(None),
            ~contact.c.gone,
        )
        .correlate(*outer)
    )
    making = (
        exists()
        .where(
            maker.c.bridge == t.intents.c.bridge,
            maker.c.card_key == t.waits.c.card_key,
            maker.c.creates,
            maker.c.state.in_([*UNSENT, *IN_FLIGHT]),
        )
        .correlate(*outer)
    )
    deciding = (
        exists()
        .where(
            t.cases.c.bridge == t.intents.c.bridge,
            t.cases.c.key == t.waits.c.case_key,
            t.cases.c.marked,
        )
        .correlate(*outer)
    )
    return exists().where(t.waits.c.intent == t.intents.c.id, ~made, or_(making, deciding))


# Asked in each turn of the loop: built once, since building them costs more than their answers.
_SENDABLE = (
    select(t.intents, t.cards.c.target_id)
    .outerjoin(t.cards, _of_card(t.intents))
    .where(
        t.intents.c.bridge == bindparam("here"),
        t.intents.c.state == IntentState.PLANNED,
        or_(t.intents.c.due_at.is_(None), t.intents.c.due_at <= bindparam("now")),
        # A create without an id behind it; anything else with one, or on a card that is not ours.
        or_(
            and_(t.intents.c.creates, t.cards.c.target_id.is_(None)),
            and_(~t.intents.c.creates, or_(t.cards.c.key.is_(None), t.cards.c.target_id.is_not(None))),
        ),
        ~_behind(),
        ~_waiting(),
    )
    .order_by(t.intents.c.priority, t.intents.c.id)
    .limit(bindparam("most", type_=Integer))
)
_UNKNOWN = (
    select(t.intents)
    .where(
        t.intents.c.bridge == bindparam("here"),
        t.intents.c.state == IntentState.UNKNOWN,
        t.intents.c.due_at <= bindparam("now"),
    )
    .order_by(t.intents.c.due_at, t.intents.c.id)
    .limit(bindparam("most", type_=Integer))
)
