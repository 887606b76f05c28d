"""The statements: each dataset's query as a derived table, with conditions, order and limits laid around it.

Instants are compared as values (`moment`): SQL Server has a type for them; SQLite keeps texts, which are turned
into numbers of days by its own julianday(), so that 'T' or a blank, with seconds or without, is all the same.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from connectors.ident.datasets import Dataset
from connectors.ident.proof import Query

IN_LIST = 1000
"""Keys in one list: SQL Server takes 2100 parameters in all."""


class moment(FunctionElement[Any]):  # noqa: N801  it stands among SQL functions and is written as they are
    """An instant as something that compares right in each dialect."""

    inherit_cache = True
    name = "moment"


@compiles(moment)
def _moment(element: moment, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(moment, "sqlite")
def _moment_sqlite(element: moment, compiler: SQLCompiler, **options: Any) -> str:
    return f"julianday({compiler.process(element.clauses, **options)})"


class View:
    """A dataset as the database really gives it: `names` says how it spells the columns that we know."""

    def __init__(self, query: Query, names: Mapping[str, str]) -> None:
        self.query = query
        self.dataset: Dataset = query.dataset
        self.names = dict(names)
        # On a line of its own the bracket survives a comment at the query's end; colons are no parameters here.
        source = text(query.sql.replace(":", r"\:") + "\n")
        self._table: FromClause = source.columns(*(column(name) for name in names.values())).subquery("q")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        return self._table.c[self.names[name]]

    @property
    def key(self) -> ColumnElement[Any]:
        return self[self.dataset.key]

    def moving(self) -> list[str]:
        """Columns whose instants say that a row has changed."""
        return [item.name for item in self.dataset.columns if item.moves and item.name in self]

    def rows(self, names: Sequence[str] = ()) -> Select[Any]:
        """All rows, columns labelled as the contract calls them."""
        return select(*(self[name].label(name) for name in names or self.names)).select_from(self._table)


def columns_of(query: Query) -> Select[Any]:
    """No rows, only the columns' own names."""
    source = text(query.sql.replace(":", r"\:") + "\n").columns().subquery("q")
    return select(literal_column("*")).select_from(source).where(text("1 = 0"))


def page(
    view: View, *, after: int | str | None, limit: int, condition: ColumnElement[bool] | None
) -> Select[Any]:
    """The next rows by key. One more than `limit`: it tells whether there is more, and a key that stands twice."""
    statement = view.rows()
    if after is not None:
        statement = statement.where(view.key > after)
    if condition is not None:
        statement = statement.where(condition)
    return statement.order_by(view.key).limit(limit + 1)


def moved(view: View, since: datetime, top: int | None) -> ColumnElement[bool]:
    """Rows with any instant at or after `since`, and rows with a key above `top`, whatever their instants say.

    There is no upper bound: a row stamped by a clock that runs ahead is seen now, and again until ours is there.
    """
    conditions = [moment(view[name]) >= moment(instant(since)) for name in view.moving()]
    if top is not None:
        conditions.append(view.key > top)
    return or_(*conditions) if conditions else true()


def among(view: View, name: str, keys: Sequence[int | str]) -> Select[Any]:
    """Rows whose column is one of at most IN_LIST keys."""
    return view.rows().where(view[name].in_(list(keys))).order_by(view.key)


def between(view: View, name: str, first: int, last: int) -> Select[Any]:
    """Rows whose column lies between two whole keys, both included."""
    return view.rows().where(view[name] >= first, view[name] <= last).order_by(view.key)


def starting(view: View, since: datetime, until: datetime) -> Select[Any]:
    """Keys of appointments that start in the window, and of those whose start cannot be read."""
    start = moment(view["start_local"])
    names = [name for name in ("appointment_id", "start_local", "branch_id") if name in view]
    return view.rows(names).where(
        view["patient_id"].is_not(None),
        or_(
            start.is_(None),
            (start >= moment(instant(since))) & (start < moment(instant(until))),
        ),
    )


def doubled(view: View) -> Select[Any]:
    """A key that stands more than once, if there is one. NULL counts as a key here."""
    return select(view.key).group_by(view.key).having(func.count() > 1).limit(1)


def keyless(view: View) -> Select[Any]:
    """A row without a key, if there is one."""
    return view.rows([view.dataset.key]).where(view.key.is_(None)).limit(1)


def sample(view: View) -> Select[Any]:
    """A few rows, to look at the types of their values."""
    return view.rows().limit(20)


def any_key(view: View) -> Select[Any]:
    return view.rows([view.dataset.key]).where(view.key.is_not(None)).limit(1)


def highest(view: View) -> Select[Any]:
    return select(func.max(view.key))


def instant(value: datetime) -> ColumnElement[datetime]:
    """A naive instant as a parameter, cut to milliseconds: the oldest drivers take no more."""
    cut = value.replace(microsecond=value.microsecond // 1000 * 1000)
    return bindparam(None, cut, type_=DateTime(), unique=True)
