"""A source that may hear of changes. Optional beside the contract; polling stays the truth."""

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable


@runtime_checkable
class Nudging(Protocol):
    def nudges(self) -> AsyncIterator[None]:
        """One for each time that something may have changed: a reason to read now. It may miss any of them, and ends where
        nothing can be heard.
        """
        ...
