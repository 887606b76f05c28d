"""The tables of the journal. A change here needs a migration in `migrations/versions`; a test compares the two.

Sealed columns are AES-GCM (`crypto.Box`); tokens and digests are HMACs. Ids of the MIS and of the CRM, instants and
states stand in plain, names, phones and contents do not. Instants are whole microseconds since 1970 in UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970: the same order and no time zones in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - _EPOCH) // _TICK

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite numbers rows by itself only for INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")
Token = String(32)
Word = String(16)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _bridge() -> "Column[int]":
    return Column("bridge", Integer, ForeignKey("bridges.id"), primary_key=True)


def _owner() -> "Column[int]":
    return Column("bridge", Integer, ForeignKey("bridges.id"), nullable=False)


def _serial() -> "Column[int]":
    return Column("id", Number, primary_key=True, autoincrement=True)


meta = Table(
    "meta", metadata, Column("name", Word, primary_key=True), Column("value", LargeBinary, nullable=False)
)

bridges = Table(
    "bridges",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("source_id", Text, nullable=False),
)

# `name`: "source", "events", "mapping", or `flag:<name>`.
cursors = Table(
    "cursors",
    metadata,
    _bridge(),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# `at`: start of an appointment, creation of an enquiry. `kin`: digest of what ties a patient to a family.
records = Table(
    "records",
    metadata,
    _bridge(),
    Column("kind", Word, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("case_key", Text, nullable=False),
    Column("at", Instant),
    Column("digest", Token, nullable=False),
    Column("kin", Token, nullable=False),
    Column("unseen", Boolean, nullable=False),
    Column("gone_at", Instant),
    Column("seen_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "bridge", "case_key"),
    Index(None, "bridge", "kind", "at"),
)

# `kind`: of a record (patient, enquiry) or of a card that is observed (lead, deal, contact). `links`: whether the number
# ties people together; a toll-free one does not.
phones = Table(
    "phones",
    metadata,
    _bridge(),
    Column("kind", Word, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("phone", Token, primary_key=True),
    Column("last4", String(4), nullable=False),
    Column("links", Boolean, nullable=False),
    Index(None, "bridge", "phone"),
    Index(None, "bridge", "last4"),
)

# Name keys and card numbers of patients.
names = Table(
    "names",
    metadata,
    _bridge(),
    Column("patient_id", Text, primary_key=True),
    Column("token", Token, primary_key=True),
    Index(None, "bridge", "token"),
)

observed = Table(
    "observed",
    metadata,
    _bridge(),
    Column("entity", Word, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("digest", Token, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# `version` goes up with each mark; a decision older than `fence` is not committed. `due_at`: a mark or the clock's wake;
# `marked` tells which. `phone`: of a phone case.
cases = Table(
    "cases",
    metadata,
    _bridge(),
    Column("key", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("due_at", Instant),
    Column("marked", Boolean, nullable=False),
    Column("priority", Word, nullable=False),
    Column("why", Text, nullable=False),
    Column("phone", LargeBinary),
    Column("decided_at", Instant),
    Column("wake_at", Instant),
    Column("filtered", Integer, nullable=False),
    Column("trace", LargeBinary),
    Index("ix_cases_due", "bridge", "priority", "due_at", "key"),
    Index(None, "bridge", "due_at"),
)

look_again = Table(
    "look_again",
    metadata,
    _bridge(),
    Column("case_key", Text, primary_key=True),
    Column("what", Text, primary_key=True),
)

# Links and base. `target_id` is NULL until the card is made.
cards = Table(
    "cards",
    metadata,
    _bridge(),
    Column("key", Text, primary_key=True),
    Column("case_key", Text, nullable=False),
    Column("role", Word, nullable=False),
    Column("entity", Word, nullable=False),
    Column("target_id", Text),
    Column("base", LargeBinary),
    Column("claimed_funnel", Text),
    Column("claimed_stage", Text),
    Column("claimed_lead", Text, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("overrule", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("written_at", Instant),
    # Where we last wanted it, `funnel/stage`, to be counted without opening every base.
    Column("decided_stage", Text, nullable=False),
    UniqueConstraint("bridge", "entity", "target_id"),
    Index(None, "bridge", "case_key"),
)

members = Table(
    "members",
    metadata,
    _bridge(),
    Column("card_key", Text, primary_key=True),
    Column("kind", Word, primary_key=True),
    Column("id", Text, primary_key=True),
    ForeignKeyConstraint(["bridge", "card_key"], ["cards.bridge", "cards.key"], ondelete="CASCADE"),
    Index(None, "bridge", "kind", "id"),
)

# `digest`: what makes two actions the same. `creates`: it makes the card, so it needs no target id.
intents = Table(
    "intents",
    metadata,
    _serial(),
    _owner(),
    Column("case_key", Text, nullable=False),
    Column("card_key", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("priority", Word, nullable=False),
    Column("creates", Boolean, nullable=False),
    Column("digest", Token, nullable=False),
    Column("marker", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("settled_at", Instant),
    Column("due_at", Instant),
    Column("attempt", Integer, nullable=False),
    Column("error", Word, nullable=False),
    Column("message", LargeBinary),
    Column("body", LargeBinary, nullable=False),
    Index(None, "bridge", "state", "priority", "id"),
    Index(None, "bridge", "card_key", "state"),
    Index(None, "bridge", "case_key", "state"),
    sqlite_autoincrement=True,
)

# The cards whose ids an intent needs before it can be sent.
waits = Table(
    "waits",
    metadata,
    Column("intent", Number, ForeignKey("intents.id", ondelete="CASCADE"), primary_key=True),
    Column("card_key", Text, primary_key=True),
    Column("case_key", Text, nullable=False),
    Index(None, "card_key"),
)

attempts = Table(
    "attempts",
    metadata,
    _serial(),
    _owner(),
    Column("intent", Number, ForeignKey("intents.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", Word, nullable=False),
    Column("error", Word, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "intent"),
    Index(None, "bridge", "at"),
)

# Message occasions entered, and notes written (`note:<card>:<marker>`): never twice.
occasions = Table(
    "occasions",
    metadata,
    _bridge(),
    Column("occasion", Text, primary_key=True),
    Column("case_key", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "bridge", "case_key"),
)

# The inbox of webhooks, one row a card.
events = Table(
    "events",
    metadata,
    _bridge(),
    Column("entity", Word, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("at", Instant),
    Column("by", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
)

# `intent`: set where delivery asks, not a decision. `state`: open, answered, withdrawn.
reviews = Table(
    "reviews",
    metadata,
    _serial(),
    _owner(),
    Column("case_key", Text, nullable=False),
    Column("question", Token, nullable=False),
    Column("intent", Number, ForeignKey("intents.id", ondelete="CASCADE")),
    Column("state", Word, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("choice", Word, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("answered_at", Instant),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("bridge", "question"),
    Index(None, "bridge", "case_key"),
    Index(None, "bridge", "state"),
)

# `kind` record, intent, case or field; `ref`: `<kind>/<id>` of the record, the intent's number, the case's key,
# `<card>:<code>` of the field.
parked = Table(
    "parked",
    metadata,
    _serial(),
    _owner(),
    Column("kind", Word, nullable=False),
    Column("ref", Text, nullable=False),
    Column("case_key", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", LargeBinary, nullable=False),
    UniqueConstraint("bridge", "kind", "ref"),
)

overwrites = Table(
    "overwrites",
    metadata,
    _serial(),
    _owner(),
    Column("case_key", Text, nullable=False),
    Column("card_key", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "bridge", "case_key"),
)

# What iDent is served; `body` is empty once the patient is forgotten, so that the card does not become a ticket again.
tickets = Table(
    "tickets",
    metadata,
    _bridge(),
    Column("entity", Word, primary_key=True),
    Column("card", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("phone", Token, nullable=False),
    Column("body", LargeBinary),
    Index(None, "bridge", "at"),
    Index(None, "bridge", "phone"),
)

# What iDent posted last, the whole horizon in one piece.
timetable = Table(
    "timetable",
    metadata,
    _bridge(),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
