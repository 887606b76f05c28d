"""Filters, orders and selects over plain rows (dictionaries, comments, tasks, history): the legacy way, an unknown
field falls out of the filter.
"""

from collections.abc import Collection
from datetime import tzinfo
from typing import Any

from connectors.bitrix24.sandbox import filters, sorting
from connectors.bitrix24.sandbox.fields import Field
from kreslo.connectors.sandboxing import php

Row = dict[str, Any]


def filtered(
    rows: list[Row],
    raw: Any,
    zone: tzinfo,
    *,
    integers: Collection[str] = (),
    moments: Collection[str] = (),
    fields: Collection[str] | None = None,
) -> list[Row]:
    """`integers`, `moments`: columns of these types, the others are texts. `fields`: columns that there are, where
    the first row does not tell.
    """
    known = set(fields if fields is not None else (rows[0] if rows else ()))

    def find(code: str) -> Field | None:
        if code not in known:
            return None
        kind = "integer" if code in integers else "datetime" if code in moments else "string"
        return Field(code=code, type=kind, title=code)

    test = filters.compiled(filters.parse(raw, filters.Dialect(find, zone)))
    if test is None:
        return rows
    return [row for row in rows if test(_reader(row, integers))]


def _reader(row: Row, integers: Collection[str]) -> filters.Read:
    def read(code: str) -> Any:
        value = row.get(code)
        if code in integers:
            return None if value is None else int(value)
        if isinstance(value, list):
            return [str(below) for below in value]
        return value

    return read


def ordered(rows: list[Row], raw: Any, *, integers: Collection[str] = ()) -> list[Row]:
    for code, direction in reversed(sorting.directions(raw)):
        rows = sorted(
            rows,
            key=lambda row: sorting.comparable(
                int(row[code]) if code in integers and row.get(code) else row.get(code)
            ),
            reverse=direction == "DESC",
        )
    return rows


def selected(row: Row, select: Any) -> Row:
    names = {php.text(name) for name in php.members(select)}
    if not names or "*" in names:
        return row
    return {code: value for code, value in row.items() if code in names or code == "ID"}
