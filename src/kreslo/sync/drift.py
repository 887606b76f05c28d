"""What a comparison finds: differences by kind, and what is done about them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from kreslo.connectors.model import AddNote, AddTask, CreateCard, UpdateCard
from kreslo.merging.plan import Merged, Planned
from kreslo.records import RecordKind


class DriftKind(StrEnum):
    MISSING = "missing"  # the journal or the MIS has it, the CRM does not
    EXTRA = "extra"  # the CRM has a card with a key of ours that the journal does not hold
    STAGE = "stage"  # it should stand on another stage, and may be moved there
    FIELD = "field"  # fields, people or notes differ that are ours
    HUMAN = "human-owned"  # it differs by somebody's hand, and that stays


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass over one kind of records came to. `known`: how many of ours were compared; `gone`: confirmed deletions
    that were news; `found`: records that were not known as they are, or came back; `unreadable`: there, but not as records.
    `stopped`: why nothing was done, "" where all was.
    """

    kind: RecordKind
    known: int
    gone: int = 0
    found: int = 0
    unreadable: int = 0
    stopped: str = ""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `card`: its key; `target_id`: its id in the CRM, "" where it has none; `what`: codes of fields,
    "stage", "contacts" and such, never values.
    """

    kind: DriftKind
    card: str
    target_id: str = ""
    what: tuple[str, ...] = ()


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of MIS, journal and CRM. `cards`: how many were compared; `waiting`: cases left out, since they are to be
    decided or sent anyway; `counts`: cards by kind of difference; `moves`: cards that mending touches;
    `healed`: those that were marked to be mended; `stopped`: why nothing was, "" where nothing stood against it.
    `drift`: the first of the differences.
    """

    at: datetime
    mis: list[Reconciled] = []
    cards: int = 0
    waiting: int = 0
    counts: dict[str, int] = {}
    moves: int = 0
    healed: int = 0
    stopped: str = ""
    drift: list[Drift] = []


def drifts(merged: Merged) -> dict[DriftKind, tuple[str, ...]]:
    """The differences of one card by kind, each with what differs."""
    if merged.gone or any(isinstance(each.action, CreateCard) for each in merged.planned):
        return {DriftKind.MISSING: ()}
    found = {
        DriftKind.STAGE: ("stage",) if any(_moves(each) for each in merged.planned) else (),
        DriftKind.FIELD: _unique(
            [*(code for each in merged.planned for code in _fields(each)), *_codes(merged.drift)]
        ),
        DriftKind.HUMAN: _unique([*merged.kept, *merged.parked_fields]),
    }
    return {kind: what for kind, what in found.items() if what}


def _moves(planned: Planned) -> bool:
    return isinstance(planned.action, UpdateCard) and planned.action.stage is not None


def _fields(planned: Planned) -> list[str]:
    """What a planned write changes beside the stage."""
    action = planned.action
    if isinstance(action, AddNote):
        return ["note"]
    if isinstance(action, AddTask):
        return ["task"]
    if not isinstance(action, UpdateCard):
        return []
    more = {"contacts": planned.contacts is not None, "lead": bool(action.lead), "key": bool(action.key)}
    return [*action.fields, *action.multi, *(name for name, there in more.items() if there)]


def _codes(lines: Sequence[str]) -> list[str]:
    """`Merged.drift` names the card before the field."""
    return [line.rpartition(": ")[2] for line in lines]


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
