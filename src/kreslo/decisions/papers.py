"""Notes and tasks: what a decision writes beside a card, once."""

from datetime import datetime

import msgspec


class NoteWish(msgspec.Struct, frozen=True):
    """Written once: `marker` tells whether it was."""

    marker: str
    text: str


class TaskWish(msgspec.Struct, frozen=True):
    """`with_stage`: it belongs to the stage; where a guard holds the stage back there is no task either."""

    marker: str
    text: str
    due_at: datetime
    user: str = ""
    with_stage: bool = False
