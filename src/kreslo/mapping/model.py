"""A bridge, resolved: what the YAML of a mapping means once its names were found in the CRM's catalog.

Decisions read this and nothing else of the mapping. Stages and fields are the CRM's ids and codes; durations are
timedeltas; expressions are compiled. `kreslo.mapping.load` makes it.
"""

from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from kreslo.connectors.model import Entity, FieldType, StageRef, Value
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.values import fitted


class Phase(StrEnum):
    """Where a visit stands. The order is that of a visit's life; the last four end it."""

    UPCOMING = "upcoming"
    TOMORROW = "tomorrow"
    TODAY = "today"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    RESCHEDULED = "rescheduled"
    NO_SHOW = "no_show"


CLOCK_PHASES = frozenset({Phase.UPCOMING, Phase.TOMORROW, Phase.TODAY})
"""Phases that the clock alone moves between; `protect` holds a card against these only."""

ENDED_PHASES = frozenset({Phase.COMPLETED, Phase.CANCELLED, Phase.RESCHEDULED, Phase.NO_SHOW})


class FieldMode(StrEnum):
    MIS = "mis"  # the MIS's value stands
    FILL = "fill"  # written only where the field is empty
    UNTIL_TOUCHED = "until_touched"  # written until a person has changed it
    ADD = "add"  # several values: ours are added, nothing is taken away


class FieldRule(msgspec.Struct, frozen=True, kw_only=True):
    """One target field and where its value comes from. `when`: without it true, the field is left alone. `multiple`:
    the field holds several values.
    """

    code: str
    title: str
    type: FieldType
    value: Expression | Template
    mode: FieldMode = FieldMode.MIS
    never_clear: bool = False
    when: Expression | None = None
    multiple: bool = False

    def applies(self, scope: Mapping[str, Any]) -> bool:
        """Whether the field is written at all in this scope. Raises EvaluationError."""
        return self.when is None or self.when.evaluate(scope) is True

    def compute(self, scope: Mapping[str, Any]) -> Value:
        """The field's value in its neutral form; None is empty. Raises EvaluationError."""
        value = self.value.render(scope) if isinstance(self.value, Template) else self.value.evaluate(scope)
        return fitted(value, self.type, multiple=self.multiple)


class StageRule(msgspec.Struct, frozen=True, kw_only=True):
    """The stage of one phase. `at`: the clinic's local time of day from which a clock phase counts (tomorrow: of the
    day before). `message`: the CRM's robots write to the patient on it.
    """

    stage: StageRef
    name: str
    at: time = time(0, 0)
    message: bool = False


class FamilyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`by` guardian: a patient under 18, or with a guardian's name, whose phone another patient of that name has, is
    that patient's child.
    """

    by: Literal["guardian", "phone"] = "guardian"
    phone_on_child: bool = True


class AdoptPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How cards that stood in the CRM before Kreslo are found. `key_field`: another system's key field, whose text
    must equal `key`. `by_time`: a contact's deal whose `time_field` equals the visit's start.
    """

    key_field: str = ""
    key: Expression | None = None
    time_field: str = ""


class ContactPlan(msgspec.Struct, frozen=True, kw_only=True):
    scope: Literal["horizon", "all"] = "horizon"
    fields: tuple[FieldRule, ...] = ()
    family: FamilyPlan | None = None
    adopt: AdoptPlan | None = None
    on_deleted: Literal["review", "recreate", "ignore"] = "review"


class StatusPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`reschedule_reasons`: cancel reasons (compared without case) that mean "moved, no new date yet". `confirmed`:
    an expression over the appointment that says it is confirmed, besides `confirmed_at`. `order`: the rule list.
    """

    reschedule_reasons: frozenset[str] = frozenset()
    no_show_after: timedelta = timedelta(hours=2)
    confirmed: Expression | None = None
    order: tuple[str, ...] = (
        "moved",
        "cancelled",
        "completed",
        "arrived",
        "no_show",
        "confirmed",
        "upcoming",
    )


class RebookPlan(msgspec.Struct, frozen=True, kw_only=True):
    window: timedelta = timedelta(hours=24)
    same: Literal["doctor", "specialty", "any"] = "doctor"


class ClaimPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which open cards a new appointment takes over. `entity` and `stages`: where they stand. `copy`: fields (codes)
    copied from the claimed card onto the visit's. `converted`: the stage a linked lead is set to. `back`: whether a
    cancelled visit's claimed card goes back to where it stood.
    """

    entity: Entity
    stages: frozenset[StageRef]
    within: timedelta = timedelta(days=60)
    late: timedelta = timedelta(hours=2)
    mode: Literal["move", "link"] = "link"
    copy: tuple[str, ...] = ()
    converted: StageRef | None = None
    back: bool = False
    relation_field: str = (
        ""  # where a late lead's id is written, if linking to a deal that exists is switched off
    )


class TaskPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A task for staff, due `after` the decision."""

    text: Template
    after: timedelta = timedelta(hours=1)
    user: str = ""


class AppointmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Visit cards. `stages` holds only the phases that have a stage of their own. `final`, `protect`: stages.
    `cancelled_unseen`: whether an appointment that was cancelled before we ever saw it gets a card. `primary_after`:
    a visit so long after the last one counts as primary again.
    """

    entity: Entity = Entity.DEAL
    funnel: str
    title: Template
    stages: dict[Phase, StageRule]
    protect: frozenset[StageRef] = frozenset()
    final: frozenset[StageRef] = frozenset()
    status: StatusPlan = StatusPlan()
    rebook: RebookPlan | None = None
    insured: Expression | None = None
    claim: ClaimPlan | None = None
    adopt: AdoptPlan | None = None
    fields: tuple[FieldRule, ...] = ()
    cancelled_unseen: bool = False
    history: StageRule | None = None
    primary_after: timedelta = timedelta(days=183)
    on_deleted: Literal["review", "recreate", "ignore"] = "review"
    rescheduled_task: TaskPlan | None = None
    notes: bool = True


class EnquiryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Enquiry cards: one open card a phone. `stale_after`: from the last enquiry to the stage `stale` and its task."""

    entity: Entity
    funnel: str
    new: StageRule
    already_booked: StageRule | None = None
    stale: StageRule | None = None
    stale_after: timedelta = timedelta(days=3)
    title: Template
    fields: tuple[FieldRule, ...] = ()
    stale_task: TaskPlan | None = None


class TicketPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Cards of `entity` that stand on `stages` become tickets for iDent. Fields are codes: `doctor_field` holds the
    doctor's name or iDent's number of them, `time_field` the planned start, `length` long; `comment` (title, code) and
    `utm` (source, medium, …; code) are copied; `email_field` is the card's own address.
    """

    entity: Entity
    stages: frozenset[StageRef]
    doctor_field: str = ""
    time_field: str = ""
    length: timedelta = timedelta(minutes=30)
    comment: tuple[tuple[str, str], ...] = ()
    utm: dict[str, str] = {}
    email_field: str = ""


class Occasion(StrEnum):
    """What gives a campaign's card. The first seven are facts of a visit; `last_visit` is the latest visit that took
    place; `entry` is a row of the source's list of the campaign's own name, `recall` an invitation planned in the MIS.
    """

    BOOKED = "booked"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    RESCHEDULED = "rescheduled"
    NO_SHOW = "no_show"
    LAST_VISIT = "last_visit"
    ENTRY = "entry"
    RECALL = "recall"


ENTRY_OCCASIONS = frozenset({Occasion.ENTRY, Occasion.RECALL})


class Quiet(msgspec.Struct, frozen=True):
    """Hours of the clinic's day, over midnight as a rule, in which nothing is begun."""

    since: time
    until: time


class CampaignStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a campaign and what it takes: `when` holds, and `after` has passed since the card's time."""

    stage: StageRef
    name: str
    when: Expression | None = None
    after: timedelta = timedelta(0)
    message: bool = False


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One card an occasion. Its time is the occasion's and `after`, then the first `at` of the clinic's day, out of
    `quiet`; later than `late` past it no card is made. `pause`: who had a card of this campaign gets no other one so soon. `when`, `unless`: what must (not) hold for a card to be made.
    `stages`: from the last of a card's life to the first; the first rule that holds says where it stands.
    """

    name: str
    on: Occasion
    funnel: str
    stages: tuple[CampaignStage, ...]
    title: Template
    after: timedelta = timedelta(0)
    at: time | None = None
    quiet: Quiet | None = None
    late: timedelta = timedelta(days=1)
    pause: timedelta = timedelta(0)
    when: Expression | None = None
    unless: Expression | None = None
    fields: tuple[FieldRule, ...] = ()

    @property
    def entity(self) -> Entity:
        return Entity.DEAL

    @property
    def speaks(self) -> bool:
        """Whether any of its stages writes to the patient."""
        return any(rule.message for rule in self.stages)


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    past: timedelta = timedelta(days=30)
    future: timedelta = timedelta(days=365)


class ReconcilePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of MIS, journal and CRM. `heal`: whether the nightly one mends what it finds. `cards`, `percent`: where
    more than so many cards, or more than this share of those compared, would move, nothing is mended until a person says
    so.
    """

    heal: bool = True
    cards: int = 200
    percent: int = 10


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """One bridge, ready to decide with. `source_id` stands in external keys. `fingerprint`: hash of all that the
    mapping means, with the part of the catalog that it uses; when it changes, every case is decided again. `terminal`: every stage of
    the CRM that closes a card (won or lost), used by the guards. `language`: of what staff see. `tickets`: what iDent is served;
    no decision reads it, and it is no part of the fingerprint; nor is `reconcile`.
    """

    name: str
    source_id: str
    zone: ZoneInfo
    horizon: Horizon
    contact: ContactPlan | None
    appointment: AppointmentPlan | None
    enquiry: EnquiryPlan | None
    campaigns: tuple[CampaignPlan, ...] = ()
    terminal: frozenset[StageRef] = frozenset()
    stage_order: dict[StageRef, int] = {}
    fingerprint: str = ""
    language: Literal["ru", "en"] = "ru"
    tickets: TicketPlan | None = None
    reconcile: ReconcilePlan = ReconcilePlan()


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`source:` or `target:` of a mapping: the connector's name and its options as they stand in the file, secrets
    filled in from the environment. `every` (seconds) and `cron` say when a source is read.
    """

    connector: str
    options: dict[str, Any]
    every: float = 5.0
    cron: str = ""

    def __repr__(self) -> str:
        """Without the options' values: some are secrets."""
        return f"EndpointSettings(connector={self.connector!r}, options={sorted(self.options)})"
