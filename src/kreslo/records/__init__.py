"""Canonical records: what the house knows of the clinic, whichever MIS it came from."""

from kreslo.records.model import (
    Appointment,
    Branch,
    Doctor,
    Enquiry,
    Patient,
    Phone,
    PhoneKind,
    Record,
    RecordKind,
    RecordRef,
    Sex,
    kind_of,
    ref_of,
)

__all__ = [
    "Appointment",
    "Branch",
    "Doctor",
    "Enquiry",
    "Patient",
    "Phone",
    "PhoneKind",
    "Record",
    "RecordKind",
    "RecordRef",
    "Sex",
    "kind_of",
    "ref_of",
]
