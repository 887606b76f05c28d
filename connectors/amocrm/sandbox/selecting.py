"""Filters and orders of lists. What the API does not know it ignores without a word, and gives everything."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from connectors.amocrm.sandbox.switches import Switches
from kreslo.connectors.sandboxing import php

T = TypeVar("T")
Test = Callable[[Any], bool]


def integers(raw: Any) -> set[int]:
    """Of a filter: a scalar, a list, or a comma list."""
    found: set[int] = set()
    for member in php.members(raw):
        found |= {php.integer(part) for part in php.text(member).split(",") if part.strip()}
    return found


def words(raw: Any) -> set[str]:
    return {
        part.strip() for member in php.members(raw) for part in php.text(member).split(",") if part.strip()
    }


def is_range(raw: Any) -> bool:
    return isinstance(raw, dict) and bool({"from", "to"} & set(raw))


def in_range(raw: dict[str, Any], switches: Switches) -> Callable[[float | None], bool]:
    """Between `from` and `to`. Whether the borders belong to it is a switch."""
    low = php.number(raw["from"]) if raw.get("from") not in (None, "") else None
    high = php.number(raw["to"]) if raw.get("to") not in (None, "") else None
    exclusive = switches.range_borders == "exclusive"

    def test(value: float | None) -> bool:
        if value is None:
            return False
        if exclusive:
            return (low is None or value > low) and (high is None or value < high)
        return (low is None or value >= low) and (high is None or value <= high)

    return test


def attribute_tests(
    asked: dict[str, Any],
    switches: Switches,
    *,
    numbers: Iterable[str],
    ranges: Iterable[str],
    texts: Iterable[str],
) -> list[Test]:
    """Tests for the filters that stand for an attribute of the same name."""
    tests = [_of(name, in_range(asked[name], switches)) for name in ranges if is_range(asked.get(name))]
    for name in numbers:
        raw = asked.get(name)
        if raw not in (None, "", []) and not is_range(raw):
            tests.append(_of(name, integers(raw).__contains__))
    for name in texts:
        raw = asked.get(name)
        if raw not in (None, "", []):
            tests.append(_of(name, {php.text(one) for one in php.members(raw)}.__contains__))
    return tests


def _of(name: str, test: Callable[[Any], bool]) -> Test:
    return lambda row: test(getattr(row, name))


def ordered(rows: list[T], raw: Any, allowed: Iterable[str], *, default: str = "updated_at") -> list[T]:
    """By the first of `order[…]` that this route takes; `rows` come in the default order already, where `default` is
    empty. A direction that is none leaves the default.
    """
    asked = next(iter(php.pairs(raw)), None)
    if asked is not None and asked[0] in set(allowed) and php.text(asked[1]).lower() in {"asc", "desc"}:
        name, direction = asked
        return sorted(rows, key=_key(name), reverse=php.text(direction).lower() == "desc")
    return sorted(rows, key=_key(default)) if default else rows


def _key(name: str) -> Callable[[Any], tuple[Any, int]]:
    def key(row: Any) -> tuple[Any, int]:
        value = getattr(row, name)
        return (value.casefold() if isinstance(value, str) else value, row.id)

    return key
