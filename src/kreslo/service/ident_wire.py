"""The iDent exchange on the wire: JSON or XML in either direction, query parameters, and why something is refused."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

import msgspec

from kreslo.connectors.errors import DataError
from kreslo.records.exchange import Ticket, TimeTable

JSON = "application/json; charset=utf-8"
XML = "application/xml; charset=utf-8"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BARE_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)")


def wants_xml(accept: str) -> bool:
    """XML only where it is asked for and JSON is not: what iDent takes by itself is JSON."""
    return "xml" in accept.lower() and "json" not in accept.lower()


def answer(items: Sequence[Ticket], *, xml: bool, of: str = "Ticket") -> tuple[bytes, str]:
    """The body and its content type: a bare JSON array, or `<ArrayOf…>` as .NET writes lists."""
    if not xml:
        return msgspec.json.encode(items), JSON
    root = ET.Element(f"ArrayOf{of}")
    for item in items:
        element = ET.SubElement(root, of)
        for name, value in msgspec.to_builtins(item).items():
            ET.SubElement(element, name).text = _NOT_XML.sub("", str(value))
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)), XML


def timetable_of(body: bytes) -> TimeTable:
    """What iDent posted. Raises DataError with the place of what is wrong, and without its value."""
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise DataError("the body is empty: Doctors, Branches and Intervals are expected, as JSON or XML")
    try:
        if text.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
            return msgspec.convert(_parsed(text), TimeTable, strict=False)
        return msgspec.json.decode(text, type=TimeTable)
    except msgspec.ValidationError as error:
        raise DataError(f"the timetable is not as expected: {error}") from error
    except msgspec.DecodeError as error:
        raise DataError(f"the body is not JSON: {error}") from error
    except expat.ExpatError as error:
        raise DataError(
            f"the body is not XML: {expat.ErrorString(error.code)}, line {error.lineno}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError("the body is not UTF-8") from error


def instant(name: str, text: str | None) -> datetime | None:
    """ISO 8601 with an offset; a plus that was not percent-encoded arrives as a blank. Raises DataError."""
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(_BARE_PLUS.sub("+", text.strip()))
    except ValueError:
        raise DataError(f"{name} must be an instant such as 2026-05-12T00:00:00+03:00") from None
    if value.tzinfo is None:
        raise DataError(f"{name} has no offset: write it as 2026-05-12T00:00:00+03:00")
    return value


def number(name: str, text: str | None, *, least: int) -> int | None:
    """A whole number. Raises DataError."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or int(text) < least:
        raise DataError(f"{name} must be a whole number, {least} or more")
    return int(text)


def _parsed(text: bytes) -> dict[str, Any]:
    """Doctors, Branches and Intervals of any XML whose elements have these names; namespaces do not matter."""
    root = _tree(text)
    found: dict[str, Any] = {}
    for part in root:
        found[_local(part.tag)] = [
            {_local(leaf.tag): (leaf.text or "").strip() for leaf in item} | _attributes(item)
            for item in part
        ]
    return found


def _attributes(item: ET.Element) -> dict[str, str]:
    return {_local(name): value for name, value in item.attrib.items()}


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _tree(text: bytes) -> ET.Element:
    """Without document types: entities are how a small body becomes a huge one."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(*_: object) -> None:
        raise DataError("the body has a document type, which is not taken")

    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(text, True)
    return builder.close()
