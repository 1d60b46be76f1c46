"""Flags as they came, and alerts."""

import sqlalchemy as sa

from shared.kit.database.tables import Truth, business_table, feature_metadata, instant

METADATA = feature_metadata()

FLAGS = business_table(
    "recent_flags",
    METADATA,
    sa.Column("number", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("content_id", sa.Uuid(), nullable=False),
    sa.Column("member_id", sa.Uuid(), nullable=False),
    instant("at", nullable=False),
    sa.Index("ix_recent_flags_space", "tenant_id", "space_id", "at"),
    truth=Truth.READ,
)
ALERTS = business_table(
    "alerts",
    METADATA,
    sa.Column("alert_id", sa.Uuid(), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    instant("raised_at", nullable=False),
    instant("window_begin", nullable=False),
    instant("window_end", nullable=False),
    sa.Column("observed", sa.Integer(), nullable=False),
    sa.Column("people", sa.Integer(), nullable=False),
    sa.Column("first_content_id", sa.Uuid(), nullable=False),
    sa.Column("most_content_id", sa.Uuid(), nullable=False),
    sa.Column("what", sa.Text(), nullable=False),
    instant("closed_at"),
    truth=Truth.TOLD,
)
