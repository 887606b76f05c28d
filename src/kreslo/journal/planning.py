"""Decided cases are written down: cards, what is to be sent, what is asked. One transaction for all of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import CreateCard, Entity, UpdateCard
from kreslo.decisions.case import Base, Role
from kreslo.journal import schema as t
from kreslo.journal.codec import (
    IntentBody,
    Trace,
    action_identity,
    pack_base,
    pack_intent,
    pack_overwrite,
    pack_review,
    pack_trace,
    unpack_base,
)
from kreslo.journal.ledger import FIELD, Book, CardRow, Work, card_row, field_ref, once_key, stage_text
from kreslo.journal.model import CardState, CasePlan, Conflict, IntentState
from kreslo.journal.room import (
    BASE,
    IN_FLIGHT,
    INTENT,
    OVERWRITE,
    PHONE_CASE,
    REASON,
    REVIEW,
    TRACE,
)
from kreslo.journal.writing import Writing
from kreslo.merging.merge import with_marker
from kreslo.merging.plan import Planned


class Planning(Writing):
    def commit(self, plans: Sequence[CasePlan], now: datetime) -> list[Conflict]:
        """Write decisions down, all in one transaction. A plan that wants a card of another case is left out whole and
        reported; one whose cards changed under it (its version is behind the case's fence) is left out and its case
        stays due. A plan that is only older than the last mark is written, and its case stays due.
        """
        conflicts: list[Conflict] = []
        with self._writing() as conn:
            book = self._open_book(conn, plans)
            work = Work()
            for plan in plans:
                row = book.cases.get(plan.key)
                if row is None:
                    continue  # the case was erased since
                if plan.version < row.fence or any(each.card in book.in_flight for each in plan.planned):
                    work.redo.add(plan.key)
                    continue
                if self._just_taken(plan, book, work):
                    work.redo.add(plan.key)
                    continue
                conflict = self._conflict(plan, book)
                if conflict is not None:
                    conflicts.append(conflict)
                    continue
                for state in plan.cards:
                    self._card(plan, state, book, work, now)
                self._intents(plan, row, book, work, now)
                self._papers(plan, row, work, now)
            self._write_down(conn, work, book, now)
        return conflicts

    # --- what stands ----------------------------------------------------------------------------------------------

    def _open_book(self, conn: Connection, plans: Sequence[CasePlan]) -> Book:
        keys = {plan.key for plan in plans}
        cases = select(
            t.cases.c.key, t.cases.c.version, t.cases.c.fence, t.cases.c.priority, t.cases.c.due_at
        ).where(t.cases.c.bridge == self._bridge)
        rows = {row.key: row for row in self._gather(conn, cases, t.cases.c.key, keys)}
        card_query = select(t.cards).where(t.cards.c.bridge == self._bridge)
        found = list(self._gather(conn, card_query, t.cards.c.case_key, keys))
        found += self._gather(
            conn, card_query, t.cards.c.key, {state.key for plan in plans for state in plan.cards}
        )
        for entity in Entity:
            wanted = {
                state.target_id
                for plan in plans
                for state in plan.cards
                if state.target_id and state.entity is entity
            }
            query = card_query.where(t.cards.c.entity == entity)
            found += self._gather(conn, query, t.cards.c.target_id, wanted)
        cards = {row.key: card_row(row) for row in found}
        card_keys = set(cards) | {each.card for plan in plans for each in plan.planned}
        flight = select(
            t.intents.c.id,
            t.intents.c.card_key,
            t.intents.c.state,
            t.intents.c.digest,
            t.intents.c.attempt,
            t.intents.c.creates,
            t.intents.c.error,
        ).where(
            t.intents.c.bridge == self._bridge,
            t.intents.c.state.in_([*IN_FLIGHT, IntentState.RETRY, IntentState.PARKED]),
        )
        in_flight: set[str] = set()
        tries: dict[tuple[str, str], int] = {}
        parked: dict[str, dict[str, int]] = {}
        held: set[str] = set()
        for row in self._gather(conn, flight, t.intents.c.card_key, card_keys):
            if row.state == IntentState.PARKED and row.creates and row.error == ErrorKind.UNKNOWN:
                held.add(row.card_key)
            elif row.state == IntentState.PARKED:
                parked.setdefault(row.card_key, {})[row.digest] = row.id
            elif row.state == IntentState.RETRY:
                tries[row.card_key, row.digest] = row.attempt
            else:
                in_flight.add(row.card_key)
        once = {once_key(each.card, each.marker) for plan in plans for each in plan.planned} | {
            each.occasion for plan in plans for each in plan.planned
        }
        done = select(t.occasions.c.occasion).where(t.occasions.c.bridge == self._bridge)
        return Book(
            cases=rows,
            cards=cards,
            by_target={(card.entity, card.target_id): card.key for card in cards.values() if card.target_id},
            in_flight=in_flight,
            tries=tries,
            parked=parked,
            held=held,
            done={row.occasion for row in self._gather(conn, done, t.occasions.c.occasion, once - {""})},
        )

    def _conflict(self, plan: CasePlan, book: Book) -> Conflict | None:
        for state in plan.cards:
            holders = {state.key, book.by_target.get((state.entity, state.target_id), "")}
            for holder in holders & set(book.cards):
                card = book.cards[holder]
                free = (
                    state.transfer and card.case_key.startswith(PHONE_CASE) and card.key not in book.in_flight
                )
                if card.case_key != plan.key and not free:
                    return Conflict(
                        plan.key, state.entity, state.target_id or card.target_id or "", card.case_key
                    )
        return None

    def _just_taken(self, plan: CasePlan, book: Book, work: Work) -> bool:
        """Whether it takes over a card that another case has written in this very transaction: it is decided again once
        that stands, so that members and intents of the other go over with it.
        """
        ids = ((state.entity, state.target_id) for state in plan.cards if state.transfer and state.target_id)
        written = (work.cards.get(book.by_target.get(one, "")) for one in ids)
        return any(card is not None and card.case_key != plan.key for card in written)

    # --- one plan -------------------------------------------------------------------------------------------------

    def _card(self, plan: CasePlan, state: CardState, book: Book, work: Work, now: datetime) -> None:
        holder = book.by_target.get((state.entity, state.target_id), "") if state.target_id else ""
        card = book.cards.get(state.key)
        target_id = state.target_id
        if holder and holder != state.key:
            held = book.cards[holder]
            if held.case_key == plan.key and held.role not in {Role.WATCHED, Role.CLAIM}:
                target_id = ""  # two cards of this case were merged into one in the CRM: the other one has it
            else:
                # The card goes over to its new key; who was linked to it is linked to the new one.
                del book.cards[holder]
                work.cards.pop(holder, None)
                work.removed.append((holder, state.key))
                work.superseded_cards.add(holder)
                if held.case_key != plan.key:
                    work.fenced.add(held.case_key)
        if card is None:
            card = CardRow(
                key=state.key, case_key=plan.key, role=state.role, entity=state.entity, created_at=now
            )
            book.cards[state.key] = card
        elif card.case_key != plan.key:
            work.fenced.add(card.case_key)
            work.superseded_cards.add(card.key)
            card.case_key = plan.key
            card.base = None
        if target_id and target_id != card.target_id:
            if card.target_id:
                book.by_target.pop((card.entity, card.target_id), None)
                card.base = None
            card.target_id = target_id
            book.by_target[state.entity, target_id] = card.key
        card.role = state.role
        if state.base is not None:
            card.base = self._merged_base(card.base, state.base)
            card.decided_stage = stage_text(state.base.stage)
        if state.claimed_from is not None:
            card.claimed_funnel, card.claimed_stage = state.claimed_from.funnel, state.claimed_from.stage
        card.claimed_lead = state.claimed_lead or card.claimed_lead
        card.gone = state.gone
        card.closed = state.closed
        card.overrule = state.overrule
        work.cards[card.key] = card
        if card.target_id and card.role is not Role.WATCHED:
            work.taken.add((card.entity, card.target_id))
        for member in state.members:
            work.membered.setdefault((card.key, member.kind), set()).add(member.id)

    def _merged_base(self, before: bytes | None, base: Base) -> bytes:
        """What was written once stays written, even if the decision that is stored now was made without knowing."""
        if before is not None:
            written = unpack_base(self._box.open(before, BASE)).markers
            base = msgspec.structs.replace(base, markers=tuple(dict.fromkeys((*written, *base.markers))))
        return self._box.seal(pack_base(base), BASE)

    def _with_marker(self, base: bytes, marker: str) -> Base:
        return with_marker(unpack_base(self._box.open(base, BASE)), marker)

    def _intents(self, plan: CasePlan, row: Row[Any], book: Book, work: Work, now: datetime) -> None:
        work.superseded_cases.add(plan.key)
        wanted: dict[str, set[str]] = {state.key: set() for state in plan.cards}
        for planned in plan.planned:
            digest = self._box.digest(action_identity(planned.action, planned.contacts))
            wanted.setdefault(planned.card, set()).add(digest)
            if planned.card in book.held or digest in book.parked.get(planned.card, {}):
                continue  # it was refused as it is: a person releases it, or it changes
            once = self._once_only(planned, book, work)
            if once is None:
                continue
            card = book.cards.get(once.card)
            if isinstance(once.action, CreateCard) and card is not None and card.target_id:
                # Staff deleted the card and it is made again: the old id leads nowhere.
                book.by_target.pop((card.entity, card.target_id), None)
                card.target_id = None
                card.gone = False
                work.cards[card.key] = card
            body = IntentBody(action=once.action, contacts=once.contacts, after=once.after)
            work.waits += [
                (len(work.intents), ref.key) for ref in once.contacts or () if ref.key and not ref.target_id
            ]
            work.intents.append(
                {
                    "bridge": self._bridge,
                    "case_key": plan.key,
                    "card_key": once.card,
                    "state": IntentState.PLANNED,
                    "priority": row.priority,
                    "creates": isinstance(once.action, CreateCard),
                    "digest": digest,
                    "marker": once.marker,
                    "occasion": once.occasion,
                    "created_at": now,
                    "attempt": book.tries.get((once.card, digest), 0),
                    "error": "",
                    "body": self._box.seal(pack_intent(body), INTENT),
                }
            )
        for card_key, digests in wanted.items():
            work.obsolete |= {
                intent for digest, intent in book.parked.get(card_key, {}).items() if digest not in digests
            }

    def _once_only(self, planned: Planned, book: Book, work: Work) -> Planned | None:
        """The last line of the promise that nothing is said twice: a note that stands is not written again, and a card
        does not enter a message stage for an occasion that it has entered.
        """
        if once_key(planned.card, planned.marker) in book.done:
            written = book.cards.get(planned.card)
            if written is not None and written.base is not None:
                base = self._with_marker(written.base, planned.marker)
                written.base = self._box.seal(pack_base(base), BASE)
                work.cards[written.key] = written
            return None
        if not planned.occasion or planned.occasion not in book.done:
            return planned
        action = planned.action
        if isinstance(action, CreateCard):
            return msgspec.structs.replace(
                planned, action=msgspec.structs.replace(action, quiet=True), occasion=""
            )
        if not isinstance(action, UpdateCard):
            return planned
        action = msgspec.structs.replace(action, stage=None)
        if action.fields or action.multi or action.key or action.lead or planned.contacts is not None:
            return msgspec.structs.replace(planned, action=action, occasion="")
        card = book.cards.get(planned.card)
        if card is not None and planned.after is not None:
            card.base = self._merged_base(card.base, planned.after)
            work.cards[card.key] = card
        return None

    def _papers(self, plan: CasePlan, row: Row[Any], work: Work, now: datetime) -> None:
        work.reviews += [
            {
                "bridge": self._bridge,
                "case_key": plan.key,
                "question": self._question(wish.question),
                "state": "open",
                "asked_at": now,
                "choice": "",
                # Of an open question: the contact that is another patient's, so that its owner finds the question.
                "target_id": wish.shared,
                "answered_by": "",
                "answered_at": None,
                "body": self._box.seal(pack_review(wish), REVIEW),
            }
            for wish in plan.reviews
        ]
        work.overwrites += [
            {
                "bridge": self._bridge,
                "case_key": plan.key,
                "card_key": each.card,
                "at": now,
                "body": self._box.seal(pack_overwrite(each), OVERWRITE),
            }
            for each in plan.overwrites
        ]
        work.parked += [
            {
                "bridge": self._bridge,
                "kind": FIELD,
                "ref": field_ref(each.card, each.code),
                "case_key": plan.key,
                "about": each.card,
                "fix": each.fix,
                "at": now,
                "reason": self._box.seal_text(each.reason, REASON),
            }
            for each in plan.parked
        ]
        work.unparked |= {field_ref(card, code) for card, code in plan.unparked}
        trace = Trace(rules=plan.rules, drift=plan.drift, filtered=plan.filtered)
        last = row.version == plan.version
        work.decided.append(
            {
                "of_case": plan.key,
                "last": last,
                "decided_at": now,
                "wake_at": plan.wake_at,
                "filtered": len(plan.filtered),
                "trace": self._box.seal(pack_trace(trace), TRACE),
                # A newer mark stands; the clock may still be earlier than it.
                "due_at": plan.wake_at
                if last
                else min((each for each in (row.due_at, plan.wake_at) if each), default=now),
            }
        )

    def _question(self, question: str) -> str:
        return self._box.token("question", question)
