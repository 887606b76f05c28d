"""The contract of connectors: what a source and a target promise the engine, and how they are found."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec
from pydantic import BaseModel

from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import (
    Catalog,
    Change,
    Entity,
    Event,
    Found,
    Lookup,
    Needed,
    Outcome,
    Problem,
    Value,
)
from kreslo.connectors.seams import Chance, Clock
from kreslo.records import Record, RecordKind, RecordRef

HOOK_SECRET_HEADER = "x-kreslo-hook-secret"  # noqa: S105 - the name of a header
"""Where the service puts the last part of a hook's address, for CRMs that sign nothing; never what a sender wrote."""


class Rejected(msgspec.Struct, frozen=True):
    """A row that could not be read as a record: parked with its reason, the rest goes on."""

    ref: RecordRef
    reason: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Some records and the cursor that stands behind them: reading on from `cursor` never misses a change and may
    give a record again. `caught_up`: the source has nothing newer now. `released`: rows rejected before that are good now
    or came to nothing. `warnings`, in the batch that is caught up: all that stands wrong with the source at this moment
    and does not stop it (a file that is late); one that is no longer among them has ended.
    """

    records: tuple[Record, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    released: tuple[RecordRef, ...] = ()
    warnings: tuple[Problem, ...] = ()
    cursor: str
    caught_up: bool = False


class Source(Protocol):
    """A MIS that is read. Never written to."""

    id: str
    """Stands in external keys (`<id>/appointment/778`); must never change once cards exist."""

    async def check(self) -> list[Problem]:
        """Connect, look at the schema, report what is missing. Raises nothing for what it can report."""
        ...

    def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything that changed since `cursor` (None: everything), ending with a batch that is caught up.
        Raises OutageError, PermissionDeniedError, ConfigurationError.
        """
        ...

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        """These records as they are now; those that do not exist are left out."""
        ...

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        """Ids of all records of the kind that start (appointments) or were created in the window. Complete, or it
        raises: an absent id counts as gone only after `fetch` confirms it.
        """
        ...

    async def close(self) -> None: ...


class Target(Protocol):
    """A CRM that is written to. Limits are kept inside; a create is never retried inside."""

    batch_size: int
    """How many changes one call of `apply` should be given."""

    settle_seconds: float
    """How long after a write without an answer it may still come to be applied and found (request limit and index)."""

    async def check(self) -> list[Problem]: ...

    async def catalog(self) -> Catalog: ...

    async def setup(self, needed: Needed, *, dry_run: bool) -> list[str]:
        """Make (or only list) what is missing; each line says what, for a person."""
        ...

    async def find(self, lookups: Sequence[Lookup]) -> list[Found]:
        """Answers in the order of the lookups. Raises LimitError, OutageError, PermissionDeniedError; a read is retried
        inside as often as is sensible.
        """
        ...

    async def keys(self, entity: Entity, prefix: str) -> dict[str, str]:
        """The external key by id of every card of the entity whose key begins with `prefix`: one walk, not a question a
        card. Complete, or it raises as `find` does: an absent id counts as gone only after `find` confirms it. Empty for
        an entity that the CRM has no cards of.
        """
        ...

    def canonical(self, entity: Entity, code: str, value: Value) -> Value:
        """How the CRM will give this value back, so that its own reformatting is never taken for a human's edit."""
        ...

    async def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Try each change once. One outcome a change, in order; raises nothing for what an outcome can say."""
        ...

    def now(self) -> datetime:
        """The CRM's own time, as its last answer told it, carried on by a steady clock. Every instant that a target is
        asked with or gives is by it: of ours, which may be set at any moment, nothing depends.
        """
        ...

    async def events(self, since: datetime) -> tuple[list[Event], datetime]:
        """What changed since then (polling), and the instant to ask from next time; both by `now`."""
        ...

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        """The events of one hook. Raises PermissionDeniedError on a wrong secret, DataError on a body that is no hook."""
        ...

    async def close(self) -> None: ...


class Seams(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given from outside: time, chance, and the HTTP transport (None: the network)."""

    clock: Clock
    chance: Chance
    transport: httpx.AsyncBaseTransport | None = None


class SampleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a source made of a sample file: a piece of YAML to start from, and what was guessed and why."""

    text: str
    notes: tuple[str, ...]


class SourceConnector(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry point of `kreslo.sources` names. `sandbox`: see `kreslo.sandbox`. `sample`: of a source that reads files:
    a report on one of them (raises DataError). `lists`: by its validated options, of which lists it gives entries
    (`kreslo.records.Entry.campaign`); without it, nobody knows.
    """

    name: str
    title: str
    options: type[BaseModel]
    build: Callable[[Any, Seams], Source]
    sandbox: Any = None
    sample: Callable[[Path], SampleReport] | None = None
    lists: Callable[[Any], frozenset[str]] | None = None


class TargetConnector(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry point of `kreslo.targets` names. `build` takes the validated options. `privacy_note`: a warning
    where the options point outside the country, or None.
    """

    name: str
    title: str
    options: type[BaseModel]
    build: Callable[[Any, Seams], Target]
    privacy_note: Callable[[Any], str | None]
    sandbox: Any = None


def source_connector(name: str) -> SourceConnector:
    """The source of that name. Raises ConfigurationError, naming those that there are."""
    connector = _load("kreslo.sources", name)
    if not isinstance(connector, SourceConnector):
        raise ConfigurationError(f'the entry point of source "{name}" is not a SourceConnector')
    return connector


def target_connector(name: str) -> TargetConnector:
    """The target of that name. Raises ConfigurationError, naming those that there are."""
    connector = _load("kreslo.targets", name)
    if not isinstance(connector, TargetConnector):
        raise ConfigurationError(f'the entry point of target "{name}" is not a TargetConnector')
    return connector


@cache
def _points(group: str) -> EntryPoints:
    """Asked once: each time the files of all installed packages are looked through."""
    return entry_points(group=group)


def connector_names(group: str) -> list[str]:
    """Names of the installed connectors of `kreslo.sources` or `kreslo.targets`."""
    return sorted(point.name for point in _points(group))


def _load(group: str, name: str) -> object:
    for point in _points(group):
        if point.name == name:
            return point.load()
    what = group.removeprefix("kreslo.").removesuffix("s")
    raise ConfigurationError(
        f'no {what} connector "{name}"; installed: {", ".join(connector_names(group)) or "none"}'
    )
