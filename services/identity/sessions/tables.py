"""Passwords and sessions, as hashes only."""

import sqlalchemy as sa

from shared.kit.tables import Truth, business_table, feature_metadata, instant

METADATA = feature_metadata()

CREDENTIALS = business_table(
    "credentials",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("password_hash", sa.Text(), nullable=False),
    truth=Truth.OWNED,
)
SESSIONS = business_table(
    "sessions",
    METADATA,
    sa.Column("session_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), nullable=False),
    sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
    instant("expires_at", nullable=False),
    # Kept after its end for as long as one of its access tokens could hold.
    sa.Column("ended_because", sa.Text()),
    truth=Truth.OWNED,
    expires=True,
)
