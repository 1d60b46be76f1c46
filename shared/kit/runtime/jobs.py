"""Periodic jobs: each runs in at most one process of a service at a time.

A row per job in table `jobs` holds its next due time and its lease. The lease is renewed while the
job runs; after a crash it expires within `LEASE_DURATION`. The clock is injected.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from shared.kit.core.errors import Transient
from shared.kit.core.host import Telemetry
from shared.kit.core.unit_of_work import Clock
from shared.kit.database.database import Database
from shared.kit.runtime.service import Job
from shared.kit.telemetry.logs import get_logger

LEASE_DURATION = timedelta(minutes=1)
LEASE_RENEWAL_INTERVAL_SECONDS = 20.0
POLL_INTERVAL_SECONDS = 0.5
log = get_logger("jobs")

_REGISTER = sa.text("""
    INSERT INTO jobs (name, due) SELECT name, :now FROM unnest(CAST(:names AS text[])) AS j (name)
    ON CONFLICT DO NOTHING
""")
_LEASE_DUE = sa.text("""
    UPDATE jobs SET leased_until = :until, leased_by = :me
    WHERE name = (
        SELECT name FROM jobs
        WHERE due <= :now AND (leased_until IS NULL OR leased_until < :now) AND name = ANY(:names)
        ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING name
""")
_RENEW = sa.text("""
    UPDATE jobs SET leased_until = :until WHERE name = :name AND leased_by = :me
""")
_FINISH = sa.text("""
    UPDATE jobs SET due = :due, leased_until = NULL, leased_by = NULL, last_error = :error
    WHERE name = :name AND leased_by = :me
""")


@dataclass
class JobRunner:
    """Runs the jobs of one service; `worker_id` identifies the process in leases."""

    database: Database
    jobs: Sequence[Job]
    clock: Clock
    worker_id: str
    telemetry: Telemetry

    async def run(self, stop: asyncio.Event) -> None:
        """Register the jobs, then poll for due jobs and run them until `stop` is set."""
        registered = False
        while not stop.is_set():
            try:
                if not registered:
                    await self._register()
                    registered = True
                while not stop.is_set() and await self.run_due():
                    pass
            except Transient as error:
                log.warning("will try again", service=self.database.service, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_INTERVAL_SECONDS)

    async def _register(self) -> None:
        names = [job.name for job in self.jobs]
        await self.database.execute_once(_REGISTER, now=self.clock(), names=names)

    async def run_due(self) -> bool:
        """Run one due job; return False if no job is due."""
        now = self.clock()
        names = [job.name for job in self.jobs]
        leased = await self.database.execute_once(
            _LEASE_DUE, now=now, until=now + LEASE_DURATION, me=self.worker_id, names=names
        )
        if not leased:
            return False
        job = next(job for job in self.jobs if job.name == leased[0].name)
        renewal = asyncio.create_task(self._renew_lease(job.name))
        try:
            error = await self._run_job(job)
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
        due = self.clock() + job.interval
        await self.database.execute_once(
            _FINISH, due=due, error=error, name=job.name, me=self.worker_id
        )
        return True

    async def _renew_lease(self, name: str) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEWAL_INTERVAL_SECONDS)
            try:
                await self.database.execute_once(
                    _RENEW, until=self.clock() + LEASE_DURATION, name=name, me=self.worker_id
                )
            except Transient as error:  # the lease stays valid until it expires
                log.warning("lease not renewed", job=name, error=str(error))

    async def _run_job(self, job: Job) -> str | None:
        start, error_label = time.perf_counter(), dict[str, str]()
        try:
            await job.run()
        except Exception as error:
            log.exception("job failed", service=self.database.service, job=job.name)
            error_label["error__type"] = type(error).__qualname__
            return f"{type(error).__name__}: {error}"
        finally:
            seconds = time.perf_counter() - start
            self.telemetry.observe("preau.job.duration", seconds, job=job.name, **error_label)
        return None
