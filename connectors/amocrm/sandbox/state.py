"""Everything that stands in the account, for tests and oracles: by name where staff see a name.

amoCRM's leads are what the CRMs of this project call deals, and are shown so; it has no other leads.
"""

from typing import Any

import msgspec

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import LOST, WON, Card, Kind
from connectors.amocrm.sandbox.fields import Field


def state_of(account: Account, only: set[str]) -> dict[str, Any]:
    """`only`: the sections wanted, empty for all."""
    sections: dict[str, Any] = {
        "now": lambda: account.clock.now().isoformat(),
        "contacts": lambda: _cards(account, Kind.CONTACT),
        "deals": lambda: _cards(account, Kind.LEAD),
        "leads": list,
        "companies": lambda: _cards(account, Kind.COMPANY),
        "notes": lambda: [_record(one) for one in account.notes],
        "tasks": lambda: [_record(one) for one in account.tasks],
        "unsorted": lambda: [msgspec.to_builtins(one) for one in account.unsorted.values()],
        "history": lambda: {"deal": account.history},
        "messages": lambda: account.messages,
        "deleted": lambda: account.deleted,
        "funnels": lambda: _funnels(account),
        "fields": lambda: _fields(account),
        "users": lambda: [{"id": person.id, "name": person.name} for person in account.people.values()],
    }
    return {name: show() for name, show in sections.items() if not only or name in only}


def _cards(account: Account, kind: Kind) -> list[dict[str, Any]]:
    return [card_state(account, card) for card in account.stores[kind]]


def card_state(account: Account, card: Card) -> dict[str, Any]:
    """`fields`: what is not empty, by the field's id and, where it has one, by its code too; several values as a list.
    `named`: the account's own fields by title. A deal's `phones` are those of its contacts.
    """
    fields: dict[str, Any] = {}
    named: dict[str, Any] = {}
    for field_id, cells in card.custom.items():
        field = account.fields.get(card.kind, field_id)
        if field is None or not cells:
            continue
        value = _plain(field, [cell.value for cell in cells])
        fields[str(field.id)] = value
        if field.code:
            fields[field.code] = value
        if not field.is_predefined:
            named[field.name] = value
    own = {"name": card.name, "price": card.price, "first_name": card.first_name, "last_name": card.last_name}
    shown: dict[str, Any] = {
        "id": card.id,
        "title": card.name,
        "phones": _multi(account, card, "PHONE"),
        "emails": _multi(account, card, "EMAIL"),
        "created_by": card.created_by,
        "modified_by": card.updated_by,
        "created_at": card.created_at,
        "updated_at": card.updated_at,
        "tags": [tag.name for tag in card.tags],
        "fields": {**fields, **{name: value for name, value in own.items() if value}},
        "named": named,
    }
    if card.kind is Kind.LEAD:
        shown |= _deal(account, card)
    return shown


def _deal(account: Account, card: Card) -> dict[str, Any]:
    pipeline = account.pipelines.all[card.pipeline_id]
    status = pipeline.statuses[card.status_id]
    contacts = [one for link in card.contacts if (one := account.card(Kind.CONTACT, link.contact_id))]
    return {
        "phones": [phone for contact in contacts for phone in _multi(account, contact, "PHONE")],
        "stage": status.name,
        "stage_id": status.id,
        "semantic": {WON: "S", LOST: "F"}.get(status.id, "P"),
        "unsorted": status.type == 1,
        "contact_ids": [link.contact_id for link in card.contacts],
        "funnel": pipeline.name,
        "category_id": pipeline.id,
        "lead_id": None,
    }


def _multi(account: Account, card: Card, code: str) -> list[str]:
    field = account.fields.coded(card.kind, code)
    return [str(cell.value) for cell in card.custom.get(field.id, [])] if field else []


def _plain(field: Field, values: list[Any]) -> Any:
    return values if field.type in {"multitext", "multiselect", "smart_address"} else values[0]


def _record(record: Any) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(record)
    return {**shown, "entity_type": shown.pop("kind")}


def _funnels(account: Account) -> list[dict[str, Any]]:
    return [
        {
            "entity": "deal",
            "id": pipeline.id,
            "name": pipeline.name,
            "stages": [
                {"id": status.id, "name": status.name, "semantic": {WON: "S", LOST: "F"}.get(status.id, "P")}
                for status in pipeline.in_order()
            ],
        }
        for pipeline in account.pipelines.all.values()
    ]


def _fields(account: Account) -> list[dict[str, Any]]:
    words = {Kind.LEAD: "deal", Kind.CONTACT: "contact", Kind.COMPANY: "company"}
    return [
        {"entity": words[kind], "id": field.id, "code": field.code, "name": field.name, "type": field.type}
        for kind in Kind
        for field in account.fields.of(kind)
    ]
