"""`decide`: from a case and what is known of the CRM to what the CRM should hold. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kreslo.connectors.model import ByKey, Card, Entity
from kreslo.decisions import visits
from kreslo.decisions.asking import Asker
from kreslo.decisions.case import Case, Facts, Role
from kreslo.decisions.chains import chains_of
from kreslo.decisions.claims import Claim, claims_of
from kreslo.decisions.contacts import Identity, Standing, guardian_of, identity_of, own_contact
from kreslo.decisions.desired import CardRef, Decision, Desired, DesiredCard, Needs, ReviewWish
from kreslo.decisions.enquiries import decide_phone
from kreslo.decisions.fields import wishes
from kreslo.decisions.leads import later_leads
from kreslo.decisions.scope import patient_scope
from kreslo.decisions.texts import text
from kreslo.decisions.visits import Visit
from kreslo.mapping.model import AppointmentPlan, Bridge
from kreslo.records import Appointment, Patient, RecordKind, RecordRef
from kreslo.records.dates import age

GROWN_UP = 18


def decide(case: Case, facts: Facts, now: datetime, bridge: Bridge) -> Decision:
    """What the CRM should hold for this case at `now` (aware), or the lookups that the decision needs first.

    Raises nothing for what records may hold; a mapping's expression that fails on a record raises ValueError or
    TypeError, and the shell parks the case with that reason.
    """
    asker = Asker(case, facts)
    if case.patient is None:
        if case.phone:
            return decide_phone(case, bridge, asker, now)
        return Desired(filtered={each.id: "its patient is not in the MIS" for each in case.appointments})
    if case.patient.processing_refused:
        return Desired(filtered={case.patient.id: "the patient refused the processing of their data"})
    return _decide_patient(case, case.patient, bridge, asker, now)


def _decide_patient(case: Case, patient: Patient, bridge: Bridge, asker: Asker, now: datetime) -> Decision:
    plan = bridge.appointment
    completed = sorted(
        (a for a in case.appointments if (a.ended_at or a.billed_at) and not a.cancelled_at),
        key=lambda a: a.starts_at,
    )
    every = (
        [
            visits.visit_of(chain, case, completed, bridge, plan, now)
            for chain in chains_of(case.appointments, plan.rebook)
        ]
        if plan
        else []
    )
    carded, filtered = _sieve(every, case, bridge, plan, now)
    claims = _claims(carded, case, patient, plan, asker)
    hung = tuple(dict.fromkeys(contact for claim in claims.values() for contact in claim.card.contacts))
    wanted = _contact_wanted(case, patient, carded, bridge)
    identity = identity_of(case, patient, bridge, asker, hung) if wanted else None
    adopted = _adopted(carded, claims, bridge, plan, asker)
    later = later_leads(case, patient, carded, claims, bridge, asker, now)
    if asker.missing:
        return Needs(tuple(asker.missing))

    scope = _scope(case, every, completed, bridge, now)
    cards: list[DesiredCard] = []
    reviews: list[ReviewWish] = []
    if identity and bridge.contact:
        contact, review = _contact_card(case, patient, identity, scope, bridge, now)
        cards += [contact] if contact else []
        reviews += [review] if review else []
    refs = _contact_refs(case, patient, identity, bridge, now)
    for visit in carded:
        if plan is None or visits.at_rest(visit, bridge, now):
            continue
        cards += _visit_cards(
            visit, case, patient, bridge, plan, scope, refs, identity, claims, adopted, later.late, now
        )
        deleted = _deleted(visit, case, adopted, bridge, plan)
        reviews += [deleted] if deleted else []
    cards += later.cards
    if patient.merged_into:
        question = f"merged:{patient.id}"
        reviews.append(
            ReviewWish(
                question=question, rule="merged_patients", text=text(bridge.language, "merged_patients")
            )
        )
    wakes = [visit.wake_at for visit in carded] + [
        visits.enters_horizon_at(visit, bridge, now) for visit in every
    ]
    return Desired(
        cards=tuple(cards),
        reviews=tuple(reviews),
        claims={claim.card.id: claim.booked_at for claim in (*claims.values(), *later.late.values())},
        wake_at=min((wake for wake in wakes if wake and wake > now), default=None),
        rules=_rules(carded, identity, claims),
        filtered=filtered,
    )


def _sieve(
    every: Sequence[Visit], case: Case, bridge: Bridge, plan: AppointmentPlan | None, now: datetime
) -> tuple[list[Visit], dict[str, str]]:
    """Which chains have or get a card; for the others, why not."""
    carded, filtered = [], {}
    for visit in every:
        reason = "" if visit.own or plan is None else visits.why_no_card(visit, case, bridge, plan, now)
        if reason:
            filtered[visit.last.id] = reason
        else:
            carded.append(visit)
    return carded, filtered


def _claims(
    carded: Sequence[Visit], case: Case, patient: Patient, plan: AppointmentPlan | None, asker: Asker
) -> dict[str, Claim]:
    if plan is None:
        return {}
    new = [visit.chain for visit in carded if visit.own is None and not visit.last.cancelled_at]
    return claims_of(new, case, patient, plan.claim, asker)


def _contact_wanted(case: Case, patient: Patient, carded: Sequence[Visit], bridge: Bridge) -> bool:
    if bridge.contact is None:
        return False
    if carded or bridge.contact.scope == "all" or own_contact(case):
        return True
    # A representative's contact stands on the child's card, whether or not they have visits of their own.
    family = bridge.contact.family
    return family is not None and any(
        (found := guardian_of(Case(key="", family=(patient,)), member, child=True, by=family.by)) is not None
        and found.id == patient.id
        for member in case.family
    )


def _adopted(
    carded: Sequence[Visit],
    claims: dict[str, Claim],
    bridge: Bridge,
    plan: AppointmentPlan | None,
    asker: Asker,
) -> dict[str, Card]:
    """Cards that the CRM holds for chains without one of the journal's: by our key. By id of the chain's first."""
    found: dict[str, Card] = {}
    if plan is None:
        return found
    for visit in carded:
        if visit.own and not visit.own.gone:
            continue
        for member in visit.chain.members:
            for card in asker.ask(ByKey(plan.entity, visits.key_of(member, bridge))):
                moves_there = (
                    visit.chain.first.id in claims and claims[visit.chain.first.id].card.id == card.id
                )
                if not asker.owner(plan.entity, card.id) and not moves_there:
                    found.setdefault(visit.chain.first.id, card)
    return found


def _scope(
    case: Case, every: Sequence[Visit], completed: Sequence[Appointment], bridge: Bridge, now: datetime
) -> dict[str, Any]:
    ahead = sorted((v for v in every if v.ahead and v.last.starts_at >= now), key=lambda v: v.last.starts_at)
    done = [v for v in every if completed and v.last.id == completed[-1].id]
    return {
        "patient": patient_scope(case, completed, now=now, bridge=bridge),
        "next_visit": ahead[0].scope if ahead else None,
        "last_visit": done[0].scope if done else None,
    }


def _contact_card(
    case: Case, patient: Patient, identity: Identity, scope: dict[str, Any], bridge: Bridge, now: datetime
) -> tuple[DesiredCard | None, ReviewWish | None]:
    if identity.standing is Standing.REVIEW:
        return None, identity.review
    if identity.standing is Standing.NEVER or bridge.contact is None:
        return None, None
    rules = bridge.contact.fields
    family = bridge.contact.family
    if family and not family.phone_on_child and _representative(case, patient, bridge, now):
        rules = tuple(rule for rule in rules if rule.type != "phone")
    card = DesiredCard(
        key=identity.key,
        role=Role.CONTACT,
        entity=Entity.CONTACT,
        take=identity.target_id if identity.standing is Standing.TAKE else "",
        members=(RecordRef(RecordKind.PATIENT, patient.id).key(bridge.source_id),),
        fields=wishes(rules, scope),
        overrule=identity.overrule,
    )
    return card, None


def _representative(case: Case, patient: Patient, bridge: Bridge, now: datetime) -> Patient | None:
    family = bridge.contact.family if bridge.contact else None
    if family is None:
        return None
    today = now.astimezone(bridge.zone).date()
    child = patient.birth_date is not None and age(patient.birth_date, today) < GROWN_UP
    return guardian_of(case, patient, child=child, by=family.by)


def _contact_refs(
    case: Case, patient: Patient, identity: Identity | None, bridge: Bridge, now: datetime
) -> tuple[CardRef, ...]:
    """Who hangs on the patient's visit cards: the representative first, if there is one, then the patient."""
    if identity is None or identity.standing in {Standing.REVIEW, Standing.NEVER}:
        return ()
    refs = [CardRef(key=identity.key)]
    parent = _representative(case, patient, bridge, now)
    if parent and parent.id in case.family_cards:
        target_id = case.family_cards[parent.id]
        key = RecordRef(RecordKind.PATIENT, parent.id).key(bridge.source_id)
        refs.insert(0, CardRef(target_id=target_id) if target_id else CardRef(key=key))
    return tuple(refs)


