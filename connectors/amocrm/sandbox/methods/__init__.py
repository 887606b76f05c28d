"""The API's methods, by verb and path."""

import re

from connectors.amocrm.sandbox.calls import Method
from connectors.amocrm.sandbox.methods import (
    account,
    calls,
    cards,
    complex_add,
    custom_fields,
    events,
    field_groups,
    links,
    notes,
    pipelines,
    statuses,
    tags,
    tasks,
    unsorted,
    users,
    webhooks,
)

ALL: tuple[Method, ...] = (
    *account.METHODS,
    *calls.METHODS,
    *complex_add.METHODS,
    *custom_fields.METHODS,
    *events.METHODS,
    *field_groups.METHODS,
    *links.METHODS,
    *notes.METHODS,
    *pipelines.METHODS,
    *statuses.METHODS,
    *tags.METHODS,
    *tasks.METHODS,
    *unsorted.METHODS,
    *users.METHODS,
    *webhooks.METHODS,
    *cards.METHODS,
)

_PLACES = {
    "kind": "leads|contacts|companies",
    "category": "forms|sip",
    "uid": r"[\w-]+",
    "pin": "pin|unpin",
    "group": r"\w+",
}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"\{(\w+)\}", lambda place: f"(?P<{place[1]}>{_PLACES.get(place[1], '[0-9]+')})", path)
    )


_PATTERNS = [(method, _pattern(method.path)) for method in ALL]


def find(verb: str, path: str) -> tuple[Method | None, dict[str, str], bool]:
    """The method at a path below /api/v4, what stands in its places, and whether the path is known at all."""
    known = False
    for method, pattern in _PATTERNS:
        fits = pattern.fullmatch(path)
        if fits is not None:
            known = True
            if method.verb == verb:
                return method, fits.groupdict(), True
    return None, {}, known
