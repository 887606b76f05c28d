"""What a clinic's database has of the tables and columns that the queries touch; no row of anybody is read."""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlalchemy import Connection
from sqlglot import exp

from connectors.ident.datasets import DATASETS, Dataset
from connectors.ident.dialects import Dialect
from connectors.ident.options import IdentOptions
from connectors.ident.proof import Query, load
from kreslo.connectors.probing import Probe, Sight

Tables = Mapping[str, Mapping[str, str]]
"""By table and column in small letters: the column's type."""


def look(connection: Connection, options: IdentOptions, dialect: Dialect) -> Probe:
    """Every table and column of every dataset, present or missing. A login that may not see a table has it missing."""
    there = {
        table.lower(): {name.lower(): type_ for name, type_ in columns.items()}
        for table, columns in dialect.columns(connection).items()
    }
    sights: list[Sight] = []
    for dataset in DATASETS.values():
        query = load(dataset, options.queries.get(dataset.name))
        sights += _sights(dataset, query, there)
    facts = [
        ("server", dialect.label),
        *dialect.facts(connection),
        ("its clock", f"{dialect.now(connection):%Y-%m-%d %H:%M:%S}"),
        ("the login may write", "yes" if dialect.writable(connection) else "no"),
    ]
    return Probe(facts=tuple(facts), sights=tuple(sights))


def used(query: Query) -> dict[str, list[str]]:
    """By table: the columns that a query names, in the order in which it does. A column without its table's name counts
    where the query reads one table alone.
    """
    tree = sqlglot.parse_one(query.sql, read="tsql")
    tables = list(tree.find_all(exp.Table))
    names = {table.alias_or_name.lower(): table.name for table in tables}
    alone = tables[0].name if len(tables) == 1 else ""
    found: dict[str, list[str]] = {table.name: [] for table in tables}
    for column in tree.find_all(exp.Column):
        table = names.get(column.table.lower(), "") if column.table else alone
        if table and column.name not in found[table]:
            found[table].append(column.name)
    return found


def _sights(dataset: Dataset, query: Query, there: Tables) -> Iterator[Sight]:
    for table, columns in used(query).items():
        known = there.get(table.lower())
        yield Sight(
            group=dataset.name, place=f"dbo.{table}", present=known is not None, required=dataset.required
        )
        for name in columns if known is not None else ():
            type_ = (known or {}).get(name.lower(), "")
            yield Sight(
                group=dataset.name,
                place=f"dbo.{table}",
                name=name,
                type=type_,
                present=bool(type_),
                required=dataset.required,
            )
