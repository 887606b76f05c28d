"""One round of decisions: load the due cases, decide, look up what they need, allot claims, merge, commit."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import structlog

from kreslo.connectors.contract import Target
from kreslo.connectors.errors import ConfigurationError, DataError, KresloError
from kreslo.connectors.model import ById, Entity, Lookup, Value
from kreslo.connectors.seams import Clock
from kreslo.decisions import decide
from kreslo.decisions.case import Case, Facts, OwnCard, Role
from kreslo.decisions.desired import CardRef, Decision, Desired, DesiredCard, Needs
from kreslo.decisions.texts import text
from kreslo.journal import BridgeJournal
from kreslo.journal.model import CardState, CasePlan, DueCase, FieldParked, Priority
from kreslo.mapping.expressions import EvaluationError
from kreslo.mapping.model import Bridge
from kreslo.merging import merge
from kreslo.merging.plan import Merged, Overwrite, Planned
from kreslo.records import RecordKind, RecordRef
from kreslo.sync.finding import Finder
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

ROUNDS = 12
"""A decision asks at most: key, phone, hanging contacts, the card as it is. More rounds mean a rule that never ends."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did: cases decided, intents planned, cases that have to be decided again."""

    decided: int = 0
    planned: int = 0
    conflicts: int = 0


class Decider:
    def __init__(
        self, bridge: Bridge, journal: BridgeJournal, target: Target, clock: Clock, threads: Threads
    ) -> None:
        self._bridge = bridge
        self._journal = journal
        self._target = target
        self._clock = clock
        self._threads = threads
        self._broken: set[str] = set()

    async def round(self, limit: int, *, live_only: bool = False) -> Report:
        """Decides up to `limit` due cases and those that share a phone with them; `live_only` leaves those for later that
        no change in the MIS or the CRM has just marked. Raises what `Target.find` raises; then nothing was committed
        and the cases stay due.
        """
        now = self._clock.now()
        due = await self._threads.run(self._journal.due, now, limit)
        if live_only:
            due = [each for each in due if each.priority is Priority.LIVE]
        if not due:
            return Report()
        # Cases on one phone are decided together, so that a claim goes to the earliest booking among them.
        due = _unique([*due, *await self._threads.run(self._journal.siblings, [each.key for each in due])])
        loaded = await self._threads.run(self._journal.load, [each.key for each in due], now)
        cases = {key: each.case for key, each in loaded.items()}
        versions = {key: each.version for key, each in loaded.items()}
        finder = Finder(self._target, self._journal, self._threads)
        desired, broken = await self._decide_all(cases, finder, now)
        merged = await self._merge_all(cases, desired, finder, broken)
        plans = [
            _plan(cases[key], versions[key], wish, merged[key], now, self._bridge)
            for key, wish in desired.items()
        ]
        for key, reason in broken.items():
            await self._threads.run(
                self._journal.park_case,
                key,
                versions[key],
                reason=reason,
                fix=text(self._bridge.language, "case_fix"),
                now=now,
            )
        conflicts = await self._threads.run(self._journal.commit, plans, now)
        if self._broken:
            await self._threads.run(
                self._journal.unpark_cases, [key for key in desired if key in self._broken]
            )
        self._broken = (self._broken - desired.keys()) | broken.keys()
        for conflict in conflicts:
            log.info("card_taken", case=conflict.case, entity=conflict.entity, owner=conflict.owner)
        return Report(
            decided=len(plans) - len(conflicts),
            planned=sum(len(plan.planned) for plan in plans),
            conflicts=len(conflicts),
        )

    async def preview(self, keys: Sequence[str]) -> list[tuple[Case, DesiredCard, Merged]]:
        """What a round would do for these cases if each of their cards were looked at now. Nothing is written. A case that
        cannot be decided is left out. Raises what `Target.find` raises.
        """
        now = self._clock.now()
        loaded = await self._threads.run(self._journal.load, keys, now)
        cases = {
            key: msgspec.structs.replace(
                each.case,
                look_again=each.case.look_again
                | {card.target_id for card in each.case.cards if card.target_id},
            )
            for key, each in loaded.items()
        }
        finder = Finder(self._target, self._journal, self._threads)
        desired, broken = await self._decide_all(cases, finder, now)
        merged = await self._merge_all(cases, desired, finder, broken)
        return [(cases[key], card, each) for key, pairs in merged.items() for card, each in pairs]

    async def _decide_all(
        self, cases: dict[str, Case], finder: Finder, now: datetime
    ) -> tuple[dict[str, Desired], dict[str, str]]:
        decided: dict[str, Desired] = {}
        broken: dict[str, str] = {}
        pending = dict(cases)
        taken: dict[str, dict[tuple[Entity, str], str]] = {}
        for _ in range(ROUNDS):
            answers = await self._threads.run(self._decide_many, pending, finder, taken, now)
            needs: dict[Lookup, None] = {}
            again: dict[str, Case] = {}
            for key, answer in answers.items():
                if isinstance(answer, str):
                    broken[key] = answer
                elif isinstance(answer, Needs):
                    needs.update(dict.fromkeys(answer.lookups))
                    again[key] = pending[key]
                else:
                    decided[key] = answer
            if not needs:
                losers = _losers(decided, self._bridge)
                if not losers:
                    return decided, broken
                for key, lost in losers.items():
                    taken.setdefault(key, {}).update(lost)
                    again[key] = cases[key]
                    decided.pop(key)
            await finder.ask(needs)
            pending = again
        raise RuntimeError(f"decisions do not come to an end: {sorted(pending)[:3]}")

    def _decide_many(
        self,
        cases: dict[str, Case],
        finder: Finder,
        taken: dict[str, dict[tuple[Entity, str], str]],
        now: datetime,
    ) -> dict[str, Decision | str]:
        answers: dict[str, Decision | str] = {}
        for key, case in cases.items():
            owners = {**finder.owners, **taken.get(key, {})}
            try:
                answers[key] = decide(case, Facts(found=finder.found, owners=owners), now, self._bridge)
            except DataError as error:
                # A mapping's expression that fails on this record; the other cases go on.
                answers[key] = self._reason(error)
        return answers

    async def _merge_all(
        self, cases: dict[str, Case], desired: dict[str, Desired], finder: Finder, broken: dict[str, str]
    ) -> dict[str, list[tuple[DesiredCard, Merged]]]:
        """Merges what can be merged, reads the cards that the rest needs, and merges that. A case with a value that its
        field cannot hold goes from `desired` to `broken`.
        """
        first = self._merge_these(cases, desired, finder, broken)
        reads: list[Lookup] = [
            ById(card.entity, _target_id(card, cases[key]))
            for key, pairs in first.items()
            for card, merged in pairs
            if merged.need_actual
        ]
        await finder.ask(reads)
        asked = {key for key, pairs in first.items() if any(merged.need_actual for _, merged in pairs)}
        second = {key: wish for key, wish in desired.items() if key in asked}
        merged = self._merge_these(cases, second, finder, broken)
        for key in asked - merged.keys():
            desired.pop(key)
            first.pop(key)
        return {**first, **merged}

    def _merge_these(
        self, cases: dict[str, Case], desired: dict[str, Desired], finder: Finder, broken: dict[str, str]
    ) -> dict[str, list[tuple[DesiredCard, Merged]]]:
        merged = {}
        for key, wish in list(desired.items()):
            try:
                merged[key] = self._merge_case(cases[key], wish, finder)
            except (DataError, ConfigurationError) as error:
                # A value that its field cannot hold, or a field that the CRM has lost: the other cases go on.
                broken[key] = self._reason(error)
                desired.pop(key)
        return merged

    def _reason(self, error: KresloError) -> str:
        """Why a case cannot be decided, for clinic staff."""
        if isinstance(error, EvaluationError):
            return text(self._bridge.language, "expression_failed", why=error.message)
        return error.message

    def _merge_case(self, case: Case, wish: Desired, finder: Finder) -> list[tuple[DesiredCard, Merged]]:
        own = {card.key: card for card in case.cards}
        by_target = {(card.entity, card.target_id): card for card in case.cards if card.target_id}

        def resolve(ref: CardRef) -> str:
            if ref.target_id:
                return ref.target_id
            return own[ref.key].target_id if ref.key in own else ""

        pairs = []
        for card in wish.cards:
            mine = own.get(card.key) or by_target.get((card.entity, card.take))
            target_id = _target_id(card, case)
            found = finder.found.get(ById(card.entity, target_id)) if target_id else None

            def canonical(code: str, value: Value, entity: Entity = card.entity) -> Value:
                return self._target.canonical(entity, code, value)

            # A card that was taken over is compared once; after that it has a base like any other.
            fresh = card.take and not (mine and mine.target_id == card.take and not mine.gone)
            merged = merge(
                card if fresh else msgspec.structs.replace(card, take=""),
                mine,
                found.cards[0] if found and found.cards else None,
                asked=found is not None,
                look=target_id in case.look_again,
                canonical=canonical,
                resolve=resolve,
                bridge=self._bridge,
            )
            pairs.append((card, merged))
        return pairs


