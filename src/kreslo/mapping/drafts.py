"""A mapping file as it was read and checked by itself: its names are not yet found in any CRM."""

from datetime import time, timedelta
from typing import Literal

import msgspec

from kreslo.connectors.model import FieldType, Semantic
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.faults import At, Ref
from kreslo.mapping.model import (
    FamilyPlan,
    FieldMode,
    Horizon,
    Occasion,
    Phase,
    Quiet,
    RebookPlan,
    ReconcilePlan,
    StatusPlan,
)

OnDeleted = Literal["review", "recreate", "ignore"]


class FieldDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`kinds`: Python types that the value was seen to have when tried on made-up data. `type`: what `setup` makes the
    field as. `constant`: the value itself, where it is a text that never changes. `at`: of the value.
    """

    name: Ref
    value: Expression | Template
    at: At
    kinds: frozenset[type]
    type: FieldType
    constant: str | None = None
    mode: FieldMode = FieldMode.MIS
    never_clear: bool = False
    when: Expression | None = None


class StageDraft(msgspec.Struct, frozen=True, kw_only=True):
    name: Ref
    at: time = time(0, 0)
    message: bool = False
    semantic: Semantic | None = None


class PoolDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Where cards stand: the CRM's own leads (`funnel` None), or a funnel of deals."""

    funnel: Ref | None
    at: At

    @property
    def leads(self) -> bool:
        return self.funnel is None


class TaskDraft(msgspec.Struct, frozen=True, kw_only=True):
    text: Template
    after: timedelta = timedelta(hours=1)
    user: Ref | None = None


class AdoptDraft(msgspec.Struct, frozen=True, kw_only=True):
    key_field: Ref | None = None
    key: Expression | None = None
    time_field: Ref | None = None


class ContactDraft(msgspec.Struct, frozen=True, kw_only=True):
    at: At
    scope: Literal["horizon", "all"] = "horizon"
    fields: tuple[FieldDraft, ...] = ()
    family: FamilyPlan | None = None
    adopt: AdoptDraft | None = None
    on_deleted: OnDeleted = "review"


class ClaimDraft(msgspec.Struct, frozen=True, kw_only=True):
    pool: PoolDraft
    stages: tuple[Ref, ...]
    within: timedelta = timedelta(days=60)
    late: timedelta = timedelta(hours=2)
    mode: Literal["move", "link"]
    copy: tuple[Ref, ...] = ()
    converted: Ref | None = None
    back: bool = False
    relation_field: Ref | None = None


class HistoryDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`funnel` None: the visits' own."""

    funnel: Ref | None
    stage: StageDraft


class AppointmentDraft(msgspec.Struct, frozen=True, kw_only=True):
    at: At
    funnel: Ref
    title: Template
    stages: dict[Phase, StageDraft]
    protect: tuple[Ref, ...] = ()
    final: tuple[Ref, ...] = ()
    status: StatusPlan = StatusPlan()
    rebook: RebookPlan | None = None
    insured: Expression | None = None
    claim: ClaimDraft | None = None
    adopt: AdoptDraft | None = None
    fields: tuple[FieldDraft, ...] = ()
    cancelled_unseen: bool = False
    history: HistoryDraft | None = None
    primary_after: timedelta = timedelta(days=183)
    on_deleted: OnDeleted = "review"
    rescheduled_task: TaskDraft | None = None
    notes: bool = True


class EnquiryDraft(msgspec.Struct, frozen=True, kw_only=True):
    at: At
    pool: PoolDraft
    new: StageDraft
    already_booked: StageDraft | None = None
    stale: StageDraft | None = None
    stale_after: timedelta = timedelta(days=3)
    title: Template
    fields: tuple[FieldDraft, ...] = ()
    stale_task: TaskDraft | None = None


class TicketDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`doctor_field`, `time_field`, `comment`: fields of the CRM's cards."""

    pool: PoolDraft
    stages: tuple[Ref, ...]
    doctor_field: Ref | None = None
    time_field: Ref | None = None
    length: timedelta = timedelta(minutes=30)
    comment: tuple[Ref, ...] = ()


class ExchangeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`exchange:` without its key, which is a secret of the endpoints."""

    tickets: TicketDraft | None = None


class CampaignStageDraft(msgspec.Struct, frozen=True, kw_only=True):
    name: Ref
    when: Expression | None = None
    after: timedelta = timedelta(0)
    message: bool = False
    semantic: Semantic | None = None


class CampaignDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: of its name; `clock`: the time of day that `at:` names."""

    name: str
    at: At
    on: Occasion
    funnel: Ref
    stages: tuple[CampaignStageDraft, ...]
    title: Template
    after: timedelta = timedelta(0)
    clock: time | None = None
    quiet: Quiet | None = None
    late: timedelta = timedelta(days=1)
    pause: timedelta = timedelta(0)
    when: Expression | None = None
    unless: Expression | None = None
    fields: tuple[FieldDraft, ...] = ()


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file but its endpoints. `at`: of the word `bridge`, for what concerns no line of its own."""

    name: str
    at: At
    language: Literal["ru", "en"] = "ru"
    horizon: Horizon = Horizon()
    contact: ContactDraft | None = None
    appointment: AppointmentDraft | None = None
    enquiry: EnquiryDraft | None = None
    exchange: ExchangeDraft | None = None
    campaigns: tuple[CampaignDraft, ...] = ()
    reconcile: ReconcilePlan = ReconcilePlan()
