"""Expressions and templates as they are read from a mapping: compiled, their names known, tried on made-up data."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from ruamel.yaml.nodes import Node

from kreslo.connectors.model import FieldType
from kreslo.mapping.expressions import Expression, Name, Template
from kreslo.mapping.formats import text_of
from kreslo.mapping.nodes import Reader
from kreslo.mapping.programs import EvaluationError, ExpressionError, did_you_mean
from kreslo.mapping.vocabulary import GROUPS, ROOTS, WORDS, Place, Privacy, known_at, sample_scopes

_SAMPLES = sample_scopes()
_WHERE = {
    Place.CONTACT: "`contact:`",
    Place.APPOINTMENT: "visits",
    Place.ENQUIRY: "`enquiry:`",
    Place.ENTRY: "a list (`on: entry`, `on: recall`)",
}


class Checked(msgspec.Struct, frozen=True):
    """`kinds`: the Python types of the values that were seen. `type`: of a field that would hold them."""

    value: Expression | Template
    kinds: frozenset[type]
    type: FieldType
    constant: str | None = None


def read_expression(reader: Reader, node: Node, title: str, place: Place) -> Checked | None:
    """Faults for what does not compile, unknown names, and what cannot be computed whatever the data."""
    source = reader.raw(node, title)
    expression = _made(reader, node, Expression, source)
    if expression is None or not _names_known(reader, node, expression.names, place):
        return None
    plain = str(expression.names[0]) if len(expression.names) == 1 else ""
    if plain == expression.source.strip() and plain in GROUPS:
        reader.fault(node, f'"{plain}" is a group of names; write one of them, such as {_first_of(plain)}')
        return None
    values = _tried(reader, node, expression)
    if values is None:
        return None
    kinds = frozenset(type(value) for value in values if value is not None)
    word = WORDS.get(plain) if plain == expression.source.strip() else None
    constant = values[0] if not expression.names and isinstance(values[0], str) else None
    return Checked(expression, kinds, word.type if word else _field_type(kinds), constant)


def read_condition(reader: Reader, node: Node, title: str, place: Place) -> Expression | None:
    """An expression that is true or false."""
    checked = read_expression(reader, node, title, place)
    if checked is None or not isinstance(checked.value, Expression):
        return None
    if checked.kinds - {bool}:
        reader.fault(
            node,
            f"{title} must be true or false, but gives {kinds_said(checked.kinds)}; compare it with something",
        )
        return None
    return checked.value


def read_template(reader: Reader, node: Node, title: str, place: Place) -> Checked | None:
    source = reader.raw(node, title)
    template = _made(reader, node, Template, source)
    if template is None or not _names_known(reader, node, template.names, place):
        return None
    for part in template.parts:
        if part.expression is None:
            continue
        if str(part.expression.source) in GROUPS:
            reader.fault(
                node, f'"{part.expression.source}" is a group of names; write one of them', part.offset
            )
            return None
        values = _tried(reader, node, part.expression, part.offset)
        if values is None:
            return None
        for value in values:
            try:
                text_of(value, part.spec)
            except (ValueError, TypeError):
                reader.fault(
                    node, f'the format ":{part.spec}" does not fit `{part.expression.source}`', part.offset
                )
                return None
    constant = None if template.names else template.render({})
    return Checked(template, frozenset({str}), FieldType.TEXT, constant)


def read_public_template(reader: Reader, node: Node, title: str, place: Place) -> Template | None:
    """A template for a place that has no `basis:` (a card's title, a task): it may not use guarded names."""
    checked = read_template(reader, node, title, place)
    if checked is None or not isinstance(checked.value, Template):
        return None
    guarded = guarded_names(checked.value)
    for name, privacy in guarded:
        reader.fault(
            node,
            f"{name} is of the class {privacy}, and {title} may not carry it; give it a field with basis:",
            name.offset,
        )
    return None if guarded else checked.value


def guarded_names(value: Expression | Template) -> list[tuple[Name, Privacy]]:
    """The names in it that may leave only with a legal basis."""
    found = ((name, WORDS.get(str(name))) for name in value.names)
    return [(name, word.privacy) for name, word in found if word and word.privacy.guarded]


def _made(reader: Reader, node: Node, make: Callable[[str], Any], source: str | None) -> Any:
    if source is None:
        return None
    try:
        return make(source)
    except ExpressionError as error:
        reader.fault(node, error.message, error.offset)
        return None


def _names_known(reader: Reader, node: Node, names: tuple[Name, ...], place: Place) -> bool:
    known = known_at(place)
    good = True
    for name in names:
        path = str(name)
        if path in known or (path in GROUPS and name.path[0] in ROOTS[place]):
            continue
        good = False
        if path in WORDS or path in GROUPS:
            seen = ", ".join(ROOTS[place])
            reader.fault(
                node,
                f'"{name.path[0]}" is not seen here; expressions of {_WHERE[place]} see {seen}',
                name.offset,
            )
        else:
            reader.fault(node, f'no name "{path}"{_near(path, known)}', name.offset)
    return good


def _near(path: str, known: Iterable[str]) -> str:
    """Below a known root only the rest is compared: the root's own letters would make any name look near."""
    root, _, rest = path.partition(".")
    rests = {each.partition(".")[2]: each for each in known if each.startswith(f"{root}.")}
    if not rests:
        return did_you_mean(path, known)
    return did_you_mean(rest, rests).replace('"', f'"{root}.', 1)


def _tried(reader: Reader, node: Node, expression: Expression, offset: int = 0) -> list[Any] | None:
    """The values on made-up data. What fails there because of types fails on every patient; what fails for the sample's
    sake (a text that is no number) is the data's matter.
    """
    values: list[Any] = []
    for scope in (*_SAMPLES, {}):
        try:
            values.append(expression.evaluate(scope))
        except EvaluationError as error:
            said = error.message.split(": ", 1)[-1]
            if isinstance(error.__cause__, TypeError) or re.search(
                r"Undefined variable or function|not a valid regex", said
            ):
                hint = "; beside an amount write a number as 2.0" if "float" in said and "int" in said else ""
                reader.fault(node, f"this can never be computed: {said}{hint}", offset)
                return None
    return values


_FIELD_TYPES: tuple[tuple[str, FieldType], ...] = (
    ("bool", FieldType.BOOLEAN),
    ("int", FieldType.NUMBER),
    ("float", FieldType.NUMBER),
    ("datetime", FieldType.DATETIME),
    ("date", FieldType.DATE),
)
_SAID = {
    "bool": "true or false", "int": "numbers", "float": "numbers", "Decimal": "amounts", "str": "texts",
    "date": "dates", "datetime": "instants", "tuple": "lists", "timedelta": "durations",
}  # fmt: skip


def _field_type(kinds: frozenset[type]) -> FieldType:
    names = {kind.__name__ for kind in kinds}
    for name, field_type in _FIELD_TYPES:
        if names == {name}:
            return field_type
    return FieldType.TEXT


def kinds_said(kinds: frozenset[type]) -> str:
    """The types in words: "texts", "dates"."""
    return ", ".join(sorted({_SAID.get(kind.__name__, kind.__name__) for kind in kinds}))


def _first_of(group: str) -> str:
    return next(path for path in WORDS if path.startswith(f"{group}."))
