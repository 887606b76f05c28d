"""Complete lists, although amoCRM has only page numbers, and ignores a filter or an order that it does not know.

Rows are asked for in the order of their ids. A card that is changed or made meanwhile can only push others to a later
page, where they come a second time; one that is deleted pulls them to an earlier page, where they would be missed. So a
list of several pages is read again if cards were deleted while it was read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.amocrm.client import PAGE, Client
from connectors.amocrm.entities import CONTACT, DEAL, Kind
from connectors.amocrm.schema import Schema
from connectors.amocrm.wire import Query
from kreslo.connectors.errors import (
    ConfigurationError,
    DataError,
    LimitError,
    MissingRightError,
)
from kreslo.connectors.seams import Clock

Row = Mapping[str, Any]
_ROUNDS = 5
_SLACK = 2.0  # seconds: borders of a window may or may not belong to it
_DELETED = {CONTACT.entity: "contact_deleted,entity_merged", DEAL.entity: "lead_deleted,entity_merged"}


async def listed(
    client: Client,
    clock: Clock,
    kind: Kind,
    params: Query,
    fits: Callable[[Row], bool],
    *,
    most: int = 0,
) -> list[Row] | None:
    """Every card that fits, once, with what hangs on it. None: there are more than `most` pages. Raises
    ConfigurationError where the filter was plainly ignored, and LimitError where the list never stood still.
    """
    for _ in range(_ROUNDS):
        started = client.now().timestamp()
        found: dict[int, Row] = {}
        page = 1
        while True:
            if most and page > most:
                return None
            query = {**params, "with": kind.others, "order": {"id": "asc"}, "limit": PAGE, "page": page}
            answer = await client.ask(kind.path, query)
            rows = answer.rows(kind.path)
            fitting = {int(row["id"]): row for row in rows if fits(row)}
            if rows and not fitting and "filter" in params:
                raise ConfigurationError(
                    f"amoCRM не применил фильтр {', '.join(params['filter'])} к списку {kind.path}: чужие карточки не "
                    "тронуты"
                )
            found |= fitting
            if not answer.more:
                break
            page += 1
        if page == 1 or not await _deleted_since(client, kind, started):
            return [found[one] for one in sorted(found)]
        await clock.sleep(_SLACK + 1.0)  # so that the same deletion is not met again
    raise LimitError(
        f"Список {kind.path} не удалось прочесть целиком: карточки всё время удаляют", retry_after=60.0
    )


async def _deleted_since(client: Client, kind: Kind, started: float) -> bool:
    since = int(started - _SLACK)
    condition = {"type": _DELETED[kind.entity], "created_at": f"{since},{since + 86_400}"}
    try:
        rows = (await client.ask("events", {"filter": condition, "limit": 100})).rows("events")
    except (MissingRightError, DataError, ConfigurationError):
        return False  # no right to the log of events: the list stands as it was read
    wanted = _DELETED[kind.entity].split(",")
    return any(row.get("type") in wanted and int(row.get("created_at") or 0) >= since for row in rows)


async def changed(
    client: Client, clock: Clock, kind: Kind, schema: Schema, since: float, *, others_only: bool = False
) -> list[Row]:
    """Cards changed at or after `since` (unix seconds, the account's clock). `others_only`: by anyone but our own
    user, where users are known.
    """
    least = int(since - _SLACK)
    condition: dict[str, Any] = {"updated_at": {"from": least}}
    authors = other_authors(schema) if others_only else []
    if authors:
        condition["updated_by"] = authors
    wanted = {str(one) for one in authors}

    def fits(row: Row) -> bool:
        at = row.get("updated_at")
        mine = bool(wanted) and str(row.get("updated_by")) not in wanted
        return isinstance(at, int) and at >= least and not mine

    return await listed(client, clock, kind, {"filter": condition}, fits) or []


def other_authors(schema: Schema) -> list[str]:
    """Ids of everybody else, the account's robots (0) among them; empty where the users are not known."""
    people = [user.id for user in schema.catalog.users if user.id != schema.catalog.me]
    return [*people, "0"] if people and schema.catalog.me else []


async def by_ids(client: Client, kind: Kind, ids: Sequence[str]) -> list[Row]:
    """The cards that are there, in requests of 250 ids."""
    found: list[Row] = []
    for at in range(0, len(ids), PAGE):
        part = ids[at : at + PAGE]
        asked = frozenset(part)
        answer = await client.ask(kind.path, {"filter": {"id": part}, "with": kind.others, "limit": PAGE})
        found += [row for row in answer.rows(kind.path) if str(row["id"]) in asked]
    return found
