"""What changed in the portal: by asking, and by the portal's outgoing webhook. An application's queue: `offline.py`.

Asking sees created and changed cards, whoever changed them and into whichever funnel they moved; it cannot see deleted
ones. The webhook tells of those too, but a delivery that fails is not repeated (Bitrix24 REST documentation,
«Events»), so it only makes things faster.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.bitrix24.cards import instant
from connectors.bitrix24.client import Client
from connectors.bitrix24.entities import KINDS, Kind
from connectors.bitrix24.listing import Query, read_all
from kreslo.connectors.errors import DataError, PermissionDeniedError
from kreslo.connectors.model import Event, EventKind

_ACTS = {"ADD": EventKind.CHANGED, "UPDATE": EventKind.CHANGED, "DELETE": EventKind.DELETED}
_LONGEST_BODY = 64 * 1024


async def changed_since(client: Client, since: datetime) -> list[Event]:
    """Cards changed at or after `since` (by the portal's clock), the oldest change first."""
    found = await read_all(client, [_query(kind, since) for kind in KINDS])
    events = [
        Event(
            entity=kind.entity,
            id=str(row["ID"]),
            at=instant(row.get("DATE_MODIFY")),
            by=str(row.get("MODIFY_BY_ID") or ""),
        )
        for kind, page in zip(KINDS, found, strict=True)
        for row in page
    ]
    return sorted(events, key=lambda event: (event.at or since, event.entity, int(event.id)))


def _query(kind: Kind, since: datetime) -> Query:
    def fits(row: dict[str, Any]) -> bool:
        changed = instant(row.get("DATE_MODIFY"))
        return changed is not None and changed >= since

    return Query(
        method=kind.method("list"),
        filter={">=DATE_MODIFY": since.astimezone(UTC).isoformat(timespec="seconds")},
        select=("ID", "DATE_MODIFY", "MODIFY_BY_ID"),
        fits=fits,
    )


def parse_hook(body: bytes, token: str | None) -> list[Event]:
    """Events of one request of an outgoing webhook (a form with PHP's brackets; the id of the card and nothing else).
    There is no signature: the token is the only proof. Raises PermissionDeniedError and DataError.
    """
    if len(body) > _LONGEST_BODY:
        raise DataError("Тело запроса слишком велико для события Битрикс24")
    try:
        pairs = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=200))
    except ValueError:
        raise DataError("Тело запроса — не форма, какую шлёт исходящий вебхук Битрикс24") from None
    sent = pairs.get("auth[application_token]", "")
    if not token or not hmac.compare_digest(sent.encode(), token.encode()):
        raise PermissionDeniedError(
            "У события Битрикс24 неверный application_token: возьмите его из карточки исходящего вебхука (hook_token)"
        )
    if not (name := pairs.get("event", "").upper()):
        raise DataError("В запросе нет имени события (event)")
    return _events(name, pairs)


def _events(name: str, pairs: Mapping[str, str]) -> list[Event]:
    if _named(name, KINDS)[1] is None:
        return []  # a comment, a task, a company: nothing of ours
    stamp = pairs.get("ts", "")
    at = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdecimal() and len(stamp) <= 10 else None
    event = event_of(name, pairs.get("data[FIELDS][ID]", ""), at)
    if event is None:
        raise DataError(f"В событии {name} нет номера карточки")
    return [event]


def event_of(name: str, card: str, at: datetime | None) -> Event | None:
    """What the portal calls `name` (`ONCRMDEALUPDATE`); None where it is of no card of ours, or names no card."""
    kind, act = _named(name.upper(), KINDS)
    if kind is None or act is None or not card.isdecimal():
        return None
    return Event(entity=kind.entity, id=card, kind=act, at=at)


def _named(name: str, kinds: Sequence[Kind]) -> tuple[Kind | None, EventKind | None]:
    """A move to another funnel comes as ONCRMDEALMOVETOCATEGORY alone, without an ONCRMDEALUPDATE."""
    for kind in kinds:
        prefix = f"ONCRM{kind.word.upper()}"
        if name.startswith(prefix):
            act = name.removeprefix(prefix)
            return kind, EventKind.CHANGED if act == "MOVETOCATEGORY" else _ACTS.get(act)
    return None, None