def _visit_cards(
    visit: Visit,
    case: Case,
    patient: Patient,
    bridge: Bridge,
    plan: AppointmentPlan,
    scope: dict[str, Any],
    refs: tuple[CardRef, ...],
    identity: Identity | None,
    claims: dict[str, Claim],
    adopted: dict[str, Card],
    late: dict[str, Claim],
    now: datetime,
) -> list[DesiredCard]:
    first = visit.chain.first.id
    claim = claims.get(first) or late.get(first)
    taken = adopted.get(first)
    if visit.own and visit.own.gone and taken is None and not _may_recreate(visit, case, plan):
        return []
    contacts: tuple[CardRef, ...] | None = refs
    if claim and identity:
        # The caller stays on the card as its second contact, unless the caller is the patient.
        mine = {identity.target_id, *case.family_cards.values()}
        contacts = (*refs, *(CardRef(target_id=each) for each in claim.card.contacts if each not in mine))
    may_message = not patient.messages_refused and not (identity and identity.standing is Standing.REVIEW)
    whole = {**scope, "appointment": visit.scope}
    card = visits.visit_card(
        visit,
        bridge,
        plan,
        whole,
        contacts or None,
        claim=claim,
        adopted=taken,
        may_message=may_message,
        now=now,
    )
    cards = [card, *(visits.superseded(twin, visit, bridge, plan) for twin in visit.twins)]
    if plan.claim and plan.claim.mode == "link" and card.claimed_lead and plan.claim.converted:
        ours = next(
            (c.key for c in case.cards if c.role is Role.CLAIM and c.target_id == card.claimed_lead), ""
        )
        key = claim.card.key if claim else ours
        when = visits.when_of(visit, bridge)
        cards.append(
            visits.claimed_card(plan.claim.entity, card.claimed_lead, key, plan.claim.converted, when, bridge)
        )
    return cards


