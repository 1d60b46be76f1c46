"""The tables of the copy of rights, the same in every service that checks rights."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

MEMBERS = business_table(
    "rights_members",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("minor", sa.Boolean(), nullable=False),
    sa.Column("structure_id", sa.Uuid()),
    sa.Column("known", sa.Boolean(), nullable=False),
    sa.Column("suspended", sa.Boolean(), nullable=False, server_default=sa.false()),
    timestamptz("suspended_until"),
    sa.Column("suspended_because", sa.Text()),
    role=TableRole.PROJECTION,
)
ENDED_SESSIONS = business_table(
    "rights_ended_sessions",
    METADATA,
    sa.Column("session_id", sa.Uuid(), primary_key=True),
    # When the last of its access tokens expires.
    timestamptz("expires_at", nullable=False),
    role=TableRole.PROJECTION,
    expires=True,
)
ROLES = business_table(
    "rights_roles",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("role", sa.Text(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), primary_key=True),
    timestamptz("until"),
    role=TableRole.PROJECTION,
)
STRUCTURES = business_table(
    "rights_structures",
    METADATA,
    sa.Column("structure_id", sa.Uuid(), primary_key=True),
    sa.Column("path", sa.ARRAY(sa.Uuid()), nullable=False),
    sa.Column("time_zone", sa.Text(), nullable=False),
    role=TableRole.PROJECTION,
)
