"""Merging two cards, as the portal's duplicate check does for a person: the loser disappears."""

from typing import Any

from connectors.bitrix24.sandbox import rules
from connectors.bitrix24.sandbox.cards import Card, ContactLink, Kind
from connectors.bitrix24.sandbox.multifields import MultiOp
from connectors.bitrix24.sandbox.portal import Portal

_LETTERS = {Kind.LEAD: "L", Kind.DEAL: "D", Kind.CONTACT: "C"}
_OWN = ("STAGE_ID", "STATUS_ID", "CATEGORY_ID", "CONTACT_ID")


def merge_cards(portal: Portal, survivor: Card, loser: Card, user_id: int) -> None:
    """The survivor keeps what it has, and takes from the loser what it lacks: values, phones, links, notes, tasks."""
    filled = {
        code: value
        for code, value in loser.fields.items()
        if code not in _OWN and survivor.fields.get(code) in (None, "", []) and value not in (None, "", [])
    }
    present = {(row.type, row.value) for row in survivor.multi}
    phones = [
        MultiOp(type=row.type, value=row.value, value_type=row.value_type)
        for row in loser.multi
        if (row.type, row.value) not in present
    ]
    links = [*survivor.contacts, *_secondary(loser.contacts)]
    contacts = [link.contact_id for link in links] if survivor.kind is not Kind.CONTACT else None
    draft = rules.Draft(fields=filled, multi=phones, contacts=contacts)
    if survivor.kind is Kind.CONTACT:
        _move_links(portal, survivor, loser)
    _move_records(portal, survivor, loser)
    rules.update(portal, survivor, draft, user_id, always=True)
    rules.delete(portal, loser, user_id, reason=f"merged into {survivor.id}")


def _secondary(links: list[ContactLink]) -> list[ContactLink]:
    return [ContactLink(link.contact_id, link.sort, primary=False, role=link.role) for link in links]


def _move_links(portal: Portal, survivor: Card, loser: Card) -> None:
    for card in rules.linked_to(portal, loser.id):
        links: list[ContactLink] = []
        for link in card.contacts:
            contact_id = survivor.id if link.contact_id == loser.id else link.contact_id
            if all(kept.contact_id != contact_id for kept in links):
                links.append(ContactLink(contact_id, link.sort, primary=link.primary, role=link.role))
        rules.set_contacts(portal, card, links)


def _move_records(portal: Portal, survivor: Card, loser: Card) -> None:
    kind = survivor.kind
    for row in portal.comments:
        _repoint(row, "ENTITY_TYPE", kind.word, "ENTITY_ID", loser.id, survivor.id)
    for row in portal.activities:
        _repoint(row, "OWNER_TYPE_ID", kind.value, "OWNER_ID", loser.id, survivor.id)
    old, new = (f"{_LETTERS[kind]}_{card.id}" for card in (loser, survivor))
    for row in portal.tasks:
        row["UF_CRM_TASK"] = [new if bound == old else bound for bound in row["UF_CRM_TASK"]]


def _repoint(
    row: dict[str, Any], kind_field: str, kind: str | int, id_field: str, old: int, new: int
) -> None:
    if row[kind_field] == kind and row[id_field] == old:
        row[id_field] = new
