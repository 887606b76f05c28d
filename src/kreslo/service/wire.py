"""What people see of questions, parked items and cases: the shapes of the API, which the commands print too.

The candidates of a question keep their names and phones, since a person must tell them apart; every other text is
scrubbed of what looks like a phone or a secret.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kreslo.connectors.errors import DataError
from kreslo.journal.model import Explained, ParkedItem, ReviewItem
from kreslo.records.phones import parse_phones, phone_key
from kreslo.service.masking import scrub
from kreslo.sync.drift import Compared


class CandidateShown(msgspec.Struct, frozen=True, kw_only=True):
    """A card that may be meant. `evidence`: its phones and birth date."""

    target_id: str
    name: str
    evidence: str


class ReviewShown(msgspec.Struct, frozen=True, kw_only=True):
    """A question. `rule`: what made it one. `choice`, `target_id`: the answer, "" while it is open."""

    id: int
    case: str
    rule: str
    text: str
    asked_at: datetime
    candidates: tuple[CandidateShown, ...] = ()
    choice: str = ""
    target_id: str = ""


class ParkedShown(msgspec.Struct, frozen=True, kw_only=True):
    """See kreslo.journal.model.ParkedItem."""

    id: int
    case: str
    about: str
    reason: str
    fix: str
    at: datetime


class CaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """See kreslo.journal.model.Explained."""

    case: str
    decided_at: datetime | None
    wake_at: datetime | None
    due_at: datetime | None
    why: str
    rules: tuple[str, ...]
    drift: tuple[str, ...]
    filtered: dict[str, str]


class Reviews(msgspec.Struct, frozen=True):
    reviews: list[ReviewShown]


class Parked(msgspec.Struct, frozen=True):
    parked: list[ParkedShown]


class Cases(msgspec.Struct, frozen=True):
    """Keys of cases. They hold no name and no phone."""

    cases: list[str]


def reviews_shown(items: Sequence[ReviewItem]) -> Reviews:
    return Reviews([_review(item) for item in items])


def parked_shown(items: Sequence[ParkedItem]) -> Parked:
    return Parked(
        [
            ParkedShown(
                id=item.id,
                case=item.case,
                about=item.about,
                reason=scrub(item.reason),
                fix=scrub(item.fix),
                at=item.at,
            )
            for item in items
        ]
    )


def compared_shown(compared: Compared) -> Compared:
    return msgspec.structs.replace(compared, stopped=scrub(compared.stopped))


def case_shown(said: Explained) -> CaseShown:
    return CaseShown(
        case=said.case,
        decided_at=said.decided_at,
        wake_at=said.wake_at,
        due_at=said.due_at,
        why=said.why,
        rules=tuple(scrub(line) for line in said.rules),
        drift=tuple(scrub(line) for line in said.drift),
        filtered={key: scrub(reason) for key, reason in said.filtered.items()},
    )


def typed_phone(text: str) -> str:
    """What was typed as E.164, "" for nothing. Raises DataError where it is no phone."""
    if not text.strip():
        return ""
    phones = parse_phones(text)
    if not phones:
        raise DataError("this is no phone number; write all its digits, with the area code")
    return phone_key(phones) or phones[0].e164


def _review(item: ReviewItem) -> ReviewShown:
    return ReviewShown(
        id=item.id,
        case=item.case,
        rule=item.wish.rule,
        text=scrub(item.wish.text),
        asked_at=item.asked_at,
        candidates=tuple(
            CandidateShown(target_id=each.target_id, name=each.name, evidence=each.evidence)
            for each in item.wish.candidates
        ),
        choice=item.choice,
        target_id=item.target_id,
    )
