"""Reads `source:` and `target:` of a mapping, and has their connectors judge their options."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kreslo.connectors.contract import connector_names, source_connector, target_connector
from kreslo.mapping.exchange import read_exchange_key
from kreslo.mapping.faults import At
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import EndpointSettings
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.programs import did_you_mean

Kind = Literal["source", "target"]

_SHOWN = frozenset({"connector", "id", "timezone", "every", "cron", "abroad"})
_SECRETS = re.compile(
    r"(?i)(?<=://)[^\s\"'}]+|(?<=pwd=|key=)[^\s;\"'}]+|(?<=token=)[^\s;\"'}]+|(?<=secret=)[^\s;\"'}]+"
)


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """`lists`: of which the source gives entries, None where that is not known. `exchange_key`: what iDent sends with its requests, "" where there is no exchange. `abroad`: how the clinic acknowledged a CRM outside the country, "" where it did not."""

    source: EndpointSettings
    target: EndpointSettings
    source_id: str
    zone: ZoneInfo
    abroad: str
    exchange_key: str = ""
    lists: frozenset[str] | None = None

    def __repr__(self) -> str:
        """Without the key."""
        return f"Endpoints(source={self.source!r}, target={self.target!r}, source_id={self.source_id!r})"


def read_endpoints(reader: Reader, top: Section, *, judged: bool) -> Endpoints:
    """`judged` False asks no connector and needs none: names and options stay as they stand in the file."""
    faults = len(reader.faults)
    exchange_key = read_exchange_key(reader, top)
    source = _section(reader, top, "source")
    target = _section(reader, top, "target")
    settings = _settings(reader, source, "source")
    aim = _settings(reader, target, "target")
    zone = _zone(reader, source, settings)
    abroad = target.read("abroad", reader.word, "") if target else ""
    if target and abroad and not abroad.lower().startswith("acknowledged "):
        reader.fault(
            target["abroad"],
            'write `abroad: "acknowledged by …, on …"`: who took the responsibility, and when',
        )
    source_id = str(settings.options.get("id") or settings.connector)
    judged = judged and len(reader.faults) == faults
    lists: frozenset[str] | None = None
    if judged and source:
        options = _judge(reader, source, settings, "source")
        listing = source_connector(settings.connector).lists if options else None
        lists = listing(options) if listing else None
        source_id = str(getattr(options, "id", "") or source_id)
    if judged and target:
        options = _judge(reader, target, aim, "target")
        if options and not abroad and (note := target_connector(aim.connector).privacy_note(options)):
            reader.fault(target.at, f'{note} (`abroad: "acknowledged by …, on …"`)')
    return Endpoints(
        source=settings,
        target=aim,
        source_id=source_id,
        zone=zone,
        abroad=abroad,
        exchange_key=exchange_key,
        lists=lists,
    )


def masked_lines(lines: Sequence[str], top: Section | None) -> list[str]:
    """The file's lines for excerpts in messages, with starlets for what may be a secret."""
    shown = [_SECRETS.sub(lambda match: "*" * len(match[0]), line) for line in lines]
    for key in ("source", "target"):
        if top and key in top:
            for node in _values(top[key]):
                _hide(shown, node)
    if top and "exchange" in top and isinstance(top["exchange"], MappingNode):
        for name, node in top["exchange"].value:
            if name.value == "key" and isinstance(node, ScalarNode):
                _hide(shown, node)
    return shown


def _values(node: Node, key: str = "") -> list[ScalarNode]:
    if isinstance(node, MappingNode):
        return [each for name, value in node.value for each in _values(value, str(name.value))]
    if isinstance(node, SequenceNode):
        return [each for item in node.value for each in _values(item, key)]
    return [node] if isinstance(node, ScalarNode) and key not in _SHOWN else []


def _hide(lines: list[str], node: ScalarNode) -> None:
    if node.tag != "tag:yaml.org,2002:str" or re.fullmatch(r"\$\{\w+\}", str(node.value).strip()):
        return
    first, last = node.start_mark, node.end_mark
    for number in range(first.line, min(last.line + 1, len(lines))):
        line = lines[number]
        begin = first.column if number == first.line else 0
        end = last.column if number == last.line else len(line)
        lines[number] = line[:begin] + "*" * len(line[begin:end]) + line[end:]


