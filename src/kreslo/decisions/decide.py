"""`decide`: from a case and what is known of the CRM to what the CRM should hold. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kreslo.connectors.model import ById, ByKey
from kreslo.decisions import visits
from kreslo.decisions.adoption import Adoption, adopted_besides, adoption_of
from kreslo.decisions.asking import Asker, answer_to, deleted_question
from kreslo.decisions.campaigns import campaign_cards, campaigns_of
from kreslo.decisions.case import Case, Facts, Role
from kreslo.decisions.chains import chains_of
from kreslo.decisions.claims import Claim, claims_of, entered_at, is_ours
from kreslo.decisions.contact_cards import (
    contact_card,
    contact_refs,
    contact_wanted,
    grown_up_on,
    merged_away,
)
from kreslo.decisions.contacts import Identity, Standing, identity_of
from kreslo.decisions.desired import (
    CardRef,
    Decision,
    Desired,
    DesiredCard,
    Needs,
    ReviewWish,
)
from kreslo.decisions.enquiries import decide_phone
from kreslo.decisions.holdings import holdings
from kreslo.decisions.leads import LEADS, later_leads
from kreslo.decisions.scope import patient_scope
from kreslo.decisions.texts import text
from kreslo.decisions.turns import turns_of, unlisted
from kreslo.decisions.visit import Visit, key_of
from kreslo.mapping.model import AppointmentPlan, Bridge
from kreslo.records import Appointment, Patient


def decide(case: Case, facts: Facts, now: datetime, bridge: Bridge) -> Decision:
    """What the CRM should hold for this case at `now` (aware), or the lookups that the decision needs first.

    Raises nothing for what records may hold; a mapping's expression that fails on a record raises EvaluationError, and
    the shell parks the case with that reason.
    """
    asker = Asker(case, facts)
    if case.patient is None:
        if case.phone:
            return decide_phone(case, bridge, asker, now)
        return _nothing(case, "its patient is not in the MIS")
    if case.patient.processing_refused:
        return _nothing(case, "the patient refused the processing of their data")
    return _decide_patient(case, case.patient, bridge, asker, now)


def _nothing(case: Case, reason: str) -> Desired:
    patient = {case.patient.id: reason} if case.patient else {}
    records = [each.id for each in case.appointments] + [each.id for each in case.entries]
    return Desired(filtered={**patient, **dict.fromkeys(records, reason)})


def _decide_patient(case: Case, patient: Patient, bridge: Bridge, asker: Asker, now: datetime) -> Decision:
    plan = bridge.appointment
    completed = sorted(
        (a for a in case.appointments if (a.ended_at or a.billed_at) and not a.cancelled_at),
        key=lambda a: a.starts_at,
    )
    every = _visits(case, completed, bridge, plan, asker, now) if plan else []
    carded, filtered = _sieve(every, case, bridge, plan, asker, now) if plan else _no_visits(case)
    scope = _scope(case, every, completed, bridge, now)
    adoption = adoption_of(carded, case, bridge, plan, asker) if plan else Adoption()
    claims = _claims(carded, case, patient, plan, adoption, asker)
    hung = tuple(dict.fromkeys(contact for claim in claims.values() for contact in claim.card.contacts))
    turns = turns_of(case, every, completed, bridge, now)
    campaigns = campaigns_of(turns, case, patient, scope, bridge, asker, now)
    wanted = contact_wanted(case, patient, [*carded, *campaigns.due], bridge, now)
    grown_up = grown_up_on(bridge, now)
    identity = None
    if wanted:
        child = patient.birth_date is not None and not grown_up(patient)
        identity = identity_of(case, patient, bridge, asker, hung, child=child, scope=scope)
    if plan:
        adoption = adopted_besides(adoption, carded, case, identity, bridge, plan, scope, asker)
        claims = {
            first: claim
            for first, claim in claims.items()
            if first not in adoption.taken and first not in adoption.doubtful
        }
    later = later_leads(case, patient, carded, claims, bridge, asker, now)
    again = _unwritten(carded, plan, asker) if plan else {}
    if asker.missing:
        return Needs(tuple(asker.missing))

    cards: list[DesiredCard] = []
    reviews: list[ReviewWish] = []
    if identity:
        contact, review = contact_card(case, patient, identity, scope, bridge, now)
        cards += [contact] if contact else []
        reviews += [review] if review else []
    refs = contact_refs(case, patient, identity, bridge, now)
    for visit in carded:
        if plan is None or visits.at_rest(visit, bridge, now):
            continue
        reason, review = _withheld(visit, case, adoption, bridge, plan)
        if reason:
            filtered[visit.last.id] = reason
            reviews += [review] if review else []
            continue
        claim = {**again, **later.late, **claims}.get(visit.chain.first.id)
        cards += _visit_cards(visit, case, patient, bridge, plan, scope, refs, identity, claim, adoption, now)
    cards += later.cards
    invited, campaign_rules = campaign_cards(campaigns, patient, identity, refs, bridge, now)
    cards += invited
    merged = merged_away(case, patient, bridge)
    return Desired(
        cards=tuple(cards),
        reviews=(*reviews, *([merged] if merged else [])),
        claims={claim.card.id: claim.booked_at for claim in (*claims.values(), *later.late.values())},
        wake_at=min(
            (wake for wake in (*_wakes(every, carded, bridge), *campaigns.wakes) if wake > now),
            default=None,
        ),
        rules=(*_rules(carded, identity, claims, adoption), *campaigns.rules, *campaign_rules),
        filtered=filtered | unlisted(case, bridge),
    )


def _visits(
    case: Case,
    completed: Sequence[Appointment],
    bridge: Bridge,
    plan: AppointmentPlan,
    asker: Asker,
    now: datetime,
) -> list[Visit]:
    chains = chains_of(case.appointments, plan.rebook, case.vanished)
    held = holdings(chains, case, bridge, asker)
    return [
        visits.visit_of(chain, held.get(chain.first.id, ()), case, completed, bridge, plan, now)
        for chain in chains
    ]


def _wakes(every: Sequence[Visit], carded: Sequence[Visit], bridge: Bridge) -> Iterator[datetime]:
    """Phases change by the clock, visits come into the horizon, and at its start the next visit is another one."""
    for visit in carded:
        if visit.wake_at:
            yield visit.wake_at
    for visit in every:
        enters = visits.enters_horizon_at(visit, bridge)
        if enters:
            yield enters
        if visit.ahead:
            yield visit.last.starts_at


def _sieve(
    every: Sequence[Visit],
    case: Case,
    bridge: Bridge,
    plan: AppointmentPlan,
    asker: Asker,
    now: datetime,
) -> tuple[list[Visit], dict[str, str]]:
    """Which chains have or get a card; for the others, why not. Where a card of this case was seen in the CRM that the
    journal does not hold (it was lost), a chain that would get none takes it back.
    """
    carded, filtered = [], {}
    strange = case.look_again - {LEADS} - {card.target_id for card in case.cards}
    for visit in every:
        reason = "" if visit.own else visits.why_no_card(visit, case, bridge, plan, now)
        if reason and strange and _stands(visit, plan, bridge, asker):
            reason = ""
        if reason:
            filtered[visit.last.id] = reason
        else:
            carded.append(visit)
    return carded, filtered


def _no_visits(case: Case) -> tuple[list[Visit], dict[str, str]]:
    return [], {each.id: "the mapping has no appointment section" for each in case.appointments}


def _stands(visit: Visit, plan: AppointmentPlan, bridge: Bridge, asker: Asker) -> bool:
    return any(asker.ask(ByKey(plan.entity, key_of(member, bridge))) for member in visit.chain.members)


def _claims(
    carded: Sequence[Visit],
    case: Case,
    patient: Patient,
    plan: AppointmentPlan | None,
    adoption: Adoption,
    asker: Asker,
) -> dict[str, Claim]:
    if plan is None:
        return {}
    new = [
        visit.chain
        for visit in carded
        if visit.own is None
        and not visit.last.cancelled_at
        and visit.chain.first.id not in adoption.taken
        and visit.chain.first.id not in adoption.declined
    ]
    return claims_of(new, case, patient, plan.claim, asker)


def _unwritten(carded: Sequence[Visit], plan: AppointmentPlan, asker: Asker) -> dict[str, Claim]:
    """Claims that were decided and are not confirmed yet: made again from the lead, so that nothing of it is lost."""
    claims = {}
    for visit in carded:
        own = visit.own
        if own is None or own.gone or plan.claim is None or visits.lead_is_written(own, plan):
            continue
        for card in asker.ask(ById(plan.claim.entity, own.claimed_lead)):
            claims[visit.chain.first.id] = Claim(
                card=card, booked_at=entered_at(visit.chain), ours=is_ours(card, asker)
            )
    return claims


def _scope(
    case: Case, every: Sequence[Visit], completed: Sequence[Appointment], bridge: Bridge, now: datetime
) -> dict[str, Any]:
    ahead = sorted((v for v in every if v.ahead and v.last.starts_at > now), key=lambda v: v.last.starts_at)
    done = [v for v in every if completed and v.last.id == completed[-1].id]
    return {
        "patient": patient_scope(case, completed, now=now, bridge=bridge),
        "next_visit": ahead[0].scope if ahead else None,
        "last_visit": done[0].scope if done else None,
    }


def _visit_cards(
    visit: Visit,
    case: Case,
    patient: Patient,
    bridge: Bridge,
    plan: AppointmentPlan,
    scope: dict[str, Any],
    refs: tuple[CardRef, ...],
    identity: Identity | None,
    claim: Claim | None,
    adoption: Adoption,
    now: datetime,
) -> list[DesiredCard]:
    first = visit.chain.first.id
    contacts = refs
    if claim and refs and identity:
        # The caller stays on the card behind the patient, unless the caller is the patient or represents them.
        there = {identity.target_id, *(ref.target_id for ref in refs)}
        contacts = (*refs, *(CardRef(target_id=each) for each in claim.card.contacts if each not in there))
    may_message = not patient.messages_refused and not (identity and identity.standing is Standing.REVIEW)
    card = visits.visit_card(
        visit,
        bridge,
        plan,
        {**scope, "appointment": visit.scope},
        contacts or None,
        claim=claim,
        adopted=adoption.taken.get(first),
        may_message=may_message,
        now=now,
    )
    cards = [
        card,
        *(visits.superseded(twin, bridge, plan) for twin in visit.twins if not twin.gone),
        *(visits.superseded_found(each, bridge, plan) for each in adoption.spare.get(first, ())),
    ]
    if plan.claim and plan.claim.mode == "link" and card.claimed_lead and plan.claim.converted:
        ours = next(
            (c.key for c in case.cards if c.role is Role.CLAIM and c.target_id == card.claimed_lead), ""
        )
        key = ours or (claim.card.key if claim else "")
        when = visits.when_of(visit, bridge)
        cards.append(
            visits.claimed_card(plan.claim.entity, card.claimed_lead, key, plan.claim.converted, when, bridge)
        )
    return cards


def _withheld(
    visit: Visit, case: Case, adoption: Adoption, bridge: Bridge, plan: AppointmentPlan
) -> tuple[str, ReviewWish | None]:
    """Why a chain gets no card just now, or "", and what a person is asked."""
    first = visit.chain.first.id
    if first in adoption.doubtful:
        return "a person must say which card of the CRM it is", adoption.doubtful[first]
    if first in adoption.declined:
        return "a person wants no card for it", None
    own = visit.own
    if own is None or not own.gone or first in adoption.taken:
        return "", None
    question = deleted_question(own)
    answer = answer_to(case, question)
    said = answer.choice if answer else ""
    if said == "new" or (not said and plan.on_deleted == "recreate"):
        return "", None
    # A card that was chosen and is not there any more is no answer.
    if said == "never" or (not said and plan.on_deleted == "ignore"):
        return "its card was deleted in the CRM", None
    review = ReviewWish(question=question, rule="deleted_visit", text=text(bridge.language, "deleted_visit"))
    return "its card was deleted in the CRM, a person is asked", review


def _rules(
    carded: Sequence[Visit], identity: Identity | None, claims: dict[str, Claim], adoption: Adoption
) -> tuple[str, ...]:
    """What fired, for `explain`; ids only, no personal data."""
    lines = [f"contact: {identity.standing.value} ({identity.rule})"] if identity else []
    for visit in carded:
        ids = " → ".join(member.id for member in visit.chain.members)
        inferred = " (a link was inferred)" if visit.chain.inferred else ""
        claim = claims.get(visit.chain.first.id)
        claimed = f"; claims {claim.card.entity} {claim.card.id}" if claim else ""
        taken = adoption.taken.get(visit.chain.first.id)
        found = f"; takes {taken.entity} {taken.id}" if taken else ""
        lines.append(f"visit {ids}{inferred}: {visit.phase.value}{claimed}{found}")
    return tuple(lines)
