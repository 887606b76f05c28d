"""From a mapping file to a `MappingFile`, all faults collected, each with its line and column."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from kreslo.connectors.model import Catalog, Needed
from kreslo.mapping.campaigns import check_lists
from kreslo.mapping.drafts import Draft
from kreslo.mapping.endpoints import Endpoints, masked_lines, read_endpoints
from kreslo.mapping.faults import At, Fault, MappingError
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import Bridge, EndpointSettings
from kreslo.mapping.needed import needed
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.resolve import resolved
from kreslo.mapping.schema import read_draft


class MappingFile(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping that is right by itself; its names are not yet found in the CRM. `path`: as the user gave it.
    `lines`: for excerpts, without secrets.
    """

    path: str
    lines: tuple[str, ...]
    draft: Draft
    endpoints: Endpoints

    @property
    def name(self) -> str:
        return self.draft.name

    @property
    def source(self) -> EndpointSettings:
        return self.endpoints.source

    @property
    def target(self) -> EndpointSettings:
        return self.endpoints.target

    @property
    def abroad(self) -> str:
        return self.endpoints.abroad

    def needed(self) -> Needed:
        """What must stand in the CRM: fields by title, stages in order. `Target.setup` makes it."""
        return needed(self.draft)


def load(path: Path | str, *, environ: Mapping[str, str] | None = None, judged: bool = True) -> MappingFile:
    """Read, check, and fill `${NAME}` in from `environ` (the process's own by default).

    `judged` False is for a check apart from the CRM and the clinic: the syntax and the vocabulary alone; `${NAME}` may
    be unset and no connector is asked. Raises MappingError with all faults.
    """
    name = str(path)
    return load_text(_read(Path(path), name), name, environ=environ, judged=judged)


def load_text(
    text: str, name: str, *, environ: Mapping[str, str] | None = None, judged: bool = True
) -> MappingFile:
    """As `load`, from a text; `name` stands in the messages."""
    lines = re.split(r"\r\n|\r|\n", text)
    reader = Reader(text, os.environ if environ is None else environ, filled=judged)
    top = _top(reader, _composed(text, name, lines), name, lines)
    endpoints = read_endpoints(reader, top, judged=judged)
    draft = read_draft(reader, top)
    if endpoints.lists is not None:
        check_lists(reader, draft.campaigns, endpoints.lists)
    shown = masked_lines(lines, top)
    if reader.faults:
        raise MappingError(name, reader.faults, shown)
    return MappingFile(path=name, lines=tuple(shown), draft=draft, endpoints=endpoints)


def resolve(file: MappingFile, catalog: Catalog) -> Bridge:
    """Find the mapping's names in the CRM's catalog. Raises MappingError with all that are not there, or are not what
    the mapping takes them for.
    """
    bridge, faults = resolved(
        file.draft, catalog, source_id=file.endpoints.source_id, zone=file.endpoints.zone, path=file.path
    )
    if faults or bridge is None:
        raise MappingError(file.path, faults, file.lines)
    return bridge


def _read(path: Path, name: str) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MappingError(name, [Fault(None, "there is no such file")]) from None
    except IsADirectoryError:
        raise MappingError(name, [Fault(None, "this is a directory, not a mapping file")]) from None
    except OSError as error:
        raise MappingError(name, [Fault(None, f"cannot be read: {error.strerror or error}")]) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "this is not UTF-8; save the file in that encoding"
        raise MappingError(name, [Fault(At(line, 1), message)]) from None


def _composed(text: str, name: str, lines: list[str]) -> Node | None:
    try:
        node: Node | None = YAML(pure=True).compose(text)
    except MarkedYAMLError as error:
        raise MappingError(name, [_syntax_fault(error)], masked_lines(lines, None)) from None
    except YAMLError as error:
        raise MappingError(name, [Fault(None, f"this is not YAML: {str(error).splitlines()[0]}")]) from None
    except RecursionError:
        raise MappingError(name, [Fault(None, "this is nested too deeply to be a mapping")]) from None
    return node


def _syntax_fault(error: MarkedYAMLError) -> Fault:
    problem = str(error.problem or error.context or "unclear")
    mark = error.problem_mark or error.context_mark
    if "end of stream" in problem and "quoted" in str(error.context):
        mark, said = error.context_mark, "this quote is never closed"
    elif "'\\t'" in problem:
        said = "a tab stands here; YAML is indented with spaces"
    elif "mapping values are not allowed" in problem:
        said = 'a ":" is not expected here; check the indentation, and put a value that holds ": " in quotes'
    elif "chomping or indentation" in problem and "'|'" in problem:
        said = 'an expression that begins with "!" must stand in quotes'  # its tag over, `||` opens a block
    elif "another document" in problem:
        said = "a second document begins here; one file holds one mapping"
    else:
        said = f"this is not YAML: {problem}"
    return Fault(At(mark.line + 1, mark.column + 1) if mark else None, said)


def _top(reader: Reader, node: Node | None, name: str, lines: list[str]) -> Section:
    if node is None:
        raise MappingError(name, [Fault(None, "the file is empty")])
    top = reader.section(node, "a mapping", KEYS[""])
    if top is None:
        raise MappingError(name, reader.faults, masked_lines(lines, None))
    return top
