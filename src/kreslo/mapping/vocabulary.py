"""The scope that expressions see, declared once: every name, its type, and how private it is.

`kreslo.decisions.scope` fills it. What is not named here does not leave the house. An absent value is None (a text of
a record that is there is ""). Instants are in the time zone of the visit's branch.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from kreslo.connectors.model import FieldType


class Privacy(StrEnum):
    """Identity and logistics may leave; health and documents only with `basis:`, the legal ground."""

    IDENTITY = "identity"
    LOGISTICS = "logistics"
    HEALTH = "health"
    DOCUMENTS = "documents"

    @property
    def guarded(self) -> bool:
        return self in {Privacy.HEALTH, Privacy.DOCUMENTS}


class Word(msgspec.Struct, frozen=True):
    """One name. `many`: a tuple of texts. `meaning`: for the reference and the error messages."""

    path: str
    type: FieldType
    privacy: Privacy
    meaning: str
    many: bool = False


class Place(StrEnum):
    """Where in a mapping an expression stands; it decides which roots it sees."""

    CONTACT = "contact"
    APPOINTMENT = "appointment"
    ENQUIRY = "enquiry"
    ENTRY = "entry"


ROOTS: dict[Place, tuple[str, ...]] = {
    Place.CONTACT: ("patient", "next_visit", "last_visit"),
    Place.APPOINTMENT: ("appointment", "patient", "next_visit", "last_visit"),
    Place.ENQUIRY: ("enquiry",),
    Place.ENTRY: ("entry", "patient", "next_visit", "last_visit"),
}

_T, _D, _M, _B, _N = FieldType.TEXT, FieldType.DATE, FieldType.DATETIME, FieldType.BOOLEAN, FieldType.NUMBER
_ID, _LOG, _HEALTH, _DOC = Privacy.IDENTITY, Privacy.LOGISTICS, Privacy.HEALTH, Privacy.DOCUMENTS

_PATIENT = (
    Word("id", _T, _ID, "the patient's id in the MIS"),
    Word("surname", _T, _ID, "surname"),
    Word("name", _T, _ID, "given name"),
    Word("patronymic", _T, _ID, "patronymic"),
    Word("full_name", _T, _ID, "surname, name and patronymic"),
    Word("short_name", _T, _ID, "surname and initials: Иванов И. И."),
    Word("phones", FieldType.PHONE, _ID, "all phones, E.164", many=True),
    Word("phone", _T, _ID, "the first phone, E.164"),
    Word("email", FieldType.EMAIL, _ID, "e-mail address"),
    Word("birth_date", _D, _ID, "date of birth"),
    Word("age", _N, _ID, "full years today"),
    Word("sex", _T, _ID, '"male", "female" or ""'),
    Word("address", _T, _ID, "postal address"),
    Word("card_number", _T, _ID, "number of the medical card"),
    Word("guardian", _T, _ID, "the representative's full name"),
    Word("policy", _T, _DOC, "number of the insurance policy"),
    Word("source", _T, _LOG, "how they heard of the clinic"),
    Word("comment", _T, _HEALTH, "the registrar's comment on the patient"),
    Word("messages_refused", _B, _LOG, "the patient refused messages"),
    Word("archived", _B, _LOG, "archived in the MIS"),
    Word("doctors", _T, _LOG, "names of all doctors seen over all time", many=True),
    Word("family", _T, _ID, "names of family members who are patients too"),
    Word("first_visit_at", _M, _LOG, "start of the first completed visit"),
    Word("last_visit_at", _M, _LOG, "start of the last completed visit"),
    Word("visits", _N, _LOG, "how many visits were completed"),
    Word("primary", _B, _LOG, "no visit was completed yet"),
)

_VISIT = (
    Word("id", _T, _LOG, "the appointment's id in the MIS"),
    Word("starts_at", _M, _LOG, "planned start"),
    Word("ends_at", _M, _LOG, "planned end"),
    Word("created_at", _M, _LOG, "when the clinic entered it"),
    Word("appeared_at", _M, _LOG, "when the patient came in"),
    Word("started_at", _M, _LOG, "when the reception began"),
    Word("ended_at", _M, _LOG, "when the reception ended"),
    Word("billed_at", _M, _LOG, "when the bill was issued"),
    Word("cancelled_at", _M, _LOG, "when it was cancelled"),
    Word("cancel_reason", _T, _LOG, "reason of the cancellation"),
    Word("cancel_comment", _T, _HEALTH, "comment on the cancellation"),
    Word("doctor.id", _T, _LOG, "the doctor's id in the MIS"),
    Word("doctor.name", _T, _LOG, "the doctor's full name"),
    Word("doctor.short_name", _T, _LOG, "the doctor's surname and initials"),
    Word("doctor.specialty", _T, _HEALTH, "the doctor's specialty"),
    Word("branch.id", _T, _LOG, "the branch's id in the MIS"),
    Word("branch.name", _T, _LOG, "the branch's name"),
    Word("branch.address", _T, _LOG, "the branch's address"),
    Word("room", _T, _LOG, "room or chair"),
    Word("registrar", _T, _LOG, "who entered it"),
    Word("source", _T, _LOG, "the source of this booking"),
    Word("amount", FieldType.MONEY, _LOG, "sum of the visit, roubles"),
    Word("insurance_amount", FieldType.MONEY, _LOG, "what the insurer pays of it, roubles"),
    Word("insured", _B, _LOG, "paid by an insurer: the MIS's flag, or what `insured:` says"),
    Word(
        "status",
        _T,
        _LOG,
        '"upcoming", "confirmed", "arrived", "completed", "cancelled", "rescheduled" or "no_show"',
    ),
    Word("primary", _B, _LOG, "the patient's first visit, or the first after `primary_after`"),
    Word("kind", _T, _LOG, "первичный or повторный, from `primary`"),
    Word("comment", _T, _HEALTH, "the registrar's comment on the visit"),
    Word("services", _T, _HEALTH, "names of the services", many=True),
    Word("moves", _N, _LOG, "how many times it was moved"),
)

_ENQUIRY = (
    Word("id", _T, _LOG, "the last enquiry's id in the MIS"),
    Word("created_at", _M, _LOG, "when it came"),
    Word("name", _T, _ID, "the caller's name, as given"),
    Word("phone", _T, _ID, "the caller's phone, E.164"),
    Word("result", _T, _LOG, "what came of it, as the MIS has it"),
    Word("source", _T, _LOG, "where it came from"),
    Word("count", _N, _LOG, "how many enquiries this phone made"),
)

_ENTRY = (
    Word("id", _T, _LOG, "the entry's id in the MIS"),
    Word("created_at", _M, _LOG, "when the MIS wrote it down"),
    Word("starts_at", _M, _LOG, "start of the visit that it speaks of"),
    Word("ends_at", _M, _LOG, "end of that visit"),
    Word("ahead", _B, _LOG, "that visit has not ended yet"),
    Word("closed", _B, _LOG, "the MIS called it done"),
    Word("doctor.id", _T, _LOG, "the doctor's id in the MIS"),
    Word("doctor.name", _T, _LOG, "the doctor's full name"),
    Word("doctor.short_name", _T, _LOG, "the doctor's surname and initials"),
    Word("doctor.specialty", _T, _HEALTH, "the doctor's specialty"),
    Word("branch.id", _T, _LOG, "the branch's id in the MIS"),
    Word("branch.name", _T, _LOG, "the branch's name"),
    Word("branch.address", _T, _LOG, "the branch's address"),
    Word("mark", _T, _HEALTH, "what the doctor noted: which recommendation"),
    Word("services", _T, _HEALTH, "names of the services", many=True),
    Word("source", _T, _LOG, "where it came from"),
    Word("comment", _T, _HEALTH, "the comment on it"),
)


def _rooted(root: str, words: tuple[Word, ...]) -> Iterator[tuple[str, Word]]:
    for word in words:
        path = f"{root}.{word.path}"
        yield path, msgspec.structs.replace(word, path=path)


WORDS: dict[str, Word] = dict(
    [
        *_rooted("patient", _PATIENT),
        *_rooted("appointment", _VISIT),
        *_rooted("next_visit", _VISIT),
        *_rooted("last_visit", _VISIT),
        *_rooted("enquiry", _ENQUIRY),
        *_rooted("entry", _ENTRY),
    ]
)
"""Every name by its full path."""

GROUPS: frozenset[str] = frozenset(
    ".".join(path.split(".")[:length]) for path in WORDS for length in range(1, path.count(".") + 1)
)
"""Names of names (`next_visit`, `appointment.doctor`): they can be compared with null, and nothing else."""


def known_at(place: Place) -> dict[str, Word]:
    """The names that an expression at this place may use."""
    return {path: word for path, word in WORDS.items() if path.split(".")[0] in ROOTS[place]}


_SAMPLES: dict[FieldType, tuple[Any, Any]] = {
    FieldType.TEXT: ("1", ""),
    FieldType.EMAIL: ("a@example.com", ""),
    FieldType.PHONE: ("+79000000000", ""),
    FieldType.NUMBER: (1, 0),
    FieldType.MONEY: (Decimal(1), Decimal(0)),
    FieldType.BOOLEAN: (True, False),
    FieldType.DATE: (date(2001, 2, 3), date(1961, 5, 6)),
    FieldType.DATETIME: (datetime(2031, 2, 3, 4, 5, tzinfo=UTC), datetime(2011, 2, 3, 4, 5, tzinfo=UTC)),
}


def sample_scopes() -> tuple[dict[str, Any], ...]:
    """Made-up scopes with a value for every name (two, differing in all), to try expressions on before a patient
    meets them.
    """
    return _sample(0), _sample(1)


def _sample(which: int) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    for path, word in WORDS.items():
        *parents, last = path.split(".")
        level = scope
        for parent in parents:
            level = level.setdefault(parent, {})
        value = _SAMPLES[word.type][which]
        level[last] = (value,) if word.many else value
    return scope
