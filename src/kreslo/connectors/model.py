"""The words that engine and connectors share: cards, catalogs, lookups, changes, outcomes, events.

Field values are plain Python values in the neutral form (`Value`); a target turns them into its wire form and
back. A money amount is a Decimal, an instant is aware, several values are a tuple. None means empty.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from kreslo.connectors.errors import ErrorKind
from kreslo.records import Phone

Scalar = str | int | float | bool | Decimal | date | datetime
Value = Scalar | tuple[str, ...] | None


class Entity(StrEnum):
    """Kinds of cards a CRM can hold. `LEAD` is Bitrix24's own lead entity; amoCRM has only deals (its "leads")."""

    CONTACT = "contact"
    DEAL = "deal"
    LEAD = "lead"


class Semantic(StrEnum):
    """What a stage means to the CRM."""

    OPEN = "open"
    UNSORTED = "unsorted"  # amoCRM's «Неразобранное»: to be accepted before it can move
    WON = "won"
    LOST = "lost"


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ENUM = "enum"  # neutral value: the option's title
    PHONE = "phone"  # several values: a tuple of E.164 texts
    EMAIL = "email"  # several values: a tuple of addresses
    REFERENCE = "reference"  # a link to another object; we write it only where a rule names it


# --- catalog --------------------------------------------------------------------------------------------------


class Stage(msgspec.Struct, frozen=True):
    id: str
    name: str
    sort: int
    semantic: Semantic = Semantic.OPEN


class Funnel(msgspec.Struct, frozen=True):
    """A funnel (pipeline, category). Bitrix24's leads are one funnel of entity LEAD with id ""."""

    entity: Entity
    id: str
    name: str
    stages: tuple[Stage, ...]


class FieldDef(msgspec.Struct, frozen=True):
    entity: Entity
    code: str  # what the wire calls it: NAME, UF_CRM_1720697698, 184994
    title: str  # what staff see
    type: FieldType
    multiple: bool = False
    read_only: bool = False
    options: dict[str, str] = {}  # for ENUM: option id → title


class User(msgspec.Struct, frozen=True):
    id: str
    name: str


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """The CRM's own funnels, stages, fields and users, read at start. `key_fields`: the text field of each entity
    that carries our external key, absent until `setup` has made it. `me`: our own user's id.
    """

    funnels: tuple[Funnel, ...] = ()
    fields: tuple[FieldDef, ...] = ()
    users: tuple[User, ...] = ()
    key_fields: dict[Entity, str] = {}
    me: str = ""


class StageRef(msgspec.Struct, frozen=True):
    funnel: str
    stage: str