def _may_recreate(visit: Visit, case: Case, plan: AppointmentPlan) -> bool:
    question = _deleted_question(visit)
    said = next((answer.choice for answer in case.answers if answer.question == question), "")
    return said == "new" or (not said and plan.on_deleted == "recreate")


def _deleted_question(visit: Visit) -> str:
    return f"deleted:{visit.own.key if visit.own else ''}"


def _deleted(
    visit: Visit, case: Case, adopted: dict[str, Card], bridge: Bridge, plan: AppointmentPlan
) -> ReviewWish | None:
    if not (visit.own and visit.own.gone) or visit.chain.first.id in adopted or plan.on_deleted != "review":
        return None
    question = _deleted_question(visit)
    if any(answer.question == question for answer in case.answers):
        return None
    return ReviewWish(question=question, rule="deleted_visit", text=text(bridge.language, "deleted_visit"))


def _rules(carded: Sequence[Visit], identity: Identity | None, claims: dict[str, Claim]) -> tuple[str, ...]:
    """What fired, for `explain`; ids only, no personal data."""
    lines = [f"contact: {identity.standing.value} ({identity.rule})"] if identity else []
    for visit in carded:
        ids = " → ".join(member.id for member in visit.chain.members)
        inferred = " (a link was inferred)" if visit.chain.inferred else ""
        claim = claims.get(visit.chain.first.id)
        claimed = f"; claims {claim.card.entity} {claim.card.id}" if claim else ""
        lines.append(f"visit {ids}{inferred}: {visit.phase.value}{claimed}")
    return tuple(lines)
