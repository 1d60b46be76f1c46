"""Screenings: verdicts, and the masked text of each version, sealed with the service's key.

One row for each version: a case is decided on the text as it was. Rows of versions that no case,
decision or statement refers to may be deleted after the retention time; see `screened_at`.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

SCREENINGS = business_table(
    "screenings",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("content_hash", sa.Text(), nullable=False),
    sa.Column("verdict", sa.Text(), nullable=False),
    sa.Column("score", sa.Float(), nullable=False),
    sa.Column("degraded", sa.Boolean(), nullable=False),
    sa.Column("rules", JSONB(), nullable=False),
    sa.Column("sealed", sa.LargeBinary(), nullable=False),
    timestamptz("written_at", nullable=False),
    timestamptz("screened_at", nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
HELP_OFFERS = business_table(
    "help_offers",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    # In UTC: one message a day about one content.
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("recipient", sa.Uuid(), nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