# --- cards as they are ----------------------------------------------------------------------------------------


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card as the CRM holds it now. `fields`: canonical values by code, those of the catalog that were asked for;
    `wire`: whatever the target needs to see again when it writes this card (ids of phone rows and such).
    """

    entity: Entity
    id: str
    key: str = ""  # our external key, "" where it has none
    title: str = ""
    stage: StageRef | None = None
    semantic: Semantic = Semantic.OPEN
    created_at: datetime | None = None
    modified_at: datetime | None = None
    modified_by: str = ""
    name: str = ""  # contacts and leads: what stands in the name fields, joined
    birth_date: date | None = None
    phones: tuple[Phone, ...] = ()
    contacts: tuple[str, ...] = ()  # ids, the main one first
    lead: str = ""  # deals: the lead it was made from
    fields: dict[str, Value] = {}
    wire: dict[str, str] = {}


# --- lookups ----------------------------------------------------------------------------------------------------


class ById(msgspec.Struct, frozen=True, tag="id"):
    entity: Entity
    id: str


class ByKey(msgspec.Struct, frozen=True, tag="key"):
    """Cards whose external key field holds exactly this key."""

    entity: Entity
    key: str


class ByPhone(msgspec.Struct, frozen=True, tag="phone"):
    """Cards with one of these numbers (E.164). For a deal or lead: its own, or those of its contacts.
    Only cards that are not closed, where `open_only`.
    """

    entity: Entity
    phones: tuple[str, ...]
    open_only: bool = False


class ByContact(msgspec.Struct, frozen=True, tag="contact"):
    """Deals (or leads) that hang on this contact."""

    entity: Entity
    contact_id: str
    open_only: bool = False


class ByField(msgspec.Struct, frozen=True, tag="field"):
    """Cards whose field `code` holds exactly this text (another system's key, as a rule)."""

    entity: Entity
    code: str
    value: str


class CreatedSince(msgspec.Struct, frozen=True, tag="since"):
    """All cards created at or after `since`, by the CRM's clock (`Target.now`): the complete listing that an unknown create is probed against."""

    entity: Entity
    since: datetime


class ByMarker(msgspec.Struct, frozen=True, tag="marker"):
    """The note or task on this card whose text holds `marker`. Found as a Card whose `id` is the note's."""

    entity: Entity
    id: str
    marker: str
    task: bool = False


Lookup = ById | ByKey | ByPhone | ByContact | ByField | CreatedSince | ByMarker


class Found(msgspec.Struct, frozen=True):
    """The answer to one lookup: every card in it was re-checked against the condition by the target. For `ById`
    an empty answer means that the card is not there (deleted or merged).
    """

    lookup: Lookup
    cards: tuple[Card, ...]
    at: datetime


# --- changes ----------------------------------------------------------------------------------------------------


class MultiChange(msgspec.Struct, frozen=True):
    """Values to add to and to remove from a field of several values."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class CreateCard(msgspec.Struct, frozen=True, kw_only=True, tag="create"):
    """Make a card. `key` goes into the key field. `contacts` are target ids, the main one first. `quiet`: without
    starting robots, where the CRM can do that. `lead`: the lead that a deal is made from (Bitrix24).
    """

    entity: Entity
    key: str
    fields: dict[str, Value] = {}
    stage: StageRef | None = None
    contacts: tuple[str, ...] = ()
    lead: str = ""
    quiet: bool = False


class UpdateCard(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Change a card. Only what is named changes. `key`: written where the card had none (claimed or adopted).
    `contacts`: the whole new set, main first, or None to leave it. `seen`: the card as the merge saw it.
    """

    entity: Entity
    id: str
    key: str = ""
    fields: dict[str, Value] = {}
    multi: dict[str, MultiChange] = {}
    stage: StageRef | None = None
    contacts: tuple[str, ...] | None = None
    lead: str = ""
    seen: Card | None = None


class AddNote(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """A comment on a card; `marker` is part of the text, to find it again after an unknown outcome."""

    entity: Entity
    id: str
    marker: str
    text: str


class AddTask(msgspec.Struct, frozen=True, kw_only=True, tag="task"):
    """A task for staff on a card, due at `due_at`; `marker` as in AddNote."""

    entity: Entity
    id: str
    marker: str
    text: str
    due_at: datetime
    user: str = ""  # user id; "" is the card's responsible person


Action = CreateCard | UpdateCard | AddNote | AddTask


class Change(msgspec.Struct, frozen=True):
    """One journalled intent as a target sees it. `intent` is unique, `[a-z0-9]{1,32}`."""

    intent: str
    action: Action


class OutcomeKind(StrEnum):
    CONFIRMED = "confirmed"
    TRANSIENT = "transient"  # surely not applied: retry
    UNKNOWN = "unknown"  # may be applied: probe first
    PERMANENT = "permanent"  # park


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one change ended. `target_id`: of the card (or note, or task) when confirmed. `request`, `response`:
    masked, for the journal's attempts.
    """

    intent: str
    kind: OutcomeKind
    target_id: str = ""
    error: ErrorKind | None = None
    message: str = ""
    retry_after: float | None = None
    request: str = ""
    response: str = ""


# --- events -----------------------------------------------------------------------------------------------------


class EventKind(StrEnum):
    CHANGED = "changed"  # created or edited
    DELETED = "deleted"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a card; a hint to read it again, never data. `by`: user id, where known."""

    entity: Entity
    id: str
    kind: EventKind = EventKind.CHANGED
    at: datetime | None = None
    by: str = ""


# --- what a mapping needs of a CRM ------------------------------------------------------------------------------


class NeededField(msgspec.Struct, frozen=True):
    entity: Entity
    title: str
    type: FieldType
    code: str = ""  # a fixed code, for the key fields


class NeededStage(msgspec.Struct, frozen=True):
    entity: Entity
    funnel: str  # its name; "" where the entity has one of its own (leads)
    stage: str  # its name
    semantic: Semantic = Semantic.OPEN


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """What a mapping needs to stand in the CRM before it can run. `setup` makes what is missing."""

    fields: tuple[NeededField, ...] = ()
    stages: tuple[NeededStage, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """One thing that a check found. `fatal`: the bridge cannot start before it is mended."""

    message: str
    kind: ErrorKind = ErrorKind.CONFIGURATION
    fatal: bool = True
