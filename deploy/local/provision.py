"""Databases and roles of the five services: who owns, who works, who relays.

The owner runs migrations; the app works under row-level security and has none of the rights that
would see through it; the relay may enter and nothing more (migrations grant it the outbox).
Doing it again changes nothing. It works on any PostgreSQL whose administrator may create
databases and roles; a superuser is needed only for the full-text function (see `_LEAKPROOF`).
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
# Row-level security keeps the planner from an index for a function that might leak its arguments;
# this one does not, and without the word a search reads the whole table.
_LEAKPROOF = "ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF"
# Any number: two starts on one server must not make the same role at once.
_LOCK = 7_310_925


def role_name(service: str, role: Role) -> str:
    """Name the role of a service."""
    return f"{service}_{role}"


def database_name(service: str) -> str:
    """Name the database of a service."""
    return f"preau_{service}"


def role_names() -> list[str]:
    """Name all roles of all services."""
    return [role_name(service, role) for service in SERVICES for role in ROLES]


async def provision_databases(admin: str, passwords: Mapping[str, str]) -> None:
    """Make what is missing for every service; `passwords` has one for each role name.

    An existing role is given that password: the home that provisions last is the one that
    connects. Raises StackError when the administrator lacks a right.
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
            else:  # made by a start that may have been killed just after
                await _let_in(server, service, name)
        await _close_other_databases(server)
        for service in SERVICES:
            inside = await _connect(admin, database_name(service))
            try:
                await provision_database(inside, service)
            finally:
                await inside.close()
    except asyncpg.InsufficientPrivilegeError as error:
        message = f"PREAU_POSTGRES must name a role that may create databases and roles: {error}."
        raise StackError(message) from error
    finally:
        await server.close()


async def create_database(
    server: asyncpg.Connection, service: str, name: str, *, template: str = "template1"
) -> None:
    """Create a database that belongs to a service and lets only its three roles in.

    Tests copy a migrated one through `template`: tables, their grants and policies come along,
    the right to connect does not, hence this function.
    """
    owner = role_name(service, "owner")
    await server.execute(f'CREATE DATABASE "{name}" OWNER {owner} TEMPLATE "{template}"')
    await _let_in(server, service, name)


async def _close_other_databases(server: asyncpg.Connection) -> None:
    """Keep the services' roles out of the databases that are nobody's.

    Everybody may enter those by default. On a server of one's own, only its administrator may
    change that, and others may need them.
    """
    if await server.fetchval("SELECT current_user") == ADMIN:
        await server.execute(
            "REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC"
        )


async def _let_in(server: asyncpg.Connection, service: str, name: str) -> None:
    roles = ", ".join(role_name(service, role) for role in ROLES)
    await server.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await server.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {roles}')


async def provision_database(inside: asyncpg.Connection, service: str) -> None:
    """Set the schema's owner and rights in the database that `inside` is connected to."""
    owner, app, relay = (role_name(service, role) for role in ROLES)
    await inside.execute(
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
        await inside.execute(_LEAKPROOF)
    except asyncpg.InsufficientPrivilegeError:
        _log.warning("%s: search will be slow until a superuser runs: %s", service, _LEAKPROOF)


async def _provision_server(server: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    existing = {row["rolname"]: row["excess"] for row in await server.fetch(_EXCESS)}
    for name in role_names():
        verb = "ALTER" if name in existing else "CREATE"
        # Only a superuser may so much as name these rights of a role that exists.
        rights = "LOGIN" if existing.get(name) is False else _ROLE_RIGHTS
        # DDL takes no parameters; the server itself quotes the word.
        quoted = await server.fetchval("SELECT quote_literal($1::text)", passwords[name])
        await server.execute(f"{verb} ROLE {name} {rights} PASSWORD {quoted}")
    if not await server.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        owners = ", ".join(role_name(service, "owner") for service in SERVICES)
        # Who is no superuser acts for a role (its schema, its defaults) only as a member.
        await server.execute(f"GRANT {owners} TO CURRENT_USER")


async def _connect(admin: str, database: str | None = None) -> asyncpg.Connection:
    url = admin.replace("+asyncpg", "", 1)
    try:
        if database is None:
            return await asyncpg.connect(url, timeout=10)
        return await asyncpg.connect(url, database=database, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        message = f"PostgreSQL does not let us in ({error}): check PREAU_POSTGRES."
        raise StackError(message) from error
