"""What a mapping needs to stand in the CRM before it can run."""

import re
from collections.abc import Iterator

from kreslo.connectors.model import Entity, FieldType, Needed, NeededField, NeededStage, Semantic
from kreslo.mapping.drafts import (
    AppointmentDraft,
    CampaignDraft,
    Draft,
    EnquiryDraft,
    FieldDraft,
    StageDraft,
    TicketDraft,
)
from kreslo.mapping.faults import Ref
from kreslo.mapping.model import Phase

_BEFORE_ANSWER = (Phase.UPCOMING, Phase.TOMORROW, Phase.TODAY)
_SEMANTICS = {Phase.COMPLETED: Semantic.WON, Phase.CANCELLED: Semantic.LOST, Phase.NO_SHOW: Semantic.LOST}


def is_code(name: str) -> bool:
    """Whether a field is named as a CRM's wire does (NAME, UF_CRM_17, 184994): such a one cannot be made by title."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]*|\d+", name) is not None


def is_id(name: str) -> bool:
    """Whether a funnel or stage is named by its id (8, C8:WON, 142): such a one cannot be made by name."""
    return re.fullmatch(r"\d+|C\d+:\w+", name) is not None


def needed(draft: Draft) -> Needed:
    """Fields by title with the type that their value has, and stages by name in the order of a visit's life (stages that
    visits are claimed from after that of new enquiries). The key fields are the target's own affair: `setup` makes
    them whatever is asked.
    """
    fields: list[NeededField] = []
    stages: list[NeededStage] = []
    if draft.contact:
        fields += _fields(Entity.CONTACT, draft.contact.fields)
    if draft.appointment:
        fields += _fields(Entity.DEAL, draft.appointment.fields)
        stages += _visit_stages(draft.appointment)
        if draft.enquiry:
            stages += list(_enquiry_stages(draft.enquiry))[:1]
        stages += _claim_stages(draft.appointment)
        claim = draft.appointment.claim
        if claim and claim.relation_field and not is_code(claim.relation_field.text):
            fields.append(NeededField(Entity.DEAL, claim.relation_field.text, FieldType.TEXT))
    if draft.enquiry:
        fields += _fields(Entity.LEAD if draft.enquiry.pool.leads else Entity.DEAL, draft.enquiry.fields)
        stages += _enquiry_stages(draft.enquiry)
    for campaign in draft.campaigns:
        fields += _fields(Entity.DEAL, campaign.fields)
        stages += _campaign_stages(campaign)
    if draft.exchange and draft.exchange.tickets:
        fields += _ticket_fields(draft.exchange.tickets)
        stages += _ticket_stages(draft.exchange.tickets)
    return Needed(fields=tuple(dict.fromkeys(fields)), stages=tuple(_unique(stages)))


def entities(draft: Draft) -> tuple[Entity, ...]:
    """The kinds of cards that the mapping writes, which need a key field."""
    found: list[Entity] = []
    if draft.contact:
        found.append(Entity.CONTACT)
    if draft.appointment or draft.campaigns or (draft.enquiry and not draft.enquiry.pool.leads):
        found.append(Entity.DEAL)
    claim = draft.appointment.claim if draft.appointment else None
    if (draft.enquiry and draft.enquiry.pool.leads) or (claim and claim.pool.leads):
        found.append(Entity.LEAD)
    return tuple(found)


def _fields(entity: Entity, drafts: tuple[FieldDraft, ...]) -> list[NeededField]:
    return [NeededField(entity, each.name.text, each.type) for each in drafts if not is_code(each.name.text)]


def _visit_stages(draft: AppointmentDraft) -> Iterator[NeededStage]:
    """Stages on which patients answer (`protect`) stand between the clock's and the confirmed one: a card must not
    have to go backwards to be confirmed.
    """
    funnel = draft.funnel.text
    stages = {phase: draft.stages[phase] for phase in Phase if phase in draft.stages}
    before = {phase: stage for phase, stage in stages.items() if phase in _BEFORE_ANSWER}
    after = {phase: stage for phase, stage in stages.items() if phase not in _BEFORE_ANSWER}
    for phase, stage in before.items():
        yield _stage(Entity.DEAL, funnel, stage, phase)
    for ref in (*draft.protect, *draft.final):
        if ref.text not in {stage.name.text for stage in after.values()}:
            yield NeededStage(Entity.DEAL, funnel, ref.text)
    for phase, stage in after.items():
        yield _stage(Entity.DEAL, funnel, stage, phase)
    if draft.history:
        history = draft.history.funnel
        yield NeededStage(Entity.DEAL, history.text if history else funnel, draft.history.stage.name.text)


def _claim_stages(draft: AppointmentDraft) -> Iterator[NeededStage]:
    if draft.claim:
        pool = draft.claim.pool
        for ref in draft.claim.stages:
            yield NeededStage(
                Entity.LEAD if pool.leads else Entity.DEAL, pool.funnel.text if pool.funnel else "", ref.text
            )


def _ticket_fields(draft: TicketDraft) -> Iterator[NeededField]:
    entity = Entity.LEAD if draft.pool.leads else Entity.DEAL
    wanted = [(draft.doctor_field, FieldType.TEXT), (draft.time_field, FieldType.DATETIME)]
    wanted += [(ref, FieldType.TEXT) for ref in draft.comment]
    for ref, kind in wanted:
        if ref and not is_code(ref.text):
            yield NeededField(entity, ref.text, kind)


def _ticket_stages(draft: TicketDraft) -> Iterator[NeededStage]:
    entity = Entity.LEAD if draft.pool.leads else Entity.DEAL
    funnel = draft.pool.funnel
    for ref in draft.stages:
        yield NeededStage(entity, funnel.text if funnel else "", ref.text)


def _enquiry_stages(draft: EnquiryDraft) -> Iterator[NeededStage]:
    entity = Entity.LEAD if draft.pool.leads else Entity.DEAL
    funnel: Ref | None = draft.pool.funnel
    for stage in (draft.new, draft.already_booked, draft.stale):
        if stage:
            yield _stage(entity, funnel.text if funnel else "", stage, None)


def _campaign_stages(draft: CampaignDraft) -> Iterator[NeededStage]:
    """The rules stand from the last to the first of a card's life."""
    for rule in reversed(draft.stages):
        semantic = rule.semantic or Semantic.OPEN
        yield NeededStage(Entity.DEAL, draft.funnel.text, rule.name.text, semantic)


def _stage(entity: Entity, funnel: str, draft: StageDraft, phase: Phase | None) -> NeededStage:
    semantic = draft.semantic or (_SEMANTICS.get(phase, Semantic.OPEN) if phase else Semantic.OPEN)
    return NeededStage(entity, funnel, draft.name.text, semantic)


def _unique(stages: list[NeededStage]) -> Iterator[NeededStage]:
    """Each stage that has a name once, where it stands first; one that serves several phases closes the card if any of them does. The
    open ones of a funnel stand before those that close, as CRMs keep them.
    """
    seen: dict[tuple[Entity, str, str], NeededStage] = {}
    for stage in stages:
        if is_id(stage.funnel) or is_id(stage.stage):
            continue
        key = (stage.entity, stage.funnel, stage.stage)
        if key not in seen or seen[key].semantic is Semantic.OPEN:
            seen[key] = stage
    yield from sorted(seen.values(), key=lambda stage: _CLOSING.index(stage.semantic))


_CLOSING = (Semantic.UNSORTED, Semantic.OPEN, Semantic.WON, Semantic.LOST)
