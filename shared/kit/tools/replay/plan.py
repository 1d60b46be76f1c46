"""Tables and reactions of a service's replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec

import sqlalchemy as sa

from shared.contracts.event import Fact
from shared.kit.core.host import Host
from shared.kit.core.reactions import AnyBoundReaction
from shared.kit.database.tables import TableRole, has_expiry, table_role
from shared.kit.runtime.service import Service
from shared.kit.tools.replay.errors import NothingToRebuild

LIVE_SCHEMA = "public"
"""Schema of the live tables."""


@dataclass(frozen=True)
class RebuiltTable:
    """A table that a replay can rebuild from the log."""

    table: sa.Table

    @property
    def name(self) -> str:
        """Return the table's name, the same in every schema."""
        return self.table.name

    @property
    def role(self) -> TableRole | None:
        """Return which events the table is made from."""
        return table_role(self.table)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the columns to compare: all but generated numbers."""
        return tuple(column.name for column in self.table.columns if column.identity is None)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Return the columns that identify a row: the primary key, else all columns."""
        keys = tuple(column.name for column in self.table.primary_key)
        return keys if set(keys) <= set(self.columns) else self.columns

    @property
    def expires(self) -> bool:
        """Return whether maintenance removes rows after their `expires_at`."""
        return has_expiry(self.table)

    @property
    def is_append_only(self) -> bool:
        """Return whether rows are only added, each with a generated number."""
        return self.key == self.columns

    @cached_property
    def sum_column(self) -> str | None:
        """Return the column to which every event adds, if there is one."""
        return next((column.name for column in self.table.columns if column.info.get("sum")), None)

    @property
    def is_cumulative(self) -> bool:
        """Return whether applying an event twice changes the table twice."""
        return self.is_append_only or self.sum_column is not None


@dataclass(frozen=True)
class Plan:
    """What a replay needs of a service."""

    service: Service
    tables: tuple[RebuiltTable, ...]

    @property
    def name(self) -> str:
        """Return the name of the service and of its consumer group."""
        return self.service.name

    @property
    def own_event_tables(self) -> tuple[RebuiltTable, ...]:
        """Return the tables that are rebuilt from the service's own events."""
        return tuple(table for table in self.tables if table.role is TableRole.OWN_EVENTS)

    @property
    def reactions(self) -> Sequence[AnyBoundReaction]:
        """Return the reactions to apply: all but those with `skip_on_replay`."""
        consumer = self.service.consumer
        return [
            reaction
            for reaction in (consumer.reactions if consumer else ())
            if not reaction.skip_on_replay
        ]

    @property
    def own_topics(self) -> list[str]:
        """Return the topics of the service's own events that its `replay_only` reactions read."""
        facts: set[type[Fact]] = {
            fact for reaction in self.service.replay_only_reactions for fact in reaction.on
        }
        return sorted({fact.TOPIC for fact in facts})


def plan_replay(name: str, host: Host) -> Plan:
    """Build a service for a replay. Raises `NothingToRebuild` or `SettingError`."""
    if not name.isidentifier() or find_spec(f"services.{name}.main") is None:
        raise NothingToRebuild(f"There is no service {name}.")
    module = import_module(f"services.{name}.main")
    metadata: Sequence[sa.MetaData] = module.TABLES
    tables = tuple(
        RebuiltTable(table)
        for table_metadata in metadata
        for table in table_metadata.sorted_tables
        if table_role(table) in {TableRole.PROJECTION, TableRole.OWN_EVENTS}
    )
    if not tables:
        raise NothingToRebuild(f"{name} keeps no read model: there is nothing to rebuild.")
    service: Service = module.build(host)
    return Plan(service, tables)


def placeholder_settings(
    name: str, owner_url: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Add settings that a service requires and a replay does not use, such as its roles' URLs."""
    prefix = f"{name.upper()}_"
    urls = {f"{prefix}{role}_URL": owner_url for role in ("DATABASE", "RELAY")}
    return {"PREAU_JWKS_URL": "http://nobody.invalid/", **urls, **environment}
