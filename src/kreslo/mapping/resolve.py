"""A mapping and a CRM's catalog make a bridge: every name becomes the CRM's id."""

import hashlib
from datetime import time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from kreslo.connectors.model import Catalog, Entity, FieldType, Funnel, Semantic, StageRef
from kreslo.mapping.catalogs import Finder
from kreslo.mapping.drafts import (
    AdoptDraft,
    AppointmentDraft,
    CampaignDraft,
    ClaimDraft,
    ContactDraft,
    Draft,
    EnquiryDraft,
    StageDraft,
    TaskDraft,
    TicketDraft,
)
from kreslo.mapping.faults import Fault
from kreslo.mapping.model import (
    AdoptPlan,
    AppointmentPlan,
    Bridge,
    CampaignPlan,
    CampaignStage,
    ClaimPlan,
    ContactPlan,
    EnquiryPlan,
    ReconcilePlan,
    StageRule,
    TaskPlan,
    TicketPlan,
)
from kreslo.mapping.needed import entities

_UTM = ("source", "medium", "campaign", "term", "content")


def resolved(
    draft: Draft, catalog: Catalog, *, source_id: str, zone: ZoneInfo, path: str
) -> tuple[Bridge | None, list[Fault]]:
    """The bridge and what is wrong; there is a bridge only if nothing is."""
    finder = Finder(catalog, path)
    for entity in entities(draft):
        if not catalog.key_fields.get(entity):
            finder.fault(draft.at, f"the CRM has no key field of the {entity}s yet; {finder.setup} makes it")
    contact = _contact(finder, draft.contact) if draft.contact else None
    appointment = _appointment(finder, draft.appointment) if draft.appointment else None
    enquiry = _enquiry(finder, draft.enquiry) if draft.enquiry else None
    campaigns = [_campaign(finder, each) for each in draft.campaigns]
    tickets = draft.exchange.tickets if draft.exchange else None
    ticket_plan = _tickets(finder, tickets) if tickets else None
    if finder.faults:
        return None, finder.faults
    bridge = Bridge(
        name=draft.name,
        source_id=source_id,
        zone=zone,
        horizon=draft.horizon,
        contact=contact,
        appointment=appointment,
        enquiry=enquiry,
        campaigns=tuple(each for each in campaigns if each),
        terminal=frozenset(
            StageRef(funnel.id, stage.id)
            for funnel in catalog.funnels
            for stage in funnel.stages
            if stage.semantic in {Semantic.WON, Semantic.LOST}
        ),
        stage_order={
            StageRef(funnel.id, stage.id): place
            for funnel in catalog.funnels
            for place, stage in enumerate(sorted(funnel.stages, key=lambda each: each.sort))
        },
        language=draft.language,
        tickets=ticket_plan,
        reconcile=draft.reconcile,
    )
    return msgspec.structs.replace(bridge, fingerprint=_fingerprint(bridge)), []


def _contact(finder: Finder, draft: ContactDraft) -> ContactPlan:
    return ContactPlan(
        scope=draft.scope,
        fields=finder.rules(Entity.CONTACT, draft.fields),
        family=draft.family,
        adopt=_adopt(finder, Entity.CONTACT, draft.adopt),
        on_deleted=draft.on_deleted,
    )


def _adopt(finder: Finder, entity: Entity, draft: AdoptDraft | None) -> AdoptPlan | None:
    if draft is None:
        return None
    key_field = finder.field(entity, draft.key_field) if draft.key_field else None
    time_field = finder.field(entity, draft.time_field) if draft.time_field else None
    return AdoptPlan(
        key_field=key_field.code if key_field else "",
        key=draft.key,
        time_field=time_field.code if time_field else "",
    )


def _appointment(finder: Finder, draft: AppointmentDraft) -> AppointmentPlan:
    funnel = finder.funnel(draft.funnel)
    stages = {phase: _stage(finder, funnel, stage) for phase, stage in draft.stages.items()}
    history = None
    if draft.history:
        elsewhere = finder.funnel(draft.history.funnel) if draft.history.funnel else funnel
        history = _stage(finder, elsewhere, draft.history.stage)
    return AppointmentPlan(
        funnel=funnel.id if funnel else "",
        title=draft.title,
        stages={phase: rule for phase, rule in stages.items() if rule},
        protect=finder.stage_refs(funnel, draft.protect),
        final=finder.stage_refs(funnel, draft.final),
        status=draft.status,
        rebook=draft.rebook,
        insured=draft.insured,
        claim=_claim(finder, draft.claim) if draft.claim else None,
        adopt=_adopt(finder, Entity.DEAL, draft.adopt),
        fields=finder.rules(Entity.DEAL, draft.fields),
        cancelled_unseen=draft.cancelled_unseen,
        history=history,
        primary_after=draft.primary_after,
        on_deleted=draft.on_deleted,
        rescheduled_task=_task(finder, draft.rescheduled_task),
        notes=draft.notes,
    )


def _stage(finder: Finder, funnel: Funnel | None, draft: StageDraft) -> StageRule | None:
    stage = finder.stage(funnel, draft.name)
    if funnel is None or stage is None:
        return None
    return StageRule(stage=StageRef(funnel.id, stage.id), name=stage.name, at=draft.at, message=draft.message)


