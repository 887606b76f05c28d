"""From a mapping's field rules to wishes."""

from collections.abc import Iterable
from typing import Any

from kreslo.connectors.model import FieldType
from kreslo.decisions.desired import FieldWish
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import FieldRule
from kreslo.mapping.values import fitted


def wishes(rules: Iterable[FieldRule], scope: dict[str, Any]) -> dict[str, FieldWish]:
    """By field code. A rule whose `when` does not hold leaves its field alone: it is not in the answer. Raises
    EvaluationError.
    """
    return {
        rule.code: FieldWish(
            value=rule.compute(scope), mode=rule.mode, never_clear=rule.never_clear, title=rule.title
        )
        for rule in rules
        if rule.applies(scope)
    }


def text_of(expression: Expression, scope: dict[str, Any]) -> str:
    """An expression's result as a text field would hold it. Raises EvaluationError."""
    value = fitted(expression.evaluate(scope), FieldType.TEXT)
    return value if isinstance(value, str) else ""
