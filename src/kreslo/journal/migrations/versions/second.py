"""Tickets for iDent, and its timetable."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As the schema had it when this step was made.
_INSTANT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_tickets_bridges")),
        sa.PrimaryKeyConstraint("bridge", "entity", "card", name=op.f("pk_tickets")),
    )
    op.create_index(op.f("ix_tickets_bridge_at"), "tickets", ["bridge", "at"], unique=False)
    op.create_index(op.f("ix_tickets_bridge_phone"), "tickets", ["bridge", "phone"], unique=False)
    op.create_table(
        "timetable",
        sa.Column("bridge", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["bridges.id"], name=op.f("fk_timetable_bridges")),
        sa.PrimaryKeyConstraint("bridge", name=op.f("pk_timetable")),
    )
