"""What changed in the account: by asking, and by its webhooks.

Asking sees made and changed cards by `updated_at`, and deleted ones in the account's log of events. The webhook makes
it faster; its bodies keep the older names of things, may hold several cards, and are not signed (amoCRM's
documentation, «Формат вебхуков»), so they are hints: the card is read again.
"""

import hmac
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.amocrm.book import Book
from connectors.amocrm.cards import instant
from connectors.amocrm.client import Client
from connectors.amocrm.entities import KINDS
from connectors.amocrm.listing import changed
from connectors.amocrm.schema import Schema
from kreslo.connectors.errors import ConfigurationError, DataError, MissingRightError, PermissionDeniedError
from kreslo.connectors.model import Entity, Event, EventKind
from kreslo.connectors.seams import Clock

_LONGEST_BODY = 1_000_000
_MANY = 250  # own writes since the last look: then only what others did is asked for
_DELETED = {"lead_deleted": Entity.DEAL, "contact_deleted": Entity.CONTACT}


async def changed_since(
    client: Client, clock: Clock, schema: Schema, book: Book, since: float
) -> list[Event]:
    """Cards changed or deleted at or after `since` (unix seconds, the account's clock), the oldest change first. The
    book takes it all in.
    """
    events: list[Event] = []
    others_only = book.own_writes > _MANY
    for kind in KINDS:
        for row in await changed(client, clock, kind, schema, since, others_only=others_only):
            book.read(kind, row, schema)
            by = str(row["updated_by"]) if row.get("updated_by") is not None else ""
            at = instant(row.get("updated_at"))
            events.append(Event(entity=kind.entity, id=str(row["id"]), at=at, by=by))
    events += await _deleted(client, book, since)
    start = datetime.fromtimestamp(since, UTC)
    return sorted(events, key=lambda event: (event.at or start, event.entity, int(event.id)))


async def _deleted(client: Client, book: Book, since: float) -> list[Event]:
    condition = {"type": ",".join(_DELETED), "created_at": {"from": int(since)}}
    try:
        rows = await client.pages("events", "events", {"filter": condition})
    except (MissingRightError, DataError, ConfigurationError):
        return []  # the log is for administrators: a lookup by id still shows that a card is gone
    found: list[Event] = []
    for row in rows:
        entity = _DELETED.get(str(row.get("type")))
        at = instant(row.get("created_at"))
        if entity is None or at is None or at.timestamp() < int(since):
            continue
        card = str(row.get("entity_id"))
        book.forget(entity, card)
        by = str(row["created_by"]) if row.get("created_by") is not None else ""
        found.append(Event(entity=entity, id=card, kind=EventKind.DELETED, at=at, by=by))
    return found


# --- webhooks -----------------------------------------------------------------------------------------------------

_KEY = re.compile(r"(\w+)\[(\w+)\]\[(\w+)\](.*)")
_TOPS = {"leads": Entity.DEAL, "contacts": Entity.CONTACT}
_CARD_FIELDS = {
    "[id]": "id",
    "[type]": "type",
    "[updated_at]": "at",
    "[last_modified]": "at",
    "[modified_user_id]": "by",
    "[note][element_id]": "id",
    "[note][date_create]": "at",
    "[note][created_by]": "by",
}
_RESULT = re.compile(
    r"unsorted\[\w+\]\[\w+\]\[(?:accept_result|decline_result|data|_embedded)\]\[leads\]\[\w+\](?:\[id\])?"
)


def parse_hook(given: str, body: bytes, secret: str | None, account: str) -> list[Event]:
    """Events of one hook (a form with PHP's brackets). `given`: the secret that came with it. `account`: our account's
    id, "" before it is known. Raises PermissionDeniedError and DataError.
    """
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        raise PermissionDeniedError(
            "У вебхука amoCRM неверный секрет: адрес должен кончаться на hook_secret; выполните kreslo setup"
        )
    if len(body) > _LONGEST_BODY:
        raise DataError("Тело запроса слишком велико для вебхука amoCRM")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50_000)
    except ValueError:
        raise DataError("Тело запроса — не форма, какую шлёт вебхук amoCRM") from None
    told = dict(pairs)
    if not any(name.startswith("account[") for name in told):
        raise DataError("В запросе нет блока account: это не вебхук amoCRM")
    if account and told.get("account[id]") not in (None, account):
        raise PermissionDeniedError(f"Вебхук пришёл от другого аккаунта amoCRM: {told['account[id]'][:20]}")
    return _events(pairs)


def _events(pairs: list[tuple[str, str]]) -> list[Event]:
    cards: dict[tuple[str, str, str], dict[str, str]] = {}
    found: list[Event] = []
    for name, value in pairs:
        if _RESULT.fullmatch(name) and value.isdecimal():
            found.append(Event(entity=Entity.DEAL, id=value))
            continue
        match = _KEY.fullmatch(name)
        if match is None or match[1] not in _TOPS:
            continue
        told = cards.setdefault((match[1], match[2], match[3]), {})
        if match[4] in _CARD_FIELDS:
            told[_CARD_FIELDS[match[4]]] = value
    events = [_event(top, action, told) for (top, action, _), told in cards.items()]
    return list(dict.fromkeys([*found, *(event for event in events if event is not None)]))


def _event(top: str, action: str, told: dict[str, str]) -> Event | None:
    """None: a company (they come under contacts), or nothing of ours."""
    if told.get("type") in ("company", "companies"):
        return None
    card = told.get("id", "")
    if not card.isdecimal():
        raise DataError(f"В вебхуке {top}[{action}] нет номера карточки")
    stamp: Any = told.get("at", "")
    at = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdecimal() and len(stamp) <= 10 else None
    kind = EventKind.DELETED if action == "delete" else EventKind.CHANGED
    author = told.get("by", "")
    return Event(entity=_TOPS[top], id=card, kind=kind, at=at, by="" if author == "0" else author)
