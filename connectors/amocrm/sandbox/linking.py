"""Who hangs on whom: a lead's contacts, one of them the main one, and its company; a contact's company."""

from typing import Any

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, ContactLink, Kind
from connectors.amocrm.sandbox.writing import Author, one_main


def linked(account: Account, card: Card) -> list[tuple[Kind, int, dict[str, Any] | None]]:
    """Kind, id and metadata of everything that is linked with the card."""
    found: list[tuple[Kind, int, dict[str, Any] | None]] = [
        (Kind.CONTACT, link.contact_id, {"main_contact": link.is_main}) for link in card.contacts
    ]
    if card.company_id is not None:
        found.append((Kind.COMPANY, card.company_id, None))
    if card.kind is Kind.COMPANY:
        found += [
            (Kind.CONTACT, one.id, None) for one in account.stores[Kind.CONTACT].of(Kind.COMPANY, card.id)
        ]
    if card.kind is not Kind.LEAD:
        for lead in account.stores[Kind.LEAD].of(card.kind, card.id):
            main = any(link.contact_id == card.id and link.is_main for link in lead.contacts)
            found.append((Kind.LEAD, lead.id, {"main_contact": main} if card.kind is Kind.CONTACT else None))
    return found


def link(account: Account, card: Card, other: Card, author: Author, *, is_main: bool = False) -> None:
    upper, lower = _in_order(card, other)
    store = account.stores[upper.kind]
    store.unlink(upper)
    if lower.kind is Kind.CONTACT:
        others = [one for one in upper.contacts if one.contact_id != lower.id]
        was_main = any(one.contact_id == lower.id and one.is_main for one in upper.contacts)
        upper.contacts = one_main([*others, ContactLink(lower.id, is_main or was_main)])
    else:
        upper.company_id = lower.id
    store.link(upper)
    _stamp(account, upper, lower, author, "entity_linked")


def unlink(account: Account, card: Card, other: Card, author: Author) -> None:
    upper, lower = _in_order(card, other)
    store = account.stores[upper.kind]
    store.unlink(upper)
    if lower.kind is Kind.CONTACT:
        upper.contacts = one_main([one for one in upper.contacts if one.contact_id != lower.id])
    elif upper.company_id == lower.id:
        upper.company_id = None
    store.link(upper)
    _stamp(account, upper, lower, author, "entity_unlinked")


def can_link(card: Card, other: Card) -> bool:
    return {card.kind, other.kind} != {card.kind}


def _in_order(card: Card, other: Card) -> tuple[Card, Card]:
    ranks = {Kind.LEAD: 0, Kind.CONTACT: 1, Kind.COMPANY: 2}
    return (card, other) if ranks[card.kind] < ranks[other.kind] else (other, card)


def _stamp(account: Account, upper: Card, lower: Card, author: Author, event: str) -> None:
    upper.updated_at = account.now()
    upper.updated_by = author.user_id
    account.stores[upper.kind].put(upper)
    told = {"link": {"entity": {"type": lower.kind.one, "id": lower.id}}}
    account.events.add(event, upper.kind.one, upper.id, author.user_id, account.now(), after=told)
