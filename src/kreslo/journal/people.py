"""For people: figures, what stands still and why, questions and answers, search."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, Row, bindparam, func, select, update

from kreslo.connectors.errors import DataError, ErrorKind
from kreslo.connectors.model import Action, AddNote, AddTask, CreateCard, Entity, StageRef
from kreslo.decisions.case import Role
from kreslo.journal import schema as t
from kreslo.journal.codec import pack_base, unpack_base, unpack_intent, unpack_review, unpack_trace
from kreslo.journal.ledger import FIELD, field_of
from kreslo.journal.model import (
    Counts,
    Explained,
    IntentState,
    LastChange,
    ParkedItem,
    Priority,
    ReviewItem,
)
from kreslo.journal.names import search_key
from kreslo.journal.room import (
    BASE,
    IN_FLIGHT,
    INTENT,
    PHONE_CASE,
    REASON,
    REVIEW,
    TRACE,
    UNSENT,
    patient_case,
)
from kreslo.journal.settling import Settling
from kreslo.records import RecordKind

MAPPING = "mapping"
CHOICES = frozenset({"link", "new", "never"})

# The figures are asked for after each turn of the loop: built once.
_HERE = bindparam("here", type_=Integer)
_STAGED = frozenset({Role.VISIT, Role.ENQUIRY})
_FEW = select(
    select(func.count())
    .where(t.cases.c.bridge == _HERE, t.cases.c.marked)
    .scalar_subquery()
    .label("waiting"),
    select(func.sum(t.cases.c.filtered)).where(t.cases.c.bridge == _HERE).scalar_subquery().label("filtered"),
    select(func.count())
    .where(t.reviews.c.bridge == _HERE, t.reviews.c.state == "open")
    .scalar_subquery()
    .label("reviews"),
    select(func.count()).where(t.parked.c.bridge == _HERE).scalar_subquery().label("parked"),
)
_STATES = (
    select(t.intents.c.state, func.count()).where(t.intents.c.bridge == _HERE).group_by(t.intents.c.state)
)
_STAGES = (
    select(t.cards.c.role, t.cards.c.decided_stage, func.count())
    .where(t.cards.c.bridge == _HERE, t.cards.c.target_id.is_not(None))
    .group_by(t.cards.c.role, t.cards.c.decided_stage)
)


class People(Settling):
    def counts(self) -> Counts:
        asked = {"here": self._bridge}
        with self._reading() as conn:
            few = conn.execute(_FEW, asked).one()
            states = {row[0]: row[1] for row in conn.execute(_STATES, asked)}
            rows = list(conn.execute(_STAGES, asked))
        cards: Counter[str] = Counter()
        stages: Counter[StageRef] = Counter()
        for role, stage, count in rows:
            cards[role] += count
            if stage and role in _STAGED:
                stages[StageRef(*stage.split("/", 1))] += count
        return Counts(
            waiting=few.waiting,
            intents=states,
            reviews=few.reviews,
            parked=few.parked,
            cards=dict(cards),
            stages=dict(stages),
            filtered=int(few.filtered or 0),
        )

    # --- parked -------------------------------------------------------------------------------------------------

    def parked(self, limit: int = 500) -> list[ParkedItem]:
        """What does not go on by itself, the oldest first."""
        query = select(t.parked).where(t.parked.c.bridge == self._bridge).order_by(t.parked.c.id).limit(limit)
        with self._reading() as conn:
            return [
                ParkedItem(
                    id=row.id,
                    case=row.case_key,
                    about=row.about,
                    reason=self._box.open_text(row.reason, REASON),
                    fix=row.fix,
                    at=row.at,
                )
                for row in conn.execute(query)
            ]

    def release(self, parked_id: int, now: datetime | None = None) -> None:
        """A person says: try again. A parked case, or a parked intent's, is decided again, at `now` or at once. A parked record is
        taken off the list; it comes back if it is read again and is as bad. Raises DataError for an unknown id_.
        """
        with self._writing() as conn:
            query = select(t.parked).where(t.parked.c.bridge == self._bridge, t.parked.c.id == parked_id)
            row = conn.execute(query).one_or_none()
            if row is None:
                raise DataError(
                    f"nothing is parked under the number {parked_id}: it may have gone on by itself"
                )
            if row.kind == "intent":
                self._release_intent(conn, int(row.ref), now or row.at)
            elif row.kind == FIELD:
                self._release_field(conn, row, now or row.at)
            elif row.kind == "case":
                self._mark(conn, [row.case_key], at=now or row.at, why="released", priority=Priority.LIVE)
            self._remove(conn, t.parked, t.parked.c.id, [parked_id])

    def release_refused(self, now: datetime) -> int:
        """What stands in the CRM's way may have gone: everything that was refused, or could not be decided, is decided anew.
        What nobody knows, and fields that others rewrite, stay with a person. Returns how many.
        """
        with self._writing() as conn:
            query = select(t.parked).where(
                t.parked.c.bridge == self._bridge, t.parked.c.kind.in_(["intent", "case"])
            )
            rows = {int(row.ref) if row.kind == "intent" else row.ref: row for row in conn.execute(query)}
            numbers = [each for each in rows if isinstance(each, int)]
            refused = [
                each.id for each in self._intents_by_number(conn, numbers) if each.error != ErrorKind.UNKNOWN
            ]
            for number in refused:
                self._release_intent(conn, number, now)
            self._remove(conn, t.parked, t.parked.c.id, [rows[number].id for number in refused])
            cases = [row.case_key for ref, row in rows.items() if isinstance(ref, str)]
            self._mark(conn, cases, at=now, why="released", priority=Priority.LIVE)
        return len(refused) + len(cases)

    def _release_field(self, conn: Connection, row: Row[Any], now: datetime) -> None:
        """The field is written again, and counts its rewrites anew."""
        key, code = field_of(row.ref)
        query = select(t.cards.c.base, t.cards.c.target_id).where(
            t.cards.c.bridge == self._bridge, t.cards.c.key == key
        )
        card = conn.execute(query).one_or_none()
        if card is None or card.base is None:
            return  # another card has taken its place, and knows nothing of it
        base = unpack_base(self._box.open(card.base, BASE))
        base = msgspec.structs.replace(
            base,
            parked_fields=tuple(each for each in base.parked_fields if each != code),
            rewrites={each: count for each, count in base.rewrites.items() if each != code},
            # What stands there is somebody else's, and is written over.
            read_back={each: value for each, value in base.read_back.items() if each != code},
        )
        conn.execute(
            update(t.cards)
            .where(t.cards.c.bridge == self._bridge, t.cards.c.key == key)
            .values(base=self._box.seal(pack_base(base), BASE))
        )
        self._mark(conn, [row.case_key], at=now, why="released", priority=Priority.LIVE, fence=True)
        self._look_again(conn, [(row.case_key, card.target_id or "")])

    def _release_intent(self, conn: Connection, number: int, at: datetime) -> None:
        conn.execute(update(t.intents).where(t.intents.c.id == number).values(state=IntentState.SUPERSEDED))
        conn.execute(
            update(t.reviews)
            .where(
                t.reviews.c.bridge == self._bridge, t.reviews.c.intent == number, t.reviews.c.state == "open"
            )
            .values(state="withdrawn")
        )
        for intent in self._intents_by_number(conn, [number]):
            # Sent or not, a person answers for it now.
            said = [each for each in (intent.occasion, _note(intent)) if each]
            if intent.error == "unknown":
                self._remove(conn, t.occasions, t.occasions.c.occasion, said)
            self._mark(conn, [intent.case_key], at=at, why="released", priority=Priority.LIVE, fence=True)

    # --- reviews ------------------------------------------------------------------------------------------------

    def reviews(self, limit: int = 500, *, answered: bool = False) -> list[ReviewItem]:
        """Open questions, the oldest first; `answered`: those that have an answer, which may be changed, the last
        asked first.
        """
        query = (
            select(t.reviews)
            .where(
                t.reviews.c.bridge == self._bridge, t.reviews.c.state == ("answered" if answered else "open")
            )
            .order_by(t.reviews.c.id.desc() if answered else t.reviews.c.id)
            .limit(limit)
        )
        with self._reading() as conn:
            return [
                ReviewItem(
                    id=row.id,
                    case=row.case_key,
                    wish=unpack_review(self._box.open(row.body, REVIEW)),
                    asked_at=row.asked_at,
                    choice=row.choice,
                    target_id=row.target_id,
                )
                for row in conn.execute(query)
            ]

    def answer(self, review_id: int, choice: str, target_id: str, by: str, now: datetime) -> None:
        """A person's decision: "link" (to `target_id`), "new", "never"; remembered, and the case decided again. On a
        delivery nobody knows about, "link" says which card it made, "new" sends it again, "never" leaves it. An answer
        on whose contact it is may be changed: the case lets go of the contact that it had by the old one, which stays
        in the CRM as it is (after "never" on its deals, too). Any other only from "never". Raises DataError.
        """
        if choice not in CHOICES:
            raise DataError(f'"{choice}" is no answer: choose one of {", ".join(sorted(CHOICES))}')
        if choice == "link" and not target_id:
            raise DataError("which card is to be linked? Give its id_ in the CRM")
        with self._writing() as conn:
            query = select(t.reviews).where(t.reviews.c.bridge == self._bridge, t.reviews.c.id == review_id)
            row = conn.execute(query).one_or_none()
            if row is None or row.state == "withdrawn":
                raise DataError(f"question {review_id} is not asked any more")
            wish = unpack_review(self._box.open(row.body, REVIEW))
            offered = {each.target_id for each in wish.candidates}
            if choice == "link" and offered and target_id not in offered:
                raise DataError(
                    f"card {target_id} is none of those that question {review_id} offers: {', '.join(sorted(offered))}"
                )
            if row.state == "answered" and (row.choice, row.target_id) != (choice, target_id):
                self._take_back(conn, row, wish.question)
            conn.execute(
                update(t.reviews)
                .where(t.reviews.c.id == review_id)
                .values(state="answered", choice=choice, target_id=target_id, answered_by=by, answered_at=now)
            )
            if row.intent is not None:
                self._answer_delivery(conn, row.intent, choice, target_id, now)
            self._mark(conn, [row.case_key], at=now, why="answer", priority=Priority.LIVE, fence=True)
            self._tell_sharers(conn, {row.target_id, target_id} - {""}, row.case_key, now)

    def _tell_sharers(self, conn: Connection, contacts: set[str], asked: str, now: datetime) -> None:
        """Whether a contact is its patient's alone may be another matter now: it is compared anew."""
        query = select(t.cards.c.case_key, t.cards.c.target_id).where(
            t.cards.c.bridge == self._bridge, t.cards.c.entity == Entity.CONTACT, t.cards.c.case_key != asked
        )
        pairs = [
            (row.case_key, row.target_id) for row in self._gather(conn, query, t.cards.c.target_id, contacts)
        ]
        self._mark(conn, {key for key, _ in pairs}, at=now, why="answer", priority=Priority.LIVE)
        self._look_again(conn, pairs)

    def _take_back(self, conn: Connection, review: Row[Any], question: str) -> None:
        if not question.startswith("contact:"):
            if review.choice != "never":
                raise DataError(
                    f"the answer to question {review.id} was carried out: what it did is to be changed in the CRM itself"
                )
            return
        query = select(t.cards.c.key).where(
            t.cards.c.bridge == self._bridge,
            t.cards.c.case_key == review.case_key,
            t.cards.c.role == Role.CONTACT,
        )
        keys = list(conn.execute(query).scalars())
        of_contact = (t.intents.c.bridge == self._bridge, t.intents.c.card_key.in_(keys))
        busy = select(t.intents.c.id).where(*of_contact, t.intents.c.state.in_(IN_FLIGHT)).limit(1)
        if conn.execute(busy).first() is not None:
            raise DataError(f"the contact of question {review.id} is being written: try again in a minute")
        unsent = update(t.intents).where(*of_contact, t.intents.c.state.in_(UNSENT))
        conn.execute(unsent.values(state=IntentState.SUPERSEDED))
        self._remove(conn, t.cards, t.cards.c.key, keys)

    def _answer_delivery(
        self, conn: Connection, number: int, choice: str, target_id: str, now: datetime
    ) -> None:
        for intent in self._intents_by_number(conn, [number]):
            if choice == "never" or intent.state != IntentState.PARKED:
                continue
            self._remove(conn, t.parked, t.parked.c.ref, [str(number)], t.parked.c.kind == "intent")
            if choice == "new":
                self._release_intent(conn, number, now)
            else:
                ends = self._endings(conn, [intent], [target_id])
                self._confirm(ends, intent, target_id, now)
                self._write_endings(conn, ends, now)

    # --- looking ------------------------------------------------------------------------------------------------

    def last_changes(self, limit: int) -> list[LastChange]:
        """What was sent last, the newest first; names of fields and stages, no values."""
        query = (
            select(t.intents)
            .where(t.intents.c.bridge == self._bridge, t.intents.c.sent_at.is_not(None))
            .order_by(t.intents.c.id.desc())
            .limit(limit)
        )
        with self._reading() as conn:
            return [
                LastChange(
                    at=row.settled_at or row.sent_at,
                    case=row.case_key,
                    card=row.card_key,
                    state=IntentState(row.state),
                    what=_what(unpack_intent(self._box.open(row.body, INTENT)).action),
                )
                for row in conn.execute(query)
            ]

    def find_cases(
        self, *, phone: str = "", last4: str = "", card_number: str = "", name: str = ""
    ) -> list[str]:
        """Cases by an exact phone (E.164), its last four digits, a card number, or a surname with or without a name.
        Those given must all fit.
        """
        with self._reading() as conn:
            found: list[set[str]] = []
            if phone:
                token = self._phone_token(phone)
                found.append(self._with_phone(conn, t.phones.c.phone == token))
            if last4:
                found.append(self._with_phone(conn, t.phones.c.last4 == last4))
            for kind, text in (("card", card_number.strip()), ("name", search_key(name) if name else "")):
                if text:
                    query = select(t.names.c.patient_id).where(
                        t.names.c.bridge == self._bridge, t.names.c.token == self._box.token(kind, text)
                    )
                    found.append({patient_case(id_) for id_ in conn.execute(query).scalars()})
        return sorted(set.intersection(*found)) if found else []

    def _with_phone(self, conn: Connection, condition: ColumnElement[bool]) -> set[str]:
        query = select(t.phones.c.kind, t.phones.c.id, t.phones.c.phone).where(
            t.phones.c.bridge == self._bridge, condition
        )
        rows = list(conn.execute(query))
        keys = {patient_case(row.id) for row in rows if row.kind == RecordKind.PATIENT}
        return keys | self._existing(conn, {PHONE_CASE + row.phone for row in rows})

    def explain(self, case_key: str) -> Explained | None:
        """The last decision of a case, None where there is no such case."""
        query = select(t.cases).where(t.cases.c.bridge == self._bridge, t.cases.c.key == case_key)
        with self._reading() as conn:
            row = conn.execute(query).one_or_none()
        if row is None:
            return None
        trace = None if row.trace is None else unpack_trace(self._box.open(row.trace, TRACE))
        return Explained(
            case=case_key,
            decided_at=row.decided_at,
            wake_at=row.wake_at,
            due_at=row.due_at,
            why=row.why,
            rules=trace.rules if trace else (),
            drift=trace.drift if trace else (),
            filtered=trace.filtered if trace else {},
        )

    def fingerprint(self) -> str | None:
        """Of the mapping that cases were decided with, None before the first."""
        with self._reading() as conn:
            return self._position(conn, MAPPING)

    def save_fingerprint(self, text: str) -> None:
        with self._writing() as conn:
            self._save_position(conn, MAPPING, text)


def _note(intent: Row[Any]) -> str:
    return f"note:{intent.card_key}:{intent.marker}" if intent.marker else ""


def _what(action: Action) -> str:
    if isinstance(action, AddNote):
        return f"note on {action.entity}"
    if isinstance(action, AddTask):
        return f"task on {action.entity}"
    verb = "create" if isinstance(action, CreateCard) else "update"
    names = sorted(action.fields)
    if not isinstance(action, CreateCard):
        names = sorted({*names, *action.multi})
    parts = [", ".join(names)] if names else []
    if action.stage is not None:
        parts.append(f"stage {action.stage.stage}")
    return f"{verb} {action.entity}" + (f": {'; '.join(parts)}" if parts else "")
