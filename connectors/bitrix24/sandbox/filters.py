"""List filters: prefixes, values of the field's own type, OR groups; compiled once a request.

Legacy lists drop a condition on a field they do not know, and then give everything; `crm.item.list` refuses it.
"""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

import msgspec

from connectors.bitrix24.sandbox import values
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.fields import REFERENCES, Field
from kreslo.connectors.sandboxing import php

Read = Callable[[str], Any]
"""Gives a row's value of a field code."""

Test = Callable[[Read], bool]

_PREFIXES = ("!=%", "!%=", "!@", "!=", "!%", "=%", "%=", ">=", "<=", ">", "<", "@", "%", "=", "!")
_LIKE = {
    "%": "substring",
    "=%": "like",
    "%=": "like",
    "!%": "not substring",
    "!=%": "not like",
    "!%=": "not like",
}
_PLAIN = {
    "": "=",
    "=": "=",
    "@": "=",
    "!": "!=",
    "!=": "!=",
    "!@": "!=",
    ">": ">",
    ">=": ">=",
    "<": "<",
    "<=": "<=",
}


class Condition(msgspec.Struct, frozen=True):
    """`op` is one of = != > >= < <= substring, like and their negations; = and != hold a list of alternatives."""

    field: Field
    op: str
    value: Any


class Group(msgspec.Struct, frozen=True):
    parts: tuple["Condition | Group", ...]
    any_of: bool = False


class Dialect(msgspec.Struct, frozen=True):
    """How a method family reads filters: `find` gives a field by the name in the filter, or None; `strict` refuses an
    unknown field, and OR groups exist only there. `refuses`: an unknown field is refused, though the dialect is not strict.
    """

    find: Callable[[str], Field | None]
    zone: tzinfo
    strict: bool = False
    refuses: bool = False


def split_prefix(key: str) -> tuple[str, str]:
    """`>=DATE_MODIFY` → (`>=`, `DATE_MODIFY`)."""
    for prefix in _PREFIXES:
        if key.startswith(prefix):
            return prefix, key[len(prefix) :]
    return "", key


def parse(raw: Any, dialect: Dialect) -> Group:
    """The filter of a request. Raises RestError where the dialect is strict."""
    parts: list[Condition | Group] = []
    any_of = False
    for key, value in php.pairs(raw):
        if dialect.strict and key.lower() == "logic":
            any_of = php.text(value).upper() == "OR"
        elif dialect.strict and key.isdecimal():
            parts.append(parse(value, dialect))
        else:
            condition = _condition(key, value, dialect)
            if condition is not None:
                parts.append(condition)
    return Group(tuple(parts), any_of)


def _condition(key: str, raw: Any, dialect: Dialect) -> Condition | None:
    prefix, name = split_prefix(key)
    field = dialect.find(name)
    if field is None:
        if dialect.strict or dialect.refuses:
            raise RestError("INVALID_ARG_VALUE", f"Invalid filter: field '{name}' is not allowed in filter")
        return None
    if prefix in _LIKE and field.type in REFERENCES:
        prefix = "!=" if prefix.startswith("!") else "="
    if prefix in _LIKE:
        return Condition(field, _LIKE[prefix], php.text(raw).casefold())
    op = _PLAIN[prefix]
    asked = [
        _typed(field, below, dialect, name) for below in (php.members(raw) if php.is_array(raw) else [raw])
    ]
    alternatives = [value for value in asked if value is not values.DROPPED]
    if asked and not alternatives:
        return None
    if op in {"=", "!="}:
        return Condition(field, op, alternatives)
    return Condition(field, op, alternatives[0]) if alternatives else None


def _typed(field: Field, raw: Any, dialect: Dialect, name: str) -> Any:
    if field.type == "boolean":
        if raw is None or raw == "":
            return None
        if php.text(raw) in {"0", "1"} or raw is False:
            return php.truthy(raw)
        return _refused(dialect, name)
    if field.type == "char" and php.text(raw) == "":
        return None
    if field.type == "enumeration":
        return php.integer(raw) or None
    value = values.parse(msgspec.structs.replace(field, multiple=False), raw, dialect.zone)
    return _refused(dialect, name) if value is values.DROPPED else value


def _refused(dialect: Dialect, name: str) -> Any:
    if dialect.strict:
        raise RestError("INVALID_ARG_VALUE", f"Invalid filter: field '{name}' has invalid value")
    return values.DROPPED


def compiled(group: Group) -> Test | None:
    """A test of one row, or None where there is nothing to test."""
    tests = [test for part in group.parts if (test := _compiled_part(part)) is not None]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if group.any_of:
        return lambda read: any(test(read) for test in tests)
    return lambda read: all(test(read) for test in tests)


def _compiled_part(part: Condition | Group) -> Test | None:
    if isinstance(part, Group):
        return compiled(part)
    code, op, wanted = part.field.code, part.op, part.value
    if op in {"=", "!="}:
        wants_empty = None in wanted
        chosen = {value for value in wanted if value is not None}

        def equal(read: Read) -> bool:
            value = read(code)
            if isinstance(value, list):
                return any(below in chosen for below in value) or (wants_empty and not value)
            return wants_empty if value is None or value == "" else value in chosen

        return equal if op == "=" else lambda read: not equal(read)
    if op in {">", ">=", "<", "<="}:
        return _ordering(code, op, wanted)
    return _text_test(code, op, wanted)


def _ordering(code: str, op: str, wanted: Any) -> Test:
    def test(read: Read) -> bool:
        value = read(code)
        if value is None or wanted is None or isinstance(value, list):
            return False
        if op == ">":
            return bool(value > wanted)
        if op == ">=":
            return bool(value >= wanted)
        return bool(value < wanted) if op == "<" else bool(value <= wanted)

    return test


def _text_test(code: str, op: str, wanted: str) -> Test:
    if op.endswith("substring"):
        pattern = re.compile(re.escape(wanted))
    else:
        pattern = re.compile("^" + ".*".join(re.escape(part) for part in wanted.split("%")) + "$", re.DOTALL)

    def found(read: Read) -> bool:
        value = read(code)
        texts = value if isinstance(value, list) else [value]
        return any(pattern.search(str(below).casefold()) for below in texts if below is not None)

    return (lambda read: not found(read)) if op.startswith("not") else found
