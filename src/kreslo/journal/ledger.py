"""What a commit of plans works on: the journal's rows before it, and the rows to write."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row

from kreslo.connectors.model import StageRef


class CardRow(msgspec.Struct, kw_only=True):
    """A row of `cards` while plans are applied to it, one after the other. `old_key`: it gets another key."""

    key: str
    case_key: str
    role: str
    entity: str
    target_id: str | None = None
    base: bytes | None = None
    claimed_funnel: str | None = None
    claimed_stage: str | None = None
    claimed_lead: str = ""
    gone: bool = False
    closed: bool = False
    overrule: bool = False
    created_at: datetime
    written_at: datetime | None = None
    decided_stage: str = ""


class Book(msgspec.Struct, kw_only=True):
    """What stands in the journal about the cards and cases of the plans, kept true while plans are applied.
    `in_flight`: cards of which nobody knows yet. `held`: cards of which nobody knows whether they were made: a person
    says. `tries`: how often an action that waits for its retry was sent, by card and digest. `parked`: intents by card
    and digest. `done`: occasions and notes written.
    """

    cases: dict[str, Row[Any]]
    cards: dict[str, CardRow]
    by_target: dict[tuple[str, str], str]
    in_flight: set[str]
    tries: dict[tuple[str, str], int]
    parked: dict[str, dict[str, int]]
    held: set[str]
    done: set[str]


class Work(msgspec.Struct):
    """Rows to write at the end, in bulk."""

    cards: dict[str, CardRow] = {}
    removed: list[tuple[str, str]] = []  # old key → new key
    members: list[dict[str, Any]] = []
    membered: dict[tuple[str, str], set[str]] = {}  # (card, kind) → ids
    intents: list[dict[str, Any]] = []
    waits: list[tuple[int, str]] = []  # index of the intent, card key
    superseded_cases: set[str] = set()
    superseded_cards: set[str] = set()
    obsolete: set[int] = set()  # parked intents that are wanted no more
    reviews: list[dict[str, Any]] = []
    overwrites: list[dict[str, Any]] = []
    parked: list[dict[str, Any]] = []
    unparked: set[str] = set()
    decided: list[dict[str, Any]] = []
    fenced: set[str] = set()
    redo: set[str] = set()
    taken: set[tuple[str, str]] = set()
    shared: set[tuple[str, str]] = set()  # (case, contact) that another patient's contact was merged into


FIELD = "field"
"""Kind of what is parked: a field that somebody else rewrites, beside records, cases and intents."""


def field_ref(card: str, code: str) -> str:
    """What a parked field is found by; `field_of` takes it apart."""
    return f"{card}:{code}"


def field_of(ref: str) -> tuple[str, str]:
    """(card, code)."""
    card, _, code = ref.rpartition(":")
    return card, code


def once_key(card: str, marker: str) -> str:
    """What a note or task that was written once is remembered by, "" for anything else."""
    return f"note:{card}:{marker}" if marker else ""


def card_row(row: Row[Any]) -> CardRow:
    return CardRow(**{name: getattr(row, name) for name in CardRow.__struct_fields__})


def stage_text(stage: StageRef | None) -> str:
    return "" if stage is None else f"{stage.funnel}/{stage.stage}"
