"""crm.deal.contact.* and crm.lead.contact.*: which contacts hang on a card, and which is primary."""

from functools import partial
from typing import Any

from connectors.bitrix24.sandbox import rules
from connectors.bitrix24.sandbox.calls import Call, Method
from connectors.bitrix24.sandbox.cards import Card, ContactLink, Kind
from connectors.bitrix24.sandbox.errors import crm_error
from kreslo.connectors.sandboxing import php

_STEP = 10


def methods() -> list[Method]:
    acts = {
        "items.get": _get,
        "items.set": _set,
        "items.delete": _clear,
        "add": _add,
        "delete": _remove,
    }
    return [
        Method(f"crm.{kind.word}.contact.{act}", "crm", partial(run, kind))
        for kind in (Kind.DEAL, Kind.LEAD)
        for act, run in acts.items()
    ]


def _owner(kind: Kind, call: Call, invalid: str) -> Card:
    card_id = php.integer(call.legacy("id"))
    if card_id <= 0:
        raise crm_error(invalid)
    card = call.portal.card(kind, card_id)
    if card is None:
        raise crm_error("Not found.")
    return card


def _quoted(kind: Kind, call: Call) -> Card:
    return _owner(kind, call, "The parameter 'ownerEntityID' is invalid or not defined.")


def _get(kind: Kind, call: Call) -> list[dict[str, Any]]:
    return [
        {
            "CONTACT_ID": link.contact_id,
            "SORT": link.sort,
            "ROLE_ID": link.role,
            "IS_PRIMARY": "Y" if link.primary else "N",
        }
        for link in _quoted(kind, call).contacts
    ]


def _set(kind: Kind, call: Call) -> bool:
    card = _owner(kind, call, "The parameter ownerEntityID is invalid or not defined.")
    items = call.params.get("items")
    if not php.is_array(items):
        raise crm_error("The parameter items must be array.")
    links: list[ContactLink] = []
    for row in php.members(items):
        link = _link(call, row, (len(links) + 1) * _STEP)
        if link is not None and all(present.contact_id != link.contact_id for present in links):
            link.primary = link.primary and not any(present.primary for present in links)
            links.append(link)
    _save(call, card, links)
    return True


def _link(call: Call, row: Any, sort: int) -> ContactLink | None:
    if not isinstance(row, dict):
        return None
    contact_id = php.integer(row.get("CONTACT_ID"))
    if call.portal.card(Kind.CONTACT, contact_id) is None:
        return None
    primary = php.text(row.get("IS_PRIMARY")).upper() == "Y"
    return ContactLink(contact_id, php.integer(row.get("SORT")) or sort, primary=primary)


def _clear(kind: Kind, call: Call) -> bool:
    _save(call, _quoted(kind, call), [])
    return True


def _add(kind: Kind, call: Call) -> bool:
    card = _quoted(kind, call)
    link = _link(call, call.legacy("fields"), (len(card.contacts) + 1) * _STEP)
    if link is None:
        raise crm_error("The parameter 'fields' is invalid or not defined.")
    if any(present.contact_id == link.contact_id for present in card.contacts):
        return False
    if link.primary:
        for present in card.contacts:
            present.primary = False
    _save(call, card, [*card.contacts, link])
    return True


def _remove(kind: Kind, call: Call) -> bool:
    card = _quoted(kind, call)
    contact_id = php.integer(dict(php.pairs(call.legacy("fields"))).get("CONTACT_ID"))
    left = [link for link in card.contacts if link.contact_id != contact_id]
    if len(left) == len(card.contacts):
        return False
    _save(call, card, left)
    return True


def _save(call: Call, card: Card, links: list[ContactLink]) -> None:
    rules.set_contacts(call.portal, card, links)
    with call.portal.store(card.kind).changing(card):
        rules.touch(call.portal, card, call.user_id)
