"""What /board shows of the portal."""

from typing import Any

from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing.board import rubles

_CARDS = 50
_MESSAGES = 20


def shown(portal: Portal) -> dict[str, Any]:
    return {
        "title": "Битрикс24: учебный портал",
        "boards": _boards(portal),
        "contacts": len(portal.store(Kind.CONTACT)),
        "messages": portal.messages[: -_MESSAGES - 1 : -1],
        "message_count": len(portal.messages),
        "now": portal.clock.now().astimezone(portal.zone).strftime("%d.%m.%Y %H:%M:%S"),
    }


def _boards(portal: Portal) -> list[dict[str, Any]]:
    boards = [_board(portal, Kind.LEAD, 0, "Лиды")]
    return boards + [
        _board(portal, Kind.DEAL, category.id, f"Сделки: {category.name}")
        for category in portal.dictionaries.categories.values()
    ]


def _board(portal: Portal, kind: Kind, category_id: int, name: str) -> dict[str, Any]:
    store = portal.store(kind)
    columns = []
    for stage in portal.dictionaries.stages(kind, category_id):
        ids = sorted(store.holding(kind.stage_field, stage.status_id), reverse=True)
        cards = [card for card_id in ids[:_CARDS] if (card := store.get(card_id))]
        shown = [_shown(portal, card) for card in cards]
        columns.append({"name": stage.name, "color": stage.color, "count": len(ids), "cards": shown})
    return {"name": name, "columns": columns, "count": sum(column["count"] for column in columns)}


def _shown(portal: Portal, card: Card) -> dict[str, Any]:
    contacts = [contact for link in card.contacts if (contact := portal.card(Kind.CONTACT, link.contact_id))]
    holders = contacts or [card]
    names = [
        " ".join(part for code in ("LAST_NAME", "NAME", "SECOND_NAME") if (part := holder.fields.get(code)))
        for holder in holders
    ]
    phones = [row.value for holder in holders for row in holder.multi if row.type == "PHONE"]
    amount = card.fields.get("OPPORTUNITY")
    return {
        "id": card.id,
        "title": card.fields.get("TITLE") or "",
        "names": ", ".join(name for name in names if name),
        "phones": ", ".join(phones[:2]),
        "amount": rubles(amount),
    }
