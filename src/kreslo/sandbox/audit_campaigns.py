"""Holds campaign cards against the clinic's own count: each for an occasion that is there, in its time, of its patient."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Census, ChainCensus
from kreslo.mapping.model import ENTRY_OCCASIONS, CampaignPlan, Occasion
from kreslo.records import RECALL
from kreslo.sandbox.crm import SeenCard
from kreslo.sandbox.findings import CampaignRules, Moment, Rules, Violation

_STATES = {
    Occasion.BOOKED: {"upcoming"},
    Occasion.CONFIRMED: {"upcoming"},
    Occasion.LAST_VISIT: {"completed"},
}
"""What the census calls the fact, where it has another name."""


def campaign_rules(plans: Iterable[CampaignPlan]) -> tuple[CampaignRules, ...]:
    return tuple(
        CampaignRules(
            name=plan.name,
            on=plan.on,
            after=plan.after,
            late=plan.late,
            messages=frozenset(rule.name for rule in plan.stages if rule.message),
            certain=not (plan.when or plan.unless or plan.pause or plan.at or plan.quiet),
        )
        for plan in plans
    )


def campaign_of(card: SeenCard, rules: Rules) -> str:
    """The campaign whose card it is, "" for any other card."""
    part = card.key.removeprefix(f"{rules.source_id}/").partition("/")[0]
    ours = card.entity is Entity.DEAL and card.key.startswith(f"{rules.source_id}/")
    return part if ours and part in {each.name for each in rules.campaigns} else ""


def campaign_violations(
    cards: Sequence[SeenCard], rules: Rules, before: Moment, after: Moment
) -> Iterator[Violation]:
    contacts = {card.key: card.id for card in cards if card.entity is Entity.CONTACT and card.key}
    patients = {key.removeprefix(f"{rules.source_id}/patient/"): id_ for key, id_ in contacts.items()}
    found: dict[str, list[SeenCard]] = defaultdict(list)
    for card in cards:
        found[campaign_of(card, rules)].append(card)
    for campaign in rules.campaigns:
        if campaign.on in ENTRY_OCCASIONS:
            yield from _entries(found[campaign.name], campaign, patients, before, after)
        else:
            yield from _visits(found[campaign.name], campaign, rules, patients, before, after)


def _visits(
    cards: Sequence[SeenCard],
    campaign: CampaignRules,
    rules: Rules,
    patients: dict[str, str],
    before: Moment,
    after: Moment,
) -> Iterator[Violation]:
    occasions = {chain.ids[-1]: chain for chain in _occasions(campaign, before.census)}
    occasions |= {chain.ids[-1]: chain for chain in _occasions(campaign, after.census)}
    has = {card.key.rpartition("/")[2] for card in cards}
    for card in cards:
        chain = occasions.get(card.key.rpartition("/")[2])
        if chain is None:
            yield Violation(
                "unasked", card.key, found=f"card {card.id}", expected=f"none: no visit is {campaign.on}"
            )
            continue
        yield from _person(card, chain.patient_id, patients, refused=campaign.speaks and chain.refused)
        if chain.ended_at and not _was_due(campaign, chain.ended_at, None, before.now, after.now):
            yield Violation(
                "wrong time", card.key, found=f"card {card.id}", expected="none: not due, or past"
            )
    for id_, chain in occasions.items():
        asked = campaign.certain and not (campaign.speaks and chain.refused) and chain.patient_id in patients
        if asked and id_ not in has and _must_be(campaign, chain.ended_at, None, before.now, after.now):
            yield Violation(
                "missing", f"{rules.source_id}/{campaign.name}/{id_}", found="no card", expected="1"
            )


def _occasions(campaign: CampaignRules, census: Census) -> Sequence[ChainCensus]:
    if campaign.on is Occasion.LAST_VISIT:
        return census.last_seen
    states = _STATES.get(campaign.on, {campaign.on.value})
    return [chain for chain in census.chains if chain.state in states]


def _entries(
    cards: Sequence[SeenCard],
    campaign: CampaignRules,
    patients: dict[str, str],
    before: Moment,
    after: Moment,
) -> Iterator[Violation]:
    """A source may make up the ids of its lists, so cards and rows are counted by patient."""
    listed = RECALL if campaign.on is Occasion.RECALL else campaign.name
    rows = [entry for entry in after.census.entries if entry.campaign == listed]
    due = [row for row in rows if _was_due(campaign, row.at, row.visit_at, before.now, after.now)]
    most = Counter(patients.get(row.patient_id, "") for row in due)
    refused = {patients.get(row.patient_id, "") for row in rows if row.refused and campaign.speaks}
    least = Counter(
        patients[row.patient_id]
        for row in due
        if campaign.certain
        and row.patient_id in patients
        and not (row.refused and campaign.speaks)
        and _must_be(campaign, row.at, row.visit_at, before.now, after.now)
    )
    has: Counter[str] = Counter()
    for card in cards:
        mine = [contact for contact in card.contacts if most[contact]]
        if not mine:
            yield Violation("unasked", card.key, found=f"card {card.id}", expected="none: no row is due")
        elif set(mine) <= refused:
            yield Violation(
                "refused", card.key, found=f"card {card.id}", expected="none: messages were refused"
            )
        # A child's card has its representative's contact too.
        has.update(mine)
    for contact, count in least.items():
        if has[contact] < count:
            about = f"{campaign.name} of contact {contact}"
            yield Violation("missing", about, found=f"{has[contact]} cards", expected=f"{count}")


def _person(
    card: SeenCard, patient_id: str, patients: dict[str, str], *, refused: bool
) -> Iterator[Violation]:
    if patients.get(patient_id) not in card.contacts:
        found = f"contacts {', '.join(card.contacts) or 'none'}"
        yield Violation(
            "wrong patient", card.key, found=found, expected=f"contact {patients.get(patient_id)}"
        )
    if refused:
        yield Violation("refused", card.key, found=f"card {card.id}", expected="none: messages were refused")


def _was_due(
    campaign: CampaignRules, occasion: datetime, visit: datetime | None, since: datetime, until: datetime
) -> bool:
    """Whether a card may have been made between the two. A clock time or quiet hours may put it off by a day."""
    oldest = min(occasion, visit or occasion)
    return occasion + campaign.after <= until and since < oldest + campaign.after + campaign.late + timedelta(
        days=1
    )


def _must_be(
    campaign: CampaignRules,
    occasion: datetime | None,
    visit: datetime | None,
    since: datetime,
    until: datetime,
) -> bool:
    """Whether its time had come at `since` and was not past at `until`."""
    if occasion is None:
        return False
    oldest = min(occasion, visit or occasion)
    return occasion + campaign.after <= since and until < oldest + campaign.after + campaign.late
