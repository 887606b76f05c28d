"""Expressions (CEL) and templates of a mapping, compiled once."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Expression(msgspec.Struct, frozen=True):
    source: str

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        raise NotImplementedError


class Template(msgspec.Struct, frozen=True):
    source: str

    def render(self, scope: Mapping[str, Any]) -> str:
        raise NotImplementedError
