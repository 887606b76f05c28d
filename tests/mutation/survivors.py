"""The survivors that change nothing, each with its reason: `survivors.yaml`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ruamel.yaml import YAML

from tests.mutation.mutants import Mutant

PAGE = Path(__file__).with_name("survivors.yaml")

Key = tuple[str, str, str]
"""Module, function and change."""


def key_of(mutant: Mutant) -> Key:
    return mutant.module, mutant.function or "(module)", mutant.change


def explained() -> dict[Key, str]:
    """The reasons, by mutant. Raises ValueError for a mutant without a reason, or named twice."""
    page = YAML(typ="safe").load(PAGE.read_text(encoding="utf-8")) or {}
    reasons: dict[Key, str] = {}
    for key, why in _entries(page):
        if key in reasons or not why.strip():
            raise ValueError(f"{PAGE.name}: {key} stands twice or has no reason")
        reasons[key] = why
    return reasons


def _entries(page: dict[str, dict[str, list[dict[str, object]]]]) -> Iterator[tuple[Key, str]]:
    for module, functions in page.items():
        for function, entries in functions.items():
            for entry in entries:
                changes = entry["changes"]
                for change in changes if isinstance(changes, list) else [changes]:
                    yield (module, function, str(change)), str(entry.get("why", ""))


def stale(
    reasons: dict[Key, str], killed: Iterable[Key], survived: Iterable[Key], modules: set[str]
) -> list[str]:
    """What the page says of mutants that are killed by now, or are none any more."""
    dead, alive = set(killed), set(survived)
    told = [key for key in reasons if key[0] in modules]
    return [
        f"{module} {function}: {change}: {'is killed' if (module, function, change) in dead else 'is no mutant'}"
        for module, function, change in told
        if (module, function, change) not in alive
    ]
