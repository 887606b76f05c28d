"""Merging two cards, as a person does in the account: the loser's id disappears."""

from connectors.amocrm.sandbox import linking, writing
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, Cell, Kind
from connectors.amocrm.sandbox.writing import Author, Draft


def merge_cards(account: Account, survivor: Card, loser: Card, author: Author) -> None:
    """The survivor keeps what it has, and takes from the loser what it lacks: values, phones, links, notes, tasks."""
    kind = survivor.kind
    draft = Draft(values={}, custom={}, add_tags=list(loser.tags))
    for field_id, cells in loser.custom.items():
        present = survivor.custom.get(field_id, [])
        field = account.fields.get(kind, field_id)
        if not present or (field is not None and field.type == "multitext"):
            draft.custom[field_id] = _joined(present, cells)
    if kind is Kind.LEAD and not survivor.price:
        draft.values["price"] = loser.price
    _move_links(account, survivor, loser, author)
    account.tasks.move(kind, loser.id, survivor.id)
    account.notes.move(kind, loser.id, survivor.id)
    writing.remove(account, loser, author, merged_into=survivor.id)
    writing.update(account, survivor, draft, author)
    if account.switches.merge_event:
        account.events.add("entity_merged", kind.one, survivor.id, author.user_id, account.now())


def _joined(present: list[Cell], more: list[Cell]) -> list[Cell]:
    known = {cell.value for cell in present}
    return [*present, *(cell for cell in more if cell.value not in known)]


def _move_links(account: Account, survivor: Card, loser: Card, author: Author) -> None:
    for kind, other_id, metadata in linking.linked(account, loser):
        other = account.card(kind, other_id)
        if other is None or other is survivor:
            continue
        # A lead's own main contact stays; on the leads of a merged contact the survivor takes the loser's place.
        main = survivor.kind is Kind.CONTACT and bool(metadata and metadata["main_contact"])
        linking.unlink(account, loser, other, author)
        if not (kind is Kind.COMPANY and survivor.company_id is not None):
            linking.link(account, survivor, other, author, is_main=main)