def _claim(finder: Finder, draft: ClaimDraft) -> ClaimPlan | None:
    pool = draft.pool
    entity = Entity.LEAD if pool.leads else Entity.DEAL
    funnel = finder.funnel(pool.funnel) if pool.funnel else finder.leads(pool.at)
    if funnel is None:
        return None
    copied: list[str] = []
    for ref in draft.copy:
        there, here = finder.field(entity, ref), finder.writable(Entity.DEAL, ref)
        if there and here and there.code != here.code:
            finder.fault(
                ref.at,
                f'"{ref.text}" is {there.code} of leads and {here.code} of deals; name it by a code that both have',
            )
        elif here:
            copied.append(here.code)
    converted = None
    if draft.converted:
        converted = finder.stage_ref(funnel, draft.converted)
    elif draft.mode == "link":
        converted = finder.converted(funnel, pool.at)
    relation = finder.writable(Entity.DEAL, draft.relation_field) if draft.relation_field else None
    return ClaimPlan(
        entity=entity,
        stages=finder.stage_refs(funnel, draft.stages),
        within=draft.within,
        late=draft.late,
        mode=draft.mode,
        copy=tuple(copied),
        converted=converted,
        back=draft.back,
        relation_field=relation.code if relation else "",
    )


def _enquiry(finder: Finder, draft: EnquiryDraft) -> EnquiryPlan | None:
    pool = draft.pool
    funnel = finder.funnel(pool.funnel) if pool.funnel else finder.leads(pool.at)
    entity = Entity.LEAD if pool.leads else Entity.DEAL
    new = _stage(finder, funnel, draft.new)
    already_booked = _stage(finder, funnel, draft.already_booked) if draft.already_booked else None
    stale = _stage(finder, funnel, draft.stale) if draft.stale else None
    fields = finder.rules(entity, draft.fields)
    task = _task(finder, draft.stale_task)
    if funnel is None or new is None:
        return None
    return EnquiryPlan(
        entity=entity,
        funnel=funnel.id,
        new=new,
        already_booked=already_booked,
        stale=stale,
        stale_after=draft.stale_after,
        title=draft.title,
        fields=fields,
        stale_task=task,
    )


def _campaign(finder: Finder, draft: CampaignDraft) -> CampaignPlan | None:
    funnel = finder.funnel(draft.funnel)
    stages = []
    for rule in draft.stages:
        stage = finder.stage(funnel, rule.name)
        if funnel and stage:
            stages.append(
                CampaignStage(
                    stage=StageRef(funnel.id, stage.id),
                    name=stage.name,
                    when=rule.when,
                    after=rule.after,
                    message=rule.message,
                )
            )
    fields = finder.rules(Entity.DEAL, draft.fields)
    if funnel is None:
        return None
    return CampaignPlan(
        name=draft.name,
        on=draft.on,
        funnel=funnel.id,
        stages=tuple(stages),
        title=draft.title,
        after=draft.after,
        at=draft.clock,
        quiet=draft.quiet,
        late=draft.late,
        pause=draft.pause,
        when=draft.when,
        unless=draft.unless,
        fields=fields,
    )


def _task(finder: Finder, draft: TaskDraft | None) -> TaskPlan | None:
    return TaskPlan(text=draft.text, after=draft.after, user=finder.user(draft.user)) if draft else None


def _tickets(finder: Finder, draft: TicketDraft) -> TicketPlan | None:
    pool = draft.pool
    funnel = finder.funnel(pool.funnel) if pool.funnel else finder.leads(pool.at)
    entity = Entity.LEAD if pool.leads else Entity.DEAL
    stages = finder.stage_refs(funnel, draft.stages)
    doctor = finder.field(entity, draft.doctor_field) if draft.doctor_field else None
    planned = finder.field(entity, draft.time_field) if draft.time_field else None
    if planned and draft.time_field and planned.type is not FieldType.DATETIME:
        finder.fault(draft.time_field.at, f'field "{draft.time_field.text}" holds no date with a time')
    comment = [field for ref in draft.comment if (field := finder.field(entity, ref))]
    own = [field for field in finder.catalog.fields if field.entity is entity]
    mail = [field.code for field in own if field.type is FieldType.EMAIL]
    utm = {
        part: field.code
        for part in _UTM
        for field in own
        if f"utm_{part}" in {field.code.casefold(), field.title.casefold()}
    }
    if funnel is None:
        return None
    return TicketPlan(
        entity=entity,
        stages=stages,
        doctor_field=doctor.code if doctor else "",
        time_field=planned.code if planned else "",
        length=draft.length,
        comment=tuple((field.title, field.code) for field in comment),
        utm=utm,
        email_field=mail[0] if mail else "",
    )


def _fingerprint(bridge: Bridge) -> str:
    """Over what the mapping means, so that a comment or a new password wakes no case; of the catalog, only the funnels
    in use.
    """
    used = {bridge.appointment.funnel} if bridge.appointment else set()
    used |= {bridge.enquiry.funnel} if bridge.enquiry else set()
    used |= {campaign.funnel for campaign in bridge.campaigns}
    part = msgspec.structs.replace(
        bridge,
        tickets=None,
        reconcile=ReconcilePlan(),
        terminal=frozenset(ref for ref in bridge.terminal if ref.funnel in used),
        stage_order={ref: place for ref, place in bridge.stage_order.items() if ref.funnel in used},
    )
    return hashlib.sha256(msgspec.json.encode(_canonical(part))).hexdigest()


def _canonical(value: Any) -> Any:
    """Plain values in one order, whatever the process's hash seed."""
    match value:
        case msgspec.Struct():
            return [
                type(value).__name__,
                {name: _canonical(getattr(value, name)) for name in value.__struct_fields__},
            ]
        case Enum():
            return value.value
        case dict():
            return sorted(([_canonical(key), _canonical(each)] for key, each in value.items()), key=repr)
        case frozenset():
            return sorted((_canonical(each) for each in value), key=repr)
        case tuple() | list():
            return [_canonical(each) for each in value]
        case ZoneInfo() | time() | timedelta():
            return str(value)
        case _:
            return value
