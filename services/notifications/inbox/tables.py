"""Tables of the inbox: notifications, unavailable contents, counters, alerts and duties."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

NOTIFICATIONS = business_table(
    "notifications",
    METADATA,
    sa.Column("recipient", sa.Uuid(), primary_key=True),
    sa.Column("notification_id", sa.Uuid(), primary_key=True),
    sa.Column("category", sa.Text(), nullable=False),
    sa.Column("cause", sa.Uuid(), nullable=False),
    sa.Column("about", sa.Uuid(), nullable=False),
    timestamptz("happened_at", nullable=False),
    sa.Column("words", JSONB(none_as_null=True)),
    sa.Column("gone", sa.Boolean(), nullable=False),
    timestamptz("read_at"),
    sa.Index("ix_notifications_about", "tenant_id", "about"),
    sa.Index("uq_notifications_cause", "tenant_id", "recipient", "cause", "category", unique=True),
    role=TableRole.PROJECTION,
)
GONE_CONTENTS = business_table(
    "gone_contents",
    METADATA,
    sa.Column("content_id", sa.Uuid(), primary_key=True),
    role=TableRole.PROJECTION,
)
UNREAD = business_table(
    "unread",
    METADATA,
    sa.Column("recipient", sa.Uuid(), primary_key=True),
    sa.Column("n", sa.Integer(), nullable=False),
    role=TableRole.PROJECTION,
)
ALERTS = business_table(
    "told_alerts",
    METADATA,
    sa.Column("alert_id", sa.Uuid(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), nullable=False),
    sa.Column("cause", sa.Uuid(), nullable=False),
    timestamptz("happened_at", nullable=False),
    sa.Index("ix_told_alerts_happened", "tenant_id", "happened_at"),
    role=TableRole.PROJECTION,
)
DUTIES = business_table(
    "duties",
    METADATA,
    sa.Column("member_id", sa.Uuid(), primary_key=True),
    sa.Column("role", sa.Text(), primary_key=True),
    sa.Column("structure_id", sa.Uuid(), primary_key=True),
    # All are event times: an alert goes to the managers on duty when it happened.
    timestamptz("since", primary_key=True),
    timestamptz("until"),
    timestamptz("ended_at"),
    role=TableRole.PROJECTION,
)
