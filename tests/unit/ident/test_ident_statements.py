"""The statements as SQL Server and SQLite get them: the same text of the query, only the clock's words differ."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import mssql, sqlite

from connectors.ident.datasets import APPOINTMENTS, DATASETS, ENQUIRIES
from connectors.ident.proof import Query, load, prove
from connectors.ident.statements import (
    View,
    among,
    any_key,
    between,
    columns_of,
    doubled,
    highest,
    keyless,
    moved,
    page,
    sample,
    starting,
)

NOON = datetime(2026, 5, 12, 12, 0, 0, 987654)  # noqa: DTZ001  as a database without zones has it


def view(name: str) -> View:
    query = load(DATASETS[name])
    columns = [item.alias_or_name for item in prove(query.sql, "ours").selects]
    return View(query, {column: column for column in columns})


def sql(statement: Select[Any], dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


def statements(it: View) -> Iterator[Select[Any]]:
    yield columns_of(it.query)
    yield page(it, after=7, limit=50, condition=moved(it, NOON, 3))
    yield page(it, after=None, limit=50, condition=None)
    yield among(it, it.dataset.key, [1, 2, 3])
    yield between(it, it.dataset.key, 1, 9)
    yield from (doubled(it), keyless(it), sample(it), any_key(it), highest(it))
    if it.dataset is APPOINTMENTS:
        yield starting(it, NOON, NOON)


@pytest.mark.parametrize("name", DATASETS)
def test_sql_server_2012_gets_what_it_understands(name: str) -> None:
    for statement in statements(view(name)):
        text = sql(statement, mssql.dialect())
        prove_readable(text)
        assert not re.search(
            r"\bLIMIT\b|\bOFFSET\b|julianday|STRING_AGG|CONCAT\(|\bIIF\b|\|\|", text, re.IGNORECASE
        )
        assert text.count("SELECT TOP") <= 1


def prove_readable(text: str) -> None:
    import sqlglot

    (tree,) = sqlglot.parse(re.sub(r":\w+", "1", text), read="tsql")
    assert tree is not None
    assert tree.key == "select"


@pytest.mark.parametrize("name", DATASETS)
def test_both_run_the_same_text_of_the_query(name: str) -> None:
    it = view(name)
    for statement in statements(it):
        for dialect in (mssql.dialect(), sqlite.dialect()):
            assert it.query.sql in sql(statement, dialect)


def test_a_page_on_sql_server_is_the_next_rows_by_key() -> None:
    text = sql(page(view("enquiries"), after=7, limit=50, condition=None), mssql.dialect())
    assert text.startswith("SELECT TOP 51 ")
    assert text.endswith("WHERE q.enquiry_id > :enquiry_id_1 ORDER BY q.enquiry_id")


def test_instants_compare_as_values_in_both() -> None:
    it = view("enquiries")
    condition = moved(it, NOON, None)
    assert str(condition.compile(dialect=mssql.dialect())) == "q.created_at >= :param_1"
    assert str(condition.compile(dialect=sqlite.dialect())) == "julianday(q.created_at) >= julianday(?)"


def test_an_instant_is_cut_to_what_old_drivers_take() -> None:
    compiled = moved(view("enquiries"), NOON, None).compile(dialect=mssql.dialect())
    assert compiled.params["param_1"] == NOON.replace(microsecond=987000)


def test_every_moving_column_is_looked_at() -> None:
    text = str(moved(view("appointments"), NOON, 5).compile(dialect=mssql.dialect()))
    for column in ("created", "changed", "notified", "appeared", "started", "ended", "billed", "cancelled"):
        assert f"q.{column}_at >= " in text
    assert "q.appointment_id > " in text


def test_colons_percents_and_a_comment_at_the_end_survive_the_wrapping() -> None:
    text = "SELECT X.ID AS enquiry_id, '10:00 :x 50%' AS name FROM dbo.X AS X -- the end"
    query = Query(dataset=ENQUIRIES, sql=text, origin="mine.sql", own=True, shape="")
    statement = page(View(query, {"enquiry_id": "enquiry_id"}), after=None, limit=1, condition=None)
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    assert f"({text}\n) AS q" in str(compiled)
    assert set(compiled.params.values()) <= {2, 0}
