"""The table of roles in structures."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

ROLES = business_table(
    "roles",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("role", sa.Text(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), primary_key=True),
    timestamptz("until"),
    role=TableRole.SYSTEM_OF_RECORD,
)
