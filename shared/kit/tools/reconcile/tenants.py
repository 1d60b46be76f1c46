"""I9: row-level security hides the rows of other tenants, and rows agree with their events."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, read_only_connection, stream_rows

EXEMPT_TABLES = ("parked", "tenants")
"""Tables with a tenant column without row policies: of the kit, and the list of tenants."""
MAX_CHECKED_TENANTS = 20
_TENANT_TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AS guarded, c.relforcerowsecurity AS forced,
           EXISTS (SELECT 1 FROM pg_policies p WHERE p.schemaname = 'public'
                   AND p.tablename = c.relname AND p.qual LIKE '%app.tenants%'
                   AND p.with_check LIKE '%app.tenants%') AS policy,
           (SELECT count(*) FROM pg_policies p WHERE p.schemaname = 'public'
            AND p.tablename = c.relname
            -- Lets the owner's `remove_expired` see the rows that it removes.
            AND NOT (p.policyname = 'expired_removable' AND p.qual LIKE '%app.expired%'
                     AND p.roles = ARRAY[pg_get_userbyid(c.relowner)])
            -- Lets the relay's role read the ends of audit chains.
            AND p.roles <> ARRAY[$1 || '_relay']::name[]) AS policies
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_UNRESTRICTED_ROLES = """
    SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls)
      AND rolname IN (current_user, $1 || '_app', $1 || '_relay', $1 || '_owner')
"""
_SET_TENANTS = "SELECT set_config('app.tenants', $1, true)"


def list_tenants(index: LogIndex) -> list[str]:
    """Return the tenants of all keys in the index, those with most keys first."""
    query = """
        SELECT substr(key, 1, 36) FROM (SELECT key FROM keys UNION ALL SELECT key FROM heads)
        GROUP BY 1 ORDER BY count(*) DESC
    """
    tenants = []
    for (name,) in index.query(query):
        try:
            tenants.append(str(UUID(name)))
        except ValueError:  # the key of an unreadable dead letter has no tenant
            continue
    return tenants


async def check_tenant_isolation(index: LogIndex, source: Source, report: Report) -> None:
    """Check a service's tables as its app role, else as its owner: both are under row policies."""
    tenants = list_tenants(index)
    async with read_only_connection(source.app_url or source.url) as connection:
        for row in await connection.fetch(_UNRESTRICTED_ROLES, source.service):
            report.report_violation("I9", row["rolname"], "this role bypasses row-level security")
        tables = await connection.fetch(_TENANT_TABLES, source.service)
        business = [row["name"] for row in tables if row["name"] not in EXEMPT_TABLES]
        report.record_check("I9", f"business tables of {source.service}", len(business))
        for row in tables:
            is_protected = (
                row["guarded"] and row["forced"] and row["policy"] and row["policies"] == 1
            )
            if row["name"] in business and not is_protected:
                report.report_violation(
                    "I9", f"{source.service}.{row['name']}", "its row-level security is incomplete"
                )
        await _check_rows(connection, source.service, business, "", report)
        for tenant in tenants[:MAX_CHECKED_TENANTS]:
            await _check_rows(connection, source.service, business, tenant, report)
        report.record_check(
            "I9", f"tenants checked in {source.service}", len(tenants[:MAX_CHECKED_TENANTS])
        )
        await _check_event_references(connection, index, source, tenants, report)
    _check_parked(index, source.service, report)


async def _check_rows(
    connection: Any, service: str, tables: Sequence[str], tenant: str, report: Report
) -> None:
    """Report tables that show rows of other tenants to a session of this tenant, or of none."""
    async with connection.transaction(readonly=True):
        await connection.execute(_SET_TENANTS, tenant)
        for table in tables:
            other_tenants = "true" if not tenant else f"tenant_id <> '{UUID(tenant)}'"
            query = f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE {other_tenants})'  # noqa: S608  catalogue's
            if await connection.fetchval(query):
                viewer = f"a session of tenant {tenant}" if tenant else "a session without a tenant"
                text = f"{viewer} sees rows of other tenants"
                report.report_violation("I9", f"{service}.{table}", text)


async def _check_event_references(
    connection: Any, index: LogIndex, source: Source, tenants: Sequence[str], report: Report
) -> None:
    """Check that a row that refers to an event has the event's tenant."""
    event_tenants = (
        "SELECT substr(k.key, 1, 36) FROM events e JOIN keys k ON k.no = e.key WHERE e.id = ?"
    )
    for reference in source.event_references:
        row_count = 0
        columns = f'tenant_id::text AS t, uuid_send("{reference.column}") AS e'
        query = f'SELECT {columns} FROM "{reference.table}"'  # noqa: S608  names of our tables
        async with connection.transaction(readonly=True):
            await connection.execute(_SET_TENANTS, ",".join(tenants))
            async for rows in stream_rows(connection, query):
                row_count += len(rows)
                for row in rows:
                    for (tenant,) in index.query(event_tenants, row["e"]):
                        if tenant != row["t"]:
                            text = f"a row of {row['t']} refers to an event of {tenant}"
                            location = f"{source.service}.{reference.table} {UUID(bytes=row['e'])}"
                            report.report_violation("I9", location, text)
        report.record_check(
            "I9", f"rows of {source.service}.{reference.table} that refer to an event", row_count
        )


def _check_parked(index: LogIndex, group: str, report: Report) -> None:
    query = """
        SELECT a.key, a.tenant, k.key FROM aside a JOIN events e ON e.id = a.id
        JOIN keys k ON k.no = e.key
        WHERE a.grp = ? AND (a.tenant <> substr(k.key, 1, 36) OR a.tenant <> substr(a.key, 1, 36))
    """
    for key, tenant, expected in index.query(query, group):
        report.report_violation(
            "I9", key, f"{group}: parked under tenant {tenant}, but its event has key {expected}"
        )
