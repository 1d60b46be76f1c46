"""Jobs: what is due by the clock, at most one process of the service at a time.

A row per job in `jobs` says when it is due and who holds its lease, which is renewed while the job
runs and outlives a crash by `LEASE` at most. The clock is handed in.
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
"""Seconds between two renewals of the lease of a job that runs."""
POLL_INTERVAL_SECONDS = 0.5
"""Seconds between two looks at what is due."""
log = get_logger("jobs")

_KNOW = sa.text("""
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
    """Runs one service's jobs until told to stop."""

    database: Database
    jobs: Sequence[Job]
    clock: Clock
    worker_id: str
    telemetry: Telemetry

    async def run(self, stop: asyncio.Event) -> None:
        """Look for what is due, run it, and look again."""
        known = False
        while not stop.is_set():
            try:
                if not known:
                    await self._know()
                    known = True
                while not stop.is_set() and await self.run_due():
                    pass
            except Transient as error:
                log.warning("will try again", service=self.database.service, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_INTERVAL_SECONDS)

    async def _know(self) -> None:
        names = [job.name for job in self.jobs]
        await self.database.execute_once(_KNOW, now=self.clock(), names=names)

    async def run_due(self) -> bool:
        """Run one job that is due; False when none is."""
        now = self.clock()
        names = [job.name for job in self.jobs]
        leased = await self.database.execute_once(
            _LEASE_DUE, now=now, until=now + LEASE_DURATION, me=self.worker_id, names=names
        )
        if not leased:
            return False
        job = next(job for job in self.jobs if job.name == leased[0].name)
        keeping = asyncio.create_task(self._keep_lease(job.name))
        try:
            error = await self._attempt(job)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
        due = self.clock() + job.interval
        await self.database.execute_once(
            _FINISH, due=due, error=error, name=job.name, me=self.worker_id
        )
        return True

    async def _keep_lease(self, name: str) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEWAL_INTERVAL_SECONDS)
            try:
                await self.database.execute_once(
                    _RENEW, until=self.clock() + LEASE_DURATION, name=name, me=self.worker_id
                )
            except Transient as error:  # a lease that is not renewed lasts until its end
                log.warning("lease not renewed", job=name, error=str(error))

    async def _attempt(self, job: Job) -> str | None:
        began, failed = time.perf_counter(), dict[str, str]()
        try:
            await job.run()
        except Exception as error:
            log.exception("job failed", service=self.database.service, job=job.name)
            failed["error__type"] = type(error).__qualname__
            return f"{type(error).__name__}: {error}"
        finally:
            seconds = time.perf_counter() - began
            self.telemetry.observe("preau.job.duration", seconds, job=job.name, **failed)
        return None
