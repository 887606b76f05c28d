"""Pages: 50 by default, 250 at most, whatever was asked for; an empty one is no answer at all."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from connectors.amocrm.sandbox.calls import EMPTY, MOST, Call, Reply
from kreslo.connectors.sandboxing import php


def paged(
    call: Call,
    key: str,
    rows: Sequence[Any],
    show: Callable[[Any], dict[str, Any]],
    *,
    totals: bool = False,
    most: int = MOST,
) -> Reply:
    """`totals`: the lists that count (fields, users) say how many there are, and which page is the last."""
    limit = min(php.integer(call.query.get("limit", 50)) or 50, most)
    page = max(php.integer(call.query.get("page", 1)), 1)
    shown = rows[(page - 1) * limit : page * limit]
    if not shown:
        return EMPTY
    pages = -(-len(rows) // limit)
    links = {"self": page_link(call, page, limit)}
    if page < pages:
        links["next"] = page_link(call, page + 1, limit)
    if page > 1:
        links["first"] = page_link(call, 1, limit)
        links["prev"] = page_link(call, page - 1, limit)
    counts: dict[str, int] = {}
    if totals:
        counts = {"_total_items": len(rows), "_page_count": pages}
        links["last"] = page_link(call, pages, limit)
    return Reply({**counts, "_page": page, "_links": links, "_embedded": {key: [show(row) for row in shown]}})


def page_link(call: Call, page: int, limit: int) -> dict[str, str]:
    """With everything else of the query as it was, percent-encoded."""
    others = [(name, value) for name, value in parse_qsl(call.raw_query, keep_blank_values=True)]
    kept = [pair for pair in others if pair[0] not in {"page", "limit"}]
    query = urlencode([("page", str(page)), ("limit", str(limit)), *kept])
    return {"href": f"{call.base}{call.path}?{query}"}


def whole(call: Call, path: str, key: str, rows: list[dict[str, Any]]) -> Reply:
    """A list that has no pages and says its length."""
    return Reply({"_total_items": len(rows), "_links": call.href(path), "_embedded": {key: rows}})
