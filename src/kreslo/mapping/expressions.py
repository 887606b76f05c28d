"""Expressions (CEL) and templates of a mapping, compiled once.

Both are values: equal where their text is equal. The compiled form is kept by text, beside them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from kreslo.mapping.formats import text_of, tidied
from kreslo.mapping.programs import EvaluationError, ExpressionError, Name, compiled

__all__ = ["EvaluationError", "Expression", "ExpressionError", "Name", "Template"]


class Expression(msgspec.Struct, frozen=True):
    """A CEL expression over the scope (see `kreslo.mapping.vocabulary`). Raises ExpressionError when made from a text
    that is none.
    """

    source: str

    def __post_init__(self) -> None:
        compiled(self.source)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value in this scope. One dotted name gives the scope's own value untouched (date, Decimal, tuple); a
        computed value is CEL's: float, text, aware datetime, tuple. None where it or what it is computed from is
        absent. Raises EvaluationError.
        """
        return compiled(self.source).run(scope)

    @property
    def names(self) -> tuple[Name, ...]:
        """The dotted names it uses, with their offsets in the text."""
        return compiled(self.source).names


class Template(msgspec.Struct, frozen=True):
    """A text with expressions in braces and an optional format: `Приём {appointment.starts_at:%d.%m %H:%M}`.

    `{{` and `}}` are braces. Raises ExpressionError when made from a text whose braces or expressions are wrong.
    """

    source: str

    def __post_init__(self) -> None:
        _parts(self.source)

    def render(self, scope: Mapping[str, Any]) -> str:
        """The text in this scope: absent values are "", and what they leave behind (doubled spaces, separators that
        part nothing) is tidied. Instants are shown in the time zone that they carry. Raises EvaluationError.
        """
        text: list[str] = []
        holes: set[int] = set()
        line = 0
        for part in _parts(self.source):
            piece = part.text
            if part.expression is not None:
                try:
                    piece = text_of(part.expression.evaluate(scope), part.spec)
                except (ValueError, TypeError) as error:
                    raise EvaluationError(
                        f'the format ":{part.spec}" does not fit the value of `{part.expression.source}`'
                    ) from error
                if not piece:
                    holes.add(line)
            line += piece.count("\n")
            text.append(piece)
        lines = (
            (number, tidied(each, holes=number in holes))
            for number, each in enumerate("".join(text).split("\n"))
        )
        return "\n".join(each for number, each in lines if each or number not in holes)

    @property
    def names(self) -> tuple[Name, ...]:
        """The dotted names of all its expressions, with their offsets in the template's text."""
        return tuple(
            Name(name.path, part.offset + name.offset)
            for part in _parts(self.source)
            if part.expression is not None
            for name in part.expression.names
        )

    @property
    def parts(self) -> "tuple[Part, ...]":
        return _parts(self.source)


class Part(msgspec.Struct, frozen=True):
    """A stretch of a template: plain `text`, or an `expression` at `offset` with its format `spec`."""

    text: str = ""
    expression: Expression | None = None
    spec: str = ""
    offset: int = 0


@lru_cache(maxsize=1024)
def _parts(source: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    plain: list[str] = []
    at = 0
    while at < len(source):
        char = source[at]
        if char in "{}" and source[at : at + 2] == char * 2:
            plain.append(char)
            at += 2
        elif char == "}":
            raise ExpressionError('a "}" without its "{"; a brace that is text is written "}}"', at)
        elif char == "{":
            if plain:
                parts.append(Part("".join(plain)))
                plain = []
            end, colon = _hole(source, at)
            parts.append(_part(source, at + 1, end, colon))
            at = end + 1
        else:
            plain.append(char)
            at += 1
    if plain:
        parts.append(Part("".join(plain)))
    return tuple(parts)


def _hole(source: str, start: int) -> tuple[int, int]:
    """Where the hole that opens at `start` closes, and where its format begins (its colon, or the end)."""
    depth = 0
    questions = 0
    quote = ""
    colon = -1
    at = start + 1
    while at < len(source):
        char = source[at]
        if colon >= 0:
            if char == "}":
                return at, colon
        elif quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char == "}" and depth == 0:
            return at, at
        elif char in ")]}":
            depth -= 1
        elif char == "?" and depth == 0:
            questions += 1
        elif char == ":" and depth == 0:
            if questions:
                questions -= 1
            else:
                colon = at
        at += 1
    raise ExpressionError('a "{" without its "}"; a brace that is text is written "{{"', start)


def _part(source: str, start: int, end: int, colon: int) -> Part:
    raw = source[start:colon]
    offset = start + len(raw) - len(raw.lstrip())
    try:
        expression = Expression(raw.strip())
    except ExpressionError as error:
        raise ExpressionError(error.message, offset + error.offset) from error
    return Part(expression=expression, spec=source[colon + 1 : end], offset=offset)
