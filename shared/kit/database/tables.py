"""The frame's own tables, the same in every service's database, and the policy of all others.

Outbox, inbox, positions, sequences, heads, parked, halts and jobs belong to the frame: they hold
many tenants and have no row policy. Everything else is a business table: `business_table` starts
its primary key with `tenant_id`, and `protect` puts it under row-level security.
"""

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

TENANT_ROW_POLICY = (
    "tenant_id = ANY ((SELECT string_to_array("
    "NULLIF(current_setting('app.tenants', true), ''), ',')::uuid[])::uuid[])"
)
"""The row policy: the tenants that this transaction was opened for, and none if it names none.

The SELECT makes PostgreSQL read the setting once a statement instead of once a row.
"""


SUM_COLUMN_INFO: dict[str, bool] = {"sum": True}
"""`info` of a column that every fact adds to: applied from a later moment on, it lacks the rest."""


class TableRole(StrEnum):
    """Where the truth of a table stands, and so whether a replay of the log can rebuild it."""

    PROJECTION = "read"
    """In the facts that this service reads: the table is a read model of theirs."""
    OWN_EVENTS = "told"
    """In the facts that this service told of its own decisions: what was decided is not again."""
    SYSTEM_OF_RECORD = "owned"
    """Here: this service's facts are made from it, never it from facts."""


def table_role(table: sa.Table) -> TableRole | None:
    """Return where a table's truth stands; None when nobody declared it (a test forbids that)."""
    found: TableRole | None = table.info.get("truth")
    return found


def feature_metadata() -> sa.MetaData:
    """Start the MetaData of one feature's tables."""
    return sa.MetaData(naming_convention=NAMING_CONVENTION)


def frame_metadata() -> sa.MetaData:
    """Declare the tables that the frame needs in every service's database."""
    metadata = feature_metadata()
    _travel_tables(metadata)
    _reading_tables(metadata)
    _waiting_tables(metadata)
    _request_tables(metadata)
    _audit_tables(metadata)
    return metadata


def timestamptz(name: str, **options: Any) -> sa.Column[Any]:
    """A column that holds a moment with its zone."""
    return sa.Column(name, sa.TIMESTAMP(timezone=True), **options)


def business_table(
    name: str,
    metadata: sa.MetaData,
    *columns: Any,
    role: TableRole,
    expires: bool = False,
    **options: Any,
) -> sa.Table:
    """Declare a table of one tenant's rows; `columns` come after `tenant_id`, which is in its key.

    The columns that are `primary_key=True` complete the key; one made by `Identity` is no meaning
    of a row, only a number for it. A table that `expires` has a column `expires_at`: upkeep removes
    its rows after that moment, and a replay does not compare them.
    """
    tenant = sa.Column("tenant_id", sa.Uuid(), primary_key=True)
    info = {"business": True, "truth": role, "expires": expires}
    if expires:
        columns = (*columns, sa.Index(f"ix_{name}_expires_at", "expires_at"))
    return sa.Table(name, metadata, tenant, *columns, info=info, **options)


def business_tables(metadata: sa.MetaData) -> list[sa.Table]:
    """Those that row-level security must cover."""
    return [table for table in metadata.sorted_tables if table.info.get("business")]


def has_expiry(table: sa.Table) -> bool:
    """Return whether the rows of this table are removed after their `expires_at`."""
    return bool(table.info.get("expires"))


def _travel_tables(metadata: sa.MetaData) -> None:
    sa.Table(
        "heads",
        metadata,
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    )
    sa.Table(
        "outbox",
        metadata,
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        timestamptz("recorded", nullable=False),
        sa.Index("ix_outbox_shard_position", "shard", "position"),
    )


def _reading_tables(metadata: sa.MetaData) -> None:
    sa.Table(
        "inbox",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        sa.Column("event_id", sa.Uuid(), primary_key=True),
        postgresql_partition_by="RANGE (event_id)",
    )
    sa.Table(
        "positions",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
            for name in ("applied", "ignored", "duplicate")
        ),
        # Starts of the reader since the group last moved here; and the record that it tries alone.
        sa.Column("starts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tried", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        # The group read it from its very first record, and kept sequences from there on.
        sa.Column("whole", sa.Boolean(), nullable=False, server_default="false"),
    )
    sa.Table(
        "sequences",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    )


