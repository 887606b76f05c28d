"""Answers as XML, for calls of `{method}.xml`: a tag a key, `item` for what has a number instead of a name."""

from typing import Any
from xml.etree import ElementTree as ET

from kreslo.connectors.sandboxing import php


def encode(body: dict[str, Any]) -> bytes:
    """The envelope under `<response>`, scalars as PHP's texts."""
    root = ET.Element("response")
    _fill(root, body)
    encoded: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded


def _fill(node: ET.Element, value: Any) -> None:
    if not php.is_array(value):
        node.text = php.text(value)
        return
    for key, below in php.pairs(value):
        _fill(ET.SubElement(node, "item" if key.isdecimal() else key), below)
