"""Texts of queries: where they are read from, and the proof that each is one SELECT that can be wrapped."""

import hashlib
from collections import Counter
from functools import lru_cache
from pathlib import Path

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from connectors.ident.datasets import Dataset
from kreslo.connectors.errors import ConfigurationError

OUR_QUERIES = Path(__file__).parent / "queries"

# These run a text of any kind on another server, past the proof.
_REMOTE = {"openquery", "openrowset", "opendatasource"}


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's proved query. `own`: an administrator's. `shape`: changes when the query does, not its layout."""

    dataset: Dataset
    sql: str
    origin: str
    own: bool
    shape: str


def load(dataset: Dataset, path: Path | None = None) -> Query:
    """The dataset's query: ours, or the file at `path`. Raises ConfigurationError, naming file and reason."""
    file = path or OUR_QUERIES / f"{dataset.name}.sql"
    origin = str(path) if path else f"queries/{file.name}"
    try:
        sql = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigurationError(f"query of {dataset.name}: {origin}: {why}") from error
    return Query(
        dataset=dataset,
        sql=sql.rstrip().rstrip(";"),
        origin=origin,
        own=path is not None,
        shape=_shape(sql, origin),
    )


@lru_cache(maxsize=64)
def _shape(sql: str, origin: str) -> str:
    """Proves the text once: views are opened anew with each check."""
    tree = prove(sql, origin)
    return hashlib.sha256(tree.sql(dialect="tsql", comments=False).encode()).hexdigest()[:12]


def prove(sql: str, origin: str) -> exp.Select:
    """The parsed query. Raises ConfigurationError unless the text is a single SELECT that only reads, and that
    SQL Server takes as a derived table (no WITH, no ORDER BY, every column named, none twice).
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="tsql") if tree is not None]
    except SqlglotError as error:
        raise ConfigurationError(f"{origin}: not understood as SQL: {_where(error)}") from error
    if len(trees) != 1:
        raise ConfigurationError(f"{origin}: must be one SELECT, found {len(trees)} statements")
    tree = trees[0]
    if not isinstance(tree, exp.Select):
        raise ConfigurationError(f"{origin}: must be one SELECT, found {type(tree).__name__.upper()}")
    for reason in _faults(tree):
        raise ConfigurationError(f"{origin}: {reason}")
    return tree


def _faults(tree: exp.Select) -> list[str]:
    faults = []
    if tree.find(exp.Into):
        faults.append("SELECT … INTO writes a table; a query may only read")
    if tree.find(exp.NextValueFor):
        faults.append("NEXT VALUE FOR changes a sequence; a query may only read")
    faults += [
        f"{call.name} runs a statement on another server; a query may only read"
        for call in tree.find_all(exp.Anonymous)
        if call.name.lower() in _REMOTE
    ]
    if tree.find(exp.Parameter, exp.Placeholder):
        faults.append("variables and parameters are not filled in; write the value itself")
    if tree.args.get("with_"):
        faults.append("WITH cannot be wrapped as a derived table; write it as a subquery in FROM")
    if tree.args.get("order"):
        faults.append(
            "ORDER BY cannot be wrapped as a derived table; leave it out, rows are ordered by their key"
        )
    if tree.args.get("for_"):
        faults.append("FOR XML and FOR JSON return one text, not rows")
    if any(isinstance(item, exp.Star) or item.is_star for item in tree.selects):
        faults.append("name every column instead of *")
        return faults
    names = [item.alias_or_name if isinstance(item, (exp.Alias, exp.Column)) else "" for item in tree.selects]
    if "" in names:
        faults.append(f"column {names.index('') + 1} has no name; add AS …")
    faults += [
        f'column "{name}" stands there {count} times; keep one'
        for name, count in Counter(name.lower() for name in names if name).items()
        if count > 1
    ]
    return faults


def _where(error: SqlglotError) -> str:
    errors = getattr(error, "errors", None)
    if not errors:
        return str(error).splitlines()[0]
    first = errors[0]
    return f"line {first.get('line')}, column {first.get('col')}: {first.get('description')}"
