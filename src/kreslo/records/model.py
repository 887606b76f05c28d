"""The canonical records. FHIR's words where it has them.

All of them are frozen. Instants are aware datetimes in UTC (a source knows its branches' time zones and
converts); dates are dates; money is Decimal roubles. An empty text is "", never None; None means "not known".
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Sex(StrEnum):
    MALE = "male"
    FEMALE = "female"


class PhoneKind(StrEnum):
    MOBILE = "mobile"
    FIXED = "fixed"
    TOLL_FREE = "toll_free"
    OTHER = "other"


class RecordKind(StrEnum):
    PATIENT = "patient"
    APPOINTMENT = "appointment"
    ENQUIRY = "enquiry"
    ENTRY = "entry"


class Phone(msgspec.Struct, frozen=True):
    """One telephone number. `e164` is the key (`+79001234567`); `extension` is never part of it."""

    e164: str
    kind: PhoneKind = PhoneKind.OTHER
    extension: str = ""


class Doctor(msgspec.Struct, frozen=True):
    id: str
    name: str = ""  # full name, as the MIS has it
    specialty: str = ""


class Branch(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    address: str = ""
    timezone: str = ""  # IANA name; "" means the source's own


class Patient(msgspec.Struct, frozen=True, kw_only=True, tag="patient"):
    """A person the clinic treats. `id` is the MIS's own and is the identity; the phone never is."""

    id: str
    surname: str = ""
    name: str = ""
    patronymic: str = ""
    phones: tuple[Phone, ...] = ()
    email: str = ""
    birth_date: date | None = None
    sex: Sex | None = None
    address: str = ""
    card_number: str = ""
    guardian: str = ""  # the representative's full name, as the MIS has it
    policy: str = ""  # insurance policy number: class "documents", see mapping.vocabulary
    source: str = ""  # how they heard of the clinic
    comment: str = ""
    messages_refused: bool = False
    processing_refused: bool = False
    archived: bool = False
    merged_into: str = ""  # id of the surviving patient, where the MIS merged two
    changed_at: datetime | None = None


class Appointment(msgspec.Struct, frozen=True, kw_only=True, tag="appointment"):
    """A booked or walked-in visit. The MIS stores facts (instants); the status is derived from them."""

    id: str
    patient_id: str
    starts_at: datetime
    ends_at: datetime | None = None
    created_at: datetime | None = None  # when the clinic entered it
    changed_at: datetime | None = None
    doctor: Doctor | None = None
    branch: Branch | None = None
    room: str = ""
    registrar: str = ""
    appeared_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    billed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str = ""
    cancel_comment: str = ""
    confirmed_at: datetime | None = None
    notified_at: datetime | None = None
    predecessor_id: str = ""  # the appointment that this one was moved from
    source: str = ""
    amount: Decimal | None = None
    insurance_amount: Decimal | None = None
    insured: bool | None = None  # the MIS's own flag, None where it has none
    comment: str = ""
    services: tuple[str, ...] = ()


class Enquiry(msgspec.Struct, frozen=True, kw_only=True, tag="enquiry"):
    """Somebody asked and was not booked (yet)."""

    id: str
    created_at: datetime
    phones: tuple[Phone, ...] = ()
    name: str = ""
    result: str = ""
    source: str = ""
    changed_at: datetime | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag="entry"):
    """The MIS names a patient for something besides a visit: a line of a campaign's list (recommendations, NPS), or an
    invitation planned for later. `campaign`: which list, `RECALL` for invitations. `created_at`: when the MIS wrote it
    down. `starts_at`, `ends_at`: of the visit that it speaks of, None where it speaks of none; a visit long ago makes
    the entry an old one. `closed_at`: when the MIS called it done (booked, or given up).
    """

    id: str
    patient_id: str
    campaign: str
    created_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    closed_at: datetime | None = None
    changed_at: datetime | None = None
    doctor: Doctor | None = None
    branch: Branch | None = None
    mark: str = ""  # what the doctor noted for it: which recommendation
    services: tuple[str, ...] = ()
    source: str = ""
    comment: str = ""


RECALL = "recall"
"""The list of the MIS's own invitations («пригласить позже»)."""

Record = Patient | Appointment | Enquiry | Entry


class RecordRef(msgspec.Struct, frozen=True, order=True):
    """Which record: `RecordRef("appointment", "778")`."""

    kind: RecordKind
    id: str

    def key(self, source_id: str) -> str:
        """The external key that stands in the CRM: `<source id>/<kind>/<id>`."""
        return f"{source_id}/{self.kind}/{self.id}"


def kind_of(record: Record) -> RecordKind:
    return _KINDS[type(record)]


def ref_of(record: Record) -> RecordRef:
    return RecordRef(kind_of(record), record.id)


_KINDS: dict[type, RecordKind] = {
    Patient: RecordKind.PATIENT,
    Appointment: RecordKind.APPOINTMENT,
    Enquiry: RecordKind.ENQUIRY,
    Entry: RecordKind.ENTRY,
}
