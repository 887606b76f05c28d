"""/leads, /contacts, /companies: reads and writes."""

from typing import Any

from connectors.amocrm.sandbox import writing
from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply, many, wrapped
from connectors.amocrm.sandbox.card_filters import listed
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.drafts import draft
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.problems import ApiError, Errors, Refused, gone, invalid, no_route, problem
from connectors.amocrm.sandbox.shown import card_shown, deleted_shown


def find_many(call: Call) -> Reply:
    if "only_deleted" in call.asked_with():
        return paged(call, call.kind.value, _trash(call), lambda card: deleted_shown(call, card))
    return paged(call, call.kind.value, listed(call), lambda card: card_shown(call, card))


def _trash(call: Call) -> list[Card]:
    account = call.account
    oldest = account.now() - account.switches.trash_days * 86_400
    kept = [card for card in account.stores[call.kind].trash.values() if (card.deleted_at or 0) >= oldest]
    return listed(call, kept)


def find_one(call: Call) -> Reply:
    card = call.account.card(call.kind, call.id)
    return EMPTY if card is None else Reply(card_shown(call, card))


def add(call: Call) -> Reply:
    kind = call.kind

    def commit(made: writing.Draft, request_id: str) -> dict[str, Any]:
        card = writing.create(call.account, kind, made, call.author)
        links = call.href(f"{kind.value}/{card.id}")
        flags = {"is_deleted": False, "is_unsorted": False} if kind is Kind.CONTACT else {}
        return {"id": card.id, **flags, "request_id": request_id, "_links": links}

    rows = many(call, call.array(), lambda item, errors: draft(call.account, kind, item, errors), commit)
    return Reply(wrapped(call, kind.value, kind.value, rows))


def change_many(call: Call) -> Reply:
    items = call.array()
    _refuse_gone(call, items)
    rows = many(
        call, items, lambda item, errors: _change(call, item, errors), lambda made, _: _write(call, *made)
    )
    return Reply(wrapped(call, call.kind.value, call.kind.value, rows))


def change_one(call: Call) -> Reply:
    item = {**call.object(), "id": call.id}
    _refuse_gone(call, [item])
    errors = Errors()
    made = _change(call, item, errors)
    if errors.found:
        raise invalid([Refused(errors.found, "0")])
    row = _write(call, *made)
    if call.kind is Kind.LEAD and call.account.switches.lead_patch == "flat":
        return Reply(row)
    return Reply(wrapped(call, call.kind.value, call.kind.value, [row]))


def _refuse_gone(call: Call, items: list[dict[str, Any]]) -> None:
    """How a write to an id that is not there is refused has not been measured: a switch, validation by default."""
    way = call.account.switches.missing_patch
    missing = any(
        isinstance(item.get("id"), int) and call.account.card(call.kind, item["id"]) is None for item in items
    )
    if missing and way == "not_found":
        raise problem(404, "Entity not found")
    if missing and way == "226":
        raise gone()


def _change(call: Call, item: dict[str, Any], errors: Errors) -> tuple[Card | None, writing.Draft]:
    card_id = item.get("id")
    card = call.account.card(call.kind, card_id) if isinstance(card_id, int) else None
    if card is None:
        errors.add("FieldMissing" if card_id is None else "NotSupportedChoice", "id")
        return None, writing.Draft()
    return card, draft(call.account, call.kind, item, errors, card=card)


def _write(call: Call, card: Card | None, made: writing.Draft) -> dict[str, Any]:
    if card is None:
        raise no_route(call.verb, call.base + call.path)
    writing.update(call.account, card, made, call.author)
    row = {"id": card.id, "updated_at": card.updated_at, "_links": call.href(f"{card.kind.value}/{card.id}")}
    if card.kind is Kind.CONTACT:
        row |= {"name": card.name, "is_deleted": False, "is_unsorted": card.is_unsorted}
    return row


def no_delete(_: Call) -> Reply:
    raise ApiError(405, None)


METHODS = (
    Method("GET", "{kind}", find_many),
    Method("POST", "{kind}", add),
    Method("PATCH", "{kind}", change_many),
    Method("GET", "{kind}/{id}", find_one),
    Method("PATCH", "{kind}/{id}", change_one),
    Method("DELETE", "{kind}/{id}", no_delete),
)
