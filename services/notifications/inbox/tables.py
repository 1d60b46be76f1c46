"""Notifications, and how many each person has not read."""

import sqlalchemy as sa

from shared.kit.tables import Truth, business_table, feature_metadata, instant

METADATA = feature_metadata()

NOTIFICATIONS = business_table(
    "notifications",
    METADATA,
    sa.Column("recipient", sa.Uuid(), primary_key=True),
    sa.Column("notification_id", sa.Uuid(), primary_key=True),
    sa.Column("category", sa.Text(), nullable=False),
    sa.Column("cause", sa.Uuid(), nullable=False),
    sa.Column("about", sa.Uuid(), nullable=False),
    instant("happened_at", nullable=False),
    instant("read_at"),
    sa.Index("uq_notifications_cause", "tenant_id", "recipient", "cause", "category", unique=True),
    truth=Truth.READ,
)
UNREAD = business_table(
    "unread",
    METADATA,
    sa.Column("recipient", sa.Uuid(), primary_key=True),
    sa.Column("n", sa.Integer(), nullable=False),
    truth=Truth.READ,
)
