"""The table of members; personal data is stored in this service only."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

MEMBERS = business_table(
    "members",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("display_name", sa.Text(), nullable=False),
    sa.Column("handle", sa.Text(), nullable=False),
    timestamptz("joined_at", nullable=False),
    sa.Column("structure_id", sa.Uuid()),
    sa.Column("email", sa.Text()),
    # The normalised address, for comparison; `email` keeps the member's own spelling.
    sa.Column("email_key", sa.Text()),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("minor", sa.Boolean(), nullable=False),
    sa.Column("suspended", sa.Boolean(), nullable=False),
    timestamptz("suspended_until"),
    sa.Column("suspended_because", sa.Text()),
    sa.Index("uq_members_handle", "tenant_id", "handle", unique=True),
    sa.Index("uq_members_email", "tenant_id", "email_key", unique=True),
    role=TableRole.SYSTEM_OF_RECORD,
)
