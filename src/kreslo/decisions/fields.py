"""From a mapping's field rules to wishes."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from kreslo.connectors.model import FieldType, Value
from kreslo.decisions.desired import FieldWish
from kreslo.mapping.model import FieldRule

T = TypeVar("T")


def wishes(rules: Iterable[FieldRule], scope: dict[str, Any]) -> dict[str, FieldWish]:
    """By field code. A rule whose `when` does not hold leaves its field alone: it is not in the answer."""
    made = {}
    for rule in rules:
        if rule.when is not None and not rule.when.evaluate(scope):
            continue
        raw = rule.value.evaluate(scope) if hasattr(rule.value, "evaluate") else rule.value.render(scope)
        made[rule.code] = FieldWish(
            value=as_value(raw, rule.type), mode=rule.mode, never_clear=rule.never_clear
        )
    return made


def as_value(raw: Any, kind: FieldType) -> Value:
    """An expression's result as the neutral value of a field of this type. Raises TypeError where it cannot be one."""
    if raw is None or raw in ("", (), []):
        return None
    if kind in {FieldType.PHONE, FieldType.EMAIL}:
        return tuple(str(each) for each in raw) if isinstance(raw, list | tuple) else (str(raw),)
    if kind is FieldType.BOOLEAN:
        return bool(raw)
    if kind in {FieldType.MONEY, FieldType.NUMBER}:
        return Decimal(str(raw))
    if kind is FieldType.DATE:
        return raw.date() if isinstance(raw, datetime) else _is(raw, date)
    if kind is FieldType.DATETIME:
        return _is(raw, datetime)
    return as_text(raw)


def as_text(raw: Any) -> str:
    if isinstance(raw, list | tuple):
        return ", ".join(as_text(each) for each in raw)
    if isinstance(raw, datetime):
        return f"{raw:%d.%m.%Y %H:%M}"
    if isinstance(raw, date):
        return f"{raw:%d.%m.%Y}"
    if isinstance(raw, bool):
        return "да" if raw else "нет"
    return str(raw)


def _is(raw: Any, kind: type[T]) -> T:
    if not isinstance(raw, kind):
        raise TypeError(f"a {kind.__name__} was expected, not {type(raw).__name__}")
    return raw
