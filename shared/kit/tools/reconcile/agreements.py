"""I6, and what else services let be compared inside their own database."""

from collections.abc import Sequence
from typing import Any

from shared.kit.tools.reconcile.agreement import ConsistencyCheck
from shared.kit.tools.reconcile.report import MAX_LISTED_VIOLATIONS, Report
from shared.kit.tools.reconcile.source import Source, read_only_connection

_COMPARE = """
    WITH stored AS ({stored}), recomputed AS ({recomputed})
    SELECT COALESCE(s.key, r.key) AS key, s.value AS stored, r.value AS recomputed,
           count(*) OVER () AS wrong
    FROM stored s FULL JOIN recomputed r ON r.key = s.key
    WHERE s.value IS DISTINCT FROM r.value ORDER BY 1 LIMIT {most}
"""
_SEE = "SELECT set_config('app.tenants', $1, true)"


async def run_consistency_checks(source: Source, tenants: Sequence[str], report: Report) -> None:
    """Compare what is stored with what it follows from."""
    if not source.consistency_checks:
        return
    async with read_only_connection(source.url) as connection:
        for agreement in source.consistency_checks:
            async with connection.transaction(readonly=True):
                await connection.execute(_SEE, ",".join(tenants))
                await _compare(connection, source.service, agreement, report)


async def _compare(
    connection: Any, service: str, agreement: ConsistencyCheck, report: Report
) -> None:
    query = f"SELECT count(*) FROM ({agreement.stored}) AS stored"  # noqa: S608  a service's own
    number = await connection.fetchval(query)
    report.record_check(agreement.invariant, f"{service}: {agreement.name}", number)
    found = await connection.fetch(
        _COMPARE.format(
            stored=agreement.stored, recomputed=agreement.recomputed, most=MAX_LISTED_VIOLATIONS
        )
    )
    for row in found:
        text = f"stored {row['stored'] or 'nothing'}, recomputed {row['recomputed'] or 'nothing'}"
        report.report_violation(
            agreement.invariant, row["key"], f"{service}, {agreement.name}: {text}"
        )
    if found and found[0]["wrong"] > len(found):
        report.counted[agreement.invariant] += found[0]["wrong"] - len(found)
