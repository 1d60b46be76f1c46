"""Databases for one platform harness, separate from the template databases of other tests."""

import asyncpg

from deploy.local import provision
from deploy.local.stack import StackAddresses
from shared.contracts.catalogue import PUBLISHERS

SERVICE_NAMES = tuple(PUBLISHERS)


async def create_databases(addresses: StackAddresses, prefix: str) -> None:
    """Create the databases of a harness: PostgreSQL copies a template only without connections."""
    server = await asyncpg.connect(addresses.postgres)
    for name in SERVICE_NAMES:
        await provision.create_database(server, name, f"{prefix}_{name}")
        server_url = addresses.postgres.rpartition("/")[0]
        database = await asyncpg.connect(f"{server_url}/{prefix}_{name}")
        await provision.provision_database(database, name)
        await database.close()
    await server.close()


def database_of(addresses: StackAddresses, prefix: str, name: str, role: provision.Role) -> str:
    """Return the URL of the database of a service in a platform harness."""
    server_url, _, _ = addresses.database_url(name, role).rpartition("/")
    return f"{server_url}/{prefix}_{name}"
