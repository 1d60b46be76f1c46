"""Tables of contents, flags and help messages."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

CONTENTS = business_table(
    "contents",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("root_id", sa.Uuid(), nullable=False),
    sa.Column("parent_id", sa.Uuid()),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("title", sa.Text()),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("format", sa.Text(), nullable=False),
    # Rendered from the body by the rules of this version; see `handlers.rendering`.
    sa.Column("html", sa.Text(), nullable=False),
    sa.Column("html_version", sa.Integer(), nullable=False),
    sa.Column("author_id", sa.Uuid()),
    sa.Column("author_structure", sa.Uuid()),
    sa.Column("author_role", sa.Text()),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("standing", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text()),
    sa.Column("decision_id", sa.Uuid()),
    # Whether a rule or a member made that decision, and which version was judged.
    sa.Column("decided_by", sa.Text()),
    sa.Column("decided_version", sa.Integer()),
    sa.Column("accepted_id", sa.Uuid()),
    timestamptz("created_at", nullable=False),
    timestamptz("edited_at"),
    sa.Index("ix_contents_root", "tenant_id", "root_id"),
    sa.Index("ix_contents_space", "tenant_id", "space_id", "created_at", "content_id"),
    role=TableRole.SYSTEM_OF_RECORD,
)
FLAGS = business_table(
    "flags",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("reason", sa.Text(), nullable=False),
    timestamptz("flagged_at", nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
HELP = business_table(
    "help_words",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    sa.Column("recipient", sa.Uuid(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("words", JSONB(), nullable=False),
    timestamptz("offered_at", nullable=False),
    role=TableRole.PROJECTION,
)
