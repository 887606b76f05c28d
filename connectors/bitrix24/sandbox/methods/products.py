"""crm.item.productrow.* and crm.{deal,lead}.productrows.*: what a card's amount is made of."""

from functools import partial
from typing import Any

from connectors.bitrix24.sandbox import rules
from connectors.bitrix24.sandbox.calls import Answer, Call, Method
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.errors import RestError, crm_error, missing_argument
from connectors.bitrix24.sandbox.products import OWNERS, Row, row_of, shown, shown_legacy
from kreslo.connectors.sandboxing import php


def methods() -> list[Method]:
    found = [
        Method("crm.item.productrow.set", "crm", _set),
        Method("crm.item.productrow.list", "crm", _list),
        Method("crm.item.productrow.add", "crm", _add),
    ]
    for letter, kind in OWNERS.items():
        found += [
            Method(f"crm.{kind.word}.productrows.set", "crm", partial(_set_legacy, kind)),
            Method(f"crm.{kind.word}.productrows.get", "crm", partial(_get_legacy, letter, kind)),
        ]
    return found


def _owner(call: Call, letter: Any, owner_id: Any) -> Card:
    kind = OWNERS.get(php.text(letter))
    card = None if kind is None else call.portal.card(kind, php.integer(owner_id))
    if card is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    return card


def _kept(call: Call, card: Card, rows: list[Row]) -> list[Row]:
    numbered = [{"id": call.portal.next_id("product row"), **row} for row in rows]
    rules.set_products(call.portal, card, numbered, call.user_id)
    return numbered


def _set(call: Call) -> dict[str, Any]:
    for name in ("ownerType", "ownerId", "productRows"):
        if name not in call.params:
            raise missing_argument(name)
    letter = php.text(call.params["ownerType"])
    card = _owner(call, letter, call.params["ownerId"])
    rows = _kept(call, card, [row_of(row, legacy=False) for row in php.members(call.params["productRows"])])
    return {"productRows": [shown(row, letter, card.id) for row in rows]}


def _add(call: Call) -> dict[str, Any]:
    sent = dict(php.pairs(call.params.get("fields")))
    letter = php.text(sent.get("ownerType"))
    card = _owner(call, letter, sent.get("ownerId"))
    present = call.portal.products.get((card.kind, card.id), [])
    row = {"id": call.portal.next_id("product row"), **row_of(sent, legacy=False)}
    rules.set_products(call.portal, card, [*present, row], call.user_id)
    return {"productRow": shown(row, letter, card.id)}


def _list(call: Call) -> Answer:
    """Only one card's rows can be asked for: without `=ownerType` and `=ownerId` the portal refuses."""
    asked = {key.lstrip("="): value for key, value in php.pairs(call.params.get("filter"))}
    if "ownerType" not in asked or "ownerId" not in asked:
        raise RestError("INVALID_ARG_VALUE", "Filter by ownerType and ownerId is required")
    letter = php.text(asked["ownerType"])
    card = _owner(call, letter, asked["ownerId"])
    rows = [shown(row, letter, card.id) for row in call.portal.products.get((card.kind, card.id), [])]
    return Answer({"productRows": rows}, total=len(rows))


def _legacy_owner(kind: Kind, call: Call) -> Card:
    card_id = php.integer(call.legacy("id"))
    if card_id <= 0:
        raise crm_error("The parameter id is invalid or not defined.")
    card = call.portal.card(kind, card_id)
    if card is None:
        raise crm_error("Not found")
    return card


def _set_legacy(kind: Kind, call: Call) -> bool:
    card = _legacy_owner(kind, call)
    rows = call.legacy("rows")
    if not php.is_array(rows):
        raise crm_error("The parameter rows must be array.")
    _kept(call, card, [row_of(row, legacy=True) for row in php.members(rows)])
    return True


def _get_legacy(letter: str, kind: Kind, call: Call) -> list[dict[str, Any]]:
    card = _legacy_owner(kind, call)
    return [shown_legacy(row, letter, card.id) for row in call.portal.products.get((kind, card.id), [])]
