"""What happens to a card when it is written, whoever writes it: defaults, stages, amounts, links, history, robots."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from connectors.bitrix24.sandbox import multifields, products, values
from connectors.bitrix24.sandbox.cards import Card, ContactLink, Kind
from connectors.bitrix24.sandbox.dictionaries import Status
from connectors.bitrix24.sandbox.multifields import MultiOp
from connectors.bitrix24.sandbox.portal import Portal, Robot

_CREATED, _INTERMEDIATE, _FINAL, _FUNNEL = 1, 2, 3, 5


class Draft(msgspec.Struct, kw_only=True):
    """A write as both method families boil it down to. `fields` are parsed values by legacy code; `contacts` the
    whole new set or None; `system`: fields that only an import may set.
    """

    fields: dict[str, Any] = {}
    contacts: list[int] | None = None
    multi: list[MultiOp] = []
    system: dict[str, Any] = {}


def create(portal: Portal, kind: Kind, draft: Draft, user_id: int, *, quiet: bool = False) -> Card:
    """A new card; robots start unless `quiet`."""
    multifields.check(draft.multi)
    store = portal.store(kind)
    card_id = store.new_id()
    now = portal.now()
    fields = _defaults(portal, kind, card_id)
    fields.update({"ASSIGNED_BY_ID": user_id, "CREATED_BY_ID": user_id, "MODIFY_BY_ID": user_id})
    fields.update(
        {"DATE_CREATE": now, "DATE_MODIFY": now, "LAST_ACTIVITY_TIME": now, "LAST_ACTIVITY_BY": user_id}
    )
    given = {
        code: value for code, value in draft.fields.items() if code not in {kind.stage_field, "CATEGORY_ID"}
    }
    fields.update({code: value for code, value in given.items() if value is not None or code not in fields})
    card = Card(kind, card_id, fields)
    if kind is Kind.DEAL and draft.fields.get("CATEGORY_ID") in portal.dictionaries.categories:
        fields["CATEGORY_ID"] = draft.fields["CATEGORY_ID"]
    if kind is not Kind.CONTACT:
        _stand(portal, card, _first_stage(portal, card, draft.fields.get(kind.stage_field)), user_id)
        _own_amount(portal, card, draft.fields)
        _link(portal, card, draft)
    multifields.apply(card, draft.multi, lambda: portal.next_id("multi"))
    fields.update(draft.system)
    store.put(card)
    portal.tell(f"{kind.name}ADD", ID=card.id)
    if kind is not Kind.CONTACT:
        _record(portal, card, _CREATED)
        if not quiet:
            _entered(portal, card)
    return card


def update(
    portal: Portal, card: Card, draft: Draft, user_id: int, *, always: bool, quiet: bool = False
) -> bool:
    """Write on a card that exists. `always`: the legacy methods save, and touch DATE_MODIFY, without a change too.
    A stage that is not of the card's funnel is not applied, in silence. True where it was saved.
    """
    multifields.check(draft.multi)
    with portal.store(card.kind).changing(card):
        before = (dict(card.fields), [link.contact_id for link in card.contacts])
        funnel = card.fields.get("CATEGORY_ID")
        stage_field = card.kind.stage_field
        card.fields.update({code: value for code, value in draft.fields.items() if code != stage_field})
        moved = card.kind is not Kind.CONTACT and _move(
            portal, card, draft.fields.get(stage_field), funnel, user_id
        )
        if card.kind is not Kind.CONTACT:
            _own_amount(portal, card, draft.fields)
            _link(portal, card, draft)
        changed = multifields.apply(card, draft.multi, lambda: portal.next_id("multi"))
        changed = changed or before != (card.fields, [link.contact_id for link in card.contacts])
        if changed or always:
            touch(portal, card, user_id)
    if card.kind is Kind.DEAL and card.fields.get("CATEGORY_ID") != funnel:
        place = {code: card.fields[code] for code in ("CATEGORY_ID", "STAGE_ID")}
        portal.tell("DEALMOVETOCATEGORY", ID=card.id, **place)
    elif changed or always:
        portal.tell(f"{card.kind.name}UPDATE", ID=card.id)
    if moved:
        final = card.fields[card.kind.semantic_field] != "P"
        other_funnel = card.fields.get("CATEGORY_ID") != funnel
        _record(portal, card, _FUNNEL if other_funnel else _FINAL if final else _INTERMEDIATE)
        if not quiet:
            _entered(portal, card)
    return changed or always


def delete(portal: Portal, card: Card, user_id: int, reason: str = "deleted") -> None:
    """The card goes; links to it go with it."""
    portal.store(card.kind).remove(card)
    if card.kind is Kind.CONTACT:
        for holder in linked_to(portal, card.id):
            set_contacts(portal, holder, [link for link in holder.contacts if link.contact_id != card.id])
    row = {
        "entity": card.kind.word,
        "id": card.id,
        "by": user_id,
        "at": portal.now().isoformat(),
        "why": reason,
    }
    portal.deleted.append(row)
    portal.tell(f"{card.kind.name}DELETE", ID=card.id)


def linked_to(portal: Portal, contact_id: int) -> list[Card]:
    """Deals and leads that hang on the contact."""
    found = []
    for kind in (Kind.DEAL, Kind.LEAD):
        store = portal.store(kind)
        found += [
            card
            for card_id in sorted(store.holding("CONTACT_IDS", contact_id))
            if (card := store.get(card_id))
        ]
    return found


def set_contacts(portal: Portal, card: Card, links: list[ContactLink]) -> None:
    """Replace the card's links; the first is primary where none says so."""
    with portal.store(card.kind).changing(card):
        _replace_links(card, links)


