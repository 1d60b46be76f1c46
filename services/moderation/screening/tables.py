"""What was screened: verdicts, and the masked text sealed with the service's key."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.tables import Truth, business_table, feature_metadata, instant

METADATA = feature_metadata()

SCREENINGS = business_table(
    "screenings",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("content_hash", sa.Text(), nullable=False),
    sa.Column("verdict", sa.Text(), nullable=False),
    sa.Column("score", sa.Float(), nullable=False),
    sa.Column("rules", JSONB(), nullable=False),
    sa.Column("sealed", sa.LargeBinary(), nullable=False),
    instant("screened_at", nullable=False),
    truth=Truth.OWNED,
)
