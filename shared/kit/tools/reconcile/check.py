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
from shared.kit.tools.reconcile.agreements import check_agreements
from shared.kit.tools.reconcile.audit_chains import AuditedService, verify_audit
from shared.kit.tools.reconcile.book import Book
from shared.kit.tools.reconcile.facts import check_facts
from shared.kit.tools.reconcile.groups import Group, check_committed
from shared.kit.tools.reconcile.log import Log
from shared.kit.tools.reconcile.reading import Watch, read_log
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, copy, looking
from shared.kit.tools.reconcile.tenants import check_tenants, tenants_of
from shared.kit.tools.reconcile.versions import check_versions

AGAIN = 0.25
"""Seconds between two looks while waiting."""
_AHEAD = "SELECT topic, partition, next_offset FROM positions WHERE consumer_group = $1"


def now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


@dataclass
class Checker:
    """Checks these services against this log."""

    log: Log
    sources: Sequence[Source]
    book_at: Path | None = None
    watch: Watch | None = None
    clock: Callable[[], datetime] = now
    report: Report = field(default_factory=Report)
    audit_keys: AuditKeys | None = None
    """Verifies audit chains too; None where the caller does not ask for it."""

    async def check(self, wait: float | None = None) -> Report:
        """Check everything; with `wait`, let the platform come to rest first, and demand that.

        Raises `Transient`, OSError or asyncpg's errors when a server does not answer.
        """
        began = time.monotonic()
        if wait is not None and not await self._rested(wait):
            self.report.blame("I10", "the platform", f"did not come to rest in {wait:.0f} s")
        with Book(self.book_at) as book:
            await self._check(book)
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _check(self, book: Book) -> None:
        topics = self._topics()
        await read_log(self.log, book, topics, self.watch)
        committed = {each.service: await self.log.committed(each.service) for each in self.sources}
        for source in self.sources:
            await copy(source, book)
        await read_log(self.log, book, topics, self.watch)
        self._tell_log(book)
        check_versions(book, self.report)
        await check_facts(book, self.sources, self.report)
        for source in self.sources:
            if source.wanted:
                Group(book, source.service, self.report).check(self.clock())
                check_committed(book, source.service, committed[source.service], self.report)
            await check_tenants(book, source, self.report)
            await check_agreements(source, tenants_of(book), self.report)
        if self.audit_keys is not None:
            audited = [AuditedService(each.service, each.url) for each in self.sources]
            await verify_audit(self.log, audited, self.audit_keys, self.report, tenants_of(book))
        self.report.note("I7", "nothing to check: the platform sends nothing outside yet")
        await self._look_behind()

    def _topics(self) -> list[str]:
        return sorted({t for each in self.sources for t in (*each.reads, *each.writes)})

    def _tell_log(self, book: Book) -> None:
        tell = self.report.look
        tell("I3", "events", book.number("SELECT count(*) FROM events"))
        tell("I3", "keys", book.number("SELECT count(*) FROM keys WHERE last > 0"))
        self.report.repeated = book.number("SELECT count(*) FROM repeats")
        tell("I3", "repetitions", self.report.repeated)
        foreign = "SELECT count(*) FROM events WHERE sequence IS NULL"
        tell("I3", "events of others on our topics", book.number(foreign))
        tell("I3", "records that nobody can read", book.number("SELECT count(*) FROM crooked"))
        for invariant, key, text in book.rows("SELECT invariant, key, text FROM found"):
            self.report.blame(invariant, key, text)

    async def _look_behind(self) -> None:
        """I10: how far each group is behind, and what is not yet sent."""
        for source in self.sources:
            async with looking(source.url) as connection:
                rows = await connection.fetch(_AHEAD, source.service)
                waiting = await connection.fetchval("SELECT count(*) FROM outbox")
            self.report.waiting[source.service] = waiting
            if not source.reads:
                continue
            progress = await self.log.progress(source.reads)
            known = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            self.report.lag[source.service] = sum(
                max(end - known.get((place.topic, place.number), progress.begin[place]), 0)
                for place, end in progress.end.items()
            )

    async def _rested(self, seconds: float) -> bool:
        """Wait until outboxes are empty and no group is behind, twice in a row."""
        self.report.look("I10", "groups and outboxes at rest", 2 * len(self.sources))
        deadline, quiet = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            await self._look_behind()
            busy = any(self.report.lag.values()) or any(self.report.waiting.values())
            quiet = 0 if busy else quiet + 1
            if quiet > 1:
                return True
            await asyncio.sleep(AGAIN)
        return False
