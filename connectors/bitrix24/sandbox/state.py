"""Everything that stands in the portal, for tests and oracles: by name where staff see a name."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.fields import Field
from connectors.bitrix24.sandbox.portal import Portal


def state_of(portal: Portal, only: set[str]) -> dict[str, Any]:
    """`only`: the sections wanted, empty for all."""
    sections: dict[str, Any] = {
        "now": lambda: portal.clock.now().isoformat(),
        "contacts": lambda: [card_state(portal, card) for card in portal.store(Kind.CONTACT)],
        "deals": lambda: [card_state(portal, card) for card in portal.store(Kind.DEAL)],
        "leads": lambda: [card_state(portal, card) for card in portal.store(Kind.LEAD)],
        "comments": lambda: [_row(row) for row in portal.comments],
        "todos": lambda: [_row(row) for row in portal.activities],
        "tasks": lambda: [_row(row) for row in portal.tasks],
        "history": lambda: {kind.word: [_row(row) for row in rows] for kind, rows in portal.history.items()},
        "messages": lambda: portal.messages,
        "deleted": lambda: portal.deleted,
        "queue": lambda: [
            {"event": row.name, "fields": row.data["FIELDS"], "process": row.process_id}
            for row in portal.happenings.queue
        ],
        "funnels": lambda: _funnels(portal),
        "users": lambda: [
            {"id": person.id, "name": f"{person.name} {person.last_name}"}
            for person in portal.people.values()
        ],
    }
    return {name: show() for name, show in sections.items() if not only or name in only}


def card_state(portal: Portal, card: Card) -> dict[str, Any]:
    """`fields`: what is not empty, by code, amounts as texts and instants in UTC; `named`: user fields by title, with
    an option's text.
    """
    known = portal.fields(card.kind)
    filled = {
        code: value for code, value in card.fields.items() if value is not None and value not in ("", [])
    }
    shown: dict[str, Any] = {
        "id": card.id,
        "title": card.fields.get("TITLE") or _person_name(card),
        "phones": [row.value for row in card.multi if row.type == "PHONE"],
        "emails": [row.value for row in card.multi if row.type == "EMAIL"],
        "created_by": card.fields["CREATED_BY_ID"],
        "modified_by": card.fields["MODIFY_BY_ID"],
        "fields": {code: _plain(value) for code, value in filled.items()},
        "named": {
            known[code].title: _named(known[code], value)
            for code, value in filled.items()
            if known[code].dynamic
        },
    }
    if card.kind is Kind.CONTACT:
        return shown
    stage = portal.dictionaries.stage_of(card.kind, card.fields)
    shown["stage"] = stage.name if stage else ""
    shown["stage_id"] = card.fields[card.kind.stage_field]
    shown["semantic"] = card.fields[card.kind.semantic_field]
    shown["contact_ids"] = [link.contact_id for link in card.contacts]
    if card.kind is Kind.DEAL:
        shown["funnel"] = portal.dictionaries.categories[card.fields["CATEGORY_ID"]].name
        shown["category_id"] = card.fields["CATEGORY_ID"]
        shown["lead_id"] = card.fields.get("LEAD_ID")
    return shown


def _person_name(card: Card) -> str:
    parts = (card.fields.get(code) for code in ("LAST_NAME", "NAME", "SECOND_NAME"))
    return " ".join(part for part in parts if part)


def _named(field: Field, value: Any) -> Any:
    if field.options:
        ids = value if isinstance(value, list) else [value]
        texts = [field.options[option]["VALUE"] for option in ids]
        return texts if field.multiple else texts[0]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(below) for below in value]
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {code.lower(): _plain(value) for code, value in row.items()}


def _funnels(portal: Portal) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = [
        {"entity": "lead", "id": None, "name": "Лиды", "stages": _stages(portal, Kind.LEAD, 0)}
    ]
    for category in portal.dictionaries.categories.values():
        stages = _stages(portal, Kind.DEAL, category.id)
        shown.append({"entity": "deal", "id": category.id, "name": category.name, "stages": stages})
    return shown


def _stages(portal: Portal, kind: Kind, category_id: int) -> list[dict[str, str]]:
    rows = portal.dictionaries.stages(kind, category_id)
    return [{"id": row.status_id, "name": row.name, "semantic": row.semantic} for row in rows]
