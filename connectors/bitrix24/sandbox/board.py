"""/board: the portal's stages and cards as a plain page, to look at while the demo runs."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route

from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.portal import Portal

_CARDS = 50
_MESSAGES = 20
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def board_routes(portal: Portal) -> list[BaseRoute]:
    async def board(_: Request) -> HTMLResponse:
        shown = {
            "boards": _boards(portal),
            "contacts": len(portal.store(Kind.CONTACT)),
            "messages": portal.messages[: -_MESSAGES - 1 : -1],
            "message_count": len(portal.messages),
            "now": portal.clock.now().astimezone(portal.zone).strftime("%d.%m.%Y %H:%M:%S"),
        }
        return HTMLResponse(_TEMPLATES.get_template("board.html").render(shown))

    return [Route("/board", board)]


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
        "amount": f"{amount:,.0f}".replace(",", "\u00a0") if amount else "",
    }
