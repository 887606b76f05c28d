"""The unit of decision and of ordering: one patient with all that belongs to them, or one phone.

The journal loads cases; decisions only read them.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from kreslo.connectors.model import Card, Entity, Found, Lookup, StageRef, Value
from kreslo.decisions.papers import NoteWish, TaskWish
from kreslo.mapping.model import Phase
from kreslo.records import Appointment, Enquiry, Entry, Patient


class Role(StrEnum):
    """What a card is to the house."""

    CONTACT = "contact"
    VISIT = "visit"
    ENQUIRY = "enquiry"
    CLAIM = "claim"  # a lead that a visit card was linked to; owned, so that no other visit claims it
    WATCHED = "watched"  # the CRM's own lead, of which only stage and notes are ours
    CAMPAIGN = "campaign"


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What we decided last for a card, and what the CRM gave back for it after our last confirmed write.

    `decided`: by field code, wish's value. `read_back`: canonical values that the CRM confirmed. `rewrites`: how often
    a field was written again with the same value because somebody else had changed it. `parked_fields`: those we
    stopped writing for that. `stage`/`phase`: decided last, sent or suppressed. `starts_at`: of the visit as last
    decided. `contacts`: target ids last written. `moves`: how many times the visit was moved. `markers`: notes,
    tasks and message occasions already written. `facts`: hash of the records that the decision stood on.
    `confirmation`: which confirmation of the visit was known, "" for none; `void`: the one that was of an earlier
    time. `owed_notes`, `owed_tasks`: decided with this base; those whose marker is missing are still to be written.
    """

    decided: dict[str, Value] = {}
    read_back: dict[str, Value] = {}
    rewrites: dict[str, int] = {}
    parked_fields: tuple[str, ...] = ()
    stage: StageRef | None = None
    phase: Phase | None = None
    starts_at: datetime | None = None
    contacts: tuple[str, ...] = ()
    lead: str = ""
    moves: int = 0
    markers: tuple[str, ...] = ()
    facts: str = ""
    confirmation: str = ""
    void: str = ""
    owed_notes: tuple[NoteWish, ...] = ()
    owed_tasks: tuple[TaskWish, ...] = ()


class OwnCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that belongs to this case. `key`: `<source>/<kind>/<id>` of the record it was made for. `target_id`: ""
    until its creation is confirmed. `members`: keys of all records that link to it. `base`: None where we took the
    card over and have not written it yet, or lost the journal. `claimed_from`: where a claimed card stood.
    `claimed_lead`: the lead linked to this visit card. `busy`: an intent of it is in flight or unknown; nothing may be
    planned for it. `gone`: the CRM does not have it any more. `closed`: superseded by another card, kept for its
    link and to see its closing through. `overrule`: taken over with the MIS's values standing at once, which holds until its first write is confirmed.
    `shared`: a contact that another patient's was merged into; nobody's fields are written there.
    """

    key: str
    role: Role
    entity: Entity
    target_id: str = ""
    members: tuple[str, ...] = ()
    base: Base | None = None
    claimed_from: StageRef | None = None
    claimed_lead: str = ""
    busy: bool = False
    gone: bool = False
    closed: bool = False
    overrule: bool = False
    shared: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A person's decision on a review, remembered. `choice`: "link" (to `target_id`), "new", "never". The last one on a
    question stands.
    """

    question: str
    choice: str
    target_id: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A patient who has the phone of a phone case, and when their next visit is."""

    patient_id: str
    next_visit_at: datetime | None = None
    next_visit_created_at: datetime | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: `patient:<id>` or `phone:<HMAC>`. `phone`: E.164 of a phone case. `family`: other patients that share a
    phone with this one. `family_cards`: their contact cards by patient id (target ids, "" if not made yet).
    `vanished`: ids of appointments that are gone from the MIS. `callers`: for a phone case. `observed`: open cards of
    the CRM's own (leads) with one of the case's phones. `look_again`: facts that an event has made stale ("leads",
    or target ids of own cards). `unseen`: appointment ids that had ended (cancelled) when we first saw them. `served`:
    keys of enquiries whose card a visit has claimed.
    """

    key: str
    patient: Patient | None = None
    phone: str = ""
    appointments: tuple[Appointment, ...] = ()
    enquiries: tuple[Enquiry, ...] = ()
    entries: tuple[Entry, ...] = ()
    family: tuple[Patient, ...] = ()
    family_cards: dict[str, str] = {}
    vanished: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    callers: tuple[Caller, ...] = ()
    observed: tuple[Card, ...] = ()
    cards: tuple[OwnCard, ...] = ()
    served: frozenset[str] = frozenset()
    answers: tuple[Answer, ...] = ()
    look_again: frozenset[str] = frozenset()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What we know of the CRM for one decision. `found`: answers of this round. `owners`: which found cards belong to
    which case already (`entity`, id) → case key; a card that is ours to take has none.
    """

    found: dict[Lookup, Found] = {}
    owners: dict[tuple[Entity, str], str] = {}
