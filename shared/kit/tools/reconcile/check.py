"""Run the checks: read the log, copy the tables, read the log again, compare.

Running while the platform runs raises no false alarm: a service's tables are copied in one
snapshot, and the log is read again afterwards. So every event that the copy mentions is in the
log, or in the copied outbox.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shared.kit.core.clock import utc_now
from shared.kit.database.audit.signing import AuditKeys
from shared.kit.tools.reconcile.audit_chains import AuditedService, verify_audit
from shared.kit.tools.reconcile.consistency import run_consistency_checks
from shared.kit.tools.reconcile.facts import check_facts
from shared.kit.tools.reconcile.groups import GroupCheck, check_committed_offsets
from shared.kit.tools.reconcile.log import Log
from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.log_indexer import EventObserver, index_log
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, copy_frame_tables, read_only_connection
from shared.kit.tools.reconcile.tenants import check_tenant_isolation, list_tenants
from shared.kit.tools.reconcile.versions import check_versions

POLL_INTERVAL_SECONDS = 0.25
"""Interval between two checks while waiting."""
_POSITIONS = "SELECT topic, partition, next_offset FROM positions WHERE consumer_group = $1"


@dataclass
class Checker:
    """Checks these services against this log."""

    log: Log
    sources: Sequence[Source]
    index_path: Path | None = None
    on_new_event: EventObserver | None = None
    clock: Callable[[], datetime] = utc_now
    report: Report = field(default_factory=Report)
    audit_keys: AuditKeys | None = None
    """Keys with which audit chains are verified; None leaves these checks out."""

    async def check(self, wait: float | None = None) -> Report:
        """Run every check; with `wait` (seconds), first wait until the platform is idle.

        A platform that does not become idle in time is a violation of I10. Raises `Transient`,
        OSError or asyncpg's errors when a server does not answer.
        """
        started_at = time.monotonic()
        if wait is not None and not await self._wait_until_idle(wait):
            self.report.report_violation(
                "I10", "the platform", f"did not become idle in {wait:.0f} s"
            )
        with LogIndex(self.index_path) as index:
            await self._check(index)
        self.report.seconds = time.monotonic() - started_at
        return self.report

    async def _check(self, index: LogIndex) -> None:
        topics = self._list_topics()
        await index_log(self.log, index, topics, self.on_new_event)
        committed = {
            source.service: await self.log.get_committed_offsets(source.service)
            for source in self.sources
        }
        for source in self.sources:
            await copy_frame_tables(source, index)
        await index_log(self.log, index, topics, self.on_new_event)
        self._record_log_counts(index)
        check_versions(index, self.report)
        await check_facts(index, self.sources, self.report)
        for source in self.sources:
            if source.consumed_types:
                GroupCheck(index, source.service, self.report).check(self.clock())
                check_committed_offsets(
                    index, source.service, committed[source.service], self.report
                )
            await check_tenant_isolation(index, source, self.report)
            await run_consistency_checks(source, list_tenants(index), self.report)
        if self.audit_keys is not None:
            audited = [AuditedService(source.service, source.url) for source in self.sources]
            await verify_audit(self.log, audited, self.audit_keys, self.report, list_tenants(index))
        self.report.add_note("I7", "nothing to check: the platform sends nothing outside yet")
        await self._measure_lag()

    def _list_topics(self) -> list[str]:
        return sorted(
            {
                topic
                for source in self.sources
                for topic in (*source.consumed_topics, *source.published_topics)
            }
        )

    def _record_log_counts(self, index: LogIndex) -> None:
        record_check = self.report.record_check
        record_check("I3", "events", index.query_number("SELECT count(*) FROM events"))
        record_check("I3", "keys", index.query_number("SELECT count(*) FROM keys WHERE last > 0"))
        self.report.repeated = index.query_number("SELECT count(*) FROM repeats")
        record_check("I3", "repetitions", self.report.repeated)
        foreign = "SELECT count(*) FROM events WHERE sequence IS NULL"
        record_check("I3", "events of other systems on our topics", index.query_number(foreign))
        record_check("I3", "unreadable records", index.query_number("SELECT count(*) FROM crooked"))
        for invariant, key, text in index.query("SELECT invariant, key, text FROM found"):
            self.report.report_violation(invariant, key, text)

    async def _measure_lag(self) -> None:
        """I10: measure how many events each group has not applied and each outbox has not sent."""
        for source in self.sources:
            async with read_only_connection(source.url) as connection:
                rows = await connection.fetch(_POSITIONS, source.service)
                unsent = await connection.fetchval("SELECT count(*) FROM outbox")
            self.report.waiting[source.service] = unsent
            if not source.consumed_topics:
                continue
            progress = await self.log.get_log_bounds(source.consumed_topics)
            next_offsets = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            self.report.lag[source.service] = sum(
                max(
                    end
                    - next_offsets.get(
                        (partition.topic, partition.number), progress.begin[partition]
                    ),
                    0,
                )
                for partition, end in progress.end.items()
            )

    async def _wait_until_idle(self, seconds: float) -> bool:
        """Wait until no outbox has rows and no group lags, in two consecutive checks."""
        self.report.record_check("I10", "idle groups and outboxes", 2 * len(self.sources))
        deadline, idle_checks = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            await self._measure_lag()
            is_busy = any(self.report.lag.values()) or any(self.report.waiting.values())
            idle_checks = 0 if is_busy else idle_checks + 1
            if idle_checks > 1:
                return True
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return False
