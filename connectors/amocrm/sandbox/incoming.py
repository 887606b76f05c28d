"""Incoming leads: «Неразобранное». Staff or the API accept them, decline them, or join them to a lead that is there."""

import secrets
from typing import Any

from connectors.amocrm.sandbox import linking, writing
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, ContactLink, Kind
from connectors.amocrm.sandbox.hooks import Told
from connectors.amocrm.sandbox.pipelines import Pipeline, Status
from connectors.amocrm.sandbox.records import UnsortedItem
from connectors.amocrm.sandbox.writing import Author, Draft


def receive(
    account: Account,
    pipeline: Pipeline,
    lead: Draft,
    contact: Draft | None,
    author: Author,
    *,
    category: str = "forms",
    source: tuple[str, str] = ("", ""),
    metadata: dict[str, Any] | None = None,
) -> UnsortedItem:
    """`source`: its uid and name."""
    unsorted = next(status for status in pipeline.statuses.values() if status.type == 1)
    holder = None
    if contact is not None:
        contact.values["is_unsorted"] = True
        holder = writing.create(account, Kind.CONTACT, contact, author)
        lead.contacts = [ContactLink(holder.id, is_main=True)]
    lead.values |= {"pipeline_id": pipeline.id, "status_id": unsorted.id}
    card = writing.create(account, Kind.LEAD, lead, author)
    item = UnsortedItem(
        uid=secrets.token_hex(24),
        category=category,
        source_uid=source[0],
        source_name=source[1],
        metadata=metadata or {},
        pipeline_id=pipeline.id,
        lead_id=card.id,
        contact_ids=[holder.id] if holder else [],
        created_at=card.created_at,
    )
    account.unsorted[item.uid] = item
    return item


def accept(account: Account, item: UnsortedItem, status: Status, author: Author) -> Card | None:
    """The lead on its stage, with its contacts no longer incoming."""
    card = account.card(Kind.LEAD, item.lead_id)
    if card is not None:
        place = {
            "pipeline_id": item.pipeline_id,
            "status_id": status.id,
            "responsible_user_id": author.user_id,
        }
        writing.update(account, card, Draft(values=place), author)
    _take_in(account, item)
    _tell(account, item, "accept", author)
    return card


def decline(account: Account, item: UnsortedItem, author: Author) -> None:
    """The lead goes to the trash."""
    card = account.card(Kind.LEAD, item.lead_id)
    if card is not None:
        writing.remove(account, card, author)
    del account.unsorted[item.uid]
    _tell(account, item, "decline", author)


def join(account: Account, item: UnsortedItem, lead: Card, author: Author) -> None:
    """Its contacts hang on a lead that is there; its own lead is gone."""
    for contact_id in item.contact_ids:
        contact = account.card(Kind.CONTACT, contact_id)
        if contact is not None:
            linking.link(account, lead, contact, author)
    card = account.card(Kind.LEAD, item.lead_id)
    if card is not None:
        writing.remove(account, card, author, merged_into=lead.id)
    _take_in(account, item)


def _take_in(account: Account, item: UnsortedItem) -> None:
    for contact_id in item.contact_ids:
        contact = account.card(Kind.CONTACT, contact_id)
        if contact is not None:
            contact.is_unsorted = False
    del account.unsorted[item.uid]


def _tell(account: Account, item: UnsortedItem, action: str, author: Author) -> None:
    told = {
        "action": action,
        "uid": item.uid,
        "category": item.category,
        "created_at": item.created_at,
        "modified_user_id": author.user_id,
        f"{action}_result": {"leads": [item.lead_id]},
    }
    writing.tell(account, Told("add_lead", "unsorted", "delete", told), author)
