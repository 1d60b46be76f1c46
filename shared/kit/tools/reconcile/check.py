"""Put the looks together: read the log, copy the tables, read the log's end, compare.

It may run beside a living platform and raises no false alarm then: the tables of a service are
copied as they were at one moment, and the log is read a second time after that, so that whatever
the tables speak of is in it, or in the outbox as it was at that moment.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shared.kit.database.audit.signing import AuditKeys
from shared.kit.tools.reconcile.agreements import run_consistency_checks
from shared.kit.tools.reconcile.audit_chains import AuditedService, verify_audit
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
"""Seconds between two looks while waiting."""
_AHEAD = "SELECT topic, partition, next_offset FROM positions WHERE consumer_group = $1"


def utc_now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


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
    """Verifies audit chains too; None where the caller does not ask for it."""

    async def check(self, wait: float | None = None) -> Report:
        """Check everything; with `wait`, let the platform come to rest first, and demand that.

        Raises `Transient`, OSError or asyncpg's errors when a server does not answer.
        """
        began = time.monotonic()
        if wait is not None and not await self._rested(wait):
            self.report.report_violation(
                "I10", "the platform", f"did not come to rest in {wait:.0f} s"
            )
        with LogIndex(self.index_path) as book:
            await self._check(book)
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _check(self, book: LogIndex) -> None:
        topics = self._topics()
        await index_log(self.log, book, topics, self.on_new_event)
        committed = {
            each.service: await self.log.get_committed_offsets(each.service)
            for each in self.sources
        }
        for source in self.sources:
            await copy_frame_tables(source, book)
        await index_log(self.log, book, topics, self.on_new_event)
        self._tell_log(book)
        check_versions(book, self.report)
        await check_facts(book, self.sources, self.report)
        for source in self.sources:
            if source.consumed_types:
                GroupCheck(book, source.service, self.report).check(self.clock())
                check_committed_offsets(
                    book, source.service, committed[source.service], self.report
                )
            await check_tenant_isolation(book, source, self.report)
            await run_consistency_checks(source, list_tenants(book), self.report)
        if self.audit_keys is not None:
            audited = [AuditedService(each.service, each.url) for each in self.sources]
            await verify_audit(self.log, audited, self.audit_keys, self.report, list_tenants(book))
        self.report.add_note("I7", "nothing to check: the platform sends nothing outside yet")
        await self._look_behind()

    def _topics(self) -> list[str]:
        return sorted(
            {t for each in self.sources for t in (*each.consumed_topics, *each.published_topics)}
        )

    def _tell_log(self, book: LogIndex) -> None:
        tell = self.report.record_check
        tell("I3", "events", book.query_number("SELECT count(*) FROM events"))
        tell("I3", "keys", book.query_number("SELECT count(*) FROM keys WHERE last > 0"))
        self.report.repeated = book.query_number("SELECT count(*) FROM repeats")
        tell("I3", "repetitions", self.report.repeated)
        foreign = "SELECT count(*) FROM events WHERE sequence IS NULL"
        tell("I3", "events of others on our topics", book.query_number(foreign))
        tell(
            "I3", "records that nobody can read", book.query_number("SELECT count(*) FROM crooked")
        )
        for invariant, key, text in book.query("SELECT invariant, key, text FROM found"):
            self.report.report_violation(invariant, key, text)

    async def _look_behind(self) -> None:
        """I10: how far each group is behind, and what is not yet sent."""
        for source in self.sources:
            async with read_only_connection(source.url) as connection:
                rows = await connection.fetch(_AHEAD, source.service)
                waiting = await connection.fetchval("SELECT count(*) FROM outbox")
            self.report.waiting[source.service] = waiting
            if not source.consumed_topics:
                continue
            progress = await self.log.get_log_bounds(source.consumed_topics)
            known = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            self.report.lag[source.service] = sum(
                max(end - known.get((place.topic, place.number), progress.begin[place]), 0)
                for place, end in progress.end.items()
            )

    async def _rested(self, seconds: float) -> bool:
        """Wait until outboxes are empty and no group is behind, twice in a row."""
        self.report.record_check("I10", "groups and outboxes at rest", 2 * len(self.sources))
        deadline, quiet = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            await self._look_behind()
            busy = any(self.report.lag.values()) or any(self.report.waiting.values())
            quiet = 0 if busy else quiet + 1
            if quiet > 1:
                return True
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return False
