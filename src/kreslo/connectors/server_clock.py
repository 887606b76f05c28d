"""The clock of a server, as its answers tell it."""

from datetime import UTC, datetime

from kreslo.connectors.seams import Clock


class ServerClock:
    """What the last answer told, carried on by our steady clock, so that nothing comes of our own being set; ours until one
    has told.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: tuple[float, float] | None = None

    def tell(self, theirs: float) -> None:
        """`theirs`: seconds since 1970, of an answer that has just come."""
        self._told = (theirs, self._clock.monotonic())

    def timestamp(self) -> float:
        if self._told is None:
            return self._clock.now().timestamp()
        theirs, at = self._told
        return theirs + self._clock.monotonic() - at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)
