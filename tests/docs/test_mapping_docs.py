"""docs/mapping.md says every key, name, mode and function that there is, and none that there is not."""

import re
from pathlib import Path

import pytest

from kreslo.connectors.model import Semantic
from kreslo.mapping.keys import KEYS
from kreslo.mapping.load import load_text
from kreslo.mapping.model import FieldMode, Occasion
from kreslo.mapping.programs import KNOWN_FUNCTIONS
from kreslo.mapping.visits import STATUS_RULES
from kreslo.mapping.vocabulary import ROOTS, WORDS, Place

TEXT = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")


def part(heading: str) -> str:
    """What stands under a heading, down to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/mapping.md has no heading {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows whose first cell is in backticks."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[line[0].strip().strip("`"), *(cell.strip() for cell in line[1:])] for line in lines]


@pytest.mark.parametrize("section", KEYS)
def test_every_key_is_documented_and_no_other(section: str) -> None:
    heading = f"`{section}`" if section else "The top"
    documented = [row[0] for row in rows(part(heading))]
    assert sorted(documented) == sorted(KEYS[section])


@pytest.mark.parametrize(
    ("heading", "root"),
    [
        ("Names of `patient`", "patient"),
        ("Names of `appointment`, `next_visit`, `last_visit`", "appointment"),
        ("Names of `enquiry`", "enquiry"),
        ("Names of `entry`", "entry"),
    ],
)
def test_every_name_is_documented_with_its_class(heading: str, root: str) -> None:
    documented = {f"{root}.{row[0]}": (row[1].split(",")[0], row[2], row[3]) for row in rows(part(heading))}
    assert documented == {
        path: (word.type.value, word.privacy.value, word.meaning)
        for path, word in WORDS.items()
        if path.startswith(f"{root}.")
    }


def test_every_function_mode_and_rule_is_documented() -> None:
    expressions = part("Expressions")
    assert [name for name in sorted(KNOWN_FUNCTIONS) if f"`{name}" not in expressions] == []
    assert [mode.value for mode in FieldMode if f"`{mode}`" not in part("`field`")] == []
    order = ", ".join(f"`{rule}`" for rule in STATUS_RULES)
    assert order in part("`appointment.status`")
    meanings = (Semantic.OPEN, Semantic.WON, Semantic.LOST)
    assert [each.value for each in meanings if f"`{each}`" not in part("`stage`")] == []


def test_what_each_place_sees_is_documented() -> None:
    seen = part("Expressions").split("Which names are seen:")[1]
    for place in Place:
        assert ("`on: entry`" if place is Place.ENTRY else f"`{place}:`") in seen
        assert all(f"`{root}`" in seen for root in ROOTS[place])


def test_every_occasion_of_a_campaign_is_documented() -> None:
    table = [line.split("|")[1] for line in part("`campaign`").splitlines() if line.startswith("| ")]
    said = {word.strip() for cell in table for word in cell.split(",")}
    assert [each.value for each in Occasion if each.value not in said] == []


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_right(example: str) -> None:
    assert load_text(example, "docs/mapping.md", environ={}, judged=False).name
