"""The wire of amoCRM's API v4: PHP's bracket queries, what must never be printed, what the journal may keep."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|def502[0-9a-f]+")
_DIGITS = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d)\+?\d(?:[\s()-]*\d){9,}")  # ten or more, but no ISO date
_EMAIL = re.compile(r"[\w.+-]+@[\w.-]+")
_PLAIN = frozenset(
    (
        *("id", "entity_id", "to_entity_id", "entity_type", "to_entity_type", "pipeline_id", "status_id"),
        *(
            "responsible_user_id",
            "note_type",
            "task_type_id",
            "complete_till",
            "is_main",
            "field_id",
            "user_id",
        ),
    )
)

Query = Mapping[str, Any]


def query_string(params: Query) -> str:
    """PHP's bracket form: {"filter": {"id": [5, 6]}} → filter[id][]=5&filter[id][]=6. The brackets stand as they are:
    encoded, 250 ids would not fit into a request line.
    """
    return "&".join(f"{key}={quote(value, safe=',')}" for key, value in _pairs("", params))


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{prefix}[{key}]" if prefix else str(key), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, inner in enumerate(value):
            yield from _pairs(f"{prefix}[{at if isinstance(inner, Mapping) else ''}]", inner)
    else:
        yield prefix, str(value)


def masked(text: str) -> str:
    """The text without tokens and without anything that could be a telephone number or an e-mail."""
    return _EMAIL.sub("…@…", _DIGITS.sub("…", _TOKEN.sub("***", text)))


def sketch(route: str, item: Mapping[str, Any], plain: frozenset[int] = frozenset()) -> str:
    """One item of a write for the journal: ids and stages as they are, of everything else only that it was sent.
    `plain`: ids of fields whose values may stand there (our key).
    """
    return masked(f"{route} {' '.join(_shown(item, plain))}".strip())


def _shown(item: Mapping[str, Any], plain: frozenset[int]) -> Iterator[str]:
    for name, value in item.items():
        if name == "custom_fields_values":
            for entry in value:
                known = entry.get("field_id") in plain
                yield f"field:{entry.get('field_id')}={entry['values'][0]['value'] if known and entry['values'] else '…'}"
        elif name == "_embedded":
            yield from (f"{inner}={[one.get('id', '…') for one in rows]}" for inner, rows in value.items())
        elif name != "request_id":
            yield f"{name}={value if name in _PLAIN else '…'}"


def embedded(body: Any, name: str) -> list[dict[str, Any]]:
    """Rows of an answer's `_embedded`."""
    found = body.get("_embedded") if isinstance(body, dict) else None
    rows = found.get(name) if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def chunks(values: Sequence[str], size: int) -> list[list[str]]:
    return [list(values[at : at + size]) for at in range(0, len(values), size)]
