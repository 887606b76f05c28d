"""Campaign cards: one an occasion, made at its time and never for what is past, moved up its list of rules."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from kreslo.connectors.model import ByKey, Card
from kreslo.decisions.asking import Asker
from kreslo.decisions.case import Base, Case, OwnCard, Role
from kreslo.decisions.contacts import Identity, Standing
from kreslo.decisions.desired import CardRef, Cause, DesiredCard, FieldWish, StageWish
from kreslo.decisions.fields import wishes
from kreslo.decisions.turns import Turn, quiet_until
from kreslo.mapping.model import Bridge, CampaignPlan, CampaignStage
from kreslo.records import Patient, RecordKind


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has a card, or gets one now. `own`: its card in the journal; `found`: a card with its key in the CRM.
    `scope`: everything that expressions may name. `rule`: that which holds, None where none does.
    """

    turn: Turn
    scope: dict[str, Any]
    rule: CampaignStage | None
    own: OwnCard | None = None
    found: Card | None = None


class Campaigns(msgspec.Struct, frozen=True, kw_only=True):
    """`wakes`: when the clock may change any of it. `rules`: for `explain`."""

    due: tuple[Due, ...] = ()
    wakes: tuple[datetime, ...] = ()
    rules: tuple[str, ...] = ()


def campaigns_of(
    turns: Sequence[Turn],
    case: Case,
    patient: Patient,
    scope: dict[str, Any],
    bridge: Bridge,
    asker: Asker,
    now: datetime,
) -> Campaigns:
    """Which turns have or get a card. `scope`: what expressions see beside the turn's own names. Raises EvaluationError."""
    held = {card.key: card for card in case.cards if card.role is Role.CAMPAIGN and _stands(card)}
    due: list[Due] = []
    wakes: list[datetime] = []
    rules: list[str] = []
    given = defaultdict(list)
    for turn in turns:
        if turn.key(bridge.source_id) in held:
            given[turn.plan.name].append(turn.time)
    for turn in sorted(turns, key=lambda each: each.time):
        own = held.get(turn.key(bridge.source_id))
        if own is None and now >= turn.past_at:
            if now < turn.past_at + bridge.horizon.past:
                rules.append(f"{turn.name}: no card, its time was past at {turn.past_at:%d.%m %H:%M} UTC")
            continue
        if own is not None and _over(turn, own, bridge, now):
            continue
        wakes += _wakes(turn, now)
        known = {**scope, **turn.scope}
        rule = _rule(turn, known, now)
        if own:
            reason = _why_not_kept(own)
        else:
            reason = _why_no_card(turn, rule, patient, known, now) or _too_soon(turn, given[turn.plan.name])
        if reason:
            rules.append(f"{turn.name}: {reason}")
            continue
        given[turn.plan.name].append(turn.time)
        found = None if own else _found(turn, bridge, asker)
        due.append(Due(turn=turn, scope=known, rule=rule, own=own, found=found))
    return Campaigns(due=tuple(due), wakes=tuple(wakes), rules=tuple(rules))


def campaign_cards(
    campaigns: Campaigns,
    patient: Patient,
    identity: Identity | None,
    refs: tuple[CardRef, ...],
    bridge: Bridge,
    now: datetime,
) -> tuple[list[DesiredCard], list[str]]:
    """The cards, and for `explain` what became of each turn. `refs`: the contacts, main first."""
    cards, rules = [], []
    for due in campaigns.due:
        if due.own is None and due.found is None and not refs:
            who = (
                "a person must say whose contact it is"
                if _in_review(identity)
                else "the patient has no contact"
            )
            rules.append(f"{due.turn.name}: no card yet, {who}")
            continue
        stage = _stage(due, may_message=not patient.messages_refused and bool(refs), now=now)
        cards.append(_card(due, stage, refs, bridge))
        rules.append(f"{due.turn.name}: {due.rule.name if due.rule else 'stays where it stands'}")
    return cards, rules


def _in_review(identity: Identity | None) -> bool:
    return identity is not None and identity.standing is Standing.REVIEW


def _card(due: Due, stage: StageWish, refs: tuple[CardRef, ...], bridge: Bridge) -> DesiredCard:
    plan = due.turn.plan
    fields = wishes(plan.fields, due.scope)
    fields["TITLE"] = FieldWish(value=plan.title.render(due.scope))
    return DesiredCard(
        key=due.turn.key(bridge.source_id),
        role=Role.CAMPAIGN,
        entity=plan.entity,
        take=due.found.id if due.found else "",
        members=(due.turn.ref.key(bridge.source_id),),
        fields=fields,
        stage=stage,
        contacts=refs or None,
    )


# --- whether there is a card ------------------------------------------------------------------------------------------


def _stands(card: OwnCard) -> bool:
    """Whether the CRM has it, may have it, or had it: one that was never sent is decided like one never thought of."""
    return bool(card.target_id) or card.busy or card.gone


