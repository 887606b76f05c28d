"""Complete lists: pages by growing id, which neither skip nor repeat a row when others change meanwhile.

With `start=-1` the portal does not count (Bitrix24 REST documentation, «Large data»); `total` and `next` of such an
answer mean nothing, and a list ends with a page that is not full.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import Kind
from connectors.bitrix24.wire import Call, rows
from kreslo.connectors.errors import ConfigurationError

PAGE = 50


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A list to read to its end. `fits` re-checks a row: a legacy list drops a filter that it does not know without a
    word, and gives everything. `most`: how many rows there can be, where that is known.
    """

    method: str
    filter: dict[str, Any]
    select: Sequence[str]
    fits: Callable[[dict[str, Any]], bool]
    params: dict[str, Any] = {}
    id_name: str = "ID"
    most: int | None = None

    def page(self, after: int) -> Call:
        condition = {**self.filter, **({f">{self.id_name}": after} if after else {})}
        return Call(
            self.method,
            {
                **self.params,
                "filter": condition,
                "order": {self.id_name: "ASC"},
                "select": list(self.select),
                "start": -1,
            },
        )


def item_query(
    kind: Kind,
    condition: dict[str, Any],
    fits: Callable[[dict[str, Any]], bool],
    most: int | None = None,
) -> Query:
    """Ids and contacts of deals or leads, which legacy lists can neither select nor filter by."""
    return Query(
        method="crm.item.list",
        params={"entityTypeId": kind.type_id},
        filter=condition,
        select=("id", "contactId", "contactIds"),
        fits=fits,
        id_name="id",
        most=most,
    )


async def read_all(client: Client, queries: Sequence[Query]) -> list[list[dict[str, Any]]]:
    """The rows of each query that fit it. Raises what the client raises; ConfigurationError where a full page came
    without one row that fits: the filter was dropped, and reading on would read the whole portal.
    """
    found: list[list[dict[str, Any]]] = [[] for _ in queries]
    after = [0] * len(queries)
    waiting = list(range(len(queries)))
    while waiting:
        replies = await client.ask_all([queries[index].page(after[index]) for index in waiting])
        more = []
        for index, reply in zip(waiting, replies, strict=True):
            query = queries[index]
            page = rows(accepted(reply, query.method).result)
            fitting = [row for row in page if query.fits(row)]
            found[index] += fitting
            if len(page) < PAGE or (query.most is not None and len(found[index]) >= query.most):
                continue
            if not fitting:
                raise ConfigurationError(
                    f"Портал не применил фильтр {', '.join(query.filter)} метода {query.method}: проверьте, что поле "
                    "на месте (kreslo setup создаст недостающее)"
                )
            last = max(int(row[query.id_name]) for row in page)
            if last <= after[index]:
                raise ConfigurationError(
                    f"Портал не применил порядок по {query.id_name} метода {query.method}"
                )
            after[index] = last
            more.append(index)
        waiting = more
    return found


def one_of(name: str, asked: Iterable[str]) -> Callable[[dict[str, Any]], bool]:
    """Whether a row's `name` is one of these."""
    values = frozenset(asked)
    return lambda row: str(row.get(name)) in values


def chunks(values: Sequence[str], size: int = PAGE) -> list[list[str]]:
    return [list(values[at : at + size]) for at in range(0, len(values), size)]
