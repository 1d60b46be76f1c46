"""Passwords and sessions, as hashes only."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

CREDENTIALS = business_table(
    "credentials",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("password_hash", sa.Text(), nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
SESSIONS = business_table(
    "sessions",
    METADATA,
    sa.Column("session_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), nullable=False),
    timestamptz("opened_at", nullable=False),
    timestamptz("last_used_at", nullable=False),
    timestamptz("expires_at", nullable=False),
    # Which of its refresh tokens holds, that one's hash, and when the latest ones were changed.
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
    sa.Column("rotations", sa.ARRAY(sa.TIMESTAMP(timezone=True)), nullable=False),
    sa.Column("device", sa.Text(), nullable=False),
    sa.Column("client", sa.Text(), nullable=False),
    # Kept after its end, so that who still holds a token of it learns why.
    sa.Column("ended_because", sa.Text()),
    sa.Index("ix_sessions_member", "tenant_id", "member_id"),
    role=TableRole.SYSTEM_OF_RECORD,
    expires=True,
)
INVITATIONS = business_table(
    "invitations",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    # Counts the member's invitations: only the last one may hold.
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('open', 'accepted', 'withdrawn')", name="state"),
    role=TableRole.SYSTEM_OF_RECORD,
)
