"""One case lived through: decide, merge, and a CRM that does at once what it is told. The engine in forty lines."""

from datetime import datetime

import msgspec

from kreslo.connectors.model import AddNote, AddTask, Card, CreateCard, Entity, Semantic, UpdateCard, Value
from kreslo.decisions.case import Base, Case, OwnCard, Role
from kreslo.decisions.desired import CardRef, Desired, DesiredCard
from kreslo.mapping.model import Bridge
from kreslo.merging import merge
from kreslo.merging.merge import with_marker
from kreslo.merging.plan import Merged, Planned
from tests.unit.decisions.builders import Crm, make_bridge


def same(_code: str, value: Value) -> Value:
    """A CRM that gives every value back as it was written."""
    return value


class World:
    def __init__(self, *cards: Card, bridge: Bridge | None = None) -> None:
        self.bridge = bridge or make_bridge()
        self.cards: dict[tuple[Entity, str], Card] = {(card.entity, card.id): card for card in cards}
        self.own: dict[str, OwnCard] = {}
        self.notes: list[tuple[str, str]] = []
        self.tasks: list[tuple[str, str]] = []
        self.stages: list[tuple[str, str]] = []
        self.planned: list[Planned] = []
        self.suppressed: tuple[str, ...] = ()
        self.overwrites: list[str] = []
        self._last = 9000

    def step(self, case: Case, now: datetime, *, look: bool = False, lose: bool = False) -> Desired:
        """Decides and delivers; then `planned` is what was sent. `look`: as if every card had an event. `lose`: nothing
        of what was sent arrives.
        """
        cards = tuple(self.own.values())
        owners = {(card.entity, card.target_id): case.key for card in cards if card.target_id}
        case = msgspec.structs.replace(case, cards=cards)
        desired = Crm(*self.cards.values(), owners=owners).decide(case, now, self.bridge)
        self.planned, suppressed = [], []
        for card in desired.cards:
            merged = self._merge(card, look=look)
            self._remember(card, merged)
            self.planned += merged.planned
            suppressed += merged.suppressed
            self.overwrites += [each.field for each in merged.overwrites]
        self.suppressed = tuple(suppressed)
        if not lose:
            for planned in self.planned:
                self._apply(planned)
        return desired

    def card(self, key: str) -> Card:
        own = self.own[key]
        return self.cards[own.entity, own.target_id]

    def edit(self, key: str, **changes: object) -> None:
        """What a member of staff or a robot does to a card of ours."""
        card = self.card(key)
        self.cards[card.entity, card.id] = msgspec.structs.replace(card, **changes)

    def base(self, key: str) -> Base:
        base = self.own[key].base
        assert base is not None
        return base

    def _merge(self, card: DesiredCard, *, look: bool) -> Merged:
        mine = self.own.get(card.key)
        fresh = card.take and not (mine and not mine.gone and mine.target_id == card.take)
        card = card if fresh else msgspec.structs.replace(card, take="")
        target_id = card.take or (mine.target_id if mine and not mine.gone else "")
        return merge(
            card,
            mine,
            self.cards.get((card.entity, target_id)),
            asked=True,
            look=look,
            canonical=same,
            resolve=self._resolve,
            bridge=self.bridge,
        )

    def _resolve(self, ref: CardRef) -> str:
        return ref.target_id or (self.own[ref.key].target_id if ref.key in self.own else "")

    def _remember(self, card: DesiredCard, merged: Merged) -> None:
        mine = self.own.get(card.key)
        if card.role in {Role.CLAIM, Role.WATCHED} and not (card.take or mine):
            return
        own = mine or OwnCard(key=card.key, role=card.role, entity=card.entity)
        taken = bool(card.take) and card.take != own.target_id
        self.own[card.key] = msgspec.structs.replace(
            own,
            role=card.role,
            target_id=card.take or own.target_id,
            members=card.members or own.members,
            base=merged.base or (None if taken else own.base),
            claimed_from=card.claimed_from or own.claimed_from,
            claimed_lead=card.claimed_lead or own.claimed_lead,
            closed=card.close,
            gone=merged.gone,
            overrule=card.overrule or own.overrule,
        )

    def _apply(self, planned: Planned) -> None:
        action, own = planned.action, self.own[planned.card]
        base = planned.after or own.base
        contacts = tuple(filter(None, map(self._resolve, planned.contacts or ())))
        if isinstance(action, CreateCard):
            self._last += 1
            card = Card(
                entity=action.entity, id=str(self._last), key=action.key, contacts=contacts, lead=action.lead
            )
            self._put(card, action.stage, action.fields, planned.card)
            own = msgspec.structs.replace(own, target_id=card.id)
            base = msgspec.structs.replace(base, contacts=contacts) if base else None
        elif isinstance(action, UpdateCard):
            card = self.cards[action.entity, action.id]
            multi = {
                code: (*(v for v in card.fields.get(code) or () if v not in change.remove), *change.add)
                for code, change in action.multi.items()
            }
            card = msgspec.structs.replace(
                card,
                key=action.key or card.key,
                lead=action.lead or card.lead,
                contacts=card.contacts if planned.contacts is None else contacts,
            )
            self._put(card, action.stage, {**action.fields, **multi}, planned.card)
        elif isinstance(action, AddNote):
            self.notes.append((planned.card, action.text))
        elif isinstance(action, AddTask):
            self.tasks.append((planned.card, action.text))
        if base is not None:
            self.own[planned.card] = msgspec.structs.replace(own, base=with_marker(base, planned.marker))

    def _put(self, card: Card, stage: object, fields: dict[str, Value], key: str) -> None:
        changes: dict[str, object] = {"fields": {**card.fields, **fields}}
        if stage is not None:
            ended = stage in self.bridge.terminal
            changes |= {"stage": stage, "semantic": Semantic.LOST if ended else Semantic.OPEN}
            self.stages.append((key, stage.stage))  # type: ignore[attr-defined]
        self.cards[card.entity, card.id] = msgspec.structs.replace(card, **changes)
