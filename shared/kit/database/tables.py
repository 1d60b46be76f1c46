"""The kit's tables, the same in every service's database, and the row policy of business tables.

Outbox, inbox, positions, sequences, heads, parked, halts and jobs belong to the kit: they hold
rows of all tenants and have no row policy. All other tables are business tables: `business_table`
starts their primary key with `tenant_id`, and `migrations.enable_row_security` protects them.
"""

from collections.abc import Iterator
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
"""The row policy: rows of the tenants in the transaction's setting `app.tenants`, by default none.

The SELECT makes PostgreSQL read the setting once per statement instead of once per row.
"""


SUM_COLUMN_INFO: dict[str, bool] = {"sum": True}
"""`info` of a column that sums over all facts.

A replay that starts at a later offset has a smaller sum, so it does not compare the column.
"""


class TableRole(StrEnum):
    """The source of a table's rows, and so whether a replay of the log can rebuild them."""

    PROJECTION = "read"
    """A read model of the facts that this service consumes: a replay can rebuild it."""
    OWN_EVENTS = "told"
    """Decisions that this service published as its own facts: a replay does not take them again."""
    SYSTEM_OF_RECORD = "owned"
    """The table is the source of this service's facts: a replay cannot rebuild it."""


def table_role(table: sa.Table) -> TableRole | None:
    """Return a table's role; None when it is not declared (a test forbids that)."""
    role: TableRole | None = table.info.get("role")
    return role


def feature_metadata() -> sa.MetaData:
    """Return an empty MetaData for the tables of one feature."""
    return sa.MetaData(naming_convention=NAMING_CONVENTION)


def frame_metadata() -> sa.MetaData:
    """Declare the tables of the kit, which every service's database has."""
    metadata = feature_metadata()
    _outbox_tables(metadata)
    _inbox_tables(metadata)
    _retry_tables(metadata)
    _idempotency_tables(metadata)
    _audit_tables(metadata)
    return metadata


def timestamptz(name: str, **options: Any) -> sa.Column[Any]:
    """Declare a column of type `timestamptz`."""
    return sa.Column(name, sa.TIMESTAMP(timezone=True), **options)


def business_table(
    name: str,
    metadata: sa.MetaData,
    *columns: Any,
    role: TableRole,
    expires: bool = False,
    **options: Any,
) -> sa.Table:
    """Declare a business table: `tenant_id`, the first column of its key, then `columns`.

    Columns with `primary_key=True` complete the key; an `Identity` column in it is only a row
    number, so a replay does not compare it. A table that `expires` has a column `expires_at`:
    the maintenance job removes its rows after that time, and a replay does not compare them.
    """
    tenant = sa.Column("tenant_id", sa.Uuid(), primary_key=True)
    info = {"business": True, "role": role, "expires": expires}
    if expires:
        columns = (*columns, sa.Index(f"ix_{name}_expires_at", "expires_at"))
    return sa.Table(name, metadata, tenant, *columns, info=info, **options)


def business_tables(metadata: sa.MetaData) -> list[sa.Table]:
    """Return the tables that need row-level security."""
    return [table for table in metadata.sorted_tables if table.info.get("business")]


def has_expiry(table: sa.Table) -> bool:
    """Return whether the rows of this table are removed after their `expires_at`."""
    return bool(table.info.get("expires"))


def _outbox_tables(metadata: sa.MetaData) -> None:
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


def _inbox_tables(metadata: sa.MetaData) -> None:
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
        # Starts of the consumer since the position last moved; the record that is attempted alone.
        sa.Column("starts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tried", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        # The group has read the partition from its first record, and has all sequences since.
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


def _retry_tables(metadata: sa.MetaData) -> None:
    _parked_table(metadata)
    sa.Table(
        "halts",
        metadata,
        sa.Column("consumer_group", sa.Text(), primary_key=True),
        # When and why the circuit opened, and the record whose success closes it.
        timestamptz("since"),
        sa.Column("cause", sa.Text()),
        sa.Column("topic", sa.Text()),
        sa.Column("partition", sa.Integer()),
        sa.Column("offset", sa.BigInteger()),
        # The latest failures, and how many events had been applied at the last of them.
        sa.Column("recent", pg.JSONB(), nullable=False, server_default="[]"),
        sa.Column("applied", sa.BigInteger(), nullable=False, server_default="0"),
        # When the circuit last closed: earlier failures count again.
        timestamptz("lifted"),
        # Failures that an operator accepts, and until when.
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
        # Attempts started since the last one that finished.
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        timestamptz("next_try"),
        timestamptz("first_failed", nullable=False),
        # When the event last counted as a failure for the circuit breaker.
        timestamptz("counted"),
        # The error; the error without ids and values, to group by; and its place in the code.
        *(sa.Column(name, sa.Text()) for name in ("cause", "pattern", "stack")),
        # The last decision of an operator about this event.
        *(sa.Column(name, sa.Text()) for name in ("decision", "reason")),
        sa.Column("decided_by", sa.Uuid()),
        timestamptz("decided_at"),
        sa.CheckConstraint("state IN ('parked', 'dead', 'skipped')", name="state"),
        *_parked_indexes(),
    )


def _parked_indexes() -> Iterator[sa.Index]:
    """Yield the indexes of the queries on parked events, one for each query."""
    group, position = "consumer_group", ("topic", "partition", "offset")
    # The oldest event of each key that is not skipped.
    unresolved = sa.text("state IN ('parked', 'dead')")
    yield sa.Index("ix_parked_held", group, "key", "topic", "offset", postgresql_where=unresolved)
    # The events that are due; an event blocked by another one of its key has no `next_try`.
    parked = sa.text("state = 'parked'")
    yield sa.Index("ix_parked_due", group, "next_try", *position, postgresql_where=parked)
    # The dead letters, in pages.
    dead = sa.text("state = 'dead'")
    yield sa.Index("ix_parked_dead", group, "first_failed", *position, postgresql_where=dead)


def _idempotency_tables(metadata: sa.MetaData) -> None:
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
        # Whether the response held secrets, which are not stored: `body` is without them.
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
        # The transaction that wrote it: once it has ended, all its rows are visible (see
        # runtime/audit_heads.py).
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
        # One row: the transaction up to which the last hashes of the chains are published.
        sa.Column("one", sa.Boolean(), sa.CheckConstraint("one", name="one"), primary_key=True),
        sa.Column("next_transaction", sa.BigInteger(), nullable=False),
    )
