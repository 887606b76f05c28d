"""How far reading has come: an opaque text for the engine, two facts for us.

Between passes the cursor holds one mark a dataset; during a pass it also holds the place where the pass stands.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kreslo.connectors.errors import ConfigurationError

_NOT_OURS = (
    "the stored position in iDent is not readable: it belongs to another source or another version. "
    "Read the source from the beginning"
)


class Mark(msgspec.Struct, frozen=True):
    """A dataset has been read whole, and every change up to `since` (the database's clock, naive, as it stood before
    that reading). `top`: the highest whole-number key seen. `shape`: of the queries it was read with; with others it
    is read whole again.
    """

    since: datetime
    top: int | None
    shape: str


class Place(msgspec.Struct, frozen=True):
    """Within a pass: the dataset being read and the last key read of it. `upper`: the clock before the pass."""

    dataset: str
    upper: datetime
    after: int | str | None = None


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    marks: dict[str, Mark] = {}
    place: Place | None = None

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def parse(text: str | None, datasets: Sequence[str]) -> Cursor:
    """The cursor that `text` wrote; its place is in one of `datasets`. Raises ConfigurationError for any other text."""
    if text is None:
        return Cursor()
    try:
        cursor = msgspec.json.decode(text, type=Cursor)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigurationError(_NOT_OURS) from error
    if cursor.place is not None and cursor.place.dataset not in datasets:
        raise ConfigurationError(_NOT_OURS)
    return cursor
