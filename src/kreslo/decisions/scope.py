"""What a mapping's expressions see of a case. The names are those of `kreslo.mapping.vocabulary`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from kreslo.decisions.case import Case
from kreslo.decisions.texts import KINDS
from kreslo.mapping.model import Bridge, Phase
from kreslo.records import Appointment, Branch, Doctor, Enquiry, Entry, Patient
from kreslo.records.dates import age
from kreslo.records.names import short_name


def patient_scope(
    case: Case, completed: Sequence[Appointment], *, now: datetime, bridge: Bridge
) -> dict[str, Any]:
    """`patient.…`; `completed`: the visits that took place, in order of time."""
    patient = case.patient
    if patient is None:
        return {}
    first = completed[0].starts_at if completed else None
    last = completed[-1].starts_at if completed else None
    return {
        "id": patient.id,
        "surname": patient.surname,
        "name": patient.name,
        "patronymic": patient.patronymic,
        "full_name": full_name(patient),
        "short_name": short_name(patient.surname, patient.name, patient.patronymic),
        "phones": tuple(phone.e164 for phone in patient.phones),
        "phone": patient.phones[0].e164 if patient.phones else "",
        "email": patient.email,
        "birth_date": patient.birth_date,
        "age": age(patient.birth_date, now.astimezone(bridge.zone).date()) if patient.birth_date else None,
        "sex": patient.sex.value if patient.sex else "",
        "address": patient.address,
        "card_number": patient.card_number,
        "guardian": patient.guardian,
        "policy": patient.policy,
        "source": patient.source,
        "comment": patient.comment,
        "messages_refused": patient.messages_refused,
        "archived": patient.archived,
        "doctors": tuple(dict.fromkeys(a.doctor.name for a in completed if a.doctor and a.doctor.name)),
        "family": ", ".join(full_name(member) for member in case.family),
        "first_visit_at": local(first, bridge.zone),
        "last_visit_at": local(last, bridge.zone),
        "visits": len(completed),
        "primary": not completed,
    }


def appointment_scope(
    appointment: Appointment,
    phase: Phase,
    bridge: Bridge,
    *,
    primary: bool,
    insured: bool | None,
    moves: int,
) -> dict[str, Any]:
    """`appointment.…`, `next_visit.…`, `last_visit.…`. Instants are local to the appointment's branch."""
    zone = zone_of(appointment, bridge)
    return {
        "id": appointment.id,
        "starts_at": local(appointment.starts_at, zone),
        "ends_at": local(appointment.ends_at, zone),
        "created_at": local(appointment.created_at, zone),
        "appeared_at": local(appointment.appeared_at, zone),
        "started_at": local(appointment.started_at, zone),
        "ended_at": local(appointment.ended_at, zone),
        "billed_at": local(appointment.billed_at, zone),
        "cancelled_at": local(appointment.cancelled_at, zone),
        "cancel_reason": appointment.cancel_reason,
        "cancel_comment": appointment.cancel_comment,
        "doctor": _doctor(appointment.doctor),
        "branch": _branch(appointment.branch),
        "room": appointment.room,
        "registrar": appointment.registrar,
        "source": appointment.source,
        "amount": appointment.amount,
        "insurance_amount": appointment.insurance_amount,
        "insured": insured,
        "status": _status_word(phase),
        "primary": primary,
        "kind": KINDS[bridge.language][primary],
        "comment": appointment.comment,
        "services": appointment.services,
        "moves": moves,
    }


def enquiry_scope(enquiries: Sequence[Enquiry], phone: str, bridge: Bridge) -> dict[str, Any]:
    """`enquiry.…` of the last of a phone's enquiries; the name is the last one that was given."""
    last = enquiries[-1]
    return {
        "id": last.id,
        "created_at": local(last.created_at, bridge.zone),
        "name": next((each.name for each in reversed(enquiries) if each.name), ""),
        "phone": phone,
        "result": last.result,
        "source": last.source,
        "count": len(enquiries),
    }


def entry_scope(entry: Entry, bridge: Bridge, *, ahead: bool) -> dict[str, Any]:
    """`entry.…`. `ahead`: the visit that it speaks of has not ended yet."""
    zone = zone_of(entry, bridge)
    return {
        "id": entry.id,
        "created_at": local(entry.created_at, zone),
        "starts_at": local(entry.starts_at, zone),
        "ends_at": local(entry.ends_at, zone),
        "ahead": ahead,
        "closed": entry.closed_at is not None,
        "doctor": _doctor(entry.doctor),
        "branch": _branch(entry.branch),
        "mark": entry.mark,
        "services": entry.services,
        "source": entry.source,
        "comment": entry.comment,
    }


def zone_of(record: Appointment | Entry, bridge: Bridge) -> ZoneInfo:
    if record.branch and record.branch.timezone:
        return ZoneInfo(record.branch.timezone)
    return bridge.zone


def local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.astimezone(zone) if moment else None


def full_name(patient: Patient) -> str:
    return " ".join(each for each in (patient.surname, patient.name, patient.patronymic) if each)


def _doctor(doctor: Doctor | None) -> dict[str, str]:
    if doctor is None:
        return {"id": "", "name": "", "short_name": "", "specialty": ""}
    parts = [*doctor.name.split(), "", "", ""]
    return {
        "id": doctor.id,
        "name": doctor.name,
        "short_name": short_name(parts[0], parts[1], parts[2]),
        "specialty": doctor.specialty,
    }


def _branch(branch: Branch | None) -> dict[str, str]:
    if branch is None:
        return {"id": "", "name": "", "address": ""}
    return {"id": branch.id, "name": branch.name, "address": branch.address}


def _status_word(phase: Phase) -> str:
    """The status without the clock's shades: tomorrow and today are upcoming."""
    return (Phase.UPCOMING if phase in {Phase.TOMORROW, Phase.TODAY} else phase).value
