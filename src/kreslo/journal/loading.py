"""Whole cases, as decisions read them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, or_, select

from kreslo.connectors.model import Card, Entity, StageRef
from kreslo.decisions.asking import about_contact
from kreslo.decisions.case import Answer, Caller, Case, OwnCard, Role
from kreslo.journal import schema as t
from kreslo.journal.codec import unpack_base, unpack_card, unpack_review
from kreslo.journal.model import Loaded
from kreslo.journal.room import (
    BASE,
    BODY,
    IN_FLIGHT,
    OBSERVED,
    PHONE,
    PHONE_CASE,
    REVIEW,
    UNSENT,
    Room,
    patient_case,
    patient_of,
)
from kreslo.records import Appointment, Enquiry, Entry, Patient, Record, RecordKind, RecordRef
from kreslo.records.codec import decode


class _Draft(msgspec.Struct, kw_only=True):
    """A case while it is put together. `tokens`: its phones."""

    version: int
    phone: str = ""
    patient: Patient | None = None
    appointments: list[Appointment] = []
    enquiries: list[Enquiry] = []
    entries: list[Entry] = []
    vanished: set[str] = set()
    unseen: set[str] = set()
    tokens: set[str] = set()
    family: dict[str, Patient] = {}
    family_cards: dict[str, str] = {}
    callers: list[Caller] = []
    observed: list[Card] = []
    cards: list[OwnCard] = []
    served: set[str] = set()
    answers: list[Answer] = []
    look_again: set[str] = set()

    def case(self, key: str) -> Case:
        return Case(
            key=key,
            patient=self.patient,
            phone=self.phone,
            appointments=tuple(sorted(self.appointments, key=lambda each: (each.starts_at, each.id))),
            enquiries=tuple(sorted(self.enquiries, key=lambda each: (each.created_at, each.id))),
            entries=tuple(sorted(self.entries, key=lambda each: (each.created_at, each.id))),
            family=tuple(self.family[id_] for id_ in sorted(self.family)),
            family_cards=self.family_cards,
            vanished=frozenset(self.vanished),
            unseen=frozenset(self.unseen),
            callers=tuple(sorted(self.callers, key=lambda each: each.patient_id)),
            observed=tuple(sorted(self.observed, key=lambda each: (each.entity, each.id))),
            cards=tuple(self.cards),
            served=frozenset(self.served),
            answers=tuple(self.answers),
            look_again=frozenset(self.look_again),
        )


_Drafts = dict[str, _Draft]


class Loading(Room):
    def load(self, keys: Collection[str], now: datetime | None = None) -> dict[str, Loaded]:
        """Whole cases, in a bounded number of queries. With `now` a caller's next visit is the earliest ahead of it;
        without, the latest that nobody came to. Keys of no case are left out.
        """
        with self._reading() as conn:
            query = select(t.cases.c.key, t.cases.c.version, t.cases.c.phone).where(
                t.cases.c.bridge == self._bridge
            )
            drafts: _Drafts = {}
            for row in self._gather(conn, query, t.cases.c.key, keys):
                draft = drafts[row.key] = _Draft(version=row.version)
                if row.phone is not None:
                    draft.phone = self._box.open_text(row.phone, PHONE)
                    draft.tokens.add(row.key.removeprefix(PHONE_CASE))
            self._load_records(conn, drafts)
            self._load_shared(conn, drafts, now)
            self._load_cards(conn, drafts)
            self._load_answers(conn, drafts)
            again = select(t.look_again.c.case_key, t.look_again.c.what).where(
                t.look_again.c.bridge == self._bridge
            )
            for row in self._gather(conn, again, t.look_again.c.case_key, drafts):
                drafts[row.case_key].look_again.add(row.what)
        return {key: Loaded(draft.case(key), draft.version) for key, draft in drafts.items()}

    def _record(self, row: Row[Any]) -> Record:
        return decode(self._box.open(row.body, BODY))

    def _load_records(self, conn: Connection, drafts: _Drafts) -> None:
        query = select(t.records.c.case_key, t.records.c.unseen, t.records.c.gone_at, t.records.c.body).where(
            t.records.c.bridge == self._bridge
        )
        for row in self._gather(conn, query, t.records.c.case_key, drafts):
            draft = drafts[row.case_key]
            record = self._record(row)
            if isinstance(record, Patient):
                draft.patient = record
            elif isinstance(record, Appointment):
                draft.appointments.append(record)
                if row.unseen:
                    draft.unseen.add(record.id)
                if row.gone_at is not None:
                    draft.vanished.add(record.id)
            elif row.gone_at is not None:
                continue
            elif isinstance(record, Entry):
                draft.entries.append(record)
            else:
                draft.enquiries.append(record)

    # --- what is shared by a phone --------------------------------------------------------------------------------

    def _load_shared(self, conn: Connection, drafts: _Drafts, now: datetime | None) -> None:
        by_patient = {patient: draft for key, draft in drafts.items() if (patient := patient_of(key))}
        for id_, tokens in self._phones_of(conn, RecordKind.PATIENT, by_patient).items():
            by_patient[id_].tokens |= tokens
        owners = self._owners_of(conn, {token for draft in drafts.values() for token in draft.tokens})
        shared = {
            key: {owner for token in draft.tokens for owner in owners.get(token, ())}
            for key, draft in drafts.items()
        }
        patients = {id_ for all_of in shared.values() for kind, id_ in all_of if kind == RecordKind.PATIENT}
        kin = self._patients(conn, drafts, patients)
        contacts = self._contacts(conn, kin)
        enquiries = self._enquiries(conn, shared)
        observed = self._observed(conn, shared)
        callers = self._callers(
            conn,
            {
                id_
                for key, all_of in shared.items()
                if key.startswith(PHONE_CASE)
                for kind, id_ in all_of
                if kind == RecordKind.PATIENT
            },
            now,
        )
        for key, draft in drafts.items():
            mine = patient_of(key)
            for kind, id_ in shared[key]:
                if kind == RecordKind.PATIENT and id_ in kin:
                    if mine is None:
                        draft.callers.append(callers.get(id_, Caller(patient_id=id_)))
                    elif id_ != mine:
                        draft.family[id_] = kin[id_]
                        draft.family_cards[id_] = contacts.get(id_, "")
                elif kind == RecordKind.ENQUIRY:
                    if mine is not None and id_ in enquiries:
                        draft.enquiries.append(enquiries[id_])
                elif (kind, id_) in observed:
                    owner, card = observed[kind, id_]
                    if owner in {"", key}:
                        draft.observed.append(card)

    def _patients(self, conn: Connection, drafts: _Drafts, ids: set[str]) -> dict[str, Patient]:
        """Patients by id, those that are loaded already and those that are not; the ones that are gone left out."""
        query = select(t.records.c.id, t.records.c.body).where(
            t.records.c.bridge == self._bridge,
            t.records.c.kind == RecordKind.PATIENT,
            t.records.c.gone_at.is_(None),
        )
        found: dict[str, Patient] = {}
        for row in self._gather(conn, query, t.records.c.id, ids):
            loaded = drafts.get(patient_case(row.id))
            patient = loaded.patient if loaded and loaded.patient else self._record(row)
            if isinstance(patient, Patient):
                found[row.id] = patient
        return found

    def _contacts(self, conn: Connection, patients: Mapping[str, Patient]) -> dict[str, str]:
        """Target ids of their contact cards, by patient."""
        query = (
            select(t.cards.c.case_key, t.cards.c.target_id)
            .where(
                t.cards.c.bridge == self._bridge,
                t.cards.c.role == Role.CONTACT,
                ~t.cards.c.gone,
                ~t.cards.c.closed,
            )
            .order_by(t.cards.c.created_at.desc(), t.cards.c.key.desc())
        )
        found: dict[str, str] = {}
        for row in self._gather(conn, query, t.cards.c.case_key, map(patient_case, patients)):
            if row.target_id is not None:
                found[patient_of(row.case_key) or ""] = row.target_id
        return found

    def _enquiries(self, conn: Connection, shared: Mapping[str, set[tuple[str, str]]]) -> dict[str, Enquiry]:
        """Enquiries that share a phone with a patient."""
        ids = {
            id_
            for key, all_of in shared.items()
            if patient_of(key)
            for kind, id_ in all_of
            if kind == RecordKind.ENQUIRY
        }
        query = select(t.records.c.id, t.records.c.body).where(
            t.records.c.bridge == self._bridge,
            t.records.c.kind == RecordKind.ENQUIRY,
            t.records.c.gone_at.is_(None),
        )
        found: dict[str, Enquiry] = {}
        for row in self._gather(conn, query, t.records.c.id, ids):
            record = self._record(row)
            if isinstance(record, Enquiry):
                found[row.id] = record
        return found

    def _observed(
        self, conn: Connection, shared: Mapping[str, set[tuple[str, str]]]
    ) -> dict[tuple[str, str], tuple[str, Card]]:
        """Observed cards and the case that owns them, if any (one of which only the stage is ours)."""
        wanted = {owner for all_of in shared.values() for owner in all_of}
        found: dict[tuple[str, str], tuple[str, Card]] = {}
        for entity in Entity:
            query = (
                select(t.observed.c.id, t.observed.c.body, t.cards.c.case_key)
                .outerjoin(
                    t.cards,
                    (t.cards.c.bridge == t.observed.c.bridge)
                    & (t.cards.c.entity == t.observed.c.entity)
                    & (t.cards.c.target_id == t.observed.c.id),
                )
                .where(t.observed.c.bridge == self._bridge, t.observed.c.entity == entity)
            )
            ids = [id_ for kind, id_ in wanted if kind == entity]
            for row in self._gather(conn, query, t.observed.c.id, ids):
                card = unpack_card(self._box.open(row.body, OBSERVED))
                found[entity, row.id] = (row.case_key or "", card)
        return found

    def _callers(self, conn: Connection, ids: set[str], now: datetime | None) -> dict[str, Caller]:
        query = select(t.records.c.body).where(
            t.records.c.bridge == self._bridge,
            t.records.c.kind == RecordKind.APPOINTMENT,
            t.records.c.gone_at.is_(None),
        )
        if now is not None:
            query = query.where(t.records.c.at >= now)
        booked: dict[str, list[Appointment]] = {}
        for row in self._gather(conn, query, t.records.c.case_key, map(patient_case, ids)):
            record = self._record(row)
            if isinstance(record, Appointment):
                booked.setdefault(record.patient_id, []).append(record)
        choose: Callable[..., Appointment] = max if now is None else min
        callers = {}
        for id_, appointments in booked.items():
            moved = {each.predecessor_id for each in appointments}
            still = [each for each in appointments if _open(each) and each.id not in moved]
            if still:
                visit = choose(still, key=lambda each: (each.starts_at, each.id))
                callers[id_] = Caller(
                    patient_id=id_, next_visit_at=visit.starts_at, next_visit_created_at=visit.created_at
                )
        return callers

    # --- cards and answers ----------------------------------------------------------------------------------------

    def _load_cards(self, conn: Connection, drafts: _Drafts) -> None:
        query = (
            select(t.cards)
            .where(t.cards.c.bridge == self._bridge)
            .order_by(t.cards.c.created_at, t.cards.c.key)
        )
        rows = list(self._gather(conn, query, t.cards.c.case_key, drafts))
        keys = [row.key for row in rows]
        linked: dict[str, list[str]] = {}
        links = (
            select(t.members.c.card_key, t.members.c.kind, t.members.c.id)
            .where(t.members.c.bridge == self._bridge)
            .order_by(t.members.c.kind, t.members.c.id)
        )
        for row in self._gather(conn, links, t.members.c.card_key, keys):
            ref = RecordRef(RecordKind(row.kind), row.id)
            linked.setdefault(row.card_key, []).append(ref.key(self._source_id))
        in_flight = select(t.intents.c.card_key).where(
            t.intents.c.bridge == self._bridge, t.intents.c.state.in_(IN_FLIGHT)
        )
        busy = {row.card_key for row in self._gather(conn, in_flight, t.intents.c.card_key, keys)}
        # An update that was planned may heal what staff changed; the decision that takes its place must see that too.
        unsent = select(t.intents.c.card_key).where(
            t.intents.c.bridge == self._bridge,
            t.intents.c.state.in_(UNSENT),
            ~t.intents.c.creates,
            t.intents.c.marker == "",
        )
        due = {row.card_key for row in self._gather(conn, unsent, t.intents.c.card_key, keys)}
        for row in rows:
            if row.key in due and row.target_id:
                drafts[row.case_key].look_again.add(row.target_id)
            drafts[row.case_key].cards.append(
                OwnCard(
                    key=row.key,
                    role=Role(row.role),
                    entity=Entity(row.entity),
                    target_id=row.target_id or "",
                    members=tuple(linked.get(row.key, ())),
                    base=None if row.base is None else unpack_base(self._box.open(row.base, BASE)),
                    claimed_from=(
                        None
                        if row.claimed_stage is None
                        else StageRef(row.claimed_funnel or "", row.claimed_stage)
                    ),
                    claimed_lead=row.claimed_lead,
                    busy=row.key in busy,
                    gone=row.gone,
                    closed=row.closed,
                    overrule=row.overrule,
                )
            )
        self._freeze(conn, drafts)
        enquiries = {each.id for draft in drafts.values() for each in draft.enquiries}
        served = (
            select(t.members.c.id)
            .join(
                t.cards,
                (t.cards.c.bridge == t.members.c.bridge) & (t.cards.c.key == t.members.c.card_key),
            )
            .where(
                t.members.c.bridge == self._bridge,
                t.members.c.kind == RecordKind.ENQUIRY,
                t.cards.c.role.in_([Role.VISIT, Role.CLAIM]),
            )
        )
        taken = {row.id for row in self._gather(conn, served, t.members.c.id, enquiries)}
        for draft in drafts.values():
            for each in draft.enquiries:
                if each.id in taken:
                    draft.served.add(RecordRef(RecordKind.ENQUIRY, each.id).key(self._source_id))

    def _freeze(self, conn: Connection, drafts: _Drafts) -> None:
        """Contacts that are another patient's too, by a question that is open, or by its answer."""
        contacts = {
            card.target_id
            for draft in drafts.values()
            for card in draft.cards
            if card.role is Role.CONTACT and card.target_id
        }
        query = select(t.reviews.c.case_key, t.reviews.c.target_id, t.reviews.c.body).where(
            t.reviews.c.bridge == self._bridge,
            t.reviews.c.intent.is_(None),
            or_(
                t.reviews.c.state == "open",
                and_(t.reviews.c.state == "answered", t.reviews.c.choice == "link"),
            ),
        )
        shared: dict[str, set[str]] = {}
        for row in self._gather(conn, query, t.reviews.c.target_id, contacts):
            if about_contact(unpack_review(self._box.open(row.body, REVIEW)).question):
                shared.setdefault(row.target_id, set()).add(row.case_key)
        for key, draft in drafts.items():
            draft.cards = [
                msgspec.structs.replace(card, shared=True)
                if card.role is Role.CONTACT and shared.get(card.target_id, set()) - {key}
                else card
                for card in draft.cards
            ]

    def _load_answers(self, conn: Connection, drafts: _Drafts) -> None:
        query = (
            select(t.reviews.c.case_key, t.reviews.c.choice, t.reviews.c.target_id, t.reviews.c.body)
            .where(
                t.reviews.c.bridge == self._bridge,
                t.reviews.c.state == "answered",
                t.reviews.c.intent.is_(None),
            )
            .order_by(t.reviews.c.id)
        )
        for row in self._gather(conn, query, t.reviews.c.case_key, drafts):
            wish = unpack_review(self._box.open(row.body, REVIEW))
            drafts[row.case_key].answers.append(
                Answer(question=wish.question, choice=row.choice, target_id=row.target_id)
            )


def _open(appointment: Appointment) -> bool:
    """Whether the visit is still to come, as far as the MIS says."""
    return not (
        appointment.cancelled_at
        or appointment.appeared_at
        or appointment.started_at
        or appointment.ended_at
        or appointment.billed_at
    )
