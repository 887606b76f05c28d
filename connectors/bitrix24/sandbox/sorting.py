"""Order of lists: by any fields, stages by the order that they stand in on the board."""

from datetime import date
from decimal import Decimal
from typing import Any

from connectors.bitrix24.sandbox.calls import PAGE, Call
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.fields import Field
from connectors.bitrix24.sandbox.filters import Group
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing import php


def listed(call: Call, kind: Kind, group: Group, order: list[tuple[Field, bool]]) -> list[Card]:
    """The cards that pass, in order. `order`: field and whether it descends. Where nothing is counted and the order is
    that of the ids, the search ends with the first page.
    """
    by_id = not order or (order[0][0].code == "ID" and not order[0][1])
    limit = PAGE if by_id and call.start is not None and call.start < 0 else None
    cards = call.portal.store(kind).select(group, limit)
    return cards if by_id else _by_fields(cards, order, call.portal)


def _by_fields(cards: list[Card], order: list[tuple[Field, bool]], portal: Portal) -> list[Card]:
    # The cards come sorted by id, and ties keep that.
    for field, descending in reversed(order):
        key = _stage_key(portal) if field.code in {"STAGE_ID", "STATUS_ID"} else _value_key(field.code)
        cards = sorted(cards, key=key, reverse=descending)
    return cards


def directions(raw: Any) -> list[tuple[str, str]]:
    """Name and direction in upper case."""
    return [(name, php.text(direction).upper() or "ASC") for name, direction in php.pairs(raw)]


def _stage_key(portal: Portal) -> Any:
    def key(card: Card) -> tuple[int, int]:
        stage = portal.dictionaries.stage_of(card.kind, card.fields)
        return (
            card.fields.get("CATEGORY_ID") or 0 if card.kind is Kind.DEAL else 0,
            stage.sort if stage else 0,
        )

    return key


def _value_key(code: str) -> Any:
    def key(card: Card) -> tuple[int, Any]:
        return comparable(card.read(code))

    return key


def comparable(value: Any) -> tuple[int, Any]:
    """Empty first, as the database has it; numbers, dates and texts each among themselves."""
    if value is None or value in ("", []):
        return (0, "")
    if isinstance(value, bool | int | float | Decimal):
        return (1, value)
    if isinstance(value, date):
        return (2, value.isoformat())
    return (3, str(value).casefold())
