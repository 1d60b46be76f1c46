"""What a replay of a service is made of: which tables, by which reactions."""

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
"""The schema that the service works in."""


@dataclass(frozen=True)
class RebuiltTable:
    """A table that the log can rebuild."""

    table: sa.Table

    @property
    def name(self) -> str:
        """Its name, the same in every schema."""
        return self.table.name

    @property
    def role(self) -> TableRole | None:
        """From whose facts it is made."""
        return table_role(self.table)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name what is compared: all but a number that the database gave."""
        return tuple(c.name for c in self.table.columns if c.identity is None)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Name what makes a row that row: its primary key, else all of it."""
        keys = tuple(c.name for c in self.table.primary_key)
        return keys if set(keys) <= set(self.columns) else self.columns

    @property
    def expires(self) -> bool:
        """Return whether upkeep removes rows after their `expires_at`."""
        return has_expiry(self.table)

    @property
    def is_append_only(self) -> bool:
        """Return whether rows are only ever added, each with a number."""
        return self.key == self.columns

    @cached_property
    def sum_column(self) -> str | None:
        """Name the column that every fact adds to."""
        return next((c.name for c in self.table.columns if c.info.get("sum")), None)

    @property
    def is_cumulative(self) -> bool:
        """Return whether a fact that is applied once more changes it once more."""
        return self.is_append_only or self.sum_column is not None


@dataclass(frozen=True)
class Plan:
    """A service as a replay sees it."""

    service: Service
    tables: tuple[RebuiltTable, ...]

    @property
    def name(self) -> str:
        """The service's name, which is its consumer group's."""
        return self.service.name

    @property
    def own_event_tables(self) -> tuple[RebuiltTable, ...]:
        """The tables of own decisions."""
        return tuple(each for each in self.tables if each.role is TableRole.OWN_EVENTS)

    @property
    def reactions(self) -> Sequence[AnyBoundReaction]:
        """What is applied again: all but what decides."""
        consumer = self.service.consumer
        return [
            each for each in (consumer.reactions if consumer else ()) if not each.skip_on_replay
        ]

    @property
    def own_topics(self) -> list[str]:
        """The topics in which the service told what it remembers."""
        facts: set[type[Fact]] = {f for each in self.service.replay_only_reactions for f in each.on}
        return sorted({fact.TOPIC for fact in facts})


def plan_replay(name: str, host: Host) -> Plan:
    """Put a service together for a replay. Raises `NothingToRebuild`, `SettingError`."""
    if not name.isidentifier() or find_spec(f"services.{name}.main") is None:
        raise NothingToRebuild(f"There is no service {name}.")
    module = import_module(f"services.{name}.main")
    metadata: Sequence[sa.MetaData] = module.TABLES
    tables = tuple(
        RebuiltTable(table)
        for each in metadata
        for table in each.sorted_tables
        if table_role(table) in {TableRole.PROJECTION, TableRole.OWN_EVENTS}
    )
    if not tables:
        raise NothingToRebuild(f"{name} reads no facts of others: there is nothing to rebuild.")
    service: Service = module.build(host)
    return Plan(service, tables)


def placeholder_settings(
    name: str, owner_url: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Fill in what a service asks for and no replay uses: its roles, its doors."""
    prefix = f"{name.upper()}_"
    filled = {f"{prefix}{each}_URL": owner_url for each in ("DATABASE", "RELAY")}
    return {"PREAU_JWKS_URL": "http://nobody.invalid/", **filled, **environment}