def touch(portal: Portal, card: Card, user_id: int) -> None:
    """Who changed it and when; the caller holds the store's change."""
    now = portal.now()
    card.fields.update({"DATE_MODIFY": now, "MODIFY_BY_ID": user_id})
    card.fields.update({"LAST_ACTIVITY_TIME": now, "LAST_ACTIVITY_BY": user_id})


def _defaults(portal: Portal, kind: Kind, card_id: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"OPENED": "Y", "HAS_PHONE": "N", "HAS_EMAIL": "N", "HAS_IMOL": "N"}
    if kind is Kind.CONTACT:
        return {**fields, "EXPORT": "Y", "TYPE_ID": "CLIENT"}
    money = {
        "CURRENCY_ID": "RUB",
        "OPPORTUNITY": Decimal(0),
        "IS_MANUAL_OPPORTUNITY": "N",
        "IS_RETURN_CUSTOMER": "N",
    }
    if kind is Kind.LEAD:
        return {**fields, **money, "TITLE": f"Лид #{card_id}"}
    dates = {"BEGINDATE": portal.today(), "CLOSEDATE": portal.today() + timedelta(days=7)}
    flags = {"IS_RECURRING": "N", "IS_REPEATED_APPROACH": "N", "CLOSED": "N"}
    rest = {"TITLE": f"Сделка #{card_id}", "CATEGORY_ID": 0, "TAX_VALUE": Decimal(0), "TYPE_ID": "SALE"}
    return {"OPENED": "Y", **money, **dates, **flags, **rest}


def _first_stage(portal: Portal, card: Card, asked: Any) -> Status:
    category = card.fields.get("CATEGORY_ID") or 0
    stage = portal.dictionaries.stage(card.kind, category, asked or "")
    return stage or portal.dictionaries.stages(card.kind, category)[0]


def _move(portal: Portal, card: Card, asked: Any, funnel: int | None, user_id: int) -> bool:
    category = card.fields.get("CATEGORY_ID") or 0
    stage = portal.dictionaries.stage(card.kind, category, asked or "")
    if stage is None:
        if category == (funnel or 0):
            return False
        stage = portal.dictionaries.stages(card.kind, category)[0]
    if stage.status_id == card.fields.get(card.kind.stage_field):
        return False
    _stand(portal, card, stage, user_id)
    return True


