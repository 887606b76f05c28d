"""Links: of one card, and of many at once."""

from typing import Any

from connectors.amocrm.sandbox import linking
from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.problems import Errors, Refused, invalid, problem
from connectors.amocrm.sandbox.selecting import integers
from kreslo.connectors.sandboxing import php

Pair = tuple[Card, Card, bool]


def find(call: Call) -> Reply:
    card = _card(call)
    rows = [
        _shown(kind, other, metadata)
        for kind, other, metadata in linking.linked(call.account, card)
        if _asked(call, kind, other)
    ]
    return _answer(call, f"{call.kind.value}/{card.id}/links", rows)


def find_of_many(call: Call) -> Reply:
    rows = []
    for card_id in sorted(integers(call.filter().get("entity_id"))):
        card = call.account.card(call.kind, card_id)
        if card is not None:
            head = {"entity_id": card.id, "entity_type": card.kind.value}
            rows += [
                {**head, **_shown(kind, other, metadata)}
                for kind, other, metadata in linking.linked(call.account, card)
                if _asked(call, kind, other)
            ]
    return _answer(call, f"{call.kind.value}/links", rows)


def _asked(call: Call, kind: Kind, other: int) -> bool:
    """`to_entity_id` and `to_entity_type` count together only."""
    wanted = call.filter()
    if not {"to_entity_id", "to_entity_type"} <= set(wanted):
        return True
    return kind.value == php.text(wanted["to_entity_type"]) and other in integers(wanted["to_entity_id"])


def _shown(kind: Kind, other: int, metadata: dict[str, Any] | None) -> dict[str, Any]:
    return {"to_entity_id": other, "to_entity_type": kind.value, "metadata": metadata}


def _answer(call: Call, path: str, rows: list[dict[str, Any]]) -> Reply:
    return Reply({"_total_items": len(rows), "_links": call.href(path), "_embedded": {"links": rows}})


def _card(call: Call) -> Card:
    card = call.account.card(call.kind, call.id)
    if card is None:
        raise problem(404, "Entity not found")
    return card


def link(call: Call) -> Reply:
    pairs = _pairs(call, linking_=True)
    rows = []
    for card, other, is_main in pairs:
        linking.link(call.account, card, other, call.author, is_main=is_main)
        found = next(one for one in linking.linked(call.account, card) if one[:2] == (other.kind, other.id))
        rows.append({"entity_id": card.id, "entity_type": card.kind.value, **_shown(*found)})
    path = f"{call.kind.value}/{call.args['id']}/links" if "id" in call.args else f"{call.kind.value}/links"
    return _answer(call, path, rows)


def unlink(call: Call) -> Reply:
    for card, other, _ in _pairs(call, linking_=False):
        linking.unlink(call.account, card, other, call.author)
    return EMPTY


def _pairs(call: Call, *, linking_: bool) -> list[Pair]:
    own = _card(call) if "id" in call.args else None
    pairs: list[Pair] = []
    refused: list[Refused] = []
    for at, item in enumerate(call.array()):
        errors = Errors()
        pair = _pair(call, own, item, errors, linking_=linking_)
        if pair is None:
            refused.append(Refused(errors.found, php.text(item.get("request_id", at))))
        else:
            pairs.append(pair)
    if refused:
        raise invalid(refused)
    return pairs


def _pair(
    call: Call, own: Card | None, item: dict[str, Any], errors: Errors, *, linking_: bool
) -> Pair | None:
    account = call.account
    card = own
    if card is None and isinstance(item.get("entity_id"), int):
        card = account.card(call.kind, item["entity_id"])
    if card is None:
        errors.add("NotSupportedChoice", "entity_id")
        return None
    kind = next((kind for kind in Kind if kind.value == item.get("to_entity_type")), None)
    if kind is None:
        errors.add("NotSupportedChoice", "to_entity_type")
        return None
    other_id = item.get("to_entity_id")
    other = account.card(kind, other_id) if isinstance(other_id, int) else None
    if other is None or not linking.can_link(card, other):
        errors.add("NotSupportedChoice", "to_entity_id")
        return None
    present = any(one[:2] == (kind, other.id) for one in linking.linked(account, card))
    if linking_ and present and account.switches.repeat_link == "error":
        errors.add("NotSupportedChoice", "to_entity_id")
        return None
    metadata = item.get("metadata")
    return card, other, bool(metadata.get("is_main")) if isinstance(metadata, dict) else False


METHODS = (
    Method("GET", "{kind}/links", find_of_many),
    Method("POST", "{kind}/link", link),
    Method("POST", "{kind}/unlink", unlink),
    Method("GET", "{kind}/{id}/links", find),
    Method("POST", "{kind}/{id}/link", link),
    Method("POST", "{kind}/{id}/unlink", unlink),
)
