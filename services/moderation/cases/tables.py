"""Cases with their flags and entries, decisions, statements, removals. Never a text.

Decisions and reversals are only ever added: the service's role may not change them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

CASES = business_table(
    "cases",
    METADATA,
    sa.Column("case_id", sa.Uuid(), primary_key=True),
    sa.Column("content_id", sa.Uuid(), nullable=False),
    sa.Column("subject", JSONB(), nullable=False),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("because", sa.Text(), nullable=False),
    sa.Column("severity", sa.SmallInteger(), nullable=False),
    timestamptz("opened_at", nullable=False),
    timestamptz("due_at", nullable=False),
    sa.Column("flags", sa.Integer(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("claimed_by", sa.Uuid()),
    timestamptz("claimed_until"),
    sa.Index(
        "uq_cases_open",
        "tenant_id",
        "content_id",
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    ),
    sa.Index(
        "ix_cases_queue",
        "tenant_id",
        "due_at",
        "case_id",
        postgresql_where=sa.text("state = 'open'"),
    ),
    role=TableRole.SYSTEM_OF_RECORD,
)
CASE_FLAGS = business_table(
    "case_flags",
    METADATA,
    sa.Column("case_id", sa.Uuid(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    sa.Column("reason", sa.Text(), nullable=False),
    timestamptz("flagged_at", nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
CASE_ENTRIES = business_table(
    "case_entries",
    METADATA,
    sa.Column("case_id", sa.Uuid(), primary_key=True),
    sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("what", sa.Text(), nullable=False),
    timestamptz("at", nullable=False),
    sa.Column("version", sa.Integer()),
    sa.Column("detail", sa.Text()),
    role=TableRole.SYSTEM_OF_RECORD,
)
REMOVALS = business_table(
    "removals",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    timestamptz("removed_at", nullable=False),
    role=TableRole.PROJECTION,
)
DECISIONS = business_table(
    "decisions",
    METADATA,
    sa.Column("decision_id", sa.Uuid(), primary_key=True),
    sa.Column("content_id", sa.Uuid(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("policy", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("decided_by", sa.Text(), nullable=False),
    sa.Column("moderator_id", sa.Uuid()),
    sa.Column("case_id", sa.Uuid()),
    sa.Column("rules", JSONB(), nullable=False),
    timestamptz("decided_at", nullable=False),
    sa.Index("ix_decisions_content", "tenant_id", "content_id"),
    role=TableRole.SYSTEM_OF_RECORD,
)
REVERSALS = business_table(
    "reversals",
    METADATA,
    sa.Column("decision_id", sa.Uuid(), primary_key=True),
    sa.Column("appeal_id", sa.Uuid(), nullable=False),
    timestamptz("reversed_at", nullable=False),
    role=TableRole.SYSTEM_OF_RECORD,
)
STATEMENTS = business_table(
    "statements",
    METADATA,
    sa.Column("statement_id", sa.Uuid(), primary_key=True),
    sa.Column("decision_id", sa.Uuid(), nullable=False),
    sa.Column("recipient", sa.Uuid(), nullable=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("policy", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("decided_by", sa.Text(), nullable=False),
    timestamptz("issued_at", nullable=False),
    sa.Column("subject", JSONB(), nullable=False),
    sa.Index("ix_statements_recipient", "tenant_id", "recipient", "statement_id"),
    role=TableRole.SYSTEM_OF_RECORD,
)
