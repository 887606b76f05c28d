"""Holds the sandbox CRM against the clinic's own count: every visit one card, every enquiry one card, right stages.

It shares nothing with the engine: not its journal, not its decisions. What it compares are the clinic's census, made
by plain SQL, the CRM's cards, read over HTTP, and the names of stages in the mapping.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import ChainCensus
from kreslo.mapping.model import AppointmentPlan, CampaignPlan, Phase
from kreslo.sandbox.audit_campaigns import campaign_of, campaign_rules, campaign_violations
from kreslo.sandbox.crm import SeenCard
from kreslo.sandbox.findings import Moment, Rules, Violation


def rules_of(
    plan: AppointmentPlan,
    *,
    source_id: str,
    zone: ZoneInfo,
    enquiries: bool,
    campaigns: Iterable[CampaignPlan] = (),
) -> Rules:
    waiting = [
        plan.stages[phase] for phase in (Phase.UPCOMING, Phase.TODAY, Phase.TOMORROW) if phase in plan.stages
    ]
    return Rules(
        source_id=source_id,
        zone=zone,
        stages={phase: rule.name for phase, rule in plan.stages.items()},
        at={phase: rule.at for phase, rule in plan.stages.items()},
        messages=frozenset(rule.name for rule in plan.stages.values() if rule.message),
        silent=next((rule.name for rule in waiting if not rule.message), waiting[0].name),
        cancelled_unseen=plan.cancelled_unseen,
        enquiries=enquiries,
        campaigns=campaign_rules(campaigns),
    )


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """`cards`: visit cards; `by_stage`: cards of visits and enquiries by the name of their stage; `campaigns`: campaign cards by the
    campaign's name; `by_funnel`: all cards of ours by the name of their funnel; `claimed`: visit cards made from a lead, or
    that stood in the CRM before and were taken over; `alone`: visit cards without a contact, which is right only where a
    person is asked who it is.
    """

    violations: tuple[Violation, ...]
    patients: int
    appointments: int
    enquiries: int
    chains: int
    contacts: int
    cards: int
    enquiry_cards: int
    by_stage: dict[str, int]
    by_funnel: dict[str, int]
    campaigns: dict[str, int]
    claimed: int
    alone: int


def audit(cards: Sequence[SeenCard], rules: Rules, *, before: Moment, after: Moment) -> Audit:
    """`before` and `after`: the clinic, unchanged, counted when the import began and when it had settled. The clock
    may have moved a visit from one phase to the next in between; either is right then.
    """
    enquiry = f"{rules.source_id}/enquiry/"
    stages = set(rules.stages.values())
    visits = {
        card.key: card
        for card in cards
        if card.entity is Entity.DEAL
        and card.key
        and not campaign_of(card, rules)
        and (not card.key.startswith(enquiry) or card.stage in stages)
    }
    enquiry_cards = [card for card in cards if card.key.startswith(enquiry)]
    ours = [card for card in cards if card.key and card.entity is not Entity.CONTACT]
    campaigns = Counter(campaign_of(card, rules) for card in cards)
    violations = [
        *_doubled_keys(cards),
        *_chains(cards, rules, before, after),
        *(_enquiries(cards, rules, after.census.enquiries) if rules.enquiries else ()),
        *campaign_violations(cards, rules, before, after),
    ]
    return Audit(
        violations=tuple(sorted(violations)),
        patients=after.census.patients,
        appointments=after.census.appointments,
        enquiries=len(after.census.enquiries),
        chains=len(after.census.chains),
        contacts=sum(1 for card in cards if card.entity is Entity.CONTACT and card.key),
        cards=len(visits),
        enquiry_cards=len(enquiry_cards),
        by_stage=dict(Counter(card.stage for card in ours if not campaign_of(card, rules)).most_common()),
        by_funnel=dict(Counter(card.funnel for card in ours if card.funnel).most_common()),
        campaigns={each.name: campaigns[each.name] for each in rules.campaigns},
        claimed=sum(1 for card in visits.values() if card.lead or not card.ours),
        alone=sum(1 for card in visits.values() if not card.contacts),
    )


def phases(chain: ChainCensus, rules: Rules, moments: Iterable[datetime]) -> set[Phase]:
    """The phases in which the chain was at these moments, as the census and the calendar say."""
    if chain.state != "upcoming":
        return {Phase(chain.state)}
    return set().union(*(_clock_phases(chain.starts_at, rules, moment) for moment in moments))


def _clock_phases(starts_at: datetime, rules: Rules, moment: datetime) -> set[Phase]:
    """Where the day itself has no stage, a card stays where the day before put it; one that is made on the day begins
    where visits to come do.
    """
    day = starts_at.astimezone(rules.zone).date()
    for phase, back in ((Phase.TODAY, 0), (Phase.TOMORROW, 1)):
        since = datetime.combine(day - timedelta(days=back), rules.at.get(phase, time(0, 0)), rules.zone)
        if moment < since:
            continue
        if phase in rules.stages:
            return {phase}
        if phase is Phase.TODAY and Phase.TOMORROW in rules.stages:
            return {Phase.UPCOMING, Phase.TOMORROW}
    return {Phase.UPCOMING}


def _doubled_keys(cards: Sequence[SeenCard]) -> Iterator[Violation]:
    counted = Counter((card.entity, card.key) for card in cards if card.key)
    for (entity, key), count in counted.items():
        if count > 1:
            yield Violation("doubled key", f"{entity} {key}", found=f"{count} cards", expected="1")


def _chains(cards: Sequence[SeenCard], rules: Rules, before: Moment, after: Moment) -> Iterator[Violation]:
    prefix = f"{rules.source_id}/appointment/"
    deals = defaultdict(list)
    for card in cards:
        if card.entity is Entity.DEAL and card.key.startswith(prefix):
            deals[card.key.removeprefix(prefix)].append(card)
    contacts = {card.key: card.id for card in cards if card.entity is Entity.CONTACT and card.key}
    taken = _taken(cards, rules)
    earlier = {chain.ids[-1]: chain for chain in before.census.chains}
    allowed: set[str] = set()
    for chain in after.census.chains:
        allowed.update(chain.ids)
        # What the window or the clock has changed since the import began may be told either way.
        states = [chain, *([earlier[chain.ids[-1]]] if chain.ids[-1] in earlier else [])]
        found = [card for member in chain.ids for card in deals.get(member, ())]
        patient = contacts.get(f"{rules.source_id}/patient/{chain.patient_id}", "")
        if not found and taken[patient]:
            found = [taken[patient].pop()]
        about = f"{prefix}{chain.ids[-1]}"
        wanted = set().union(*(phases(state, rules, (before.now, after.now)) for state in states))
        if not found:
            unseen = wanted & {Phase.CANCELLED, Phase.RESCHEDULED} and not rules.cancelled_unseen
            if not unseen and chain.ids[-1] in earlier:
                yield Violation("missing", about, found="no card", expected="1")
            continue
        if len(found) > 1:
            yield Violation("doubled", about, found=", ".join(card.id for card in found), expected="1 card")
        for card in found:
            yield from _card(card, about, chain, wanted, rules, contacts, after.now)
    allowed.update(member for chain in before.census.chains for member in chain.ids)
    for member, found in deals.items():
        if member not in allowed:
            yield Violation(
                "unasked",
                f"{prefix}{member}",
                found=f"card {found[0].id}",
                expected="none: outside the horizon",
            )


def _taken(cards: Sequence[SeenCard], rules: Rules) -> defaultdict[str, list[SeenCard]]:
    """By its patient's contact, each enquiry's card that a visit took over: it keeps the key it was made with."""
    taken: defaultdict[str, list[SeenCard]] = defaultdict(list)
    for card in cards:
        ours = card.entity is Entity.DEAL and card.key.startswith(f"{rules.source_id}/enquiry/")
        if ours and card.stage in rules.stages.values():
            for contact in card.contacts:
                taken[contact].append(card)
    return taken


def _card(
    card: SeenCard,
    about: str,
    chain: ChainCensus,
    wanted: set[Phase],
    rules: Rules,
    contacts: dict[str, str],
    now: datetime,
) -> Iterator[Violation]:
    upcoming = rules.stages[Phase.UPCOMING]
    names = {rules.stages.get(phase, upcoming) for phase in wanted}
    if names & rules.messages:
        # The CRM would write there to nobody in particular, to somebody who refused, or of a visit that has begun.
        if not card.contacts or chain.refused:
            names = names - rules.messages | {rules.silent}
            if rules.silent in rules.messages and len(chain.ids) > 1:
                # Every stage on which a visit is awaited speaks: booked again, the card stays where the last end put it.
                names |= {
                    rules.stages[end] for end in (Phase.CANCELLED, Phase.RESCHEDULED) if end in rules.stages
                }
        elif chain.starts_at <= now:
            names.add(rules.silent)
    if card.stage not in names:
        yield Violation("wrong stage", about, found=card.stage, expected=" / ".join(sorted(names)))
    patient = contacts.get(f"{rules.source_id}/patient/{chain.patient_id}")
    if card.contacts and patient not in card.contacts:
        yield Violation(
            "wrong patient",
            about,
            found=f"contacts {', '.join(card.contacts)}",
            expected=f"contact {patient}",
        )


def _enquiries(cards: Sequence[SeenCard], rules: Rules, phones: Iterable[str]) -> Iterator[Violation]:
    """A phone's enquiry card is the lead that carries an enquiry's key; or one open lead of the CRM's own. Who asks again
    after the answer, or after a visit took the card over, has another one: only one is open at a time.
    """
    keyed: Counter[str] = Counter()
    open_keyed: Counter[str] = Counter()
    visits = set(rules.stages.values())
    open_leads: Counter[str] = Counter()
    for card in cards:
        if card.entity is Entity.CONTACT:
            continue
        for phone in set(card.phones):
            ours = card.key.startswith(f"{rules.source_id}/enquiry/")
            keyed[phone] += ours
            open_keyed[phone] += ours and not card.closed and card.stage not in visits
            open_leads[phone] += card.entity is Entity.LEAD and not card.closed
    for phone in phones:
        about = f"{phone[:5]}***{phone[-2:]}"
        if open_keyed[phone] > 1:
            yield Violation("doubled enquiry", about, found=f"{open_keyed[phone]} open cards", expected="1")
        elif not keyed[phone] and not open_leads[phone]:
            yield Violation("no enquiry", about, found="no card", expected="1")
