"""Whose row is it? Ids where the file has them; else name and telephone, and the birth date where there is one.

A record's id is settled when the record is first seen and never changes: what is learnt later (an id, a birth date,
another telephone) becomes one more alias of it. A telephone alone joins nobody: families share them.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from connectors.helix.rows import Draft, PersonDraft
from connectors.helix.working import Working
from kreslo.records import (
    Appointment,
    Doctor,
    Enquiry,
    Entry,
    Patient,
    Phone,
    PhoneKind,
    RecordKind,
    RecordRef,
)

_BY_ID, _BY_PHONE, _BY_BIRTH, _ADOPTED = "i:", "p:", "b:", "a:"
_MADE_UP = "n-"
"""How an id begins that the MIS did not give."""

TURN = timedelta(days=60)
"""A list that names patients without a date (every day anew, for a month) means one turn of the campaign for so long."""


class UnsureError(ValueError):
    """Two people fit, and nothing in the row tells them apart."""


class _VisitKeys(NamedTuple):
    """What a row's visit is known by: its time, its day; and as what it is kept if nobody knows it yet."""

    time: str
    day: str
    id: str


class Identity:
    """`key`: what tells one record of the file from another's (`ProfileOptions.record_key`)."""

    def __init__(self, working: Working, key: Sequence[str]) -> None:
        self._store = working
        self._key = key
        self._visits: dict[tuple[int, str], _VisitKeys] = {}

    def expect_people(self, drafts: Sequence[Draft]) -> None:
        """Fetches at once what `patient` will ask for."""
        people = [draft.person for draft in drafts if draft.kind is not RecordKind.ENQUIRY]
        keys = [key for person in people for key in _keys(person)]
        keys += [_BY_ID + person.id for person in people if person.id]
        self._store.expect(RecordKind.PATIENT, keys, [_patient_id(person) for person in people])

    def expect_visits(self, drafts: Sequence[tuple[Draft, str]]) -> None:
        """Fetches at once what `appointment` will ask for."""
        visits = [(draft, patient) for draft, patient in drafts if draft.kind is RecordKind.APPOINTMENT]
        known = [self._visit_keys(draft, patient) for draft, patient in visits]
        keys = [self._asked(draft, keys) for (draft, _), keys in zip(visits, known, strict=True)]
        keys += [_BY_ID + draft.id for draft, _ in visits if draft.id]
        self._store.expect(RecordKind.APPOINTMENT, keys, [keys.id for keys in known])

    def patient(self, person: PersonDraft) -> tuple[str, Patient | None]:
        """The patient's id, and what is known of them already. Raises UnsureError."""
        if person.id:
            known = self._store.known_as(RecordKind.PATIENT, [_BY_ID + person.id])
            if known:
                return known[0], self._known(known[0])
        keys = _keys(person)
        patients = {id_: self._known(id_) for id_ in self._store.known_as(RecordKind.PATIENT, keys)}
        fitting = {
            id_: patient
            for id_, patient in patients.items()
            if _may_be(person.birth_date, patient)
            and (not person.id or not self._has_id(RecordKind.PATIENT, id_))
        }
        exact = {
            id_: patient
            for id_, patient in fitting.items()
            if patient is not None
            and person.birth_date is not None
            and patient.birth_date == person.birth_date
        }
        found = exact or fitting
        if len(found) > 1 and not person.id:
            raise UnsureError(
                "два пациента с таким именем и телефоном, и ничто в строке их не различает: нужна дата рождения или код"
            )
        if len(found) == 1:
            return next(iter(found.items()))
        id_ = _patient_id(person)
        return id_, self._known(id_)

    def learn(self, id_: str, person: PersonDraft) -> None:
        """Whatever this row knows the patient by, they are known by from now on."""
        self._store.call(RecordKind.PATIENT, id_, [*_keys(person), *_own_keys(id_, person.id)])

    def appointment(self, draft: Draft, patient: str) -> tuple[str, Appointment | None]:
        """The appointment's id by the first part of the key that the row can be told by, and what is known of it. Raises
        UnsureError.
        """
        if draft.id:
            known = self._store.known_as(RecordKind.APPOINTMENT, [_BY_ID + draft.id])
            if known:
                return known[0], self._visit(known[0])
        found = self._by_key(draft, patient)
        if found is not None:
            return found, self._visit(found)
        id_ = self._visit_keys(draft, patient).id
        return id_, self._visit(id_)

    def learn_visit(self, id_: str, draft: Draft, patient: str) -> None:
        known = self._visit_keys(draft, patient)
        self._store.call(RecordKind.APPOINTMENT, id_, [known.time, known.day, *_own_keys(id_, draft.id)])

    def _visit_keys(self, draft: Draft, patient: str) -> _VisitKeys:
        keys = self._visits.get((draft.number, patient))
        if keys is None:
            time, day = draft.fields["starts_at"].isoformat(), draft.day.isoformat() if draft.day else ""
            doctor: Doctor | None = draft.fields.get("doctor")
            parts = [day if draft.day and "date" in self._key else time]
            if "doctor" in self._key and doctor is not None:
                parts.append(doctor.id)
            keys = self._visits[draft.number, patient] = _VisitKeys(
                f"t:{_hash(patient, time)}",
                f"d:{_hash(patient, day)}",
                draft.id or _MADE_UP + _hash("visit", patient, *parts),
            )
        return keys

    def _by_day(self, draft: Draft) -> bool:
        return "date" in self._key or not draft.timed

    def _asked(self, draft: Draft, keys: _VisitKeys) -> str:
        return keys.day if self._by_day(draft) else keys.time

    def enquiry(self, draft: Draft) -> tuple[str, Enquiry | None]:
        """An enquiry is told by its id, else by its first telephone and the instant, where the file has one."""
        if draft.id:
            id_ = draft.id
        else:
            created: datetime | None = draft.fields.get("created_at")
            parts = [draft.person.phones[0].e164] if "phone" in self._key else []
            if "created_at" in self._key and created is not None:
                parts.append(created.isoformat())
            id_ = _MADE_UP + _hash("enquiry", *parts)
        record = self._store.get(RecordRef(RecordKind.ENQUIRY, id_))
        return id_, record if isinstance(record, Enquiry) else None

    def entry(self, draft: Draft, patient: str, *, written: datetime) -> tuple[str, Entry | None]:
        """A line of a campaign's list is told by its id, else by patient, visit and mark: another recommendation for the
        same visit is another entry. Where no visit is named, by patient and mark, for one turn. `written`: when the
        file was.
        """
        campaign: str = draft.fields["campaign"]
        starts_at: datetime | None = draft.fields.get("starts_at")
        parts = ["entry", campaign, patient, draft.fields.get("mark", "").casefold()]
        if draft.id:
            id_ = f"{campaign}-{draft.id}"
        elif starts_at is not None:
            id_ = _MADE_UP + _hash(*parts, starts_at.isoformat())
        else:
            key = f"l:{_hash(*parts)}"
            known = [self._listed(id_) for id_ in self._store.known_as(RecordKind.ENTRY, [key])]
            turn = [each for each in known if each and abs(written - each.created_at) < TURN]
            if turn:
                return turn[-1].id, turn[-1]
            id_ = _MADE_UP + _hash(*parts, written.date().isoformat())
            self._store.call(RecordKind.ENTRY, id_, [key])
        return id_, self._listed(id_)

    def _listed(self, id_: str) -> Entry | None:
        record = self._store.get(RecordRef(RecordKind.ENTRY, id_))
        return record if isinstance(record, Entry) else None

    def _by_key(self, draft: Draft, patient: str) -> str | None:
        by_day = self._by_day(draft)
        if not by_day and "starts_at" not in self._key:
            return None
        asked = self._asked(draft, self._visit_keys(draft, patient))
        found = self._store.known_as(RecordKind.APPOINTMENT, [asked])
        if draft.id:
            # A visit that has another id already is another visit.
            found = [id_ for id_ in found if not self._has_id(RecordKind.APPOINTMENT, id_)]
        visits = {id_: visit for id_ in found if (visit := self._visit(id_)) is not None}
        if by_day:
            visits = {id_: visit for id_, visit in visits.items() if visit.cancelled_at is None} or visits
        else:
            # An alias outlives a move: only a visit that still starts then is meant.
            visits = {
                id_: visit for id_, visit in visits.items() if visit.starts_at == draft.fields["starts_at"]
            }
        doctor: Doctor | None = draft.fields.get("doctor")
        if doctor is not None and (len(visits) > 1 or "doctor" in self._key):
            visits = {id_: visit for id_, visit in visits.items() if _same_doctor(visit.doctor, doctor)}
        if len(visits) > 1:
            raise UnsureError("два приёма этого пациента подходят к строке: нужны время или код записи")
        return next(iter(visits), None)

    def _known(self, id_: str) -> Patient | None:
        record = self._store.get(RecordRef(RecordKind.PATIENT, id_))
        return record if isinstance(record, Patient) else None

    def _visit(self, id_: str) -> Appointment | None:
        record = self._store.get(RecordRef(RecordKind.APPOINTMENT, id_))
        return record if isinstance(record, Appointment) else None

    def _has_id(self, kind: RecordKind, id_: str) -> bool:
        """Whether the MIS's own id of this record is known."""
        return not id_.startswith(_MADE_UP) or bool(self._store.known_as(kind, [_ADOPTED + id_]))


