"""CEL underneath the expressions: which names a text uses, how it is compiled, how values go in and come out.

Names are replaced by flat variables of the same length before compiling (`next_visit.starts_at` becomes
`next_visit_starts_at`), so that a name below an absent parent is null instead of an error, and a column in CEL's
error message is still a column of the author's text.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

import cel
import msgspec
from rapidfuzz import fuzz, process

from kreslo.connectors.errors import ConfigurationError, DataError
from kreslo.records import Phone


class ExpressionError(ConfigurationError):
    """An expression of the mapping cannot be understood."""

    def __init__(self, message: str, offset: int = 0) -> None:
        """`offset`: characters from the start of the expression's (or template's) text to the fault."""
        super().__init__(message)
        self.offset = offset


class EvaluationError(DataError):
    """An expression of the mapping cannot be computed for this record. Mend the expression or the record."""


class Name(msgspec.Struct, frozen=True):
    """A dotted name that an expression uses, and where in its text it stands."""

    path: tuple[str, ...]
    offset: int

    def __str__(self) -> str:
        return ".".join(self.path)


class Program(msgspec.Struct, frozen=True):
    """A compiled expression. `plain`: it is one dotted name and nothing else, and CEL is not asked."""

    source: str
    names: tuple[Name, ...]
    plain: bool
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    code: Any

    def run(self, scope: Mapping[str, Any]) -> Any:
        """The value in this scope. Raises EvaluationError."""
        if self.plain:
            return lookup(scope, self.names[0].path)
        values = {variable: into_cel(lookup(scope, path)) for variable, path in self.variables}
        try:
            return out_of_cel(self.code.execute(cel.Context(values, dict(FUNCTIONS))))
        except IndexError:
            return None
        except (TypeError, ValueError, RuntimeError, KeyError, ArithmeticError) as error:
            # As in SQL: what is computed with an absent value is absent.
            if any(value is None for value in values.values()):
                return None
            raise EvaluationError(f"cannot compute `{self.source}`: {_first_sentence(error)}") from error


def lookup(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a dotted path of nested mappings and records; None where it or a parent of it is absent."""
    value: Any = scope
    for part in path:
        if value is None:
            return None
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value


def into_cel(value: Any) -> Any:
    """CEL knows no decimals (they become doubles) and no dates (ISO texts, which compare rightly as texts), and takes
    instants with a fixed offset only. A record or a scope becomes an empty map: it is there, and that is all.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case Decimal():
            return float(value)
        case datetime():
            offset = value.utcoffset()
            if offset is None:
                raise EvaluationError("an instant without a time zone came into an expression")
            return value.replace(tzinfo=timezone(offset))
        case date():
            return value.isoformat()
        case timedelta():
            return value
        case Phone():
            return value.e164
        case tuple() | list() | frozenset():
            return [into_cel(item) for item in value]
        case _:
            return {}


def out_of_cel(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=4096)
def compiled(source: str) -> Program:
    """Compile one expression. Raises ExpressionError with the offset of the fault."""
    if not source.strip():
        raise ExpressionError("an expression is missing here")
    names, flat = _flattened(source)
    if len(names) == 1 and _PATH.fullmatch(source.strip()):
        return Program(source, names, plain=True, variables=(), code=None)
    try:
        code = cel.compile(flat)
    except ValueError as error:
        raise _syntax_error(str(error), source) from error
    variables = {_flat(str(name)): name.path for name in names}
    if len(variables) != len({name.path for name in names}):
        raise ExpressionError("two names of this expression differ only in a dot and an underscore")
    return Program(source, names, plain=False, variables=tuple(variables.items()), code=code)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?`, or nothing where no known word is near."""
    near = process.extractOne(word, list(known), scorer=fuzz.ratio, processor=_folded, score_cutoff=75)
    return f'; did you mean "{near[0]}"?' if near else ""


def _folded(text: str) -> str:
    return text.casefold().replace("ё", "е")


def _had(value: Any) -> bool:
    return value is not None


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else None


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else None


def _join(values: Any, separator: Any) -> Any:
    if not isinstance(values, Sequence) or isinstance(values, str):
        return None
    return str(separator).join(str(item) for item in values if item not in {None, ""})


FUNCTIONS: dict[str, Callable[..., Any]] = {"had": _had, "lower": _lower, "upper": _upper, "join": _join}
"""Ours. The library prints what a function of ours raises, so they raise nothing: an absent value in, none out."""

