"""A row's draft laid over what is known: a file changes only what it has columns for."""

from datetime import datetime

import msgspec

from connectors.helix.rows import Draft, PersonDraft
from kreslo.records import Appointment, Enquiry, Entry, Patient

ABSENT = "Нет в новом файле"
"""The cancel reason of a visit that a newer snapshot no longer has."""


def patient(id_: str, known: Patient | None, person: PersonDraft, *, own: bool) -> Patient:
    """`own`: the row is of a file of patients, whose word counts; another file fills in what is not known."""
    before = known or Patient(id=id_)
    new = {
        "surname": person.surname,
        "name": person.name,
        "patronymic": person.patronymic,
        "phones": person.phones,
        "birth_date": person.birth_date,
    }
    # An empty cell of these takes nothing away: the record would lose what it is known by.
    changes = {name: value for name, value in new.items() if value and (own or not getattr(before, name))}
    if not own and before.phones and person.phones and not set(before.phones) & set(person.phones):
        # Known by id, with a new telephone: the newest is called first, the old ones stay.
        changes["phones"] = (*person.phones, *before.phones)
    changes |= {
        name: value for name, value in person.fields.items() if own or (value and not getattr(before, name))
    }
    return msgspec.structs.replace(before, **changes)


def appointment(
    id_: str, known: Appointment | None, draft: Draft, *, patient_id: str, now: datetime
) -> Appointment:
    """`now` dates what the file only says without an instant: a cancel, a confirmation."""
    before = known or Appointment(id=id_, patient_id=patient_id, starts_at=draft.fields["starts_at"])
    changes = dict(draft.fields)
    if not draft.timed and before.starts_at.date() == draft.fields["starts_at"].date() and known is not None:
        del changes["starts_at"]  # the file says the day only, and the hour is known
    if "doctor" in changes and changes["doctor"] is not None and before.doctor is not None:
        given = changes["doctor"]
        if len(given.name) < len(before.doctor.name) and before.doctor.name.startswith(given.name):
            changes["doctor"] = before.doctor  # the surname alone, and the whole name is known
        elif not given.specialty and given.id == before.doctor.id:
            changes["doctor"] = before.doctor
    record = msgspec.structs.replace(before, **changes, patient_id=patient_id)
    return _with_fact(record, draft.fact, now)


def cancelled(record: Appointment, now: datetime) -> Appointment:
    return msgspec.structs.replace(record, cancelled_at=now, cancel_reason=ABSENT)


def enquiry(id_: str, known: Enquiry | None, draft: Draft, *, written: datetime) -> Enquiry:
    """`written`: when the file was, for a file that does not say when people asked."""
    if known is None:
        known = Enquiry(id=id_, created_at=draft.fields.get("created_at", written))
    return msgspec.structs.replace(known, **draft.fields, phones=draft.person.phones)


def entry(id_: str, known: Entry | None, draft: Draft, *, patient_id: str, written: datetime) -> Entry:
    """`written`: when the file was, for a file that does not say when the line was made."""
    if known is None:
        known = Entry(
            id=id_,
            patient_id=patient_id,
            campaign=draft.fields["campaign"],
            created_at=draft.fields.get("created_at", written),
        )
    return msgspec.structs.replace(known, **draft.fields, patient_id=patient_id)


def _with_fact(record: Appointment, fact: str, now: datetime) -> Appointment:
    """The facts of a status. What a row says is true now: a visit in a file of visits is not cancelled any more."""
    change: dict[str, datetime | str | None] = {}
    if fact in {"cancelled", "moved"}:
        if record.cancelled_at is None:
            change["cancelled_at"] = now
        if fact == "moved" and not record.cancel_reason:
            change["cancel_reason"] = "Перенос"
        return msgspec.structs.replace(record, **change)
    if record.cancelled_at is not None:
        change |= {"cancelled_at": None, "cancel_reason": ""}
    if fact == "completed":
        # A file of completed visits says that they took place, not when they ended.
        change["ended_at"] = record.ends_at or record.starts_at
    elif fact == "arrived" and record.appeared_at is None:
        change["appeared_at"] = now
    elif fact == "confirmed" and record.confirmed_at is None:
        change["confirmed_at"] = now
    return msgspec.structs.replace(record, **change) if change else record
