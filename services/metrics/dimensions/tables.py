"""Spaces with their zone and structure, and who is enrolled in them."""

import sqlalchemy as sa

from shared.kit.database.tables import Truth, business_table, feature_metadata, instant

METADATA = feature_metadata()

SPACES = business_table(
    "spaces",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("path", sa.ARRAY(sa.Uuid()), nullable=False),
    sa.Column("time_zone", sa.Text(), nullable=False),
    truth=Truth.READ,
)
ENROLMENTS = business_table(
    "enrolments",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    instant("joined_at"),
    instant("left_at"),
    truth=Truth.READ,
)
