"""Tables of reputation: recent flags and alerts."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

FLAGS = business_table(
    "recent_flags",
    METADATA,
    sa.Column("number", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("content_id", sa.Uuid(), nullable=False),
    sa.Column("member_id", sa.Uuid(), nullable=False),
    timestamptz("at", nullable=False),
    sa.Index("ix_recent_flags_space", "tenant_id", "space_id", "at"),
    role=TableRole.PROJECTION,
)
ALERTS = business_table(
    "alerts",
    METADATA,
    sa.Column("alert_id", sa.Uuid(), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    timestamptz("raised_at", nullable=False),
    timestamptz("window_begin", nullable=False),
    timestamptz("window_end", nullable=False),
    sa.Column("observed", sa.Integer(), nullable=False),
    sa.Column("people", sa.Integer(), nullable=False),
    sa.Column("first_content_id", sa.Uuid(), nullable=False),
    sa.Column("most_content_id", sa.Uuid(), nullable=False),
    sa.Column("what", sa.Text(), nullable=False),
    timestamptz("closed_at"),
    role=TableRole.OWN_EVENTS,
)
