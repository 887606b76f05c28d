"""How what was sent ended."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select, update

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import CreateCard, Outcome, OutcomeKind, UpdateCard
from kreslo.decisions.case import Base
from kreslo.decisions.desired import ReviewWish
from kreslo.decisions.texts import text
from kreslo.journal import schema as t
from kreslo.journal.codec import IntentBody, pack_base, pack_review, unpack_base, unpack_intent
from kreslo.journal.delivery import Delivery, intent_id, intent_number
from kreslo.journal.ledger import CardRow, card_row, once_key, stage_text
from kreslo.journal.model import IntentState, Priority, Probed, Settled
from kreslo.journal.room import ATTEMPT, BASE, IN_FLIGHT, INTENT, MESSAGE, REASON, REVIEW

_FIX = {
    ErrorKind.DATA: "fix_data",
    ErrorKind.PERMISSION: "fix_permission",
    ErrorKind.CONFIGURATION: "fix_configuration",
}


_END = (
    update(t.intents)
    .where(t.intents.c.id == bindparam("number"))
    .values({name: bindparam(name) for name in ("state", "settled_at", "due_at", "error", "message")})
)


class Endings(msgspec.Struct):
    """What a settlement writes at its end, in bulk. `cards`: rows by key, as they will stand. `made`: cards that got
    their id. `again`: cases to be decided, with when and how urgently.
    """

    cards: dict[str, CardRow] = {}
    taken: dict[tuple[str, str], str] = {}
    written: set[str] = set()
    made: list[CardRow] = []
    intents: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    occasions: list[dict[str, Any]] = []
    parked: list[dict[str, Any]] = []
    look: list[tuple[str, str]] = []
    again: list[tuple[str, datetime, Priority]] = []


class _Said(TypedDict):
    error: str
    message: bytes


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
            ends = self._endings(conn, rows, [outcome.target_id for outcome in outcomes])
            for row in sorted(rows, key=lambda row: row.id):
                outcome = by_number[row.id]
                ends.attempts.append(self._attempt(row, outcome, now))
                counts[self._apply(ends, row, outcome, now, backoff, settle_seconds)] += 1
            self._write_endings(conn, ends, now)
            self._fence(conn, {row.case_key for row in rows})
        return Settled(
            **counts,
            ignored=len(by_number) - len(rows),
            cases=frozenset(row.case_key for row in rows),
        )

    def resolve(self, probed: Sequence[Probed], now: datetime) -> None:
        """What looking for unknowns showed, in one transaction. Applied: as if confirmed. Not applied: decided again now.
        None: a person is asked, and until they say, the card is not made again. One that was settled meanwhile stays as
        it is.
        """
        by_number = {intent_number(each.intent): each for each in probed}
        with self._writing() as conn:
            rows = self._intents_by_number(conn, by_number)
            rows = [row for row in rows if IntentState(row.state) in IN_FLIGHT]
            ends = self._endings(conn, rows, [each.target_id for each in probed])
            for row in sorted(rows, key=lambda row: row.id):
                found = by_number[row.id]
                if found.applied:
                    self._confirm(ends, row, found.target_id, now)
                elif found.applied is None:
                    self._ask(conn, ends, row, now)
                else:
                    self._end(ends, row, IntentState.SUPERSEDED, now)
                    ends.again.append((row.case_key, now, Priority(row.priority)))
                    card = ends.cards.get(row.card_key)
                    if card is not None and card.target_id and not row.creates and not row.marker:
                        ends.look.append((row.case_key, card.target_id))  # it may have been a healing
            self._write_endings(conn, ends, now)
            self._fence(conn, {row.case_key for row in rows})

    # --- the four endings ---------------------------------------------------------------------------------------

    def _apply(
        self,
        ends: Endings,
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
            return self._confirm(ends, row, outcome.target_id, now)
        said = _Said(error=outcome.error or "", message=self._box.seal_text(outcome.message, MESSAGE))
        if kind is OutcomeKind.TRANSIENT:
            wait = outcome.retry_after if outcome.retry_after is not None else backoff(row.attempt)
            at = now + timedelta(seconds=wait)
            self._end(ends, row, IntentState.RETRY, now, due_at=at, **said)
            ends.again.append((row.case_key, at, Priority(row.priority)))
            return "retried"
        if kind is OutcomeKind.UNKNOWN:
            at = now + timedelta(seconds=settle_seconds)
            self._end(ends, row, IntentState.UNKNOWN, now, due_at=at, **said)
            return "unknown"
        error = outcome.error or ErrorKind.DATA
        fix = text(self.language, _FIX.get(error, "fix_other"))
        self._park(ends, row, outcome.message, fix, now, **said)
        action = unpack_intent(self._box.open(row.body, INTENT)).action
        if error is ErrorKind.DATA and not isinstance(action, CreateCard):
            # The card may be gone or merged: the next decision looks.
            ends.look.append((row.case_key, action.id))
            ends.again.append((row.case_key, now, Priority(row.priority)))
        return "parked"

    def _confirm(self, ends: Endings, row: Row[Any], target_id: str, now: datetime) -> str:
        body = unpack_intent(self._box.open(row.body, INTENT))
        card = ends.cards.get(row.card_key)
        if card is not None:
            if row.creates:
                if ends.taken.setdefault((card.entity, target_id), card.key) != card.key:
                    reason, fix = text(self.language, "taken"), text(self.language, "fix_lost")
                    self._park(ends, row, reason, fix, now, error=ErrorKind.UNKNOWN)
                    return "parked"
                card.target_id = target_id
                card.gone = False
                ends.made.append(card)
            base = self._base_after(card, body, row.marker)
            if base is not None:
                card.base = self._box.seal(pack_base(base), BASE)
                card.decided_stage = stage_text(base.stage)
                card.overrule = False
            card.written_at = now
            ends.written.add(card.key)
        self._end(ends, row, IntentState.CONFIRMED, now)
        self._remember(ends, row, now)
        return "confirmed"

    def _base_after(self, card: CardRow, body: IntentBody, marker: str) -> Base | None:
        before = None if card.base is None else unpack_base(self._box.open(card.base, BASE))
        after = body.after or before
        if after is None:
            return None
        written = (*(before.markers if before else ()), *after.markers, *((marker,) if marker else ()))
        contacts = after.contacts
        if body.after is not None and body.contacts is not None:
            contacts = _ours(body)
        return msgspec.structs.replace(after, markers=tuple(dict.fromkeys(written)), contacts=contacts)

    def _ask(self, conn: Connection, ends: Endings, row: Row[Any], now: datetime) -> None:
        lost = text(self.language, "lost")
        self._park(ends, row, lost, text(self.language, "fix_lost"), now, error=ErrorKind.UNKNOWN)
        # It may have been entered: never a second time.
        self._remember(ends, row, now)
        question = f"unknown:{intent_id(row.id)}"
        wish = ReviewWish(question=question, rule="unknown_outcome", text=f"{lost} ({row.card_key}).")
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

    # --- before and after ---------------------------------------------------------------------------------------

    def _endings(self, conn: Connection, rows: Sequence[Row[Any]], target_ids: Sequence[str]) -> Endings:
        query = select(t.cards).where(t.cards.c.bridge == self._bridge)
        found = self._gather(conn, query, t.cards.c.key, {row.card_key for row in rows})
        cards = {row.key: card_row(row) for row in found}
        made = {target_id for target_id in target_ids if target_id}
        return Endings(
            cards=cards,
            taken={
                (row.entity, row.target_id): row.key
                for row in self._gather(conn, query, t.cards.c.target_id, made)
            },
        )

    def _write_endings(self, conn: Connection, ends: Endings, now: datetime) -> None:
        if ends.intents:
            conn.execute(_END, ends.intents)
        if ends.attempts:
            conn.execute(t.attempts.insert(), ends.attempts)
        self._add(conn, t.occasions, ends.occasions)
        self._add(conn, t.parked, ends.parked)
        rows = [
            {"bridge": self._bridge, **msgspec.structs.asdict(ends.cards[key])}
            for key in sorted(ends.written)
        ]
        self._put(conn, t.cards, rows)
        self._tell_those_sent_without(conn, [card.key for card in ends.made], now)
        for entity in {card.entity for card in ends.made}:
            ids = [card.target_id for card in ends.made if card.entity == entity]
            self._remove(conn, t.observed, t.observed.c.id, ids, t.observed.c.entity == entity)
            self._remove(conn, t.phones, t.phones.c.id, ids, t.phones.c.kind == entity)
        self._look_again(conn, ends.look)
        for at, priority in {(at, priority) for _, at, priority in ends.again}:
            keys = [key for key, *when in ends.again if when == [at, priority]]
            self._mark(conn, keys, at=at, why="delivery", priority=priority)

    def _tell_those_sent_without(self, conn: Connection, made: Sequence[str], now: datetime) -> None:
        """Cards that went out without this contact, since nobody was about to make it, are decided again."""
        query = (
            select(t.waits.c.intent, t.intents.c.case_key, t.intents.c.state)
            .join(t.intents, t.intents.c.id == t.waits.c.intent)
            .where(t.intents.c.bridge == self._bridge, t.intents.c.state != IntentState.PLANNED)
        )
        rows = list(self._gather(conn, query, t.waits.c.card_key, made))
        keys = {row.case_key for row in rows if row.state != IntentState.SUPERSEDED}
        self._mark(conn, keys, at=now, why="contact made", priority=Priority.LIVE)
        for chunk in self._chunks(row.intent for row in rows):
            conn.execute(delete(t.waits).where(t.waits.c.intent.in_(chunk), t.waits.c.card_key.in_(made)))

    # --- small steps --------------------------------------------------------------------------------------------

    def _end(
        self,
        ends: Endings,
        row: Row[Any],
        state: IntentState,
        now: datetime,
        *,
        due_at: datetime | None = None,
        error: str = "",
        message: bytes | None = None,
    ) -> None:
        ends.intents.append(
            {
                "number": row.id,
                "state": state,
                "settled_at": now,
                "due_at": due_at,
                "error": error,
                "message": message,
            }
        )

    def _remember(self, ends: Endings, row: Row[Any], now: datetime) -> None:
        said = {row.occasion, once_key(row.card_key, row.marker)} - {""}
        ends.occasions += [
            {"bridge": self._bridge, "occasion": each, "case_key": row.case_key, "at": now}
            for each in sorted(said)
        ]

    def _park(
        self,
        ends: Endings,
        row: Row[Any],
        reason: str,
        fix: str,
        now: datetime,
        *,
        error: str,
        message: bytes | None = None,
    ) -> None:
        self._end(ends, row, IntentState.PARKED, now, error=error, message=message)
        ends.parked.append(
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
        )

    def _attempt(self, row: Row[Any], outcome: Outcome, now: datetime) -> dict[str, Any]:
        body = msgspec.json.encode((outcome.message, outcome.request, outcome.response))
        return {
            "bridge": self._bridge,
            "intent": row.id,
            "number": row.attempt,
            "at": now,
            "outcome": outcome.kind,
            "error": outcome.error or "",
            "body": self._box.seal(body, ATTEMPT),
        }


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
