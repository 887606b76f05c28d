"""What a method of the portal is given and what it gives back."""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.bitrix24.sandbox.errors import crm_error
from connectors.bitrix24.sandbox.portal import Portal
from kreslo.connectors.sandboxing import php

PAGE = 50


class Call(msgspec.Struct, frozen=True):
    """`start`: None where it was not sent; -1 asks for no counting."""

    portal: Portal
    user_id: int
    credential: str
    params: dict[str, Any]
    start: int | None = None

    def legacy(self, *names: str) -> Any:
        """A top-level parameter under any of its spellings (`FIELDS`, `fields`, `Fields`, `arFields`)."""
        for name in names:
            for spelling in (name.upper(), name.lower(), name.capitalize(), "ar" + name.capitalize()):
                if spelling in self.params:
                    return self.params[spelling]
        return None

    def array(self, name: str) -> Any:
        """A legacy parameter that must be an array where it is sent at all. Raises RestError."""
        value = self.legacy(name)
        if value is None or value == "":
            return {}
        if not php.is_array(value):
            raise crm_error(f"Parameter '{name}' must be array.")
        return value


class Answer(msgspec.Struct, frozen=True):
    """A method's result with what the server lifts beside it."""

    result: Any
    total: int | None = None
    next: int | None = None


class Method(msgspec.Struct, frozen=True):
    """`name` as it is documented; `scope` "" needs none. `items`: how many cards the parameters ask for, by which its
    cost is counted. `app_only`: a webhook may not call it.
    """

    name: str
    scope: str
    run: Callable[[Call], Any]
    items: Callable[[dict[str, Any]], int] = lambda _: 1
    app_only: bool = False


def paged(rows: list[Any], call: Call, *, legacy: bool) -> tuple[list[Any], int | None, int | None]:
    """A page of 50, the total and the next start. With start=-1 nothing is counted: legacy lists still show a
    `total` without a meaning, the others show none.
    """
    start = call.start or 0
    if start < 0:
        return rows[:PAGE], call.portal.switches.legacy_total_minus_one if legacy else None, None
    begin = start // PAGE * PAGE
    following = begin + PAGE
    return rows[begin:following], len(rows), following if following < len(rows) else None
