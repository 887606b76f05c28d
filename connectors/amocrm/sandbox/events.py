"""The account's log of events, GET /api/v4/events."""

from collections.abc import Iterator
from typing import Any

import msgspec


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`entity_type` is in the singular here."""

    id: str
    type: str
    entity_type: str
    entity_id: int
    created_by: int
    created_at: int
    before: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []


class Events:
    def __init__(self) -> None:
        self._all: list[LoggedEvent] = []

    def add(
        self,
        type_: str,
        entity_type: str,
        entity_id: int,
        by: int,
        at: int,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._all.append(
            LoggedEvent(
                id=f"01{len(self._all):024x}",
                type=type_,
                entity_type=entity_type,
                entity_id=entity_id,
                created_by=by,
                created_at=at,
                before=[before] if before else [],
                after=[after] if after else [],
            )
        )

    def latest(self) -> Iterator[LoggedEvent]:
        """The newest first."""
        return reversed(self._all)
