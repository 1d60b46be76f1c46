"""The services' tables in plain SQL, asked as their owner, who sees the tenants that are named."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from deploy.local.provision import Role

Row = Any
"""asyncpg's record: its columns by name."""


class DatabaseAddresses(Protocol):
    """Knows where a service's database is: `deploy.local.stack.StackAddresses` does."""

    def database_url(self, service: str, role: Role) -> str:
        """Return its URL for one of its roles."""


@dataclass(frozen=True)
class Tables:
    """Read-only access to all five databases, for the tenants of identity's table."""

    addresses: DatabaseAddresses
    tenants: tuple[str, ...]
    connections: dict[str, Any] = field(default_factory=dict)
    """One connection to each that was asked."""

    async def rows(self, service: str, query: str, *values: object) -> Sequence[Row]:
        """Run a query on a service's database."""
        if service not in self.connections:
            self.connections[service] = connection = await asyncpg.connect(
                _url(self.addresses, service)
            )
            await connection.execute("SET default_transaction_read_only = on")
            await connection.execute(
                "SELECT set_config('app.tenants', $1, false)", ",".join(self.tenants)
            )
        rows: Sequence[Row] = await self.connections[service].fetch(query, *values)
        return rows

    async def key_values(self, service: str, query: str) -> dict[str, str]:
        """Ask for the columns `key` and `value`, and give them as text."""
        return {row["key"]: str(row["value"]) for row in await self.rows(service, query)}


@asynccontextmanager
async def connect_tables(addresses: DatabaseAddresses) -> AsyncIterator[Tables]:
    """Connect to the databases for all tenants, for the time of the block."""
    connection = await asyncpg.connect(_url(addresses, "identity"))
    try:
        tenant_rows = await connection.fetch("SELECT tenant_id::text AS t FROM tenants ORDER BY 1")
    finally:
        await connection.close()
    tables = Tables(addresses, tuple(row["t"] for row in tenant_rows))
    try:
        yield tables
    finally:
        for connection in tables.connections.values():
            await connection.close()


def _url(addresses: DatabaseAddresses, service: str) -> str:
    return addresses.database_url(service, "owner").replace("+asyncpg", "")
