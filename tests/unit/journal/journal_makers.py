"""Records, plans and a small driver for the journal's tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import (
    Action,
    AddNote,
    Card,
    CreateCard,
    Entity,
    Outcome,
    OutcomeKind,
    StageRef,
    UpdateCard,
    Value,
)
from kreslo.decisions.case import Base, Case, Role
from kreslo.decisions.desired import CardRef
from kreslo.journal import BridgeJournal
from kreslo.journal.model import CardState, CasePlan, Conflict, Intent, Priority, Settled, Taken
from kreslo.merging.plan import Planned
from kreslo.records import (
    Appointment,
    Enquiry,
    Entry,
    Patient,
    Phone,
    PhoneKind,
    Record,
    RecordKind,
    RecordRef,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOTHER = "+79001112233"
OTHER = "+79004445566"


def mobile(e164: str) -> Phone:
    return Phone(e164, PhoneKind.MOBILE)


def patient(id_: str = "1", *phones: str, **fields: Any) -> Patient:
    values = {"surname": "Синицына", "name": "Анна"} | fields
    return Patient(id=id_, phones=tuple(map(mobile, phones)), **values)


def visit(
    id_: str = "10", patient_id: str = "1", starts_at: datetime = NOW + DAY, **fields: Any
) -> Appointment:
    return Appointment(id=id_, patient_id=patient_id, starts_at=starts_at, created_at=NOW - HOUR, **fields)


def enquiry(id_: str = "100", *phones: str, **fields: Any) -> Enquiry:
    return Enquiry(id=id_, created_at=NOW - HOUR, phones=tuple(map(mobile, phones)), **fields)


def entry(id_: str = "7", patient_id: str = "1", **fields: Any) -> Entry:
    return Entry(id=id_, patient_id=patient_id, created_at=NOW - HOUR, **({"campaign": "nps"} | fields))


def lead(id_: str, *phones: str, **fields: Any) -> Card:
    return Card(entity=Entity.LEAD, id=id_, phones=tuple(map(mobile, phones)), **fields)


def take(book: BridgeJournal, *records: Record, now: datetime = NOW, **options: Any) -> Taken:
    return book.take(records, **({"cursor": "c", "now": now, "priority": Priority.LIVE} | options))


def settle_all(book: BridgeJournal, now: datetime = NOW) -> None:
    """Decide every due case to nothing, so that what a test marks stands out."""
    book.commit(
        [CasePlan(key=due.key, version=due.version) for due in book.due(now + 365 * DAY, 10_000)], now
    )


def due_keys(book: BridgeJournal, now: datetime = NOW) -> list[str]:
    return sorted(each.key for each in book.due(now, 10_000))


def load(book: BridgeJournal, key: str, now: datetime | None = None) -> Case:
    return book.load([key], now)[key].case


def member(kind: RecordKind, id_: str) -> RecordRef:
    return RecordRef(kind, id_)


CONTACT_KEY = "ident/patient/1"
VISIT_KEY = "ident/appointment/10"


def contact_state(key: str = CONTACT_KEY, **fields: Any) -> CardState:
    return CardState(key=key, role=Role.CONTACT, entity=Entity.CONTACT, **fields)


def visit_state(key: str = VISIT_KEY, **fields: Any) -> CardState:
    return CardState(key=key, role=Role.VISIT, entity=Entity.DEAL, **fields)


def create(card: CardState, fields: dict[str, Value] | None = None, **more: Any) -> Planned:
    action = CreateCard(entity=card.entity, key=card.key, fields=fields or {"TITLE": "x"})
    return Planned(card=card.key, action=action, after=Base(decided=action.fields), **more)


def change(card: CardState, fields: dict[str, Value] | None = None, **more: Any) -> Planned:
    stage = more.pop("stage", None)
    action = UpdateCard(entity=card.entity, id=card.target_id, fields=fields or {"TITLE": "y"}, stage=stage)
    return Planned(card=card.key, action=action, after=Base(decided=action.fields, stage=stage), **more)


def note(card: CardState, marker: str) -> Planned:
    action = AddNote(entity=card.entity, id=card.target_id, marker=marker, text=f"note {marker}")
    return Planned(card=card.key, action=action, marker=marker)


def decide(
    book: BridgeJournal,
    key: str,
    *cards: CardState,
    planned: Sequence[Planned] = (),
    now: datetime = NOW,
    **fields: Any,
) -> list[Conflict]:
    version = fields.pop("version", None) or book.load([key])[key].version
    plan = CasePlan(key=key, version=version, cards=cards, planned=tuple(planned), **fields)
    return book.commit([plan], now)


def begin(book: BridgeJournal, now: datetime = NOW) -> list[Intent]:
    return book.begin(book.sendable(now, 100), now)


def confirmed(intent: Intent, target_id: str = "") -> Outcome:
    return Outcome(intent=intent.id, kind=OutcomeKind.CONFIRMED, target_id=target_id)


def failed(intent: Intent, kind: OutcomeKind, error: ErrorKind | None = None, **more: Any) -> Outcome:
    return Outcome(intent=intent.id, kind=kind, error=error, message="said the CRM", **more)


def settle(book: BridgeJournal, *outcomes: Outcome, now: datetime = NOW) -> Settled:
    return book.settle(outcomes, now, backoff=lambda attempt: 10.0 * attempt, settle_seconds=60)


def send(book: BridgeJournal, **ids: str) -> list[Action]:
    """Send all that can go, round by round, confirming each; `ids` by the last part of the card's key."""
    sent: list[Action] = []
    while intents := begin(book):
        sent += [intent.action for intent in intents]
        settle(
            book,
            *(
                confirmed(intent, ids.get("_" + intent.card.rsplit("/", 1)[-1], f"9{intent.id[-3:]}"))
                for intent in intents
            ),
        )
    return sent


def stage(name: str) -> StageRef:
    return StageRef("1", name)


def refs(*keys: str) -> tuple[CardRef, ...]:
    return tuple(CardRef(key=key) for key in keys)


def replace(record: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(record, **fields)