def _waiting_tables(metadata: sa.MetaData) -> None:
    _parked_table(metadata)
    sa.Table(
        "halts",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        # Since when the group is stopped, why, and the record that must go well for it to go on.
        timestamptz("since"),
        sa.Column("cause", sa.Text()),
        sa.Column("topic", sa.Text()),
        sa.Column("partition", sa.Integer()),
        sa.Column("offset", sa.BigInteger()),
        # The latest failures, and what had been applied when the last of them was noted.
        sa.Column("recent", pg.JSONB(), nullable=False, server_default="[]"),
        sa.Column("applied", sa.BigInteger(), nullable=False, server_default="0"),
        # When it last went on after it was stopped: what failed before that is judged anew.
        timestamptz("lifted"),
        # What an operator accepted.
        sa.Column("accept_failures", sa.Integer(), nullable=False, server_default="0"),
        timestamptz("accept_until"),
    )
    sa.Table(
        "jobs",
        metadata,
        sa.Column("name", sa.Text(), primary_key=True),
        timestamptz("due", nullable=False),
        timestamptz("leased_until"),
        sa.Column("leased_by", sa.Text()),
        sa.Column("last_error", sa.Text()),
    )


def _parked_table(metadata: sa.MetaData) -> None:
    held, dead = sa.text("state IN ('parked', 'dead')"), sa.text("state = 'dead'")
    parked = sa.text("state = 'parked'")
    place = ("topic", "partition", "offset")
    sa.Table(
        "parked",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True),
        sa.Column("offset", sa.BigInteger(), primary_key=True),
        *(sa.Column(name, sa.Text()) for name in ("key", "type", "traceparent")),
        sa.Column("event_id", sa.Uuid()),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("record_key", sa.LargeBinary()),
        sa.Column("record_value", sa.LargeBinary()),
        sa.Column("record_headers", sa.LargeBinary()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        # Attempts that began since the last one that came to an end.
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        timestamptz("next_try"),
        timestamptz("first_failed", nullable=False),
        # When it last counted towards the limit at which its group stops.
        timestamptz("counted"),
        # Why; the same without its ids and values, to count by; and where in the code.
        *(sa.Column(name, sa.Text()) for name in ("cause", "pattern", "stack")),
        # The last decision of an operator.
        *(sa.Column(name, sa.Text()) for name in ("decision", "reason")),
        sa.Column("decided_by", sa.Uuid()),
        timestamptz("decided_at"),
        sa.CheckConstraint("state IN ('parked', 'dead', 'skipped')", name="state"),
        # The oldest of each key, without what was skipped for good; what is due, and what waits
        # behind another (it has no next try); the dead ones, page by page.
        sa.Index(
            "ix_parked_held", "consumer_group", "key", "topic", "offset", postgresql_where=held
        ),
        sa.Index("ix_parked_due", "consumer_group", "next_try", *place, postgresql_where=parked),
        sa.Index("ix_parked_dead", "consumer_group", "first_failed", *place, postgresql_where=dead),
    )


def _request_tables(metadata: sa.MetaData) -> None:
    business_table(
        "idempotency",
        metadata,
        sa.Column("member_id", sa.Uuid(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("content_type", sa.Text()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        timestamptz("created_at", nullable=False),
        timestamptz(
            "expires_at", nullable=False, server_default=sa.text("now() + interval '1 day'")
        ),
        # Whether the answer held a secret, which is not kept: `body` is what else it said.
        sa.Column("withheld", sa.Boolean(), nullable=False, server_default=sa.false()),
        role=TableRole.SYSTEM_OF_RECORD,
        expires=True,
    )


def _audit_tables(metadata: sa.MetaData) -> None:
    business_table(
        "audit",
        metadata,
        sa.Column("member_id", sa.Uuid(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        timestamptz("at", nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("details", pg.JSONB(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        # Which transaction wrote it: rows of one that is over are all there (see audit/heads.py).
        sa.Column(
            "transaction",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
        ),
        sa.Index("ix_audit_transaction", "transaction", postgresql_using="brin"),
        role=TableRole.SYSTEM_OF_RECORD,
    )
    sa.Table(
        "audit_progress",
        metadata,
        # One row: up to which transaction the chains' ends were published.
        sa.Column("one", sa.Boolean(), sa.CheckConstraint("one", name="one"), primary_key=True),
        sa.Column("next_transaction", sa.BigInteger(), nullable=False),
    )
