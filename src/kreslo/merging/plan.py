"""What a merge says is to be sent."""

import msgspec

from kreslo.connectors.model import Action, Value
from kreslo.decisions.case import Base
from kreslo.decisions.desired import CardRef


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One intent before it is journalled. `action.id` and its contacts may not be known yet: `card` (for updates,
    notes and tasks on a card of ours that is not created yet) and `contacts` are resolved when it is sent. `after`:
    the card's base once the CRM has confirmed it. `occasion`: the message occasion that it enters.
    """

    card: str  # key of the card it belongs to
    action: Action
    contacts: tuple[CardRef, ...] | None = None
    after: Base | None = None
    marker: str = ""  # for notes and tasks
    occasion: str = ""


class Overwrite(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a person's that we are about to write over; recorded, never silent."""

    card: str
    field: str
    theirs: Value
    ours: Value


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`need_actual`: the merge cannot say without the card as it is now. `base`: the base to store at once where there
    is nothing to send (or the stage was suppressed). `drift`: differences that are shown, not healed. `suppressed`:
    what a guard held back, in words. `parked_fields`: fields newly given up, somebody else writes them; `released_fields`: given up before, and
    as we wish them by now. `kept`: what
    differs from our wish and is a person's: codes of fields, "stage", "contacts".
    """

    planned: tuple[Planned, ...] = ()
    base: Base | None = None
    need_actual: bool = False
    gone: bool = False
    overwrites: tuple[Overwrite, ...] = ()
    drift: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    parked_fields: tuple[str, ...] = ()
    released_fields: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
