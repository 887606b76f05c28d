"""What a source may offer beside its contract: a look at the outside system's own shape, without reading a person."""

from typing import Protocol, runtime_checkable

import msgspec


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the connector's reading touches. `group`: what it is for (a dataset), `place`: a table or a file,
    `name`: a column, "" for the place itself. `type` as the outside system calls it, "" where it is absent. `required`:
    the connector cannot run without it.
    """

    group: str
    place: str
    name: str = ""
    type: str = ""
    present: bool
    required: bool = False


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """`facts`: what is worth knowing of the system as a whole, each a name and a value for a person."""

    facts: tuple[tuple[str, str], ...] = ()
    sights: tuple[Sight, ...] = ()


@runtime_checkable
class Probing(Protocol):
    """A source that can be probed."""

    async def probe(self) -> Probe:
        """Reads names and types only. Raises OutageError, PermissionDeniedError, ConfigurationError."""
        ...