_MACROS = ("map", "filter", "exists", "exists_one", "all")

KNOWN_FUNCTIONS = frozenset(
    {
        "has", "lower", "upper", "join", *_MACROS,
        "size", "contains", "startsWith", "endsWith", "matches", "int", "double", "string", "duration", "timestamp",
        "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes",
        "getSeconds", "getMilliseconds",
    }
)  # fmt: skip
"""What an expression may call: CEL's standard functions that the library has, and ours."""

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = re.compile(rf"{_WORD}(?:\s*\.\s*{_WORD})*")
_TOKEN = re.compile(
    rf"""
    (?P<skip>(?i:rb?|br?)?(?:\"\"\".*?\"\"\"|'''.*?''')|[rR](?:"[^"\n]*"|'[^'\n]*')|[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      |//[^\n]*|\d[\w.]*)
    |(?P<selector>\.\s*{_WORD})
    |(?P<path>{_WORD}(?:\s*\.\s*{_WORD})*)
    |.
    """,
    re.VERBOSE | re.DOTALL,
)
_LITERALS = frozenset({"true", "false", "null", "in"})


def _flat(path: str) -> str:
    return path.replace(".", "_")


def _flattened(source: str) -> tuple[tuple[Name, ...], str]:
    """The names that the text uses, and the text with each of them as one flat variable. Refuses functions that
    there are not.
    """
    bound = set(re.findall(rf"\.\s*(?:{'|'.join(_MACROS)})\s*\(\s*({_WORD})\s*,", source))
    names: list[Name] = []
    out: list[str] = []
    for token in _TOKEN.finditer(source):
        text = token.group()
        called = re.match(r"\s*\(", source[token.end() :]) is not None
        if token["selector"] and called:
            _check_function(text[1:].strip(), token.end() - len(text[1:].strip()))
        if not token["path"]:
            out.append(text)
            continue
        parts = [(part.group(), part.start()) for part in re.finditer(_WORD, text)]
        tail = ""
        if called:
            function, at = parts.pop()
            _check_function(function, token.start() + at)
            function = "had" if function == "has" and not parts else function
            end = text.rindex(".") if parts else 0
            text, tail = text[:end], text[end:at] + function
        if not parts or parts[0][0] in bound or (len(parts) == 1 and parts[0][0] in _LITERALS):
            out.append(text + tail)
            continue
        names.append(Name(tuple(part for part, _ in parts), token.start()))
        flat = _flat(".".join(part for part, _ in parts))
        out.append(flat.ljust(len(text)) + tail)
    return tuple(names), "".join(out)


def _check_function(name: str, offset: int) -> None:
    if name not in KNOWN_FUNCTIONS:
        raise ExpressionError(f'no function "{name}"{did_you_mean(name, KNOWN_FUNCTIONS)}', offset)


def _syntax_error(message: str, source: str) -> ExpressionError:
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", message)
    if not found:
        return ExpressionError(f"this is not an expression: {message.splitlines()[0]}")
    line, column, text = int(found[1]), int(found[2]), found[3]
    before = source.split("\n")[: line - 1]
    offset = sum(len(each) + 1 for each in before) + column - 1
    if offset >= len(source) and "no viable alternative" in text:
        return ExpressionError("the expression ends too early", len(source))
    return ExpressionError(_plainly(text), min(offset, len(source)))


def _plainly(text: str) -> str:
    """ANTLR's complaint in plain words; its lists of expected tokens tell an author of a mapping nothing."""
    text = text.removeprefix("Syntax error: ")
    if "`_?_:_`" in text:
        return 'a "?" needs its ":" and a value after it'
    if "token recognition error" in text and re.search(r"'[\"']", text):
        return "this text has no closing quote"
    if "'<EOF>'" in text:
        missing = re.search(r"missing '(.)'|expecting \{?'([)\]}])'", text)
        return (
            f'the expression ends without its closing "{missing[1] or missing[2]}"'
            if missing
            else "the expression ends too early"
        )
    unexpected = re.search(r"input '(.*?)'( expecting|$)", text)
    if unexpected:
        return f'"{unexpected[1]}" is not expected here'
    return re.sub(r" expecting \{.*\}", "", text)


def _first_sentence(error: Exception) -> str:
    return re.split(r"\. (?=[A-Z])|\n", str(error))[0].rstrip(".")
