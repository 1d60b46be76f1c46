"""I9: with no tenant named nobody sees a row, with one named only that one's, and rows agree."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, read_only_connection, stream_rows

EXEMPT_TABLES = ("parked", "tenants")
"""Tables with a tenant that are the frame's, or the directory of tenants itself."""
MAX_CHECKED_TENANTS = 20
_TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AS guarded, c.relforcerowsecurity AS forced,
           EXISTS (SELECT 1 FROM pg_policies p WHERE p.schemaname = 'public'
                   AND p.tablename = c.relname AND p.qual LIKE '%app.tenants%'
                   AND p.with_check LIKE '%app.tenants%') AS policy,
           (SELECT count(*) FROM pg_policies p WHERE p.schemaname = 'public'
            AND p.tablename = c.relname
            -- The one by which the owner's `remove_expired` sees what it removes.
            AND NOT (p.policyname = 'expired_removable' AND p.qual LIKE '%app.expired%'
                     AND p.roles = ARRAY[pg_get_userbyid(c.relowner)])
            -- The relay's role has one of its own on audit rows: it sees where chains end.
            AND p.roles <> ARRAY[$1 || '_relay']::name[]) AS policies
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_RIGHTS = """
    SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls)
      AND rolname IN (current_user, $1 || '_app', $1 || '_relay', $1 || '_owner')
"""
_SEE = "SELECT set_config('app.tenants', $1, true)"


def list_tenants(book: LogIndex) -> list[str]:
    """List the tenants that any key names, those of most keys first."""
    query = """
        SELECT substr(key, 1, 36) FROM (SELECT key FROM keys UNION ALL SELECT key FROM heads)
        GROUP BY 1 ORDER BY count(*) DESC
    """
    found = []
    for (name,) in book.query(query):
        try:
            found.append(str(UUID(name)))
        except ValueError:  # a dead letter's place, which is no tenant's
            continue
    return found


async def check_tenant_isolation(book: LogIndex, source: Source, report: Report) -> None:
    """Look into one service's tables as its app role, else as its owner: both are under policy."""
    tenants = list_tenants(book)
    async with read_only_connection(source.app_url or source.url) as connection:
        for row in await connection.fetch(_RIGHTS, source.service):
            report.report_violation(
                "I9", row["rolname"], "this role sees through row-level security"
            )
        tables = await connection.fetch(_TABLES, source.service)
        business = [row["name"] for row in tables if row["name"] not in EXEMPT_TABLES]
        report.record_check("I9", f"business tables of {source.service}", len(business))
        for row in tables:
            guarded = row["guarded"] and row["forced"] and row["policy"] and row["policies"] == 1
            if row["name"] in business and not guarded:
                report.report_violation(
                    "I9", f"{source.service}.{row['name']}", "its row policy is not whole"
                )
        await _check_rows(connection, source.service, business, "", report)
        for tenant in tenants[:MAX_CHECKED_TENANTS]:
            await _check_rows(connection, source.service, business, tenant, report)
        report.record_check(
            "I9", f"tenants looked at in {source.service}", len(tenants[:MAX_CHECKED_TENANTS])
        )
        await _check_named(connection, book, source, tenants, report)
    _check_aside(book, source.service, report)


async def _check_rows(
    connection: Any, service: str, tables: Sequence[str], tenant: str, report: Report
) -> None:
    """Count what one who names this tenant, or none, sees of others."""
    async with connection.transaction(readonly=True):
        await connection.execute(_SEE, tenant)
        for table in tables:
            others = "true" if not tenant else f"tenant_id <> '{UUID(tenant)}'"
            query = f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE {others})'  # noqa: S608  catalogue's
            if await connection.fetchval(query):
                seen = f"who sees {tenant}" if tenant else "who names no tenant"
                text = f"{seen} sees rows of other tenants in it"
                report.report_violation("I9", f"{service}.{table}", text)


async def _check_named(
    connection: Any, book: LogIndex, source: Source, tenants: Sequence[str], report: Report
) -> None:
    """See that a row that names an event is of that event's tenant."""
    known = "SELECT substr(k.key, 1, 36) FROM events e JOIN keys k ON k.no = e.key WHERE e.id = ?"
    for named in source.event_references:
        number = 0
        query = (
            f'SELECT tenant_id::text AS t, uuid_send("{named.column}") AS e FROM "{named.table}"'  # noqa: S608
        )
        async with connection.transaction(readonly=True):
            await connection.execute(_SEE, ",".join(tenants))
            async for rows in stream_rows(connection, query):
                number += len(rows)
                for row in rows:
                    for (tenant,) in book.query(known, row["e"]):
                        if tenant != row["t"]:
                            text = f"a row of {row['t']} names an event of {tenant}"
                            place = f"{source.service}.{named.table} {UUID(bytes=row['e'])}"
                            report.report_violation("I9", place, text)
        report.record_check(
            "I9", f"rows of {source.service}.{named.table} that name an event", number
        )


def _check_aside(book: LogIndex, group: str, report: Report) -> None:
    query = """
        SELECT a.key, a.tenant, k.key FROM aside a JOIN events e ON e.id = a.id
        JOIN keys k ON k.no = e.key
        WHERE a.grp = ? AND (a.tenant <> substr(k.key, 1, 36) OR a.tenant <> substr(a.key, 1, 36))
    """
    for key, tenant, right in book.query(query, group):
        report.report_violation(
            "I9", key, f"{group}: set aside under {tenant}, its event is of {right}"
        )
