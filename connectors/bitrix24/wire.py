"""The wire of Bitrix24 REST: what a call is, how PHP reads a query, what must never be printed."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

_SECRET = re.compile(r"(/rest/)(?:api/)?\d+/[^/\s'\"]+")
_DIGITS = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d)\d(?:[\s()-]*\d){6,}")  # seven or more, but no ISO date
_EMAIL = re.compile(r"[\w.+-]+@[\w.-]+")


class Call(msgspec.Struct, frozen=True):
    """One method with its parameters: nested dicts, lists, texts and numbers. None is not a value here. `items`: how
    many cards it makes, where a method makes several; `chained`: its `$result[…]` is meant.
    """

    method: str
    params: dict[str, Any] = {}
    items: int = 1
    chained: bool = False

    def command(self) -> str:
        """As a command of `batch`: inside a JSON body its values are encoded once."""
        query = query_string(self.params)
        return f"{self.method}?{query}" if query else self.method

    @property
    def solo(self) -> bool:
        """Whether it must be sent by itself: inside a batch the portal would replace `$result[…]` in any text."""
        return not self.chained and any("$result[" in value for _, value in _pairs("", self.params))


def query_string(params: Mapping[str, Any]) -> str:
    """PHP's bracket form: {"filter": {">ID": 5}} → filter%5B%3EID%5D=5. An empty list or dict leaves no trace, so
    nothing may be cleared with one.
    """
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in _pairs("", params))


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    # Built of our own dicts, lists and tuples; texts are most of it, and each command is written several times.
    if isinstance(value, str):
        yield prefix, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _pairs(f"{prefix}[{key}]" if prefix else str(key), inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _pairs(f"{prefix}[{index}]", inner)
    elif isinstance(value, bool):
        yield prefix, "Y" if value else "N"
    else:
        yield prefix, str(value)


def section(value: Any) -> dict[str, Any]:
    """A map of the answer. PHP gives [] for an empty one and a list for keys 0..n-1."""
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {str(index): inner for index, inner in enumerate(value)}
    return {}


def rows(value: Any) -> list[dict[str, Any]]:
    """The rows of a list answer, in whichever envelope the method has (plain, `items`, `categories`, `tasks`)."""
    if isinstance(value, Mapping):
        for name in ("items", "categories", "tasks"):
            if name in value:
                return rows(value[name])
        return [row for row in value.values() if isinstance(row, dict)]
    if isinstance(value, list):
        return [row for row in value if isinstance(row, dict)]
    return []


def masked(text: str) -> str:
    """The text without webhook codes and without anything that could be a telephone number or an e-mail."""
    return _EMAIL.sub("…@…", _DIGITS.sub("…", _SECRET.sub(r"\1***", text)))


_PLAIN = frozenset(
    [
        "ID",
        "id",
        "entityTypeId",
        "ENTITY_ID",
        "ENTITY_TYPE",
        "ownerTypeId",
        "ownerId",
        "OWNER_ID",
        "OWNER_TYPE_ID",
        "CATEGORY_ID",
        "categoryId",
        "STAGE_ID",
        "stageId",
        "STATUS_ID",
        "CONTACT_IDS",
        "contactIds",
        "contactId",
        "CONTACT_ID",
        "leadId",
        "IS_PRIMARY",
        "SORT",
        "IMPORT",
        "IS_MANUAL_OPPORTUNITY",
        "SOURCE_ID",
        "ASSIGNED_BY_ID",
        "responsibleId",
        "deadline",
        "DELETE",
        "VALUE_TYPE",
        "entity_type",
        "type",
    ]
)


def sketch(call: Call, plain: frozenset[str] = frozenset()) -> str:
    """A call for the journal: values only of fields that hold no personal data (`plain` adds some), else `…`."""
    shown = []
    for key, value in _pairs("", call.params):
        steps = [step.rstrip("]") for step in key.split("[")]
        named = [step for step in steps if not step.isdigit()]
        shown.append(f"{key}={value if named and named[-1] in _PLAIN | plain else '…'}")
    return masked(f"{call.method} {' '.join(shown)}") if shown else call.method


class SecretFilter(logging.Filter):
    """httpx logs the address of every request, and here the address is the password."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/rest/" in message:
            record.msg, record.args = _SECRET.sub(r"\1***", message), ()
        return True


def guard_logs() -> None:
    """Put the filter on httpx's logger, once."""
    logger = logging.getLogger("httpx")
    if not any(isinstance(known, SecretFilter) for known in logger.filters):
        logger.addFilter(SecretFilter())
