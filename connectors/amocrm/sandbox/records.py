"""Tasks, notes, incoming leads: what hangs on cards."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from connectors.amocrm.sandbox.cards import Kind


class Task(msgspec.Struct, kw_only=True):
    id: int
    text: str
    complete_till: int
    task_type_id: int
    kind: Kind | None
    entity_id: int
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    duration: int = 0
    is_completed: bool = False
    result: str = ""


class Note(msgspec.Struct, kw_only=True):
    id: int
    kind: Kind
    entity_id: int
    note_type: str
    params: dict[str, Any]
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    is_pinned: bool = False


class UnsortedItem(msgspec.Struct, kw_only=True):
    """An incoming lead that nobody has accepted yet. `category`: forms or sip."""

    uid: str
    category: str
    source_uid: str
    source_name: str
    metadata: dict[str, Any]
    pipeline_id: int
    lead_id: int
    contact_ids: list[int]
    created_at: int


T = TypeVar("T", Task, Note)


class Hung(Generic[T]):
    """Tasks or notes, by id and by the card that they hang on."""

    def __init__(self) -> None:
        self._all: dict[int, T] = {}
        self._of: dict[tuple[Kind | None, int], dict[int, T]] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self._all.values())

    def get(self, record_id: int) -> T | None:
        return self._all.get(record_id)

    def put(self, record: T) -> None:
        self._all[record.id] = record
        self._of.setdefault((record.kind, record.entity_id), {})[record.id] = record

    def of(self, kind: Kind | None, card_id: int) -> list[T]:
        return list(self._of.get((kind, card_id), {}).values())

    def move(self, kind: Kind, loser: int, survivor: int) -> None:
        """What hangs on one card hangs on another from now on."""
        for record in self._of.pop((kind, loser), {}).values():
            record.entity_id = survivor
            self.put(record)
