"""Canonical records: what the house knows of the clinic, whichever MIS it came from."""

from kreslo.records.model import (
    RECALL,
    Appointment,
    Branch,
    Doctor,
    Enquiry,
    Entry,
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
    "RECALL",
    "Appointment",
    "Branch",
    "Doctor",
    "Enquiry",
    "Entry",
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
