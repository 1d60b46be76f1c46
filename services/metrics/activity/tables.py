"""Tables of activity: counters by local day, active days per member and month, answer times."""

import sqlalchemy as sa

from shared.kit.database.tables import (
    SUM_COLUMN_INFO,
    TableRole,
    business_table,
    feature_metadata,
    timestamptz,
)

METADATA = feature_metadata()

DAY_COUNTS = business_table(
    "day_counts",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("what", sa.Text(), primary_key=True),
    sa.Column("n", sa.Integer(), nullable=False, info=SUM_COLUMN_INFO),
    role=TableRole.PROJECTION,
)
PERSON_MONTHS = business_table(
    "person_months",
    METADATA,
    sa.Column("space_id", sa.Uuid(), primary_key=True),
    sa.Column("month", sa.Date(), primary_key=True),
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("mask", sa.Integer(), nullable=False),
    role=TableRole.PROJECTION,
)
HELD_BACK = business_table(
    "held_back",
    METADATA,
    sa.Column("number", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    sa.Column("what", sa.Text(), nullable=False),
    timestamptz("at", nullable=False),
    sa.Column("author", sa.Uuid()),
    sa.Index("ix_held_back_space", "tenant_id", "space_id"),
    role=TableRole.PROJECTION,
)
QUESTIONS = business_table(
    "questions",
    METADATA,
    sa.Column("question_id", sa.Uuid(), primary_key=True),
    sa.Column("space_id", sa.Uuid(), nullable=False),
    timestamptz("asked_at"),
    timestamptz("answered_at"),
    sa.Index("ix_questions_space", "tenant_id", "space_id", "asked_at"),
    role=TableRole.PROJECTION,
)
