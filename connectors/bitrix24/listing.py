"""Complete lists: pages by growing id, which neither skip nor repeat a row when others change meanwhile.

With `start=-1` the portal does not count (Bitrix24 REST documentation, «Large data»); `total` and `next` of such an
answer mean nothing, and a list ends with a page that is not full.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.desk import BATCH
from connectors.bitrix24.entities import Kind
from connectors.bitrix24.wire import Call, rows
from kreslo.connectors.errors import ConfigurationError

PAGE = 50
_KEY_PAGES = 8  # asked for at once at first; a longer list asks for more by itself


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A list to read to its end. `fits` re-checks a row: a legacy list drops a filter that it does not know without a
    word, and gives everything. `most`: how many rows there can be, where that is known; `after`: the id behind which
    the list begins.
    """

    method: str
    filter: dict[str, Any]
    select: Sequence[str]
    fits: Callable[[dict[str, Any]], bool]
    params: dict[str, Any] = {}
    id_name: str = "ID"
    most: int | None = None
    after: int = 0

    def page(self, after: int | str) -> Call:
        """`after`: the last id of the page before, or a reference to it in the same request."""
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
            chained=isinstance(after, str),
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
    after = [query.after for query in queries]
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


async def walk(client: Client, queries: Mapping[str, tuple[Query, int]]) -> dict[str, list[dict[str, Any]]]:
    """Long lists by name, many pages a request: each page begins after the last row of the one before it, by
    `$result[…]`. With each query, how many pages it may have; a wrong guess costs only time. Legacy lists.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in queries}
    depths = {name: max(1, pages) for name, (_, pages) in queries.items()}
    after = {name: query.after for name, (query, _) in queries.items()}
    while depths:
        most = max(1, BATCH // len(depths))
        calls: dict[str, Call] = {}
        chains: dict[str, list[str]] = {}
        for name, depth in depths.items():
            query = queries[name][0]
            chains[name] = [f"{name}_{at:04}" for at in range(min(depth, most))]
            for at, key in enumerate(chains[name]):
                calls[key] = query.page(
                    f"$result[{chains[name][at - 1]}][{PAGE - 1}][{query.id_name}]" if at else after[name]
                )
        replies = await client.ask_together(calls)
        left: dict[str, int] = {}
        for name, keys in chains.items():
            query = queries[name][0]
            for key in keys:
                page = rows(accepted(replies[key], query.method).result)
                found[name] += [row for row in page if query.fits(row)]
                if len(page) < PAGE:
                    break
                last = max(int(row[query.id_name]) for row in page)
                if last <= after[name]:
                    raise ConfigurationError(
                        f"Портал не применил порядок по {query.id_name} метода {query.method}"
                    )
                after[name] = last
            else:
                left[name] = max(1, depths[name] - len(keys)) if depths[name] > len(keys) else 2 * len(keys)
        depths = left
    return found


async def keys_of(client: Client, kind: Kind, key_field: str, prefix: str) -> dict[str, str]:
    """The key by id of every card whose key begins with `prefix`. Raises ConfigurationError where the portal dropped
    the filter, which it does without a word for a field that it does not have.
    """

    def fits(row: dict[str, Any]) -> bool:
        if key_field not in row:
            raise ConfigurationError(
                f"В портале нет поля {key_field} для карточек «{kind.word}»: выполните kreslo setup"
            )
        return str(row[key_field] or "").startswith(prefix)

    # `=%` is LIKE, which knows `%` and `_` besides the text: what it gives too much is left out by `fits`.
    query = Query(
        method=kind.method("list"),
        filter={f"=%{key_field}": f"{prefix}%"},
        select=("ID", key_field),
        fits=fits,
    )
    found = await walk(client, {kind.word: (query, _KEY_PAGES)})
    return {str(row["ID"]): str(row[key_field]) for row in found[kind.word]}


def one_of(name: str, asked: Iterable[str]) -> Callable[[dict[str, Any]], bool]:
    """Whether a row's `name` is one of these."""
    values = frozenset(asked)
    return lambda row: str(row.get(name)) in values


def chunks(values: Sequence[str], size: int = PAGE) -> list[list[str]]:
    return [list(values[at : at + size]) for at in range(0, len(values), size)]
