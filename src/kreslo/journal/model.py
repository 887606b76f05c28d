"""What goes into the journal and comes out of it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from kreslo.connectors.model import Action, Entity, StageRef
from kreslo.decisions.case import Base, Case, Role
from kreslo.decisions.desired import CardRef, ReviewWish
from kreslo.merging.plan import Overwrite, Planned
from kreslo.records import RecordRef


class IntentState(StrEnum):
    PLANNED = "planned"
    SENDING = "sending"  # committed before the first byte leaves
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    RETRY = "retry"  # surely not applied; the case is decided again at `due_at`
    PARKED = "parked"
    SUPERSEDED = "superseded"  # never sent: a later decision took its place


class Priority(StrEnum):
    """Live changes go before woken cases, woken before the import's."""

    LIVE = "0-live"
    WOKEN = "1-woken"
    IMPORT = "2-import"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a batch of records: how many were new, changed, the same; which cases were marked."""

    new: int = 0
    changed: int = 0
    same: int = 0
    cases: frozenset[str] = frozenset()


class DueCase(msgspec.Struct, frozen=True):
    """A case to decide. `version` goes up with each mark: a decision made on an older one does not clear the mark."""

    key: str
    version: int
    priority: Priority


class Loaded(msgspec.Struct, frozen=True):
    case: Case
    version: int


class CardState(msgspec.Struct, frozen=True, kw_only=True):
    """A card of a case as a decision leaves it. `target_id`: of a card that is taken over (adopted, claimed), else ""
    to leave what is there. `transfer`: the card may be taken from a phone case of ours. `base`: to store now, None to
    leave. `fresh_base`: forget the base (a card taken over has none).
    """

    key: str
    role: Role
    entity: Entity
    target_id: str = ""
    members: tuple[RecordRef, ...] = ()
    base: Base | None = None
    transfer: bool = False
    claimed_from: StageRef | None = None
    claimed_lead: str = ""
    gone: bool = False
    closed: bool = False
    overrule: bool = False


class FieldParked(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a card that is written no more, since somebody else rewrites it. `reason`, `fix`: for people."""

    card: str
    code: str
    reason: str
    fix: str


class CasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One decided case, committed in one transaction together with its intents. `unparked`: fields (card, code) that
    are written again.
    """

    key: str
    version: int
    cards: tuple[CardState, ...] = ()
    planned: tuple[Planned, ...] = ()
    reviews: tuple[ReviewWish, ...] = ()
    overwrites: tuple[Overwrite, ...] = ()
    parked: tuple[FieldParked, ...] = ()
    unparked: tuple[tuple[str, str], ...] = ()
    wake_at: datetime | None = None
    rules: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    filtered: dict[str, str] = {}


class Conflict(msgspec.Struct, frozen=True):
    """A card that a plan wanted to take belongs to another case: nothing of that plan was committed; decide again."""

    case: str
    entity: Entity
    target_id: str
    owner: str


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A journalled intent. `ready`: the action with every reference resolved, None while a card that it needs is not
    created yet. `sent_at`: when it went to `sending`, by the CRM's clock. `attempt`: how many times it was sent (probed
    resends).
    """

    id: str
    case: str
    card: str
    state: IntentState
    action: Action
    contacts: tuple[CardRef, ...] | None = None
    after: Base | None = None
    marker: str = ""
    occasion: str = ""
    created_at: datetime
    sent_at: datetime | None = None
    due_at: datetime | None = None
    attempt: int = 0
    error: str = ""
    message: str = ""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """For /status: cases waiting to be decided, intents by state, open reviews, parked items, cards by role, visit and
    enquiry cards by the stage that was decided last.
    """

    waiting: int = 0
    intents: dict[str, int] = {}
    reviews: int = 0
    parked: int = 0
    cards: dict[str, int] = {}
    stages: dict[StageRef, int] = {}
    filtered: int = 0


class ParkedItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not go on by itself. `about`: what it is (a record's or a card's key); `fix`: what to do."""

    id: int
    case: str
    about: str
    reason: str
    fix: str
    at: datetime


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    case: str
    wish: ReviewWish
    asked_at: datetime
    choice: str = ""
    target_id: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of delivered intents. `cases`: those they belong to. `ignored`: outcomes of intents that were not being
    sent (settled before).
    """

    confirmed: int = 0
    retried: int = 0
    unknown: int = 0
    parked: int = 0
    ignored: int = 0
    cases: frozenset[str] = frozenset()


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What looking for an intent without an answer showed. `applied` None: nothing, so that a person is asked."""

    intent: str
    applied: bool | None
    target_id: str = ""


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """One delivered intent for the page. `what` names fields and stages, never values."""

    at: datetime
    case: str
    card: str
    state: IntentState
    what: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The last decision of a case. `filtered`: ids of records that rightly have no card, with the reason. `why`: what
    marked the case last. `wake_at`: when the clock alone will change the answer.
    """

    case: str
    decided_at: datetime | None = None
    wake_at: datetime | None = None
    due_at: datetime | None = None
    why: str = ""
    rules: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    filtered: dict[str, str] = {}
