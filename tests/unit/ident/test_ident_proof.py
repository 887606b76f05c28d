"""Only a single SELECT that reads, and that can be wrapped, is let through."""

from pathlib import Path

import pytest

from connectors.ident.datasets import DATASETS, ENQUIRIES, PATIENTS, Dataset
from connectors.ident.proof import OUR_QUERIES, load, prove
from kreslo.connectors.errors import ConfigurationError


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_our_own_queries_pass_and_return_only_what_the_contract_knows(dataset: Dataset) -> None:
    query = load(dataset)
    given = [item.alias_or_name for item in prove(query.sql, "ours").selects]
    known = {column.name for column in dataset.columns}
    assert set(given) <= known
    assert {column.name for column in dataset.columns if column.required} <= set(given)


def test_there_is_no_query_without_a_dataset() -> None:
    assert {path.stem for path in OUR_QUERIES.glob("*.sql")} == set(DATASETS)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM dbo.Patients", "found DELETE"),
        ("UPDATE dbo.Patients SET Comment = ''", "found UPDATE"),
        ("DROP TABLE dbo.Patients", "found DROP"),
        ("EXEC sp_who", "found EXECUTE"),
        ("SELECT 1 AS a; DELETE FROM dbo.Patients", "found 2 statements"),
        ("", "found 0 statements"),
        ("-- nothing here", "found 0 statements"),
        ("SELEC 1", "not understood as SQL: line 1"),
        ("SELECT FROM WHERE", "must be one SELECT|not understood as SQL|has no name|name every column"),
        ("SELECT (1 AS a", "not understood as SQL: line 1"),
        ("SELECT P.ID AS a INTO dbo.Copy FROM dbo.Patients AS P", "INTO writes"),
        (
            "SELECT a FROM OPENQUERY(other, 'DELETE FROM t') AS q",
            "OPENQUERY runs a statement on another server",
        ),
        ("SELECT NEXT VALUE FOR dbo.s AS a", "NEXT VALUE FOR"),
        ("SELECT 1 AS a UNION ALL SELECT 2 AS a", "found UNION"),
        ("WITH c AS (SELECT 1 AS a) SELECT a FROM c", "WITH cannot be wrapped"),
        ("SELECT P.ID AS a FROM dbo.Patients AS P ORDER BY P.ID", "ORDER BY cannot be wrapped"),
        ("SELECT P.ID AS a FROM dbo.Patients AS P FOR XML PATH('')", "FOR XML"),
        ("SELECT * FROM dbo.Patients", "name every column"),
        ("SELECT P.* FROM dbo.Patients AS P", "name every column"),
        ("SELECT P.ID AS a, P.ID AS A FROM dbo.Patients AS P", 'column "a" stands there 2 times'),
        ("SELECT P.ID AS a, COUNT(*) FROM dbo.Patients AS P GROUP BY P.ID", "column 2 has no name"),
        ("SELECT @x AS a", "variables"),
        ("SELECT P.ID AS a FROM dbo.Patients AS P WHERE P.ID = ?", "variables"),
    ],
)
def test_anything_else_is_refused_with_the_file_and_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^mine.sql: .*(?:{reason})"):
        prove(sql, "mine.sql")


def test_a_query_may_join_compare_and_comment(tmp_path: Path) -> None:
    path = tmp_path / "mine.sql"
    path.write_text(
        "\ufeff-- ours; with a semicolon\nSELECT P.ID AS patient_id, '10:00 :x' AS surname, N'Я' AS [name]\n"
        "FROM dbo.Persons AS P WITH (NOLOCK)\nCROSS APPLY (SELECT TOP 1 X.ID AS y FROM dbo.X AS X ORDER BY X.ID) AS z;\n",
        encoding="utf-8",
    )
    assert load(PATIENTS, path).own


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"query of patients: .*absent\.sql: No such file"):
        load(PATIENTS, tmp_path / "absent.sql")
    (tmp_path / "cp1251.sql").write_bytes("SELECT 'Привет' AS a".encode("cp1251"))
    with pytest.raises(ConfigurationError, match=r"cp1251\.sql: is not UTF-8 text"):
        load(PATIENTS, tmp_path / "cp1251.sql")


def test_the_shape_knows_the_query_and_not_its_layout(tmp_path: Path) -> None:
    path = tmp_path / "own.sql"
    text = (OUR_QUERIES / "enquiries.sql").read_text(encoding="utf-8")
    path.write_text("-- a remark\n" + text.replace("\n    ", "\n\t"), encoding="utf-8")
    assert load(ENQUIRIES, path).shape == load(ENQUIRIES).shape
    path.write_text(text.replace("E.Name AS name", "E.Result AS name"), encoding="utf-8")
    assert load(ENQUIRIES, path).shape != load(ENQUIRIES).shape
