"""The directory of tenants, which resolves a slug to a tenant id before sign-in."""

import sqlalchemy as sa

from shared.kit.database.tables import TableRole, feature_metadata

METADATA = feature_metadata()

TENANTS = sa.Table(
    "tenants",
    METADATA,
    sa.Column("tenant_id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("slug", sa.Text(), nullable=False, unique=True),
    sa.Column("time_zone", sa.Text(), nullable=False),
    sa.Column("locale", sa.Text(), nullable=False),
    info={"role": TableRole.SYSTEM_OF_RECORD},
)
