"""How a value becomes text in a template, and how a template's text is tidied where a value was absent."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from kreslo.records import Phone


def text_of(value: Any, spec: str = "") -> str:
    """The value as staff read it. `spec` is Python's format (`%d.%m.%Y`, `.2f`). Absent values give "".

    Raises ValueError or TypeError where the spec does not fit the value.
    """
    if spec and value is not None:
        if isinstance(value, date) and "%" not in spec:
            raise ValueError(f"{spec} is no format of a date")
        return format(value, spec)
    match value:
        case None:
            return ""
        case bool():
            return "да" if value else "нет"
        case datetime():
            return value.strftime("%d.%m.%Y %H:%M")
        case date():
            return value.strftime("%d.%m.%Y")
        case Decimal() | float():
            number = f"{value:.2f}"
            return number.removesuffix(".00")
        case Phone():
            return value.e164
        case Enum():
            return str(value.value)
        case str():
            return value
        case Sequence():
            return ", ".join(text for text in map(text_of, value) if text)
        case _:
            return str(value)


_SEPARATORS = r"[,;:|/·•—–-]"


def tidied(line: str, *, holes: bool) -> str:
    """One line without doubled spaces. `holes`: a value in it was absent, so separators that now part nothing, and
    brackets around nothing, go too.
    """
    line = re.sub(r"[ \t]{2,}", " ", line)
    if holes:
        line = re.sub(r"\(\s*\)|\[\s*\]|«\s*»", "", line)
        line = re.sub(rf"(?<=\s)(?:{_SEPARATORS}\s+)+(?={_SEPARATORS}\s)", "", line)
        line = re.sub(r"\s*([,;:])(?:\s*[,;:])+(?=\s|$)", r"\1", line)
        line = re.sub(r"\s+(?=[,;:](?:\s|$))", "", line)
        line = re.sub(rf"^(?:\s|{_SEPARATORS}(?=\s|$))+|(?:\s+{_SEPARATORS}|[,;:])*\s*$", "", line)
        line = re.sub(r"[ \t]{2,}", " ", line)
    return line.strip()
