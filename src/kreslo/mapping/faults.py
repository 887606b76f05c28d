"""What is wrong with a mapping, and where: line, column, and the line itself with a caret under it."""

import re
from collections.abc import Sequence

import msgspec
from ruamel.yaml.nodes import Node, ScalarNode

from kreslo.connectors.errors import ConfigurationError


class At(msgspec.Struct, frozen=True, order=True):
    """A place in a mapping file; both count from 1."""

    line: int
    column: int


class Ref(msgspec.Struct, frozen=True):
    """A name that the author wrote, to be found in the CRM's catalog."""

    text: str
    at: At


class Fault(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong. `at` None: the file as a whole."""

    at: At | None
    message: str


class MappingError(ConfigurationError):
    """The mapping cannot be used. Mend what is named, in the file, and run `kreslo check` again."""

    def __init__(self, file: str, faults: Sequence[Fault], lines: Sequence[str] = ()) -> None:
        """`file`: its path as the user gave it. `lines`: its text, for the excerpts; never with secrets filled in."""
        self.file = file
        self.problems = tuple(sorted(set(faults), key=lambda fault: (fault.at or At(0, 0), fault.message)))
        super().__init__("\n".join(_shown(file, fault, lines) for fault in self.problems))


def _shown(file: str, fault: Fault, lines: Sequence[str]) -> str:
    if fault.at is None:
        return f"{file}: {fault.message}"
    head = f"{file}:{fault.at.line}:{fault.at.column}: {fault.message}"
    if fault.at.line > len(lines):
        return head
    line = lines[fault.at.line - 1]
    # Tabs stay tabs, so that the caret stands under its character on any screen.
    indent = re.sub(r"[^\t]", " ", line[: fault.at.column - 1].ljust(fault.at.column - 1))
    return f"{head}\n  {line}\n  {indent}^"


def start_of(node: Node) -> At:
    return At(node.start_mark.line + 1, node.start_mark.column + 1)


def place_in(node: Node, text: str, offset: int) -> At:
    """Where the character `offset` of a scalar's value stands in the file's `text`. Where YAML folded the value's
    lines, the value's start.
    """
    start = start_of(node)
    if not isinstance(node, ScalarNode):
        return start
    raw = text[node.start_mark.index : node.end_mark.index]
    if node.style == "|":
        return _in_block(node, raw, offset)
    if node.style == ">" or "\n" in raw.rstrip():
        return start
    if node.style == '"':
        units = [match.start() for match in re.finditer(_DOUBLE_QUOTED_UNIT, raw[1:-1])]
    elif node.style == "'":
        units = [match.start() for match in re.finditer(r"''|.", raw[1:-1])]
    else:
        return At(start.line, start.column + offset)
    within = units[offset] if offset < len(units) else len(raw) - 2
    return At(start.line, start.column + 1 + within)


_DOUBLE_QUOTED_UNIT = r"\\x..|\\u.{4}|\\U.{8}|\\.|."


def _in_block(node: ScalarNode, raw: str, offset: int) -> At:
    before = node.value[:offset]
    number = before.count("\n")
    body = raw.split("\n")[1:]
    filled = [line for line in body if line.strip()]
    indent = min((len(line) - len(line.lstrip(" ")) for line in filled), default=0)
    column = len(before) - (before.rfind("\n") + 1)
    return At(node.start_mark.line + 2 + number, indent + column + 1)
