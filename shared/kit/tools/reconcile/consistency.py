"""I6: run the consistency checks that services declare for their own database."""

from collections.abc import Sequence
from typing import Any

from shared.kit.tools.reconcile.declarations import ConsistencyCheck
from shared.kit.tools.reconcile.report import MAX_LISTED_VIOLATIONS, Report
from shared.kit.tools.reconcile.source import Source, read_only_connection

_COMPARE_QUERY = """
    WITH stored AS ({stored}), recomputed AS ({recomputed})
    SELECT COALESCE(s.key, r.key) AS key, s.value AS stored, r.value AS recomputed,
           count(*) OVER () AS wrong
    FROM stored s FULL JOIN recomputed r ON r.key = s.key
    WHERE s.value IS DISTINCT FROM r.value ORDER BY 1 LIMIT {most}
"""
_SET_TENANTS = "SELECT set_config('app.tenants', $1, true)"


async def run_consistency_checks(source: Source, tenants: Sequence[str], report: Report) -> None:
    """Compare a service's stored values with their recomputation, over these tenants."""
    if not source.consistency_checks:
        return
    async with read_only_connection(source.url) as connection:
        for check in source.consistency_checks:
            async with connection.transaction(readonly=True):
                await connection.execute(_SET_TENANTS, ",".join(tenants))
                await _run_check(connection, source.service, check, report)


async def _run_check(
    connection: Any, service: str, check: ConsistencyCheck, report: Report
) -> None:
    query = f"SELECT count(*) FROM ({check.stored}) AS stored"  # noqa: S608  SQL declared by a service
    row_count = await connection.fetchval(query)
    report.record_check(check.invariant, f"{service}: {check.name}", row_count)
    differences = await connection.fetch(
        _COMPARE_QUERY.format(
            stored=check.stored, recomputed=check.recomputed, most=MAX_LISTED_VIOLATIONS
        )
    )
    for row in differences:
        text = f"stored {row['stored'] or 'nothing'}, recomputed {row['recomputed'] or 'nothing'}"
        report.report_violation(check.invariant, row["key"], f"{service}, {check.name}: {text}")
    if differences and differences[0]["wrong"] > len(differences):
        report.counted[check.invariant] += differences[0]["wrong"] - len(differences)
