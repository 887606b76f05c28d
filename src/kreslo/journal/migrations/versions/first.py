"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As the schema had them when this step was made.
_INSTANT = sa.BigInteger()
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bridges",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridges")),
        sa.UniqueConstraint("name", name=op.f("uq_bridges_name")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "cards",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("base", sa.LargeBinary(), nullable=True),
        sa.Column("claimed_funnel", sa.Text(), nullable=True),
        sa.Column("claimed_stage", sa.Text(), nullable=True),
        sa.Column("claimed_lead", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("overrule", sa.Boolean(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("written_at", _INSTANT, nullable=True),
        sa.Column("decided_stage", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_cards_bridges")),
        sa.PrimaryKeyConstraint("bridge", "key", name=op.f("pk_cards")),
        sa.UniqueConstraint("bridge", "entity", "target_id", name=op.f("uq_cards_bridge_entity_target_id")),
    )
    op.create_index(op.f("ix_cards_bridge_case_key"), "cards", ["bridge", "case_key"], unique=False)
    op.create_table(
        "cases",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("marked", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("decided_at", _INSTANT, nullable=True),
        sa.Column("wake_at", _INSTANT, nullable=True),
        sa.Column("filtered", sa.Integer(), nullable=False),
        sa.Column("trace", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_cases_bridges")),
        sa.PrimaryKeyConstraint("bridge", "key", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_bridge_due_at"), "cases", ["bridge", "due_at"], unique=False)
    op.create_index("ix_cases_due", "cases", ["bridge", "priority", "due_at", "key"], unique=False)
    op.create_table(
        "cursors",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_cursors_bridges")),
        sa.PrimaryKeyConstraint("bridge", "name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "events",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", _INSTANT, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_events_bridges")),
        sa.PrimaryKeyConstraint("bridge", "entity", "id", name=op.f("pk_events")),
    )
    op.create_table(
        "intents",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=True),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=16), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_intents_bridges")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_intents_bridge_card_key_state"), "intents", ["bridge", "card_key", "state"], unique=False
    )
    op.create_index(
        op.f("ix_intents_bridge_case_key_state"), "intents", ["bridge", "case_key", "state"], unique=False
    )
    op.create_index(
        op.f("ix_intents_bridge_state_priority_id"),
        "intents",
        ["bridge", "state", "priority", "id"],
        unique=False,
    )
    op.create_table(
        "look_again",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_look_again_bridges")),
        sa.PrimaryKeyConstraint("bridge", "case_key", "what", name=op.f("pk_look_again")),
    )
    op.create_table(
        "names",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_names_bridges")),
        sa.PrimaryKeyConstraint("bridge", "patient_id", "token", name=op.f("pk_names")),
    )
    op.create_index(op.f("ix_names_bridge_token"), "names", ["bridge", "token"], unique=False)
    op.create_table(
        "observed",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_observed_bridges")),
        sa.PrimaryKeyConstraint("bridge", "entity", "id", name=op.f("pk_observed")),
    )
    op.create_table(
        "occasions",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_occasions_bridges")),
        sa.PrimaryKeyConstraint("bridge", "occasion", name=op.f("pk_occasions")),
    )
    op.create_index(op.f("ix_occasions_bridge_case_key"), "occasions", ["bridge", "case_key"], unique=False)
    op.create_table(
        "overwrites",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_overwrites_bridges")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overwrites")),
    )
    op.create_index(op.f("ix_overwrites_bridge_case_key"), "overwrites", ["bridge", "case_key"], unique=False)
    op.create_table(
        "parked",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("fix", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_parked_bridges")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked")),
        sa.UniqueConstraint("bridge", "kind", "ref", name=op.f("uq_parked_bridge_kind_ref")),
    )
    op.create_table(
        "phones",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("links", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_phones_bridges")),
        sa.PrimaryKeyConstraint("bridge", "kind", "id", "phone", name=op.f("pk_phones")),
    )
    op.create_index(op.f("ix_phones_bridge_last4"), "phones", ["bridge", "last4"], unique=False)
    op.create_index(op.f("ix_phones_bridge_phone"), "phones", ["bridge", "phone"], unique=False)
    op.create_table(
        "records",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("kin", sa.String(length=32), nullable=False),
        sa.Column("unseen", sa.Boolean(), nullable=False),
        sa.Column("gone_at", _INSTANT, nullable=True),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_records_bridges")),
        sa.PrimaryKeyConstraint("bridge", "kind", "id", name=op.f("pk_records")),
    )
    op.create_index(op.f("ix_records_bridge_case_key"), "records", ["bridge", "case_key"], unique=False)
    op.create_index(op.f("ix_records_bridge_kind_at"), "records", ["bridge", "kind", "at"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("intent", _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("error", sa.String(length=16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_attempts_bridges")),
        sa.ForeignKeyConstraint(
            ["intent"], ["intents.id"], name=op.f("fk_attempts_intents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_bridge_at"), "attempts", ["bridge", "at"], unique=False)
    op.create_index(op.f("ix_attempts_intent"), "attempts", ["intent"], unique=False)
    op.create_table(
        "members",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bridge", "card_key"],
            ["cards.bridge", "cards.key"],
            name=op.f("fk_members_cards"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_members_bridges")),
        sa.PrimaryKeyConstraint("bridge", "card_key", "kind", "id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_bridge_kind_id"), "members", ["bridge", "kind", "id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("question", sa.String(length=32), nullable=False),
        sa.Column("intent", _NUMBER, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("choice", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("answered_at", _INSTANT, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_reviews_bridges")),
        sa.ForeignKeyConstraint(
            ["intent"], ["intents.id"], name=op.f("fk_reviews_intents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("bridge", "question", name=op.f("uq_reviews_bridge_question")),
    )
    op.create_index(op.f("ix_reviews_bridge_case_key"), "reviews", ["bridge", "case_key"], unique=False)
    op.create_index(op.f("ix_reviews_bridge_state"), "reviews", ["bridge", "state"], unique=False)
    op.create_table(
        "waits",
        sa.Column("intent", _NUMBER, nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["intent"], ["intents.id"], name=op.f("fk_waits_intents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("intent", "card_key", name=op.f("pk_waits")),
    )
    op.create_index(op.f("ix_waits_card_key"), "waits", ["card_key"], unique=False)
    # ### end Alembic commands ###
