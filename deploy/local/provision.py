"""Create the database and the roles owner, app and relay of each service.

The owner runs migrations. The app is under row-level security and has no right that bypasses it.
The relay may connect and nothing more (migrations grant it the outbox). Idempotent. Works on any
PostgreSQL whose administrator may create databases and roles; only the full-text function needs a
superuser (see `_LEAKPROOF`).
"""

import logging
from collections.abc import Mapping
from typing import Literal, get_args

import asyncpg

from deploy.local.errors import StackError
from deploy.local.postgres import ADMIN

Role = Literal["owner", "app", "relay"]
ROLES: tuple[Role, ...] = get_args(Role)
SERVICES = ("identity", "community", "notifications", "moderation", "metrics")

_log = logging.getLogger(__name__)
_ROLE_RIGHTS = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
_EXCESS = """
    SELECT rolname,
           rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication AS excess
    FROM pg_roles
"""
# Trap: under row-level security the planner uses no index for a function that is not LEAKPROOF, so
# a search would read the whole table.
_LEAKPROOF = "ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF"
# An arbitrary lock number: two starts on one server must not create the same role concurrently.
_LOCK = 7_310_925


def role_name(service: str, role: Role) -> str:
    """Return the name of a service's role."""
    return f"{service}_{role}"


def database_name(service: str) -> str:
    """Return the name of a service's database."""
    return f"preau_{service}"


def role_names() -> list[str]:
    """Return the names of all roles of all services."""
    return [role_name(service, role) for service in SERVICES for role in ROLES]


async def provision_databases(admin: str, passwords: Mapping[str, str]) -> None:
    """Create the missing databases and roles; `passwords` has one for each role name.

    The password of an existing role is replaced: only the home that provisioned last can connect.
    Raises StackError if the administrator lacks a right.
    """
    server = await _connect(admin)
    try:
        await server.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _provision_server(server, passwords)
        databases = {
            row["datname"] for row in await server.fetch("SELECT datname FROM pg_database")
        }
        for service in SERVICES:
            name = database_name(service)
            if name not in databases:
                await create_database(server, service, name)
            else:  # its start may have been killed before the grant
                await _grant_connect(server, service, name)
        await _close_other_databases(server)
        for service in SERVICES:
            connection = await _connect(admin, database_name(service))
            try:
                await provision_database(connection, service)
            finally:
                await connection.close()
    except asyncpg.InsufficientPrivilegeError as error:
        message = f"PREAU_POSTGRES must name a role that may create databases and roles: {error}."
        raise StackError(message) from error
    finally:
        await server.close()


async def create_database(
    server: asyncpg.Connection, service: str, name: str, *, template: str = "template1"
) -> None:
    """Create a service's database to which only its three roles may connect.

    Tests copy a migrated database with `template`: PostgreSQL copies tables, grants and policies,
    but not the right to connect.
    """
    owner = role_name(service, "owner")
    await server.execute(f'CREATE DATABASE "{name}" OWNER {owner} TEMPLATE "{template}"')
    await _grant_connect(server, service, name)


async def _close_other_databases(server: asyncpg.Connection) -> None:
    """Revoke the default right of every role to connect to `postgres` and `template1`.

    Only on the embedded server: on an existing server others may need these databases.
    """
    if await server.fetchval("SELECT current_user") == ADMIN:
        await server.execute(
            "REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC"
        )


async def _grant_connect(server: asyncpg.Connection, service: str, name: str) -> None:
    roles = ", ".join(role_name(service, role) for role in ROLES)
    await server.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await server.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {roles}')


async def provision_database(connection: asyncpg.Connection, service: str) -> None:
    """Set the schema's owner and rights in the database of this connection."""
    owner, app, relay = (role_name(service, role) for role in ROLES)
    await connection.execute(
        f"""
        ALTER SCHEMA public OWNER TO {owner};
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO {app}, {relay};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
            GRANT USAGE, SELECT ON SEQUENCES TO {app};
        """
    )
    try:
        await connection.execute(_LEAKPROOF)
    except asyncpg.InsufficientPrivilegeError:
        _log.warning("%s: search will be slow until a superuser runs: %s", service, _LEAKPROOF)


async def _provision_server(server: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    existing = {row["rolname"]: row["excess"] for row in await server.fetch(_EXCESS)}
    for name in role_names():
        verb = "ALTER" if name in existing else "CREATE"
        # Trap: only a superuser may name these rights for an existing role, even to remove them.
        rights = "LOGIN" if existing.get(name) is False else _ROLE_RIGHTS
        # DDL takes no parameters, so the server quotes the password.
        quoted = await server.fetchval("SELECT quote_literal($1::text)", passwords[name])
        await server.execute(f"{verb} ROLE {name} {rights} PASSWORD {quoted}")
    if not await server.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        owners = ", ".join(role_name(service, "owner") for service in SERVICES)
        # Without superuser rights, only a member of a role may change its schema and defaults.
        await server.execute(f"GRANT {owners} TO CURRENT_USER")


async def _connect(admin: str, database: str | None = None) -> asyncpg.Connection:
    url = admin.replace("+asyncpg", "", 1)
    try:
        if database is None:
            return await asyncpg.connect(url, timeout=10)
        return await asyncpg.connect(url, database=database, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        message = f"PostgreSQL refuses the connection ({error}): check PREAU_POSTGRES."
        raise StackError(message) from error
