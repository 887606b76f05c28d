"""What a side may offer beside its contract: what a person should know before anything is wrong."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Noticing(Protocol):
    """A target with dates of its own, such as a token's end."""

    def notices(self) -> list[str]:
        """Texts for clinic staff that hold at this moment; empty: nothing to say. Called in every turn of the bridge:
        it asks nothing of the CRM and raises nothing.
        """
        ...


@runtime_checkable
class Working(Protocol):
    """A source whose reading may take minutes before it gives the first record."""

    def doing(self) -> str:
        """What it is at now, for clinic staff (the file, how many rows of it); empty between readings. Asked at any time:
        it waits for nothing and raises nothing.
        """
        ...