def _stand(portal: Portal, card: Card, stage: Status, user_id: int) -> None:
    closed = stage.semantic != "P"
    card.fields[card.kind.stage_field] = stage.status_id
    card.fields[card.kind.semantic_field] = stage.semantic
    card.fields.update({"MOVED_BY_ID": user_id, "MOVED_TIME": portal.now()})
    if card.kind is Kind.DEAL:
        card.fields["CLOSED"] = "Y" if closed else "N"
        if closed:
            card.fields["CLOSEDATE"] = portal.today()
    else:
        card.fields["DATE_CLOSED"] = portal.now() if closed else None


def set_products(portal: Portal, card: Card, rows: list[products.Row], user_id: int) -> None:
    """Replace a card's product rows; its amount follows, unless it was set by hand."""
    portal.products[(card.kind, card.id)] = rows
    update(portal, card, Draft(), user_id, always=True)


def _own_amount(portal: Portal, card: Card, sent: dict[str, Any]) -> None:
    if (
        "OPPORTUNITY" in sent
        and "IS_MANUAL_OPPORTUNITY" not in sent
        and portal.switches.opportunity_alone_manual
    ):
        card.fields["IS_MANUAL_OPPORTUNITY"] = "Y"
    if card.fields.get("IS_MANUAL_OPPORTUNITY") != "Y":
        card.fields["OPPORTUNITY"] = products.total_of(portal.products.get((card.kind, card.id), []))
    card.fields["OPPORTUNITY"] = card.fields.get("OPPORTUNITY") or Decimal(0)


def _link(portal: Portal, card: Card, draft: Draft) -> None:
    asked = draft.contacts
    if asked is None and "CONTACT_ID" in draft.fields:
        asked = [draft.fields["CONTACT_ID"]]
    if asked is None:
        return
    known = [
        contact_id for contact_id in dict.fromkeys(asked) if portal.card(Kind.CONTACT, contact_id) is not None
    ]
    _replace_links(
        card, [ContactLink(contact_id, (at + 1) * 10, primary=at == 0) for at, contact_id in enumerate(known)]
    )


def _replace_links(card: Card, links: list[ContactLink]) -> None:
    if links and not any(link.primary for link in links):
        links[0].primary = True
    links.sort(key=lambda link: (not link.primary, link.sort))
    card.contacts = links
    card.fields["CONTACT_ID"] = links[0].contact_id if links else None
    if card.kind is Kind.LEAD and links:
        card.fields["IS_RETURN_CUSTOMER"] = "Y"


def _record(portal: Portal, card: Card, type_id: int) -> None:
    row = {
        "ID": portal.next_id(f"history {card.kind.word}"),
        "TYPE_ID": type_id,
        "OWNER_ID": card.id,
        "CREATED_TIME": portal.now(),
        card.kind.stage_field: card.fields[card.kind.stage_field],
        card.kind.semantic_field: card.fields[card.kind.semantic_field],
    }
    if card.kind is Kind.DEAL:
        row["CATEGORY_ID"] = card.fields["CATEGORY_ID"]
    portal.history[card.kind].append(row)


def _entered(portal: Portal, card: Card) -> None:
    stage = portal.dictionaries.stage_of(card.kind, card.fields)
    if stage is None:
        return
    for robot in portal.robots:
        if robot.entity is card.kind and robot.stage == stage.name and _in_funnel(portal, robot, card):
            _run(portal, robot, card, stage)


def _in_funnel(portal: Portal, robot: Robot, card: Card) -> bool:
    if not robot.funnel or card.kind is not Kind.DEAL:
        return True
    return portal.dictionaries.categories[card.fields["CATEGORY_ID"]].name == robot.funnel


def _run(portal: Portal, robot: Robot, card: Card, stage: Status) -> None:
    if robot.action == "message":
        at = portal.clock.now().isoformat()
        portal.messages.append(
            {"entity": card.kind.word, card.kind.word: card.id, "stage": stage.name, "at": at}
        )
        return
    field = portal.fields(card.kind)[robot.field]
    value = values.parse(field, robot.value, portal.zone)
    if value is values.DROPPED:
        return
    with portal.happenings.caused_by(""):  # a robot runs as somebody else, whoever moved the card
        update(portal, card, Draft(fields={field.code: value}), robot.user_id, always=True)