def _over(turn: Turn, own: OwnCard, bridge: Bridge, now: datetime) -> bool:
    """Its story has ended: the card stands on a stage that closes it, or nothing can come any more."""
    if own.base and own.base.stage in bridge.terminal:
        return True
    longest = max(rule.after for rule in turn.plan.stages)
    known = max(turn.time, turn.turns_at or turn.time)
    return now >= known + longest + turn.plan.late + bridge.horizon.past


def _why_not_kept(own: OwnCard) -> str:
    # Whoever deletes it has dealt with it; a second card would be a second message.
    return "its card was deleted in the CRM" if own.gone else ""


def _why_no_card(
    turn: Turn, rule: CampaignStage | None, patient: Patient, scope: dict[str, Any], now: datetime
) -> str:
    """Why a turn without a card has none (yet), or ""."""
    plan = turn.plan
    if patient.merged_into:
        return "no card, the patient was merged into another"
    if turn.ref.kind is RecordKind.ENTRY and scope["entry"]["closed"]:
        return "no card, the MIS has closed it"
    if plan.speaks and patient.messages_refused:
        return "no card, the patient refused messages"
    if now < turn.time:
        return f"waits until {turn.time:%d.%m %H:%M} UTC"
    if plan.when is not None and plan.when.evaluate(scope) is not True:
        return f"no card, `when: {plan.when.source}` does not hold"
    if plan.unless is not None and plan.unless.evaluate(scope) is True:
        return f"no card, `unless: {plan.unless.source}` holds"
    if quiet_until(now, plan, turn.zone) > now:
        return "waits for the end of the quiet hours"
    return "no card, none of its stages holds" if rule is None else ""


def _too_soon(turn: Turn, given: Sequence[datetime]) -> str:
    """`given`: the times of this campaign's cards."""
    near = any(abs(turn.time - at) < turn.plan.pause for at in given)
    return "no card, the patient had one of this campaign within its `pause:`" if near else ""


def _found(turn: Turn, bridge: Bridge, asker: Asker) -> Card | None:
    """A card that stands in the CRM with this key: ours, of a journal that was lost."""
    entity = turn.plan.entity
    cards = [
        card
        for card in asker.ask(ByKey(entity, turn.key(bridge.source_id)))
        if not asker.owner(entity, card.id)
    ]
    return min(cards, key=lambda card: card.id, default=None)


def _wakes(turn: Turn, now: datetime) -> Iterator[datetime]:
    yield turn.time
    yield from (turn.time + rule.after for rule in turn.plan.stages if rule.after)
    if turn.turns_at:
        yield turn.turns_at
    yield quiet_until(now, turn.plan, turn.zone)


# --- where it stands --------------------------------------------------------------------------------------------------


def _rule(turn: Turn, scope: dict[str, Any], now: datetime) -> CampaignStage | None:
    """The first rule that holds."""
    for rule in turn.plan.stages:
        if now >= turn.time + rule.after and (rule.when is None or rule.when.evaluate(scope) is True):
            return rule
    return None


def _stage(due: Due, *, may_message: bool, now: datetime) -> StageWish:
    """A card moves up the list only: what was answered or has ended is not asked again."""
    plan, rule, base = due.turn.plan, due.rule, due.own.base if due.own else None
    stays = StageWish(stage=None, initial=plan.stages[-1].stage)
    if rule is None or (_taken_over(due) and (rule.message or rule.after or rule is plan.stages[-1])):
        return stays
    if base is not None and plan.stages.index(rule) > _place(plan, base):
        return stays
    entered = base is None or base.stage != rule.stage
    if rule.message and entered and not (may_message and _speaks_now(due.turn, rule, now)):
        return stays
    return StageWish(
        stage=rule.stage,
        initial=rule.stage,
        cause=Cause.CLOCK if rule.after else Cause.MIS,
        occasion=f"{plan.name}:{due.turn.ref.id}:{rule.stage.stage}" if rule.message else "",
    )


def _taken_over(due: Due) -> bool:
    """Whether the card stood in the CRM before this journal: what was said on it, and who moved it, is not known."""
    own = due.own
    return due.found is not None or (
        own is not None and bool(own.target_id) and (own.base is None or own.base.stage is None)
    )


def _place(plan: CampaignPlan, base: Base) -> int:
    """How far up the list the card was put last; below all where the mapping has that stage no more."""
    places = [number for number, rule in enumerate(plan.stages) if rule.stage == base.stage]
    return min(places, default=len(plan.stages))


def _speaks_now(turn: Turn, rule: CampaignStage, now: datetime) -> bool:
    """Whether this is an hour to write at, and what the clock has brought is not long past."""
    if quiet_until(now, turn.plan, turn.zone) > now:
        return False
    return not rule.after or now < turn.time + rule.after + turn.plan.late
