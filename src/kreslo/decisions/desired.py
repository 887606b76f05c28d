"""What a decision says: what the CRM should hold for a case, or what must be looked up first."""

from datetime import datetime
from enum import StrEnum

import msgspec

from kreslo.connectors.model import Entity, Lookup, StageRef, Value
from kreslo.decisions.case import Role
from kreslo.decisions.papers import NoteWish, TaskWish
from kreslo.mapping.model import FieldMode, Phase

__all__ = [
    "Candidate",
    "CardRef",
    "Cause",
    "Decision",
    "Desired",
    "DesiredCard",
    "FieldWish",
    "Needs",
    "NoteWish",
    "ReviewWish",
    "StageWish",
    "TaskWish",
]


class Cause(StrEnum):
    """Why a stage is wished: what the guards ask."""

    CLOCK = "clock"
    MIS = "mis"
    RESCHEDULE = "reschedule"  # algorithm 4: backwards is right
    REVERSAL = "reversal"  # the MIS took a fact back: backwards is right, even from `final`


class FieldWish(msgspec.Struct, frozen=True, kw_only=True):
    """`title`: what the mapping calls the field, for people; "" where no rule of the mapping names it."""

    value: Value
    mode: FieldMode = FieldMode.MIS
    never_clear: bool = False
    title: str = ""


class StageWish(msgspec.Struct, frozen=True, kw_only=True):
    """`stage` None: this phase has no opinion on the stage of a card that exists; `initial` is where a new card
    starts. `occasion`: the message occasion that entering the stage would be, or "".
    """

    stage: StageRef | None
    initial: StageRef
    phase: Phase | None = None
    cause: Cause = Cause.MIS
    occasion: str = ""


class CardRef(msgspec.Struct, frozen=True):
    """A contact to hang on a card: one of our cards by its key, or a card of the CRM by its id."""

    key: str = ""
    target_id: str = ""


class DesiredCard(msgspec.Struct, frozen=True, kw_only=True):
    """One card as it should be. `take`: the id of a card to adopt or claim, where the case has none yet. `contacts`
    None: leave them. `overrule`: of a card that is taken over, the MIS's values stand at once (a claimed lead, a
    contact known by a nickname); without it only its empty fields are filled. `claimed_from`, `claimed_lead`: to
    remember. `close`: superseded by another card of the chain. `transfer`: may be taken from a phone case of ours.
    `facts`: hash of the records that this stands on. `confirmation`, `void`: as in `Base`.
    """

    key: str
    role: Role
    entity: Entity
    take: str = ""
    members: tuple[str, ...] = ()
    fields: dict[str, FieldWish] = {}
    stage: StageWish | None = None
    contacts: tuple[CardRef, ...] | None = None
    lead: str = ""
    notes: tuple[NoteWish, ...] = ()
    tasks: tuple[TaskWish, ...] = ()
    starts_at: datetime | None = None
    moves: int = 0
    quiet: bool = False
    overrule: bool = False
    transfer: bool = False
    claimed_from: StageRef | None = None
    claimed_lead: str = ""
    close: bool = False
    facts: str = ""
    confirmation: str = ""
    void: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    target_id: str
    name: str
    evidence: str


class ReviewWish(msgspec.Struct, frozen=True, kw_only=True):
    """A question for a person. `question` identifies it (asked once); `rule`: the rule that fired; `shared`: the contact of
    another patient that this one's was merged into: while that is asked, and where the answer is "link", nobody's fields
    are written there.
    """

    question: str
    rule: str
    text: str
    candidates: tuple[Candidate, ...] = ()
    shared: str = ""


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """A decision. `claims`: open cards this case wants, with the entry time of the booking that wants each (the
    earliest has it). `wake_at`: when the clock alone would change the answer. `rules`: what fired, for `explain`.
    `filtered`: records that rightly have no card, with the reason.
    """

    cards: tuple[DesiredCard, ...] = ()
    reviews: tuple[ReviewWish, ...] = ()
    claims: dict[str, datetime] = {}
    wake_at: datetime | None = None
    rules: tuple[str, ...] = ()
    filtered: dict[str, str] = {}


class Needs(msgspec.Struct, frozen=True):
    """The decision needs these answers of the CRM first."""

    lookups: tuple[Lookup, ...]


Decision = Desired | Needs
