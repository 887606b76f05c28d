"""POST /leads/complex: a lead with its contact and company in one request. The answer is a bare array."""

from typing import Any

import msgspec

from connectors.amocrm.sandbox import writing
from connectors.amocrm.sandbox.calls import Call, Method, Reply, many
from connectors.amocrm.sandbox.cards import Card, Cell, ContactLink, Kind
from connectors.amocrm.sandbox.drafts import draft
from connectors.amocrm.sandbox.problems import Errors
from kreslo.connectors.sandboxing import php

_MOST_LEADS, _MOST_FIELDS = 50, 40


class _Wanted(msgspec.Struct):
    """Of one lead: its own draft, and what hangs on it, each a card that is there or a draft."""

    lead: writing.Draft
    contact: Card | writing.Draft | None
    company: Card | writing.Draft | None


def add(call: Call) -> Reply:
    rows = many(
        call,
        call.array(_MOST_LEADS),
        lambda item, errors: _wanted(call, item, errors),
        lambda wanted, request_id: _commit(call, wanted, request_id),
    )
    return Reply(rows)


def _wanted(call: Call, item: dict[str, Any], errors: Errors) -> _Wanted:
    embedded = php.mapping(item.get("_embedded"))
    own = {name: value for name, value in embedded.items() if name == "tags"}
    lead = draft(call.account, Kind.LEAD, {**item, "_embedded": own}, errors)
    if len(lead.custom) > _MOST_FIELDS:
        errors.add("TooMany", "custom_fields_values", "This collection should contain 40 elements or less.")
    contact = _hung(call, Kind.CONTACT, embedded, errors)
    return _Wanted(lead, contact, _hung(call, Kind.COMPANY, embedded, errors))


def _hung(call: Call, kind: Kind, embedded: dict[str, Any], errors: Errors) -> Card | writing.Draft | None:
    rows = embedded.get(kind.value) or []
    path = f"_embedded.{kind.value}"
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        errors.wrong_type(path, "array")
        return None
    if len(rows) > 1:
        errors.add("TooMany", path, "This collection should contain 1 element or less.")
    if not rows:
        return None
    if "id" in rows[0]:
        card = call.account.card(kind, rows[0]["id"]) if isinstance(rows[0]["id"], int) else None
        if card is None:
            errors.add("NotSupportedChoice", f"{path}.0.id")
        return card
    below = Errors()
    made = draft(call.account, kind, rows[0], below)
    for one in below.found:
        errors.add(one["code"], f"{path}.0.{one['path']}", one["detail"])
    return made


def _commit(call: Call, wanted: _Wanted, request_id: str) -> dict[str, Any]:
    contact, merged = _settled(call, Kind.CONTACT, wanted.contact)
    company, _ = _settled(call, Kind.COMPANY, wanted.company)
    if contact is not None:
        wanted.lead.contacts = [ContactLink(contact.id, is_main=True)]
    if company is not None:
        wanted.lead.values["company_id"] = company.id
    lead = writing.create(call.account, Kind.LEAD, wanted.lead, call.author)
    return {
        "id": lead.id,
        "contact_id": contact.id if contact else None,
        "company_id": company.id if company else None,
        "request_id": [request_id],
        "merged": merged,
    }


def _settled(call: Call, kind: Kind, wanted: Card | writing.Draft | None) -> tuple[Card | None, bool]:
    """The card, and whether duplicate control found it: it works only where the account has set it up."""
    if not isinstance(wanted, writing.Draft):
        return wanted, False
    if call.account.switches.complex_merges and kind is Kind.CONTACT:
        twin = _twin(call, wanted)
        if twin is not None:
            return twin, True
    return writing.create(call.account, kind, wanted, call.author), False


def _twin(call: Call, wanted: writing.Draft) -> Card | None:
    phone = call.account.fields.coded(Kind.CONTACT, "PHONE")
    if phone is None:
        return None
    by_digits = call.account.switches.duplicate_phones == "digits"

    def keys(cells: list[Cell] | None) -> set[str]:
        return {digits(cell.value)[-10:] if by_digits else str(cell.value) for cell in cells or ()}

    asked = keys(wanted.custom.get(phone.id))
    return next(
        (card for card in call.account.stores[Kind.CONTACT] if asked & keys(card.custom.get(phone.id))), None
    )


def digits(value: Any) -> str:
    return "".join(letter for letter in str(value) if letter.isdigit())


METHODS = (Method("POST", "leads/complex", add),)
