"""Tables of spaces and memberships."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

SPACES = business_table(
    "spaces",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("visibility", sa.Text(), nullable=False),
    sa.Column("joining", sa.Text(), nullable=False),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("path", sa.ARRAY(sa.Uuid()), nullable=False),
    sa.Column("time_zone", sa.Text(), nullable=False),
    timestamptz("opened_at", nullable=False),
    sa.Column("opened_by", sa.Uuid()),
    sa.Index("uq_spaces_name", "tenant_id", "name", unique=True),
    role=TableRole.SYSTEM_OF_RECORD,
)
MEMBERSHIPS = business_table(
    "memberships",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("role", sa.Text(), nullable=False),
    timestamptz("joined_at", nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
