"""Reads YAML nodes as what a mapping's keys hold. Every fault is collected with its place, and reading goes on."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import time, timedelta
from typing import Any, TypeVar

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kreslo.mapping.faults import At, Fault, Ref, place_in, start_of
from kreslo.mapping.programs import did_you_mean

_TAG = "tag:yaml.org,2002:"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)

Choice = TypeVar("Choice", bound=str)
T = TypeVar("T")


class Reader:
    """`text`: the whole file. `environ`: what `${NAME}` means in `source:` and `target:`; where not `filled`, it stays
    as it stands. `faults` grows.
    """

    def __init__(self, text: str, environ: Mapping[str, str], *, filled: bool = True) -> None:
        self.text = text
        self.environ = environ
        self.filled = filled
        self.faults: list[Fault] = []

    def fault(self, where: Node | At, message: str, offset: int = 0) -> None:
        if isinstance(where, Node):
            where = place_in(where, self.text, offset) if offset else start_of(where)
        self.faults.append(Fault(where, message))

    # --- shapes ---------------------------------------------------------------------------------------------------

    def section(self, node: Node, title: str, keys: Collection[str] | None) -> "Section | None":
        """The node as a mapping with these keys (None: any). `title` names it in messages: "`appointment:`"."""
        if not isinstance(node, MappingNode):
            self.fault(node, f"{title} must hold keys and values, not {_kind(node)}")
            return None
        nodes: dict[str, Node] = {}
        names: dict[str, Ref] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else ""
            if not key or key == "<<":
                self.fault(
                    key_node,
                    f"{title}: a key must be a text" + ("; merges (<<) are not supported" if key else ""),
                )
            elif keys is not None and key not in keys:
                self.fault(key_node, f'{title} has no key "{key}"{did_you_mean(key, keys)}')
            elif key in nodes:
                self.fault(
                    key_node, f'"{key}" stands twice in {title}; the first is in line {names[key].at.line}'
                )
            elif _is_null(value):
                self.fault(key_node, f'"{key}" has no value; give it one or take it out')
            else:
                nodes[key] = value
                names[key] = Ref(key, start_of(key_node))
        return Section(self, nodes, names, start_of(node))

    def items(self, node: Node, title: str) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.fault(node, f'{title} must be a list, such as ["…", "…"], not {_kind(node)}')
        return []

    def ref(self, node: Node, title: str) -> Ref | None:
        """A name, with its place."""
        text = self.word(node, title)
        return None if text is None else Ref(text, start_of(node))

    def refs(self, node: Node, title: str) -> tuple[Ref, ...]:
        found = (self.ref(item, f"an item of {title}") for item in self.items(node, title))
        return tuple(ref for ref in found if ref is not None)

    def is_mapping(self, node: Node) -> bool:
        return isinstance(node, MappingNode)

    def is_list(self, node: Node) -> bool:
        return isinstance(node, SequenceNode)

    def has_key(self, node: Node, key: str) -> bool:
        """Whether the key stands there, be its value right or wrong."""
        return isinstance(node, MappingNode) and any(each.value == key for each, _ in node.value)

    # --- scalars --------------------------------------------------------------------------------------------------

    def word(self, node: Node, title: str) -> str | None:
        """A text that is not empty; a bare number is taken as its digits."""
        if not isinstance(node, ScalarNode) or _is_null(node):
            self.fault(node, f"{title} must be a text, not {_kind(node)}")
            return None
        if not str(node.tag).startswith(_TAG):
            self._tagged(node, title)
            return None
        value = str(node.value).strip()
        if not value:
            self.fault(node, f"{title} is empty")
            return None
        return value

    def raw(self, node: Node, title: str) -> str | None:
        """A text as it stands, blanks and all: offsets in it can be placed in the file."""
        return None if self.word(node, title) is None else str(node.value)

    def boolean(self, node: Node, title: str) -> bool | None:
        if isinstance(node, ScalarNode) and node.tag == f"{_TAG}bool" and node.style is None:
            return str(node.value).lower() == "true"
        self.fault(node, f"{title} must be true or false, not {_kind(node)}")
        return None

    def number(self, node: Node, title: str, *, most: int) -> int | None:
        """A whole number from 0 to `most`."""
        value = self.word(node, title)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) > most:
            self.fault(node, f'{title} must be a whole number from 0 to {most}, not "{value}"')
            return None
        return int(value)

    def choice(self, node: Node, title: str, among: tuple[Choice, ...]) -> Choice | None:
        value = self.word(node, title)
        if value is None:
            return None
        for each in among:
            if each == value:
                return each
        self.fault(
            node, f'{title} must be one of {", ".join(among)}, not "{value}"{did_you_mean(value, among)}'
        )
        return None

    def duration(self, node: Node, title: str, *, positive: bool = True) -> timedelta | None:
        value = self.word(node, title)
        if value is None:
            return None
        match = re.fullmatch(r"(\d{1,6})\s*([smhd])", value)
        if not match:
            self.fault(node, f'{title} must be a duration such as 30d, 2h, 90m or 5s, not "{value}"')
            return None
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
        if positive and not duration:
            self.fault(node, f"{title} must be longer than nothing")
            return None
        return duration

    def clock(self, node: Node, title: str) -> time | None:
        value = self.word(node, title)
        if value is None:
            return None
        match = re.fullmatch(r"(\d{1,2}):(\d{2})", value)
        if not match or int(match[1]) > 23 or int(match[2]) > 59:
            self.fault(node, f'{title} must be a time of day such as "14:00", not "{value}"')
            return None
        return time(int(match[1]), int(match[2]))

    # --- settings -------------------------------------------------------------------------------------------------

    def plain(self, node: Node, title: str, depth: int = 0) -> Any:
        """The node as plain Python values, `${NAME}` filled in."""
        if depth > 20:
            self.fault(node, f"{title} is nested too deeply")
            return None
        if isinstance(node, MappingNode):
            section = self.section(node, title, None)
            nodes = section.nodes if section else {}
            return {key: self.plain(value, f"{title} {key}", depth + 1) for key, value in nodes.items()}
        if isinstance(node, SequenceNode):
            return [self.plain(item, title, depth + 1) for item in node.value]
        return self._scalar(node, title)

    def _scalar(self, node: Node, title: str) -> Any:
        value = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "bool":
                return value.lower() == "true"
            case "int" if re.fullmatch(r"[+-]?\d+", value):
                return int(value)
            case "float" if re.fullmatch(r"[+-]?[\d.]+", value):
                return float(value)
            case "null":
                return None
            case tag if tag.startswith("!") or ":" in tag:
                self._tagged(node, title)
                return None
            case _:
                return self._filled(node, value)

    def _tagged(self, node: Node, title: str) -> None:
        """YAML takes `!patient.primary` for a tag; the node begins after it."""
        mark = node.start_mark
        back = mark.index - self.text.rfind("!", 0, mark.index)
        at = At(mark.line + 1, max(mark.column + 1 - back, 1))
        self.fault(at, f'{title}: what begins with "!" must stand in quotes')

    def _filled(self, node: Node, value: str) -> str:
        def fill(match: re.Match[str]) -> str:
            variable = _VARIABLE.fullmatch(match[1])
            if not variable:
                self.fault(node, f'"{match[0]}" is not the name of an environment variable', match.start())
                return ""
            given = self.environ.get(variable[1], "")
            if given or variable[2] is not None:
                return given or variable[2]
            self.fault(
                node,
                f"the environment variable {variable[1]} is not set; set it, for instance in .env",
                match.start(),
            )
            return ""

        return _ENVIRONMENT.sub(fill, value) if self.filled else value


class Section:
    """The known keys that one mapping node holds, by name. `at`: where it begins.

    The methods give a key's value, or the default where the key is not there or is wrong (which is a fault by then).
    """

    def __init__(self, reader: Reader, nodes: dict[str, Node], names: dict[str, Ref], at: At) -> None:
        self.reader = reader
        self.nodes = nodes
        self.names = names
        self.at = at

    def __contains__(self, key: str) -> bool:
        return key in self.nodes

    def __getitem__(self, key: str) -> Node:
        return self.nodes[key]

    def read(self, key: str, read: Callable[[Node, str], T | None], default: T) -> T:
        """By a method of the reader, or another that takes the node and the key's title for messages."""
        if key not in self.nodes:
            return default
        value = read(self.nodes[key], f"`{key}:`")
        return default if value is None else value

    def duration(self, key: str, default: timedelta, *, positive: bool = True) -> timedelta:
        return self.read(
            key, lambda node, title: self.reader.duration(node, title, positive=positive), default
        )

    def number(self, key: str, default: int, *, most: int = 999_999_999) -> int:
        return self.read(key, lambda node, title: self.reader.number(node, title, most=most), default)

    def flag(self, key: str, *, default: bool) -> bool:
        return self.read(key, self.reader.boolean, default)

    def choice(self, key: str, among: tuple[Choice, ...], default: Choice) -> Choice:
        return self.read(key, lambda node, title: self.reader.choice(node, title, among), default)

    def ref(self, key: str) -> Ref | None:
        none: Ref | None = None
        return self.read(key, self.reader.ref, none)

    def refs(self, key: str) -> tuple[Ref, ...]:
        none: tuple[Ref, ...] = ()
        return self.read(key, self.reader.refs, none)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == f"{_TAG}null"


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "keys and values"
    if isinstance(node, SequenceNode):
        return "a list"
    return "nothing" if _is_null(node) else f'"{node.value}"'
