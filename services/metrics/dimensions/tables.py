"""Tables of the dimensions: spaces and enrolments."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

SPACES = business_table(
    "spaces",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("path", sa.ARRAY(sa.Uuid()), nullable=False),
    sa.Column("time_zone", sa.Text(), nullable=False),
    role=TableRole.PROJECTION,
)
ENROLMENTS = business_table(
    "enrolments",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    timestamptz("joined_at"),
    timestamptz("left_at"),
    role=TableRole.PROJECTION,
)
