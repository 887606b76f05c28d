"""kreslo probe."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Kreslo

SCHEMA = Path(__file__).parents[3] / "connectors/ident/sandbox/schema.sql"
Clinic = Callable[..., list[str]]


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    """An empty clinic less what `statement` takes away; the arguments that name it."""

    def make(statement: str = "SELECT 1") -> list[str]:
        with closing(sqlite3.connect(tmp_path / "clinic.db")) as connection:
            connection.executescript(SCHEMA.read_text(encoding="utf-8"))
            connection.execute(statement)
        return ["ident", "-o", "database=sqlite:///${PLACE}/clinic.db", "-o", "timezone=Europe/Moscow"]

    return make


def test_a_clinic_that_has_everything_says_so(kreslo: Kreslo, clinic: Clinic, tmp_path: Path) -> None:
    done = kreslo("probe", *clinic(), env={"PLACE": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "есть всё, что читается" in done.stdout
    assert "dbo.Receptions" in done.stdout


def test_a_missing_column_that_is_needed_ends_with_2(kreslo: Kreslo, clinic: Clinic, tmp_path: Path) -> None:
    arguments = clinic("ALTER TABLE Receptions DROP COLUMN PlanStart")
    done = kreslo("probe", *arguments, "--json", env={"PLACE": str(tmp_path)})
    assert done.returncode == 2
    missing = [sight for sight in json.loads(done.stdout)["sights"] if not sight["present"]]
    assert [(sight["place"], sight["name"]) for sight in missing] == [("dbo.Receptions", "PlanStart")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ident"], "database"),
        (["ident", "-o", "database=${NOT_THERE}"], "NOT_THERE"),
        (["ident", "-o", "database"], "name=value"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_with_the_line_is_said(kreslo: Kreslo, arguments: list[str], said: str) -> None:
    done = kreslo("probe", *arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
