"""What a source may offer beside its contract: a reading so light that it can be done every few seconds."""

from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from typing import Protocol, runtime_checkable

from kreslo.connectors.contract import Batch
from kreslo.records import RecordRef


@runtime_checkable
class Ticking(Protocol):
    """A source whose `read` burdens the MIS more the more there is, and that has a lighter way beside it."""

    change_pass: timedelta
    """A `read` is due so long after the last; between two of them ticks do. Zero: always `read`."""

    def tick(self, cursor: str, watched: Collection[RecordRef]) -> AsyncIterator[Batch]:
        """What is new since `cursor`, and what changed of `watched` (records that may change at any moment), ending
        with a batch that is caught up. Its cost grows with what is new and watched, not with what there is. What it
        does not see, the next `read` from its cursor gives. Raises what `read` raises.
        """
        ...
