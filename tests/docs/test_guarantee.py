"""docs/guarantee.md names tests and commands that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guarantee.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
COMMANDS = sorted(set(re.findall(r"`make (\w+)", TEXT)))


def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_as_a_proof_is_there(path: str, name: str) -> None:
    assert name in functions_in(path)


def test_every_sentence_of_the_promise_has_a_proof() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    promised = sections[
        : next(i for i, each in enumerate(sections) if each.startswith("What is not promised"))
    ]
    assert len(promised) >= 9
    assert [each.splitlines()[0] for each in promised if "::test_" not in each] == []
    for section in promised:
        rows = [
            line for line in section.splitlines() if line.startswith("| ") and "what is proved" not in line
        ]
        assert [row for row in rows if "::test_" not in row] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_named_is_a_target_of_make(command: str) -> None:
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", ["simulate", "mutants", "crash", "proofs", "soak"])
def test_the_ways_to_run_the_proofs_are_told(command: str) -> None:
    assert command in COMMANDS


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_both_front_pages_lead_there(readme: str) -> None:
    assert "](docs/guarantee.md)" in (ROOT / readme).read_text(encoding="utf-8")
