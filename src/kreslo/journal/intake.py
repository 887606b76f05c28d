"""Reading: records come in, the cases that they touch are marked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select, update

from kreslo.connectors.contract import Rejected
from kreslo.decisions.texts import text
from kreslo.journal import schema as t
from kreslo.journal.model import IntentState, Priority, Taken
from kreslo.journal.names import name_keys
from kreslo.journal.parking import Parking
from kreslo.journal.room import BODY, PHONE, PHONE_CASE, links, patient_case, patient_of
from kreslo.records import (
    Appointment,
    Enquiry,
    Entry,
    Patient,
    Phone,
    Record,
    RecordKind,
    RecordRef,
    ref_of,
)
from kreslo.records.codec import encode

SOURCE = "source"


class _Known(msgspec.Struct, frozen=True):
    case_key: str
    digest: str
    kin: str
    at: datetime | None
    gone: bool


class _Marks(msgspec.Struct):
    """What a batch touches. `fenced`: cases whose cards changed hands. `phones`: sealed numbers of phone cases.
    `if_known`: to be marked only where there is such a case.
    """

    keys: set[str] = msgspec.field(default_factory=set)
    fenced: set[str] = msgspec.field(default_factory=set)
    if_known: set[str] = msgspec.field(default_factory=set)
    phones: dict[str, bytes] = msgspec.field(default_factory=dict)


class Intake(Parking):
    def cursor(self) -> str | None:
        """Where to read on from, None before the first batch."""
        with self._reading() as conn:
            return self._position(conn, SOURCE)

    def take(
        self,
        records: Sequence[Record],
        *,
        cursor: str | None,
        now: datetime,
        rejected: Sequence[Rejected] = (),
        priority: Priority,
    ) -> Taken:
        """Store a batch, mark its cases and move the cursor, in one transaction. Of the same record twice the later
        counts. `cursor` None leaves it (records that were fetched, not read).
        """
        batch = {ref_of(record): record for record in records}
        with self._writing() as conn:
            known = self._known(conn, batch)
            rows: list[dict[str, Any]] = []
            fresh: dict[RecordRef, Record] = {}
            for ref, record in batch.items():
                row = self._row(record, known.get(ref), now)
                if row is not None:
                    rows.append(row)
                    fresh[ref] = record
            self._put(conn, t.records, rows, keep=("unseen",))
            marks = _Marks()
            self._touch_patients(conn, fresh, known, marks)
            self._touch_appointments(conn, fresh, known, marks, now)
            self._touch_enquiries(conn, fresh, known, marks, now)
            self._touch_entries(conn, fresh, known, marks)
            self._unpark(conn, [ref for ref, record in batch.items() if self._case_of(record)])
            self._park_rejected(conn, rejected, now)
            marks.keys |= self._existing(conn, marks.if_known - marks.keys)
            self._mark(
                conn,
                marks.keys - marks.fenced,
                at=now,
                why="record",
                priority=priority,
                sealed_phones=marks.phones,
            )
            self._mark(conn, marks.fenced, at=now, why="record", priority=priority, fence=True)
            if cursor is not None:
                self._save_position(conn, SOURCE, cursor)
        new = sum(ref not in known for ref in fresh)
        return Taken(
            new=new,
            changed=len(fresh) - new,
            same=len(batch) - len(fresh),
            cases=frozenset(marks.keys | marks.fenced),
        )

    def vanished(self, refs: Iterable[RecordRef], now: datetime) -> int:
        """These are confirmed gone from the MIS: remembered as gone, their cases due. Returns how many were news."""
        return self._set_gone(refs, now, gone=True)

    def returned(self, refs: Iterable[RecordRef], now: datetime) -> int:
        """These are there after all. A record that is read again returns by itself."""
        return self._set_gone(refs, now, gone=False)

    def known_ids(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        """Ids, not gone, of the appointments that start in `since` <= t < `until`, or the enquiries created then. A
        patient has no such instant: all of them.
        """
        query = select(t.records.c.id).where(
            t.records.c.bridge == self._bridge, t.records.c.kind == kind, t.records.c.gone_at.is_(None)
        )
        if kind is not RecordKind.PATIENT:
            query = query.where(t.records.c.at >= since, t.records.c.at < until)
        with self._reading() as conn:
            return frozenset(conn.execute(query).scalars())

    # --- one record ---------------------------------------------------------------------------------------------

    def _known(self, conn: Connection, refs: Iterable[RecordRef]) -> dict[RecordRef, _Known]:
        known: dict[RecordRef, _Known] = {}
        for kind, ids in _by_kind(refs).items():
            query = select(
                t.records.c.id,
                t.records.c.case_key,
                t.records.c.digest,
                t.records.c.kin,
                t.records.c.at,
                t.records.c.gone_at,
            ).where(t.records.c.bridge == self._bridge, t.records.c.kind == kind)
            for row in self._gather(conn, query, t.records.c.id, ids):
                known[RecordRef(kind, row.id)] = _Known(
                    row.case_key, row.digest, row.kin, row.at, row.gone_at is not None
                )
        return known

    def _row(self, record: Record, known: _Known | None, now: datetime) -> dict[str, Any] | None:
        """The row to store, None where the record is as it was."""
        body = encode(record)
        digest = self._box.digest(body)
        if known is not None and known.digest == digest and not known.gone:
            return None
        row: dict[str, Any] = {
            "bridge": self._bridge,
            "kind": ref_of(record).kind,
            "id": record.id,
            "case_key": self._case_of(record),
            "at": None,
            "digest": digest,
            "kin": "",
            "unseen": False,
            "gone_at": None,
            "seen_at": now,
            "body": self._box.seal(body, BODY),
        }
        if isinstance(record, Patient):
            row["kin"] = self._kin(record)
        elif isinstance(record, Appointment):
            row["at"] = record.starts_at
            row["unseen"] = record.cancelled_at is not None
        else:
            row["at"] = record.created_at
        return row

    def _case_of(self, record: Record) -> str:
        """The case that the record belongs to; "" for an enquiry without a phone that could be called back."""
        if isinstance(record, Patient):
            return patient_case(record.id)
        if isinstance(record, Appointment | Entry):
            return patient_case(record.patient_id)
        phone = _first_phone(record)
        return "" if phone is None else PHONE_CASE + self._phone_token(phone.e164)

    def _kin(self, patient: Patient) -> str:
        """Digest of what makes a family: whose phones these are, what they are called, who stands for them."""
        parts = (
            patient.phones,
            patient.surname,
            patient.name,
            patient.patronymic,
            patient.guardian,
            patient.birth_date,
            patient.card_number,
        )
        return self._box.digest(msgspec.json.encode(parts))

    # --- what a batch touches -----------------------------------------------------------------------------------

    def _touch_patients(
        self,
        conn: Connection,
        fresh: Mapping[RecordRef, Record],
        known: Mapping[RecordRef, _Known],
        marks: _Marks,
    ) -> None:
        kin: list[Patient] = []
        for ref, record in fresh.items():
            if not isinstance(record, Patient):
                continue
            marks.keys.add(patient_case(record.id))
            if record.merged_into:
                marks.keys.add(patient_case(record.merged_into))
            before = known.get(ref)
            if before is None or before.kin != self._kin(record):
                kin.append(record)
        if not kin:
            return
        ids = [patient.id for patient in kin]
        tokens = {
            token for of_one in self._phones_of(conn, RecordKind.PATIENT, ids).values() for token in of_one
        }
        self._index_phones(conn, RecordKind.PATIENT, {patient.id: patient.phones for patient in kin})
        self._index_names(conn, kin)
        tokens |= {
            self._phone_token(phone.e164) for patient in kin for phone in patient.phones if links(phone)
        }
        marks.keys |= self._patient_cases_with(conn, tokens)
        marks.if_known |= {PHONE_CASE + token for token in tokens}

    def _touch_appointments(
        self,
        conn: Connection,
        fresh: Mapping[RecordRef, Record],
        known: Mapping[RecordRef, _Known],
        marks: _Marks,
        now: datetime,
    ) -> None:
        moved: dict[RecordRef, tuple[str, str]] = {}
        callers: set[str] = set()
        predecessors: set[str] = set()
        for ref, record in fresh.items():
            if not isinstance(record, Appointment):
                continue
            before = known.get(ref)
            marks.keys.add(patient_case(record.patient_id))
            if before is not None and before.case_key != patient_case(record.patient_id):
                moved[ref] = (before.case_key, patient_case(record.patient_id))
            if record.predecessor_id:
                predecessors.add(record.predecessor_id)
            was = before.at if before is not None else None
            if record.starts_at >= now or (was is not None and was >= now):
                callers.add(record.patient_id)
        query = select(t.records.c.case_key).where(
            t.records.c.bridge == self._bridge, t.records.c.kind == RecordKind.APPOINTMENT
        )
        marks.keys |= {row.case_key for row in self._gather(conn, query, t.records.c.id, predecessors)}
        tokens = {
            token
            for of_one in self._phones_of(conn, RecordKind.PATIENT, callers).values()
            for token in of_one
        }
        marks.if_known |= {PHONE_CASE + token for token in tokens}
        if moved:
            marks.fenced |= {key for pair in moved.values() for key in pair}
            self._move_cards(conn, RecordKind.APPOINTMENT, moved)

    def _touch_enquiries(
        self,
        conn: Connection,
        fresh: Mapping[RecordRef, Record],
        known: Mapping[RecordRef, _Known],
        marks: _Marks,
        now: datetime,
    ) -> None:
        enquiries = {ref: record for ref, record in fresh.items() if isinstance(record, Enquiry)}
        if not enquiries:
            return
        tokens: set[str] = set()
        unreachable: list[RecordRef] = []
        for ref, enquiry in enquiries.items():
            before = known.get(ref)
            if before is not None and before.case_key:
                marks.if_known.add(before.case_key)
            phone = _first_phone(enquiry)
            if phone is None:
                unreachable.append(ref)
                continue
            key = PHONE_CASE + self._phone_token(phone.e164)
            marks.keys.add(key)
            marks.phones[key] = self._box.seal_text(phone.e164, PHONE)
            tokens |= {self._phone_token(each.e164) for each in enquiry.phones if links(each)}
        self._index_phones(
            conn, RecordKind.ENQUIRY, {enquiry.id: enquiry.phones for enquiry in enquiries.values()}
        )
        marks.keys |= self._patient_cases_with(conn, tokens)
        no_phone, fix = text(self.language, "no_phone"), text(self.language, "fix_phone")
        self._park_records(conn, [(ref, no_phone) for ref in unreachable], now, fix=fix)

    def _touch_entries(
        self,
        conn: Connection,
        fresh: Mapping[RecordRef, Record],
        known: Mapping[RecordRef, _Known],
        marks: _Marks,
    ) -> None:
        moved: dict[RecordRef, tuple[str, str]] = {}
        for ref, record in fresh.items():
            if not isinstance(record, Entry):
                continue
            before, owner = known.get(ref), patient_case(record.patient_id)
            marks.keys.add(owner)
            if before is not None and before.case_key != owner:
                moved[ref] = (before.case_key, owner)
        if moved:
            marks.fenced |= {key for pair in moved.values() for key in pair}
            self._move_cards(conn, RecordKind.ENTRY, moved)

    def _move_cards(
        self, conn: Connection, kind: RecordKind, moved: Mapping[RecordRef, tuple[str, str]]
    ) -> None:
        """A card whose records of this kind all belong to one other patient now goes with them; what was planned for it was
        another case's decision, and what is in flight will be settled for the new one.
        """
        query = (
            select(t.members.c.card_key, t.cards.c.case_key)
            .join(t.cards, (t.cards.c.bridge == t.members.c.bridge) & (t.cards.c.key == t.members.c.card_key))
            .where(t.members.c.bridge == self._bridge, t.members.c.kind == kind)
        )
        touched = {
            row.card_key: row.case_key
            for row in self._gather(conn, query, t.members.c.id, [ref.id for ref in moved])
        }
        owners: dict[str, set[str]] = {}
        all_members = (
            select(t.members.c.card_key, t.records.c.case_key)
            .join(
                t.records,
                (t.records.c.bridge == t.members.c.bridge)
                & (t.records.c.kind == t.members.c.kind)
                & (t.records.c.id == t.members.c.id),
            )
            .where(t.members.c.bridge == self._bridge, t.members.c.kind == kind)
        )
        for row in self._gather(conn, all_members, t.members.c.card_key, touched):
            owners.setdefault(row.card_key, set()).add(row.case_key)
        for card_key, old in touched.items():
            if len(owners[card_key]) > 1 or old in owners[card_key]:
                continue
            [new] = owners[card_key]
            conn.execute(
                update(t.cards)
                .where(t.cards.c.bridge == self._bridge, t.cards.c.key == card_key)
                .values(case_key=new)
            )
            of_card = (t.intents.c.bridge == self._bridge, t.intents.c.card_key == card_key)
            conn.execute(
                update(t.intents)
                .where(*of_card, t.intents.c.state.in_([IntentState.PLANNED, IntentState.RETRY]))
                .values(state=IntentState.SUPERSEDED)
            )
            conn.execute(
                update(t.intents)
                .where(
                    *of_card,
                    t.intents.c.state.in_([IntentState.SENDING, IntentState.UNKNOWN, IntentState.PARKED]),
                )
                .values(case_key=new)
            )

    def _set_gone(self, refs: Iterable[RecordRef], now: datetime, *, gone: bool) -> int:
        touched: set[str] = set()
        count = 0
        with self._writing() as conn:
            for kind, ids in _by_kind(refs).items():
                missing = t.records.c.gone_at.is_(None) if gone else t.records.c.gone_at.is_not(None)
                query: Select[Any] = select(t.records.c.id, t.records.c.case_key).where(
                    t.records.c.bridge == self._bridge, t.records.c.kind == kind, missing
                )
                found = {row.id: row.case_key for row in self._gather(conn, query, t.records.c.id, ids)}
                for id_ in found:
                    conn.execute(
                        update(t.records)
                        .where(
                            t.records.c.bridge == self._bridge,
                            t.records.c.kind == kind,
                            t.records.c.id == id_,
                        )
                        .values(gone_at=now if gone else None)
                    )
                count += len(found)
                touched |= {key for key in found.values() if key}
            touched |= self._callers_cases(conn, touched)
            self._mark(conn, touched, at=now, why="vanished" if gone else "returned", priority=Priority.LIVE)
        return count

    def _callers_cases(self, conn: Connection, cases: Iterable[str]) -> set[str]:
        """Cases that share a phone with these patients: their enquiries and leads wait for a visit, and their family
        stands on the same card.
        """
        patients = [patient for key in cases if (patient := patient_of(key))]
        phones = self._phones_of(conn, RecordKind.PATIENT, patients)
        tokens = {token for of_one in phones.values() for token in of_one}
        shared = {PHONE_CASE + token for token in tokens}
        return self._existing(conn, shared) | set(self._patient_cases_with(conn, tokens))

    # --- indexes ------------------------------------------------------------------------------------------------

    def _index_names(self, conn: Connection, patients: Sequence[Patient]) -> None:
        self._remove(conn, t.names, t.names.c.patient_id, [patient.id for patient in patients])
        rows = []
        for patient in patients:
            tokens = {self._box.token("name", key) for key in name_keys(patient)}
            if patient.card_number:
                tokens.add(self._box.token("card", patient.card_number.strip()))
            rows += [
                {"bridge": self._bridge, "patient_id": patient.id, "token": token} for token in sorted(tokens)
            ]
        self._add(conn, t.names, rows)


def _first_phone(enquiry: Enquiry) -> Phone | None:
    return next((phone for phone in enquiry.phones if links(phone)), None)


def _by_kind(refs: Iterable[RecordRef]) -> dict[RecordKind, set[str]]:
    kinds: dict[RecordKind, set[str]] = {}
    for ref in refs:
        kinds.setdefault(ref.kind, set()).add(ref.id)
    return kinds
