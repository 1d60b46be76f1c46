"""The table of structures."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata

METADATA = feature_metadata()

STRUCTURES = business_table(
    "structures",
    METADATA,
    sa.Column("structure_id", sa.Uuid(), primary_key=True),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("time_zone", sa.Text(), nullable=False),
    sa.Column("parent_id", sa.Uuid()),
    sa.Column("path", sa.ARRAY(sa.Uuid()), nullable=False),
    sa.Column("codes", JSONB(), nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
