"""How far reading has come: an opaque text for the engine, a counter and a place for us."""

import msgspec

from kreslo.connectors.errors import ConfigurationError

_NOT_OURS = (
    "the stored position in the Helix files is not readable: it belongs to another source or another version. "
    "Read the source from the beginning"
)
PARKED = "parked"


class Place(msgspec.Struct, frozen=True):
    """Within a pass: what is being given (a kind of record, or `parked`) and the last id given of it."""

    part: str
    upper: int
    after: str = ""


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`since`: every change up to this counter of the state `store` was given."""

    store: str
    since: int
    place: Place | None = None

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def parse(text: str | None) -> Cursor | None:
    """The cursor that `text` wrote. Raises ConfigurationError for any other text."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Cursor)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigurationError(_NOT_OURS) from error
