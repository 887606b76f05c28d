"""How what was sent ended."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, exists, select, update

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import CreateCard, Outcome, OutcomeKind, UpdateCard
from kreslo.decisions.case import Base
from kreslo.decisions.desired import ReviewWish
from kreslo.journal import schema as t
from kreslo.journal.codec import IntentBody, pack_base, pack_review, unpack_base, unpack_intent
from kreslo.journal.delivery import Delivery, intent_id, intent_number
from kreslo.journal.ledger import once_key
from kreslo.journal.model import IntentState, Priority, Settled
from kreslo.journal.room import ATTEMPT, BASE, IN_FLIGHT, INTENT, MESSAGE, REASON, REVIEW

_FIX = {
    ErrorKind.DATA: "Исправьте запись в МИС или карточку в CRM: когда она изменится, Kreslo попробует снова.",
    ErrorKind.PERMISSION: "Проверьте права вебхука или токена в CRM, затем отправьте снова.",
    ErrorKind.CONFIGURATION: "Исправьте настройку моста (kreslo check), затем отправьте снова.",
}
_FIX_OTHER = "Посмотрите причину, затем отправьте снова."
_LOST = "Неизвестно, дошла ли запись до CRM: ответа не было, и поиск ничего не доказал"
_FIX_LOST = "Найдите карточку в CRM и укажите её в вопросе, или велите отправить снова."
_TAKEN = "CRM назвала карточку, которая уже принадлежит другому случаю"


class Settling(Delivery):
    def settle(
        self,
        outcomes: Sequence[Outcome],
        now: datetime,
        *,
        backoff: Callable[[int], float],
        settle_seconds: float = 60.0,
    ) -> Settled:
        """Write down how a delivery ended, in one transaction. `backoff`: seconds to wait after this many attempts.
        `settle_seconds`: how long to wait before an unknown is looked for.
        """
        by_number = {intent_number(outcome.intent): outcome for outcome in outcomes}
        counts = {"confirmed": 0, "retried": 0, "unknown": 0, "parked": 0}
        with self._writing() as conn:
            rows = [
                row for row in self._intents_by_number(conn, by_number) if IntentState(row.state) in IN_FLIGHT
            ]
            for row in sorted(rows, key=lambda row: row.id):
                outcome = by_number[row.id]
                self._attempt(conn, row, outcome, now)
                counts[self._apply(conn, row, outcome, now, backoff, settle_seconds)] += 1
            self._fence(conn, {row.case_key for row in rows})
        return Settled(
            **counts,
            ignored=len(by_number) - len(rows),
            cases=frozenset(row.case_key for row in rows),
        )

    def resolve(self, intent_id: str, *, applied: bool | None, target_id: str = "", now: datetime) -> None:
        """What looking for an unknown showed. Applied: as if confirmed. Not applied: decided again now. None: a person
        is asked, and until they say, the card is not made again.
        """
        with self._writing() as conn:
            for row in self._intents_by_number(conn, [intent_number(intent_id)]):
                if IntentState(row.state) not in IN_FLIGHT:
                    continue  # it was settled while it was looked for
                if applied:
                    self._confirm(conn, row, target_id, now)
                elif applied is None:
                    self._ask(conn, row, now)
                else:
                    self._set(conn, row.id, state=IntentState.SUPERSEDED, settled_at=now)
                    self._again(conn, row, now)
                self._fence(conn, [row.case_key])

    # --- the four endings ---------------------------------------------------------------------------------------

    def _apply(
        self,
        conn: Connection,
        row: Row[Any],
        outcome: Outcome,
        now: datetime,
        backoff: Callable[[int], float],
        settle_seconds: float,
    ) -> str:
        kind = outcome.kind
        if kind is OutcomeKind.CONFIRMED and row.creates and not outcome.target_id:
            kind = OutcomeKind.UNKNOWN  # it was made and we do not know which it is: to be looked for
        if kind is OutcomeKind.CONFIRMED:
            return self._confirm(conn, row, outcome.target_id, now)
        said = {
            "error": outcome.error or "",
            "message": self._box.seal_text(outcome.message, MESSAGE),
            "settled_at": now,
        }
        if kind is OutcomeKind.TRANSIENT:
            wait = outcome.retry_after if outcome.retry_after is not None else backoff(row.attempt)
            at = now + timedelta(seconds=wait)
            self._set(conn, row.id, state=IntentState.RETRY, due_at=at, **said)
            self._again(conn, row, at)
            return "retried"
        if kind is OutcomeKind.UNKNOWN:
            at = now + timedelta(seconds=settle_seconds)
            self._set(conn, row.id, state=IntentState.UNKNOWN, due_at=at, **said)
            return "unknown"
        error = outcome.error or ErrorKind.DATA
        self._park(conn, row, outcome.message, _FIX.get(error, _FIX_OTHER), now, said)
        action = unpack_intent(self._box.open(row.body, INTENT)).action
        if error is ErrorKind.DATA and not isinstance(action, CreateCard):
            # The card may be gone or merged: the next decision looks.
            self._look_again(conn, [(row.case_key, action.id)])
            self._again(conn, row, now)
        return "parked"

    def _confirm(self, conn: Connection, row: Row[Any], target_id: str, now: datetime) -> str:
        body = unpack_intent(self._box.open(row.body, INTENT))
        query = select(t.cards).where(t.cards.c.bridge == self._bridge, t.cards.c.key == row.card_key)
        card = conn.execute(query).one_or_none()
        if card is not None:
            values: dict[str, Any] = {"written_at": now}
            if row.creates:
                if self._taken(conn, card, target_id):
                    said = {"error": ErrorKind.UNKNOWN, "settled_at": now}
                    self._park(conn, row, _TAKEN, _FIX_LOST, now, said)
                    return "parked"
                values |= {"target_id": target_id, "gone": False}
            base = self._base_after(card, body, row.marker)
            if base is not None:
                values["base"] = self._box.seal(pack_base(base), BASE)
            conn.execute(
                update(t.cards)
                .where(t.cards.c.bridge == self._bridge, t.cards.c.key == row.card_key)
                .values(values)
            )
            if row.creates:
                self._tell_those_sent_without(conn, row.card_key, now)
                ours = (t.observed.c.entity == card.entity,)
                self._remove(conn, t.observed, t.observed.c.id, [target_id], *ours)
        self._set(conn, row.id, state=IntentState.CONFIRMED, settled_at=now, due_at=None)
        self._remember(conn, row, now)
        return "confirmed"

    def _base_after(self, card: Row[Any], body: IntentBody, marker: str) -> Base | None:
        before = None if card.base is None else unpack_base(self._box.open(card.base, BASE))
        after = body.after or before
        if after is None:
            return None
        written = (*(before.markers if before else ()), *after.markers, *((marker,) if marker else ()))
        contacts = after.contacts
        if body.after is not None and body.contacts is not None:
            contacts = _ours(body)
        return msgspec.structs.replace(after, markers=tuple(dict.fromkeys(written)), contacts=contacts)

    def _taken(self, conn: Connection, card: Row[Any], target_id: str) -> bool:
        query = select(t.cards.c.key).where(
            t.cards.c.bridge == self._bridge,
            t.cards.c.entity == card.entity,
            t.cards.c.target_id == target_id,
            t.cards.c.key != card.key,
        )
        return conn.execute(query).first() is not None

    def _tell_those_sent_without(self, conn: Connection, card_key: str, now: datetime) -> None:
        """Cards that went out without this contact, since nobody was about to make it, are decided again."""
        sent = (
            t.waits.c.card_key == card_key,
            t.waits.c.intent == t.intents.c.id,
            t.intents.c.bridge == self._bridge,
            t.intents.c.state.not_in([IntentState.PLANNED, IntentState.SUPERSEDED]),
        )
        keys = set(conn.execute(select(t.intents.c.case_key).where(*sent)).scalars())
        self._mark(conn, keys, at=now, why="contact made", priority=Priority.LIVE)
        conn.execute(
            delete(t.waits).where(
                t.waits.c.card_key == card_key,
                exists().where(
                    t.intents.c.id == t.waits.c.intent,
                    t.intents.c.bridge == self._bridge,
                    t.intents.c.state != IntentState.PLANNED,
                ),
            )
        )

    def _ask(self, conn: Connection, row: Row[Any], now: datetime) -> None:
        self._park(conn, row, _LOST, _FIX_LOST, now, {"error": ErrorKind.UNKNOWN, "settled_at": now})
        # It may have been entered: never a second time.
        self._remember(conn, row, now)
        question = f"unknown:{intent_id(row.id)}"
        wish = ReviewWish(question=question, rule="unknown_outcome", text=f"{_LOST} ({row.card_key}).")
        self._add(
            conn,
            t.reviews,
            [
                {
                    "bridge": self._bridge,
                    "case_key": row.case_key,
                    "question": self._box.token("question", question),
                    "intent": row.id,
                    "state": "open",
                    "asked_at": now,
                    "choice": "",
                    "target_id": "",
                    "answered_by": "",
                    "body": self._box.seal(pack_review(wish), REVIEW),
                }
            ],
        )

    # --- small steps --------------------------------------------------------------------------------------------

    def _set(self, conn: Connection, number: int, **values: Any) -> None:
        conn.execute(update(t.intents).where(t.intents.c.id == number).values(values))

    def _again(self, conn: Connection, row: Row[Any], at: datetime) -> None:
        self._mark(conn, [row.case_key], at=at, why="delivery", priority=Priority(row.priority))

    def _remember(self, conn: Connection, row: Row[Any], now: datetime) -> None:
        said = {row.occasion, once_key(row.card_key, row.marker)} - {""}
        self._add(
            conn,
            t.occasions,
            [
                {"bridge": self._bridge, "occasion": each, "case_key": row.case_key, "at": now}
                for each in sorted(said)
            ],
        )

    def _park(
        self, conn: Connection, row: Row[Any], reason: str, fix: str, now: datetime, said: dict[str, Any]
    ) -> None:
        self._set(conn, row.id, state=IntentState.PARKED, due_at=None, **said)
        self._add(
            conn,
            t.parked,
            [
                {
                    "bridge": self._bridge,
                    "kind": "intent",
                    "ref": str(row.id),
                    "case_key": row.case_key,
                    "about": row.card_key,
                    "fix": fix,
                    "at": now,
                    "reason": self._box.seal_text(reason, REASON),
                }
            ],
        )

    def _attempt(self, conn: Connection, row: Row[Any], outcome: Outcome, now: datetime) -> None:
        body = msgspec.json.encode((outcome.message, outcome.request, outcome.response))
        conn.execute(
            t.attempts.insert().values(
                bridge=self._bridge,
                intent=row.id,
                number=row.attempt,
                at=now,
                outcome=outcome.kind,
                error=outcome.error or "",
                body=self._box.seal(body, ATTEMPT),
            )
        )


def _ours(body: IntentBody) -> tuple[str, ...]:
    """The contacts that the base remembers as ours: on a new card all of them, on one that stood those that the
    decision wished for, not those that staff had put there.
    """
    action = body.action
    if isinstance(action, CreateCard):
        return action.contacts
    if not isinstance(action, UpdateCard) or action.contacts is None or body.after is None:
        return body.after.contacts if body.after else ()
    staff = {ref.target_id for ref in body.contacts or () if ref.target_id} - set(body.after.contacts)
    return tuple(each for each in action.contacts if each not in staff)
