"""T-SQL that only reads, as SQLite runs it: what a text is, and a SELECT's text and column types."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from connectors.ident.sandbox.tds.faults import ServerError, denied, known

Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Schema, table, column, declared type."""

_INSTANTS = {
    exp.DataType.Type.DATETIME,
    exp.DataType.Type.DATETIME2,
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.DATE,
}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_WRITES = {"INSERT": exp.Insert, "UPDATE": exp.Update, "DELETE": exp.Delete, "MERGE": exp.Merge}

# What the drivers and Kreslo say beside SELECT; it changes nothing but their own session.
_SETTING = re.compile(
    r"\s*(SET\s+\w+(\s+(ON|OFF|LOW|[-\w]+))?|SET\s+TRANSACTION\s+ISOLATION\s+LEVEL\s+[\w ]+|USE\s+\S+)\s*",
    re.IGNORECASE,
)
_TRANSACTION = re.compile(
    r"\s*(IF\s+@@TRANCOUNT\s*>\s*0\s+)?(BEGIN|COMMIT|ROLLBACK)(\s+(TRAN|TRANSACTION|WORK))?\s*", re.IGNORECASE
)


class Kind(StrEnum):
    """`CATALOG`: a driver's own question for the types that there are."""

    SELECT = "select"
    SETTING = "setting"
    TRANSACTION = "transaction"
    CATALOG = "catalog"
    OTHER = "other"


class Select(msgspec.Struct, frozen=True):
    """`names`: one a column, as it is spelled there, "" where it has none. `types`: the same, "" where the expression
    does not tell. `tables`: those of dbo that it reads.
    """

    sql: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    tables: frozenset[str]


def kind_of(text: str) -> Kind:
    """What a batch is. A text of several statements is a setting only if each of them is."""
    parts = [part for part in re.split(r";|\n", text) if part.strip()]
    if parts and all(_SETTING.fullmatch(part) for part in parts):
        return Kind.SETTING
    if parts and all(_TRANSACTION.fullmatch(part) for part in parts):
        return Kind.TRANSACTION
    if re.match(r"\s*(EXEC\s+)?(\[?sys\]?\.)?sp_datatype_info", text, re.IGNORECASE):
        return Kind.CATALOG
    return (
        Kind.SELECT
        if re.match(r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*SELECT\b", text, re.IGNORECASE | re.DOTALL)
        else Kind.OTHER
    )


def translate(text: str, tables: Tables, database: str) -> Select:
    """A single SELECT for SQLite. Raises ServerError for anything else, and for a table that is not there."""
    try:
        trees = [tree for tree in sqlglot.parse(text, read="tsql") if tree is not None]
    except SqlglotError as error:
        raise known(102, str(error).split(".", 1)[0]) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Select) or trees[0].find(exp.Into):
        raise _refused(trees, database)
    tree = trees[0]
    ours = _tables(tree, tables)
    typed = _typed(tree, tables)
    types = tuple(_declared(item) for item in typed.selects)
    return Select(_for_sqlite(typed).sql(dialect="sqlite"), tuple(_names(tree, tables)), types, ours)


def _refused(trees: list[Any], database: str) -> ServerError:
    for tree in trees:
        for right, node in _WRITES.items():
            if isinstance(tree, node):
                table = tree.find(exp.Table)
                return denied(right, table.name if table else "", database)
    first = type(trees[0]).__name__.upper() if trees else "EMPTY"
    return known(262, "SELECT INTO" if first == "SELECT" else first, database)


def _tables(tree: exp.Expression, tables: Tables) -> frozenset[str]:
    found = set()
    for table in tree.find_all(exp.Table):
        schema = {name.lower(): name for name in tables}.get((table.db or "dbo").lower())
        there = {name.lower(): name for name in tables[schema]} if schema else {}
        if schema is None or table.name.lower() not in there:
            raise known(208, ".".join(part for part in (table.db, table.name) if part))
        if schema == "dbo":
            found.add(there[table.name.lower()])
    return frozenset(found)


def _typed(tree: exp.Select, tables: Tables) -> exp.Select:
    """The tree with a type at every expression; as it is where that cannot be told (SQLite then says why)."""
    schema = MappingSchema({name: dict(own) for name, own in tables.items()}, dialect="tsql")
    try:
        whole = qualify(tree.copy(), schema=schema, dialect="tsql", quote_identifiers=False, identify=False)
        typed = annotate_types(whole, schema=schema, dialect="tsql")
    except SqlglotError:
        return tree
    return typed if isinstance(typed, exp.Select) else tree


def _declared(item: exp.Expr) -> str:
    kind = item.type
    if kind is None or kind.this in {exp.DataType.Type.UNKNOWN, exp.DataType.Type.NULL}:
        return ""
    return kind.sql(dialect="tsql")


def _names(tree: exp.Select, tables: Tables) -> list[str]:
    sources = [join.this for join in tree.args.get("joins") or ()]
    if first := tree.args.get("from_"):
        sources.insert(0, first.this)
    names: list[str] = []
    for item in tree.selects:
        if not item.is_star:
            names.append(
                item.alias
                if isinstance(item, exp.Alias)
                else item.name
                if isinstance(item, exp.Column)
                else ""
            )
            continue
        of = item.table if isinstance(item, exp.Column) else ""
        for source in sources:
            if of and source.alias_or_name != of:
                continue
            if isinstance(source, exp.Table):
                names += tables[source.db or "dbo"][source.name]
            else:
                names += _names(source.this, tables)
    return names


def _for_sqlite(typed: exp.Select) -> exp.Select:
    compared = [
        node
        for node in typed.find_all(*_COMPARISONS)
        if any(side.type is not None and side.type.this in _INSTANTS for side in (node.left, node.right))
    ]
    for node in compared:
        # SQLite keeps instants as texts of more than one shape: they are compared in one.
        node.set("this", _shaped(node.left))
        node.set("expression", _shaped(node.right))
    changed = typed.transform(_changed)
    return changed if isinstance(changed, exp.Select) else typed


def _shaped(side: exp.Expr) -> exp.Expr:
    return exp.func("tds_instant", side)


def _changed(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.National):
        return exp.Literal.string(node.name)
    if isinstance(node, exp.SessionParameter):
        return exp.func(f"tds_{node.name.lower()}")
    if isinstance(node, exp.CurrentTimestamp):
        return exp.func("tds_now")
    if isinstance(node, exp.Fetch):
        return exp.Limit(expression=node.args.get("count"))
    if isinstance(node, exp.Cast) and node.to.this in _INSTANTS and isinstance(node.this, exp.Expr):
        return node.this
    return node
