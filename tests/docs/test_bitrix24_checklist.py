"""The sandbox's table of what holds it to its portal names tests that exist and that go over a real socket."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "connectors" / "bitrix24" / "sandbox" / "README.md"
TESTS = ROOT / "tests" / "contract" / "bitrix24_sandbox"
_OVER_SOCKETS = {"rest", "portal", "app", "client"}
"""Fixtures that serve the portal over a socket (and in process too)."""


def points() -> dict[str, list[str]]:
    """Each point of the table with the names of its tests."""
    section = README.read_text(encoding="utf-8").split("## What holds it to this")[1]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return {row[0].strip(): re.findall(r"`(test_\w+)`", row[1]) for row in rows[1:]}


def functions() -> dict[str, ast.AsyncFunctionDef]:
    return {
        node.name: node
        for path in TESTS.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("point", points(), ids=lambda point: point[:40])
def test_a_point_of_the_checklist_has_tests_over_a_real_socket(point: str) -> None:
    known = functions()
    named = points()[point]
    assert named, "no test is named"
    for name in named:
        assert name in known, f"{name} does not exist"
        function = known[name]
        fixtures = {argument.arg for argument in function.args.args}
        assert fixtures & _OVER_SOCKETS or '"socket"' in ast.unparse(function).replace("'", '"'), name


def test_every_switch_of_the_sandbox_is_in_its_readme() -> None:
    from connectors.bitrix24.sandbox.switches import Switches

    text = README.read_text(encoding="utf-8")
    assert [name for name in Switches.__struct_fields__ if f"`{name}`" not in text] == []


def test_the_table_has_all_its_points() -> None:
    assert len(points()) >= 30
