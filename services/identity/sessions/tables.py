"""Tables of password hashes, sessions and invitations."""

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
    # Number and hash of the valid refresh token, and the times of the latest rotations.
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
    sa.Column("rotations", sa.ARRAY(sa.TIMESTAMP(timezone=True)), nullable=False),
    sa.Column("device", sa.Text(), nullable=False),
    sa.Column("client", sa.Text(), nullable=False),
    # Kept after the end, so that a client with an old token gets the reason.
    sa.Column("ended_because", sa.Text()),
    sa.Index("ix_sessions_member", "tenant_id", "member_id"),
    role=TableRole.SYSTEM_OF_RECORD,
    expires=True,
)
INVITATIONS = business_table(
    "invitations",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    # Counts the member's invitations; only the latest can be valid.
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('open', 'accepted', 'withdrawn')", name="state"),
    role=TableRole.SYSTEM_OF_RECORD,
)