def _own_keys(id_: str, given: str) -> list[str]:
    """Of the MIS's own id, "" where the row has none; a record that was known without it is adopted."""
    return [_BY_ID + given, *([_ADOPTED + id_] if id_.startswith(_MADE_UP) else [])] if given else []


def _keys(person: PersonDraft) -> list[str]:
    """What a person without an id is known by: the name with each telephone that is a person's; without any, the name
    with the birth date.
    """
    if person.keys is None:
        person.keys = _made_keys(person)
    return person.keys


def _made_keys(person: PersonDraft) -> list[str]:
    name = person.key
    if not name:
        return []
    numbers = [phone.e164 for phone in person.phones if _is_own(phone)]
    if numbers:
        return [_BY_PHONE + _hash(name, number) for number in numbers]
    if person.birth_date is None:
        return []
    return [_BY_BIRTH + _hash(name, person.birth_date.isoformat())]


def _is_own(phone: Phone) -> bool:
    return phone.kind is not PhoneKind.TOLL_FREE


def _may_be(born: date | None, patient: Patient | None) -> bool:
    return patient is None or born is None or patient.birth_date is None or patient.birth_date == born


def _patient_id(person: PersonDraft) -> str:
    """As who a person is kept whom nobody knows yet."""
    born = person.birth_date
    return person.id or _MADE_UP + _hash("patient", _keys(person)[0], born.isoformat() if born else "")


def _same_doctor(one: Doctor | None, other: Doctor) -> bool:
    """One file has the surname alone, the other the whole name."""
    if one is None or one.id == other.id:
        return True
    a, b = one.name.casefold().split(), other.name.casefold().split()
    return bool(a and b and a[0] == b[0])


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
