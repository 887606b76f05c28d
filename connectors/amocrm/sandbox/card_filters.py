"""Which cards a list gives, and in which order."""

from collections.abc import Iterable
from typing import Any

from connectors.amocrm.sandbox.calls import Call
from connectors.amocrm.sandbox.cards import Card, Kind, Store
from connectors.amocrm.sandbox.fields import DATES, NUMBERS, Field
from connectors.amocrm.sandbox.selecting import Test, attribute_tests, in_range, integers, is_range, ordered
from kreslo.connectors.sandboxing import php

_ORDERS = {
    Kind.LEAD: ("id", "updated_at", "created_at"),
    Kind.CONTACT: ("id", "updated_at", "name"),
    Kind.COMPANY: ("id", "updated_at", "name"),
}
_NUMBERS = ("id", "created_by", "updated_by", "responsible_user_id", "created_at", "updated_at")
_RANGES = ("created_at", "updated_at")


def listed(call: Call, cards: Iterable[Card] | None = None) -> list[Card]:
    """`cards`: where to look; None for all that are not deleted, narrowed by an index where one fits."""
    asked = call.filter()
    found = list(_candidates(call, asked) if cards is None else cards)
    tests = _tests(call, asked)
    found = [card for card in found if all(test(card) for test in tests)]
    query = php.text(call.query.get("query"))
    if query:
        hits = call.account.indexes[call.kind].find(query, call.account.clock.monotonic())
        found = [card for card in found if card.id in hits]
    in_place = cards is None and not _narrow(call, asked)
    return ordered(
        found, call.query.get("order"), _ORDERS[call.kind], default="" if in_place else "updated_at"
    )


def _narrow(call: Call, asked: dict[str, Any]) -> bool:
    return bool(integers(asked.get("id"))) or (call.kind is Kind.LEAD and bool(_places(asked)))


def _candidates(call: Call, asked: dict[str, Any]) -> Iterable[Card]:
    store = call.account.stores[call.kind]
    ids = integers(asked.get("id"))
    if ids:
        return [card for one in ids if (card := store.get(one))]
    if _narrow(call, asked):
        on_stages = {one for place in _places(asked) for one in store.on_stage(*place)}
        return [card for one in on_stages if (card := store.get(one))]
    since = php.mapping(asked.get("updated_at")).get("from")
    if since:
        return _written_since(store, php.number(since))
    return store.recent().values()


def _written_since(store: Store, moment: float) -> list[Card]:
    found: list[Card] = []
    for card in reversed(store.recent().values()):
        if card.updated_at < moment:
            break
        found.append(card)
    found.reverse()
    return found


def _places(asked: dict[str, Any]) -> list[tuple[int, int]]:
    """Of `filter[statuses][n][pipeline_id]` and `[status_id]`; each has to name both."""
    rows = [dict(php.pairs(row)) for row in php.members(asked.get("statuses"))]
    return [
        (php.integer(row["pipeline_id"]), php.integer(row["status_id"]))
        for row in rows
        if {"pipeline_id", "status_id"} <= set(row)
    ]


def _tests(call: Call, asked: dict[str, Any]) -> list[Test]:
    switches, lead = call.account.switches, call.kind is Kind.LEAD
    tests = attribute_tests(
        asked,
        switches,
        numbers=(*_NUMBERS, "price", "pipeline_id", "closed_at") if lead else _NUMBERS,
        ranges=(*_RANGES, "price", "closed_at") if lead else _RANGES,
        texts=("name",),
    )
    if is_range(asked.get("closest_task_at")):
        fits = in_range(asked["closest_task_at"], switches)
        tests.append(lambda card: fits(_closest(call, card)))
    if switches.api_filter:
        for field_id, wanted in php.pairs(asked.get("custom_fields_values")):
            field = call.account.fields.get(call.kind, php.integer(field_id))
            if field is not None:
                tests.append(_custom(call, field, wanted))
    return tests


def _closest(call: Call, card: Card) -> int | None:
    open_tasks = [task for task in call.account.tasks.of(card.kind, card.id) if not task.is_completed]
    return min((task.complete_till for task in open_tasks), default=None)


def _custom(call: Call, field: Field, wanted: Any) -> Test:
    """Only where the account has bought filtering by custom fields; otherwise such a filter is not even looked at."""
    if is_range(wanted) and field.type in NUMBERS | DATES:
        fits = in_range(wanted, call.account.switches)
        return lambda card: any(fits(php.number(cell.value)) for cell in card.custom.get(field.id, ()))
    texts = {php.text(one) for one in php.members(wanted)}
    return lambda card: any(
        php.text(cell.value) in texts or php.text(cell.enum_id) in texts
        for cell in card.custom.get(field.id, ())
    )
