"""Rows of the datasets as records. A row that cannot be read raises ValueError with a reason for a person."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog

from connectors.ident.bills import NO_BILL, Bill
from connectors.ident.options import BranchOptions, IdentOptions
from connectors.ident.values import Row, flag, full_name, local, money, reference, text
from kreslo.connectors.seams import Clock
from kreslo.records import RECALL, Appointment, Branch, Doctor, Enquiry, Entry, Patient, Phone, Sex
from kreslo.records.dates import parse_birth_date
from kreslo.records.names import tidy_name
from kreslo.records.phones import parse_phones

log = structlog.get_logger(__name__)

Read = TypeVar("Read")
Names = Mapping[str, str]

_SEX = {"м": Sex.MALE, "муж": Sex.MALE, "мужской": Sex.MALE, "m": Sex.MALE, "male": Sex.MALE}
_SEX |= {"ж": Sex.FEMALE, "жен": Sex.FEMALE, "женский": Sex.FEMALE, "f": Sex.FEMALE, "female": Sex.FEMALE}
_NO_BRANCH = BranchOptions()


class Rows:
    """The reader of rows for one clinic: its zones, area codes and texts of reasons."""

    def __init__(self, options: IdentOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._zone = ZoneInfo(options.timezone)
        self._zones = {
            id_: ZoneInfo(branch.timezone) for id_, branch in options.branches.items() if branch.timezone
        }
        self._area_code = options.area_code()

    def zone(self, branch_id: str) -> ZoneInfo:
        return self._zones.get(branch_id, self._zone)

    def zones(self) -> list[ZoneInfo]:
        """Every zone in which a clock of the clinic may stand."""
        return [self._zone, *self._zones.values()]

    def patient(self, row: Row, sources: Names) -> Patient:
        id_ = reference(row["patient_id"])
        return Patient(
            id=id_,
            surname=tidy_name(text(row.get("surname"))),
            name=tidy_name(text(row.get("name"))),
            patronymic=tidy_name(text(row.get("patronymic"))),
            phones=self._phones(row, "phone_mobile", "phone_other"),
            email=text(row.get("email")),
            birth_date=self._birth_date(row.get("birth_date_raw"), id_),
            sex=_SEX.get(text(row.get("sex_raw")).lower().rstrip(".")),
            address=text(row.get("address")),
            card_number=text(row.get("card_number")),
            guardian=tidy_name(text(row.get("parent_name"))),
            policy=text(row.get("policy")),
            source=_named(row, "info_source", "source_id", sources),
            comment=text(row.get("comment")),
            messages_refused=_refused(_of(row, "sms_opt_out", flag), _of(row, "marketing_consent", flag)),
            processing_refused=bool(_of(row, "processing_refused", flag)),
            archived=bool(_of(row, "is_archived", flag)),
            merged_into=_of(row, "merged_into_id", reference),
            changed_at=_of(row, "changed_at", lambda value: local(value, self._zone)),
        )

    def appointment(self, row: Row, bill: Bill = NO_BILL, *, reasons: Names, sources: Names) -> Appointment:
        branch = self._branch(row)
        zone = self.zone(branch.id if branch else "")

        def instant(name: str) -> datetime | None:
            return None if row.get(name) is None else _of(row, name, lambda value: local(value, zone))

        starts_at = instant("start_local")
        if starts_at is None:
            raise ValueError("start_local is empty: the appointment has no time")
        created_at, changed_at = instant("created_at"), instant("changed_at")
        cancelled_at = instant("cancelled_at")
        reason = _named(row, "cancel_reason", "cancel_reason_id", reasons)
        if reason and cancelled_at is None:
            # A reason alone means a cancelled appointment in iDent; when is known only roughly.
            cancelled_at = changed_at or created_at or starts_at
        amount, insurance = _of(row, "amount_total", money), _of(row, "insurance_amount", money)
        insured = _of(row, "is_insurance", flag)
        return Appointment(
            id=reference(row["appointment_id"]),
            patient_id=_of(row, "patient_id", reference),
            starts_at=starts_at,
            ends_at=instant("end_local"),
            created_at=created_at,
            changed_at=changed_at,
            doctor=_doctor(row),
            branch=branch,
            room=text(row.get("room")),
            registrar=full_name(row, "registrar"),
            appeared_at=instant("appeared_at"),
            started_at=instant("started_at"),
            ended_at=instant("ended_at"),
            billed_at=instant("billed_at"),
            cancelled_at=cancelled_at,
            cancel_reason=reason,
            cancel_comment=text(row.get("cancel_comment")),
            confirmed_at=instant("confirmed_at"),
            notified_at=instant("notified_at"),
            predecessor_id=_of(row, "transferred_from_id", reference),
            source=_named(row, "source_name", "source_id", sources),
            amount=bill.amount if amount is None else amount,
            insurance_amount=bill.insurance_amount if insurance is None else insurance,
            insured=bill.insured if insured is None else insured,
            comment=text(row.get("comment")),
            services=bill.services,
        )

    def enquiry(self, row: Row) -> Enquiry:
        created_at = _of(row, "created_at", lambda value: local(value, self._zone))
        if created_at is None:
            raise ValueError("created_at is empty: the enquiry has no time")
        return Enquiry(
            id=reference(row["enquiry_id"]),
            created_at=created_at,
            phones=self._phones(row, "phone"),
            name=tidy_name(text(row.get("name"))),
            result=text(row.get("result")),
            source=text(row.get("source")),
            changed_at=_of(row, "changed_at", lambda value: local(value, self._zone)),
        )

    def recall(self, row: Row) -> Entry:
        branch = self._branch(row)
        zone = self.zone(branch.id if branch else "")
        created_at = _of(row, "created_at", lambda value: local(value, zone))
        if created_at is None:
            raise ValueError("created_at is empty: the recall has no time")
        changed_at = _of(row, "changed_at", lambda value: local(value, zone))
        closed = bool(_of(row, "is_closed", flag))
        return Entry(
            id=reference(row["recall_id"]),
            patient_id=_of(row, "patient_id", reference),
            campaign=RECALL,
            created_at=created_at,
            changed_at=changed_at,
            # iDent does not say when; its last change is when at the latest.
            closed_at=(changed_at or created_at) if closed else None,
            doctor=_doctor(row),
            branch=branch,
            comment=text(row.get("comment")),
        )

    def _phones(self, row: Row, *columns: str) -> tuple[Phone, ...]:
        """Numbers of all cells, each once, in their order: a cell may hold several, and words."""
        found: dict[str, Phone] = {}
        for column in columns:
            for phone in parse_phones(text(row.get(column)), area_code=self._area_code):
                found.setdefault(phone.e164, phone)
        return tuple(found.values())

    def _birth_date(self, value: Any, patient: str) -> date | None:
        """The date, or None with a warning: a wrong one must not hold up the patient."""
        if isinstance(value, datetime):
            value = value.date()
        today = self._clock.now().astimezone(self._zone).date()
        try:
            return parse_birth_date(text(value), today=today)
        except ValueError as error:
            log.warning("ident.birth_date_left_out", patient=patient, reason=str(error))
            return None

    def _branch(self, row: Row) -> Branch | None:
        id_ = _of(row, "branch_id", reference)
        if not id_:
            return None
        known = self._options.branches.get(id_, _NO_BRANCH)
        return Branch(
            id=id_,
            name=known.name or text(row.get("branch_name")),
            address=known.address,
            timezone=known.timezone,
        )


def _doctor(row: Row) -> Doctor | None:
    id_ = _of(row, "doctor_id", reference)
    if not id_:
        return None
    return Doctor(id=id_, name=full_name(row, "doctor"), specialty=text(row.get("doctor_specialty")))


def _named(row: Row, name: str, id_: str, names: Names) -> str:
    """The text itself; else what the dictionary says for the id; else the id."""
    if own := text(row.get(name)):
        return own
    known = _of(row, id_, reference)
    return names.get(known, known)


def _refused(opt_out: bool | None, consent: bool | None) -> bool:
    """A refusal of SMS decides. Where it is not recorded either way, a consent that is recorded as not given counts
    as a refusal; nothing recorded at all does not.
    """
    return consent is False if opt_out is None else opt_out


def _of(row: Row, name: str, read: Callable[[Any], Read]) -> Read:
    """A cell read, with the column's name before the reason where it cannot be."""
    try:
        return read(row.get(name))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
