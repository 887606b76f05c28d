"""What staff do by hand in the portal: move, edit, delete, merge, take a reply; always as themselves, never as the
integration.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.bitrix24.sandbox import multifields, rules, values
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.dictionaries import Status, stage_entity
from connectors.bitrix24.sandbox.fields import MULTI_FIELDS, Field
from connectors.bitrix24.sandbox.merging import merge_cards
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing import php
from kreslo.connectors.sandboxing.control import WrongOrderError
from kreslo.connectors.sandboxing.staffing import StaffOrder, acted

_REPLIES = {"да": "Подтвердил по смс", "нет": "Отменил по смс"}
_ADMINISTRATOR = 3


class Order(StaffOrder, kw_only=True, forbid_unknown_fields=True):
    """`entity`: contact, deal or lead. Phones and e-mails as lists of texts (added) or of the portal's own rows."""

    user_id: int = _ADMINISTRATOR


def act(portal: Portal, action: str, order: Order) -> Card | None:
    """Do it; gives the card as it is then, None where it is gone. Raises WrongOrderError."""
    acts: dict[str, Callable[[Portal, Order], Card | None]] = {
        "create": _create,
        "move": _move,
        "edit": _edit,
        "delete": _delete,
        "merge": _merge,
        "reply": _reply,
    }
    return acted(portal, acts, action, order, portal.people)


def kind_of(word: str) -> Kind:
    try:
        return Kind[word.upper()]
    except KeyError as error:
        raise WrongOrderError(f"no entity {word!r}; there are contact, deal, lead") from error


def stage_named(portal: Portal, kind: Kind, name: str, *, funnel: str = "", near: int = 0) -> Status:
    """The stage of that name: in the named funnel, else in the funnel `near`, else the only one anywhere."""
    if kind is Kind.CONTACT:
        raise WrongOrderError("contacts have no stages")
    categories = list(portal.dictionaries.categories.values()) if kind is Kind.DEAL else []
    if funnel:
        categories = [category for category in categories if category.name == funnel]
    ids = [category.id for category in categories] or ([0] if kind is Kind.LEAD else [])
    found = [
        status
        for category_id in ids
        for status in portal.dictionaries.stages(kind, category_id)
        if status.name == name
    ]
    at_home = [status for status in found if status.entity_id == stage_entity(kind, near)]
    if at_home and not funnel:
        return at_home[0]
    if len(found) != 1:
        raise WrongOrderError(f"{len(found) or 'no'} stages {name!r} in {funnel or 'any funnel'!r}")
    return found[0]


def _card(portal: Portal, order: Order, card_id: int | None = None) -> Card:
    kind = kind_of(order.entity)
    wanted = order.id if card_id is None else card_id
    card = portal.card(kind, wanted)
    if card is None:
        raise WrongOrderError(f"no {kind.word} {wanted}")
    return card


def _move(portal: Portal, order: Order) -> Card:
    card = _card(portal, order)
    near = card.fields.get("CATEGORY_ID") or 0
    stage = stage_named(portal, card.kind, order.stage, funnel=order.funnel, near=near)
    fields: dict[str, Any] = {card.kind.stage_field: stage.status_id}
    if card.kind is Kind.DEAL:
        fields["CATEGORY_ID"] = stage.category_id or 0
    rules.update(portal, card, rules.Draft(fields=fields), order.user_id, always=False)
    return card


def _reply(portal: Portal, order: Order) -> Card:
    word = order.answer.strip().casefold().rstrip(".!")
    if not order.stage and word not in _REPLIES:
        raise WrongOrderError(f"the answer {order.answer!r} is neither «Да» nor «Нет», and no stage is named")
    return _move(portal, msgspec.structs.replace(order, stage=order.stage or _REPLIES[word]))


def _edit(portal: Portal, order: Order) -> Card:
    card = _card(portal, order)
    rules.update(portal, card, _draft(portal, card.kind, order), order.user_id, always=True)
    return card


def _create(portal: Portal, order: Order) -> Card:
    kind = kind_of(order.entity)
    draft = _draft(portal, kind, order)
    if order.stage:
        stage = stage_named(portal, kind, order.stage, funnel=order.funnel)
        draft.fields[kind.stage_field] = stage.status_id
        draft.fields["CATEGORY_ID"] = stage.category_id or 0
    return rules.create(portal, kind, draft, order.user_id)


def _draft(portal: Portal, kind: Kind, order: Order) -> rules.Draft:
    draft = rules.Draft(fields={}, multi=[], contacts=order.contact_ids)
    for name, raw in order.fields.items():
        field = _field(portal, kind, name)
        if field.code in MULTI_FIELDS:
            rows = [row if isinstance(row, dict) else {"VALUE": row} for row in php.members(raw)]
            draft.multi += multifields.legacy_ops(field.code, rows)
            continue
        value = values.parse(field, _option(field, raw), portal.zone)
        if value is values.DROPPED:
            raise WrongOrderError(f"{raw!r} is no value for {name}")
        draft.fields[field.code] = value
    return draft


def _field(portal: Portal, kind: Kind, name: str) -> Field:
    known = portal.fields(kind)
    found = [known[name]] if name in known else [field for field in known.values() if field.title == name]
    if len(found) != 1 or found[0].code in {kind.stage_field, "CATEGORY_ID"}:
        raise WrongOrderError(f"no field {name!r} of a {kind.word} that can be edited (stages: use move)")
    return found[0]


def _option(field: Field, raw: Any) -> Any:
    by_text = {row["VALUE"]: option for option, row in field.options.items()}
    return by_text.get(raw, raw) if isinstance(raw, str) else raw


def _delete(portal: Portal, order: Order) -> None:
    rules.delete(portal, _card(portal, order), order.user_id)


def _merge(portal: Portal, order: Order) -> Card:
    loser, survivor = _card(portal, order), _card(portal, order, order.into)
    if loser is survivor:
        raise WrongOrderError("a card cannot be merged into itself")
    merge_cards(portal, survivor, loser, order.user_id)
    return survivor
