"""The one place where cards change: what is kept, logged as an event, told to webhooks and seen by robots."""

from typing import Any, Literal

import msgspec

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, ContactLink, Kind, Tag
from connectors.amocrm.sandbox.hook_bodies import card_body
from connectors.amocrm.sandbox.hooks import Told
from connectors.amocrm.sandbox.robots import enter_stage
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID
from connectors.amocrm.sandbox.values import Custom

Origin = Literal["api", "staff", "robot"]


class Draft(msgspec.Struct):
    """What a write wants. `values`: attributes of Card. `tags` None leaves them as they are."""

    values: dict[str, Any] = {}
    custom: Custom = {}
    tags: list[Tag] | None = None
    add_tags: list[Tag] = []
    drop_tags: list[Tag] = []
    contacts: list[ContactLink] = []


class Author(msgspec.Struct, frozen=True):
    user_id: int
    origin: Origin


def create(account: Account, kind: Kind, draft: Draft, author: Author) -> Card:
    now = account.now()
    values = draft.values
    card = Card(
        kind=kind,
        id=account.next_id(kind.value),
        name="",
        responsible_user_id=values.get("responsible_user_id", author.user_id or min(account.people)),
        created_by=values.get("created_by", author.user_id),
        updated_by=values.get("updated_by", author.user_id),
        created_at=values.get("created_at", now),
        updated_at=values.get("created_at", now) if author.origin == "robot" else now,
        custom={},
        tags=[],
    )
    _fill(account, card, draft)
    if kind is Kind.LEAD:
        card.name = card.name or f"Сделка #{card.id}"
        _close(card, now, values)
    store = account.stores[kind]
    store.put(card)
    store.link(card)
    account.indexes[kind].write(card, account.clock.monotonic())
    account.events.add(f"{kind.one}_added", kind.one, card.id, card.created_by, card.created_at)
    tell_card(account, "add", card, author)
    if kind is Kind.LEAD:
        store.stand(card)
        _moved(account, card, card.created_by)
    return card


def update(account: Account, card: Card, draft: Draft, author: Author) -> None:
    """Write and stamp it, whether anything is different or not."""
    store = account.stores[card.kind]
    before = msgspec.structs.replace(card, custom=dict(card.custom), tags=list(card.tags))
    store.leave(card)
    store.unlink(card)
    _fill(account, card, draft)
    card.updated_by = draft.values.get("updated_by", author.user_id)
    card.updated_at = draft.values.get("updated_at", account.now())
    moved = (before.pipeline_id, before.status_id) != (card.pipeline_id, card.status_id)
    if moved or "closed_at" in draft.values:
        _close(card, account.now(), draft.values)
    store.put(card)
    store.link(card)
    account.indexes[card.kind].write(card, account.clock.monotonic())
    _log(account, before, card, author)
    if card.kind is Kind.LEAD:
        store.stand(card)
        if moved:
            _moved(account, card, author.user_id)


def remove(account: Account, card: Card, author: Author, *, merged_into: int | None = None) -> None:
    """To the trash; a merged card is simply gone."""
    card.deleted_at = account.now()
    card.updated_at = card.deleted_at
    card.updated_by = author.user_id
    _let_go(account, card)
    account.stores[card.kind].remove(card, to_trash=merged_into is None)
    account.indexes[card.kind].forget(card.id, account.clock.monotonic())
    account.deleted.append(
        {
            "entity": "deal" if card.kind is Kind.LEAD else card.kind.one,
            "id": card.id,
            "by": author.user_id,
            "why": "deleted" if merged_into is None else f"merged into {merged_into}",
            "at": account.clock.now().isoformat(),
        }
    )
    if merged_into is None:
        account.events.add(f"{card.kind.one}_deleted", card.kind.one, card.id, author.user_id, account.now())
    if merged_into is None or account.switches.merge_hooks:
        place = {"status_id": card.status_id, "pipeline_id": card.pipeline_id}
        told = {"id": card.id, **(place if card.kind is Kind.LEAD else {"type": card.kind.one})}
        tell(account, Told(f"delete_{card.kind.one}", _top(card.kind), "delete", told), author)


def _let_go(account: Account, card: Card) -> None:
    """Nothing hangs on a card that is gone."""
    for kind in (Kind.LEAD, Kind.CONTACT):
        store = account.stores[kind]
        for holder in store.of(card.kind, card.id):
            store.unlink(holder)
            if card.kind is Kind.CONTACT:
                holder.contacts = one_main([one for one in holder.contacts if one.contact_id != card.id])
            else:
                holder.company_id = None
            store.link(holder)


def tell(account: Account, told: Told, author: Author) -> None:
    """Tell the webhooks, unless changes made through the API are not told."""
    if author.origin == "api" and not account.switches.hooks_of_api:
        return
    block = {"subdomain": "sandbox", "id": ACCOUNT_ID, "_links": {"self": account.base}}
    account.hooks.tell(told, block)


