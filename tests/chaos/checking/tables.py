"""The services' tables in plain SQL, asked as their owner, who sees the tenants that are named."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from deploy.local.provision import Role

Row = Any
"""asyncpg's record: its columns by name."""


class Places(Protocol):
    """Knows where a service's database is: `deploy.local.stack.Addresses` does."""

    def database(self, service: str, role: Role) -> str:
        """Give its URL for one of its roles."""


@dataclass(frozen=True)
class Tables:
    """All five databases; `tenants` are those that identity knows."""

    addresses: Places
    tenants: tuple[str, ...]
    opened: dict[str, Any] = field(default_factory=dict)
    """One connection to each that was asked."""

    async def rows(self, service: str, query: str, *values: object) -> Sequence[Row]:
        """Ask one of them."""
        if service not in self.opened:
            self.opened[service] = opened = await asyncpg.connect(_url(self.addresses, service))
            await opened.execute("SET default_transaction_read_only = on")
            await opened.execute(
                "SELECT set_config('app.tenants', $1, false)", ",".join(self.tenants)
            )
        found: Sequence[Row] = await self.opened[service].fetch(query, *values)
        return found

    async def pairs(self, service: str, query: str) -> dict[str, str]:
        """Ask for the columns `key` and `value`, and give them as text."""
        return {row["key"]: str(row["value"]) for row in await self.rows(service, query)}


@asynccontextmanager
async def tables(addresses: Places) -> AsyncIterator[Tables]:
    """Open them, for all tenants there are; closed when left."""
    opened = await asyncpg.connect(_url(addresses, "identity"))
    try:
        known = await opened.fetch("SELECT tenant_id::text AS t FROM tenants ORDER BY 1")
    finally:
        await opened.close()
    made = Tables(addresses, tuple(row["t"] for row in known))
    try:
        yield made
    finally:
        for each in made.opened.values():
            await each.close()


def _url(addresses: Places, service: str) -> str:
    return addresses.database(service, "owner").replace("+asyncpg", "")
