"""What /board shows of the account."""

from typing import Any

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.pipelines import Pipeline
from connectors.amocrm.sandbox.state import card_state
from kreslo.connectors.sandboxing.board import rubles

_CARDS = 50
_MESSAGES = 20


def shown(account: Account) -> dict[str, Any]:
    in_order = sorted(account.pipelines.all.values(), key=lambda pipeline: (pipeline.sort, pipeline.id))
    return {
        "title": "amoCRM: учебный аккаунт",
        "boards": [_board(account, pipeline) for pipeline in in_order],
        "contacts": len(account.stores[Kind.CONTACT]),
        "messages": account.messages[: -_MESSAGES - 1 : -1],
        "message_count": len(account.messages),
        "now": account.clock.now().astimezone(account.zone).strftime("%d.%m.%Y %H:%M:%S"),
    }


def _board(account: Account, pipeline: Pipeline) -> dict[str, Any]:
    store = account.stores[Kind.LEAD]
    columns = []
    for status in pipeline.in_order():
        ids = sorted(store.on_stage(pipeline.id, status.id), reverse=True)
        cards = [card for card_id in ids[:_CARDS] if (card := store.get(card_id))]
        rows = [_card(account, card) for card in cards]
        columns.append({"name": status.name, "color": status.color, "count": len(ids), "cards": rows})
    return {"name": pipeline.name, "columns": columns, "count": sum(column["count"] for column in columns)}


def _card(account: Account, card: Card) -> dict[str, Any]:
    contacts = [one for link in card.contacts if (one := account.card(Kind.CONTACT, link.contact_id))]
    return {
        "id": card.id,
        "title": card.name,
        "names": ", ".join(contact.name for contact in contacts if contact.name),
        "phones": ", ".join(card_state(account, card)["phones"][:2]),
        "amount": rubles(card.price),
    }