def tell_card(account: Account, action: str, card: Card, author: Author, **more: Any) -> None:
    shown_author = author.user_id if account.switches.hook_author == "user" else 0
    leads = (
        []
        if card.kind is Kind.LEAD
        else [lead.id for lead in account.stores[Kind.LEAD].of(card.kind, card.id)]
    )
    payload = {**card_body(account.fields, card, shown_author, leads), **more}
    tell(account, Told(f"{action}_{card.kind.one}", _top(card.kind), action, payload), author)


def _top(kind: Kind) -> str:
    return "leads" if kind is Kind.LEAD else "contacts"


def _fill(account: Account, card: Card, draft: Draft) -> None:
    for name, value in draft.values.items():
        if name not in {"updated_at", "updated_by", "created_by", "created_at", "closed_at"}:
            setattr(card, name, value)
    if card.kind is Kind.CONTACT:
        _name(account, card, draft.values)
    for field_id, cells in draft.custom.items():
        if cells is None:
            card.custom.pop(field_id, None)
        else:
            card.custom[field_id] = cells
    tags = card.tags if draft.tags is None else draft.tags
    dropped = {tag.id for tag in draft.drop_tags}
    card.tags = list({tag.id: tag for tag in [*tags, *draft.add_tags] if tag.id not in dropped}.values())
    if draft.contacts:
        card.contacts = one_main(draft.contacts)


def one_main(links: list[ContactLink]) -> list[ContactLink]:
    """The main contact is the last that asks to be it, else the first; it stands first."""
    if not links:
        return []
    asking = [link.contact_id for link in links if link.is_main] or [links[0].contact_id]
    shown = [ContactLink(link.contact_id, link.contact_id == asking[-1]) for link in links]
    return sorted(shown, key=lambda link: not link.is_main)


def _name(account: Account, card: Card, sent: dict[str, Any]) -> None:
    parts = " ".join(part for part in (card.first_name, card.last_name) if part)
    if account.switches.name_parts == "parts":
        if "name" in sent and not {"first_name", "last_name"} & set(sent):
            card.first_name, _, card.last_name = card.name.partition(" ")
        else:
            card.name = parts or card.name
    elif "name" not in sent and {"first_name", "last_name"} & set(sent):
        card.name = parts


def _close(card: Card, now: int, sent: dict[str, Any]) -> None:
    if "closed_at" in sent and sent["closed_at"] is not None:
        card.closed_at = sent["closed_at"]
    else:
        card.closed_at = (card.closed_at or now) if card.closed else None


def _moved(account: Account, card: Card, by: int) -> None:
    pipeline = account.pipelines.all[card.pipeline_id]
    account.history.append(
        {
            "owner_id": card.id,
            "category_id": card.pipeline_id,
            "funnel": pipeline.name,
            "stage_id": card.status_id,
            "stage": pipeline.statuses[card.status_id].name,
            "created_time": account.clock.now().isoformat(),
            "by": by,
        }
    )
    for field, value, user_id in enter_stage(account, card):
        update(account, card, Draft(custom={field: value}), Author(user_id, "robot"))


def _log(account: Account, before: Card, card: Card, author: Author) -> None:
    one, by, now = card.kind.one, author.user_id, account.now()
    moved = (before.pipeline_id, before.status_id) != (card.pipeline_id, card.status_id)
    if moved:
        old = {"lead_status": {"id": before.status_id, "pipeline_id": before.pipeline_id}}
        new = {"lead_status": {"id": card.status_id, "pipeline_id": card.pipeline_id}}
        account.events.add("lead_status_changed", one, card.id, by, now, before=old, after=new)
        places = {"old_status_id": before.status_id, "old_pipeline_id": before.pipeline_id}
        tell_card(account, "status", card, author, **places)
    handed = before.responsible_user_id != card.responsible_user_id
    if handed:
        users = [
            {"responsible_user": {"id": owner}}
            for owner in (before.responsible_user_id, card.responsible_user_id)
        ]
        account.events.add(
            "entity_responsible_changed", one, card.id, by, now, before=users[0], after=users[1]
        )
        tell_card(account, "responsible", card, author, old_responsible_user_id=before.responsible_user_id)
    if before.name != card.name:
        names = [{"name_field_value": {"name": name}} for name in (before.name, card.name)]
        account.events.add("name_field_changed", one, card.id, by, now, before=names[0], after=names[1])
    if before.price != card.price:
        sums = [{"sale_field_value": {"sale": price}} for price in (before.price, card.price)]
        account.events.add("sale_field_changed", one, card.id, by, now, before=sums[0], after=sums[1])
    for field_id in {**before.custom, **card.custom}:
        if before.custom.get(field_id) != card.custom.get(field_id):
            account.events.add(f"custom_field_{field_id}_value_changed", one, card.id, by, now)
    if not (moved or handed) or _differ(before, card):
        tell_card(account, "update", card, author)


def _differ(before: Card, card: Card) -> bool:
    names = ("name", "price", "custom", "tags", "loss_reason_id", "first_name", "last_name")
    return any(getattr(before, name) != getattr(card, name) for name in names)