def _section(reader: Reader, top: Section, kind: Kind) -> Section | None:
    if kind not in top:
        reader.fault(top.at, f"`{kind}:` is missing; it names a connector and its options")
        return None
    section = reader.section(top[kind], f"`{kind}:`", None)
    if section and "connector" not in section:
        reader.fault(section.at, f"`{kind}:` needs `connector:`, such as {_example(kind)}")
    return section


def _example(kind: Kind) -> str:
    return "ident" if kind == "source" else "bitrix24"


def _settings(reader: Reader, section: Section | None, kind: Kind) -> EndpointSettings:
    if section is None:
        return EndpointSettings(connector="", options={})
    own = set(KEYS[kind]) - {"timezone"}
    options = {key: reader.plain(node, f"`{key}:`") for key, node in section.nodes.items() if key not in own}
    if kind == "target":
        return EndpointSettings(connector=section.read("connector", reader.word, ""), options=options)
    cron = section.read("cron", reader.word, "")
    if cron and not re.fullmatch(r"(?:[\d*,/A-Za-z-]+\s+){4}[\d*,/A-Za-z-]+", cron):
        reader.fault(section["cron"], f'`cron:` has five fields, such as "0 14 * * *", not "{cron}"')
    if cron and "every" in section:
        reader.fault(section.names["cron"].at, "`every:` and `cron:` exclude each other; keep one")
    return EndpointSettings(
        connector=section.read("connector", reader.word, ""),
        options=options,
        every=section.duration("every", timedelta(seconds=5)).total_seconds(),
        cron=cron,
    )


def _zone(reader: Reader, section: Section | None, settings: EndpointSettings) -> ZoneInfo:
    utc = ZoneInfo("UTC")
    if section is None:
        return utc
    if "timezone" not in section:
        reader.fault(section.at, "`source:` needs `timezone:`, the clinic's own, such as Europe/Moscow")
        return utc
    name = str(settings.options.get("timezone", ""))
    if not name or (not reader.filled and "${" in name):
        return utc
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        reader.fault(section["timezone"], f'no time zone "{name}"; write an IANA name such as Europe/Moscow')
        return utc


def _judge(reader: Reader, section: Section, settings: EndpointSettings, kind: Kind) -> BaseModel | None:
    """The options as their connector understands them; faults where it does not."""
    names = connector_names(f"kreslo.{kind}s")
    if settings.connector not in names:
        reader.fault(
            section["connector"],
            f'no {kind} connector "{settings.connector}"{did_you_mean(settings.connector, names)}'
            f" (installed: {', '.join(names) or 'none'})",
        )
        return None
    connector: Any = (source_connector if kind == "source" else target_connector)(settings.connector)
    model: type[BaseModel] = connector.options
    try:
        return model.model_validate(settings.options)
    except ValidationError as error:
        given = set(settings.options)
        for details in error.errors(include_url=False, include_input=False, include_context=False):
            # `timezone:` has been judged already, in words of ours.
            if details["loc"][:1] != ("timezone",):
                _report(reader, section, kind, model, details, given)
    return None


def _report(
    reader: Reader,
    section: Section,
    kind: Kind,
    model: type[BaseModel],
    details: ErrorDetails,
    given: set[str],
) -> None:
    path = [str(step) for step in details["loc"]]
    where, key, depth = _found(section, path)
    parent = ".".join(path[:-1]) or kind
    match details["type"]:
        case "missing":
            reader.fault(where, f"`{parent}:` needs `{path[-1]}:`")
        case "extra_forbidden":
            known = {*model.model_fields, *KEYS[kind]} - given if len(path) == 1 else set()
            reader.fault(key, f'`{parent}:` has no key "{path[-1]}"{did_you_mean(path[-1], sorted(known))}')
        case _:
            message = details["msg"].removeprefix("Value error, ")
            name = ".".join(path[:depth] or path) or kind
            reader.fault(where, f"`{name}:` {message[:1].lower()}{message[1:]}")


def _found(section: Section, path: Sequence[str]) -> tuple[Node | At, Node | At, int]:
    """The value that the options' path leads to (or the last on the way there), its key, and how deep it is."""
    if not path or path[0] not in section:
        return section.at, section.at, 0
    node, key, depth = section[path[0]], section.names[path[0]].at, 1
    found: tuple[Node | At, Node | At, int] = (node, key, depth)
    for step in path[1:]:
        inner = _below(node, step)
        if inner is None:
            break
        key_node, node = inner
        depth += 1
        found = (node, key_node, depth)
    return found


def _below(node: Node, step: str) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and step.isdigit() and int(step) < len(node.value):
        item: Node = node.value[int(step)]
        return item, item
    return None