def _unique(due: Iterable[DueCase]) -> list[DueCase]:
    return list({each.key: each for each in due}.values())


def _target_id(card: DesiredCard, case: Case) -> str:
    own = next((each for each in case.cards if each.key == card.key), None)
    return card.take or (own.target_id if own and not own.gone else "")


def _losers(decided: dict[str, Desired], bridge: Bridge) -> dict[str, dict[tuple[Entity, str], str]]:
    """Claims are allotted one at a time, the earliest booking first: who lost what, and to whom."""
    claim = bridge.appointment.claim if bridge.appointment else None
    if claim is None:
        return {}
    wanted: dict[str, list[tuple[datetime, str]]] = {}
    for key, wish in decided.items():
        for card_id, booked_at in wish.claims.items():
            wanted.setdefault(card_id, []).append((booked_at, key))
    losers: dict[str, dict[tuple[Entity, str], str]] = {}
    for card_id, bids in wanted.items():
        winner = min(bids)[1]
        for _, key in bids:
            if key != winner:
                losers.setdefault(key, {})[(claim.entity, card_id)] = winner
    return losers


def _plan(
    case: Case,
    version: int,
    wish: Desired,
    merged: Sequence[tuple[DesiredCard, Merged]],
    now: datetime,
    bridge: Bridge,
) -> CasePlan:
    cards: list[CardState] = []
    planned: list[Planned] = []
    overwrites: list[Overwrite] = []
    gone = False
    for card, each in merged:
        own = next((mine for mine in case.cards if mine.key == card.key), None)
        if card.role in {Role.CLAIM, Role.WATCHED} and not (card.take or own):
            continue
        cards.append(_state(card, each, own, bridge))
        planned += each.planned
        overwrites += each.overwrites
        gone = gone or each.gone
    return CasePlan(
        key=case.key,
        version=version,
        cards=tuple(cards),
        planned=tuple(planned),
        reviews=wish.reviews,
        overwrites=tuple(overwrites),
        parked=tuple(
            _field_parked(card, code, bridge) for card, each in merged for code in each.parked_fields
        ),
        unparked=tuple((card.key, code) for card, each in merged for code in each.released_fields),
        # A card that turned out to be gone changes the decision: the case is decided again at once.
        wake_at=now if gone else wish.wake_at,
        rules=(*wish.rules, *(line for _, each in merged for line in each.suppressed)),
        drift=tuple(line for _, each in merged for line in each.drift),
        filtered=wish.filtered,
    )


def _field_parked(card: DesiredCard, code: str, bridge: Bridge) -> FieldParked:
    return FieldParked(
        card=card.key,
        code=code,
        reason=text(bridge.language, "field_parked", field=card.fields[code].title or code),
        fix=text(bridge.language, "field_parked_fix"),
    )


def _state(card: DesiredCard, merged: Merged, own: OwnCard | None, bridge: Bridge) -> CardState:
    return CardState(
        key=card.key,
        role=card.role,
        entity=card.entity,
        target_id="" if merged.gone else card.take,
        members=tuple(ref for key in card.members if (ref := _ref(key, bridge)) is not None),
        base=merged.base,
        transfer=card.transfer,
        claimed_from=card.claimed_from or (own.claimed_from if own else None),
        claimed_lead=card.claimed_lead,
        gone=merged.gone,
        closed=card.close,
        overrule=card.overrule or bool(own and own.overrule),
    )


def _ref(key: str, bridge: Bridge) -> RecordRef | None:
    kind, _, record_id = key.removeprefix(f"{bridge.source_id}/").partition("/")
    return RecordRef(RecordKind(kind), record_id) if record_id and kind in set(RecordKind) else None
