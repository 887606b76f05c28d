"""Rows whose cells carry their names with them (XML, JSON, DBF): names become canonical, nested ones become paths."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from connectors.helix.columns import Columns
from connectors.helix.tables import DAMAGED, Bad, Cell, Item, Row

_LOOKED_AT = 50
"""Records whose names together are taken for the header: an empty cell may be left out of a record."""

Record = tuple[int, dict[str, Cell]]


def named(
    records: Iterator[Record | Bad], columns: Columns
) -> tuple[tuple[tuple[str, str], ...], Iterator[Item]]:
    """Titles with their canonical names, and the rows. Raises FileError where the first records lack a column."""
    first = list(islice(records, _LOOKED_AT))
    titles: dict[str, None] = {}
    for record in first:
        if not isinstance(record, Bad):
            titles |= dict.fromkeys(record[1])
    found = list(titles)
    names = columns.names_of(found)
    if titles and columns.lacking(names):
        raise columns.no_header([found])
    known = dict(zip(found, names, strict=True))
    return tuple(known.items()), _rows(chain(first, records), columns, known)


def _rows(records: Iterable[Record | Bad], columns: Columns, known: dict[str, str]) -> Iterator[Item]:
    for record in records:
        if isinstance(record, Bad):
            yield record
            continue
        number, cells = record
        row: dict[str, Cell] = {}
        for title, cell in cells.items():
            name = known.get(title)
            if name is None:
                name = known[title] = columns.name_of(title)
            if name and row.get(name) in {None, ""}:
                row[name] = cell
        if any(isinstance(cell, str) and DAMAGED in cell for cell in row.values()):
            yield Bad(number, "в записи есть байты, которых нет в кодировке файла")
        elif any(cell not in {None, ""} for cell in row.values()):
            # What a record leaves out is empty, not unknown: the other records have the column.
            yield Row(number, {**dict.fromkeys(filter(None, known.values())), **row})
