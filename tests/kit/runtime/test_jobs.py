"""Jobs: due times, leases, renewal, failures and their metric."""

import asyncio
from datetime import timedelta

import pytest

from shared.kit.core.host import Telemetry
from shared.kit.database.database import Database
from shared.kit.runtime import jobs as jobs_module
from shared.kit.runtime.jobs import LEASE_DURATION, JobRunner
from shared.kit.runtime.service import Job
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.inbox_harness import Clock, InboxHarness
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
HOUR = timedelta(hours=1)


class ControlledJob:
    """A job that counts its runs and can be blocked or fail."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.runs += 1
        await self.gate.wait()
        if self.error:
            raise self.error


def make_runner(
    database: Database,
    clock: Clock,
    job: ControlledJob,
    worker_id: str,
    telemetry: Telemetry | None = None,
) -> JobRunner:
    return JobRunner(
        database, [Job("tidy", job, HOUR)], clock, worker_id, telemetry or NoTelemetry()
    )


async def registered(runner: JobRunner) -> JobRunner:
    await runner._register()
    return runner


async def test_one_of_many_processes_runs_a_due_job(harness: InboxHarness) -> None:
    job = ControlledJob()
    runners = [
        await registered(make_runner(harness.database, harness.clock, job, f"pod-{n}"))
        for n in range(5)
    ]

    results = await asyncio.gather(*(runner.run_due() for runner in runners))

    assert sum(results) == job.runs == 1
    assert not any([await runner.run_due() for runner in runners])
    harness.clock.advance(hours=1)
    assert await runners[3].run_due()
    assert job.runs == 2


async def test_running_job_is_not_started_by_another_process(harness: InboxHarness) -> None:
    job = ControlledJob()
    job.gate.clear()
    first = await registered(make_runner(harness.database, harness.clock, job, "first"))
    second = make_runner(harness.database, harness.clock, job, "second")
    run = asyncio.create_task(first.run_due())
    async with asyncio.timeout(5):
        while not job.runs:  # noqa: ASYNC110  the database has no event
            await asyncio.sleep(0.01)

    assert not await second.run_due()
    job.gate.set()
    assert await run


async def test_lease_expires_one_minute_after_a_crash(harness: InboxHarness) -> None:
    job = ControlledJob()
    job.gate.clear()
    crashed = asyncio.create_task(
        (await registered(make_runner(harness.database, harness.clock, job, "crashed"))).run_due()
    )
    async with asyncio.timeout(5):
        while not job.runs:  # noqa: ASYNC110  the database has no event
            await asyncio.sleep(0.01)
    crashed.cancel()
    await asyncio.wait([crashed])
    job.gate.set()
    successor = make_runner(harness.database, harness.clock, job, "successor")

    assert not await successor.run_due()
    harness.clock.advance(seconds=LEASE_DURATION.total_seconds() + 1)
    assert await successor.run_due()


async def test_lease_of_a_long_job_is_renewed(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "LEASE_RENEWAL_INTERVAL_SECONDS", 0.02)
    job = ControlledJob()
    job.gate.clear()
    first = await registered(make_runner(harness.database, harness.clock, job, "first"))
    second = make_runner(harness.database, harness.clock, job, "second")
    run = asyncio.create_task(first.run_due())
    query = "SELECT leased_until, leased_by FROM jobs"
    for _ in range(3):
        harness.clock.advance(seconds=LEASE_DURATION.total_seconds() - 1)
        until = harness.clock() + LEASE_DURATION
        async with asyncio.timeout(10):
            expected = [{"leased_until": until, "leased_by": "first"}]
            while expected != await harness.query(query):  # noqa: ASYNC110  its own task renews
                await asyncio.sleep(0.01)
        assert not await second.run_due()
    job.gate.set()

    assert await run
    assert await harness.query(query) == [{"leased_until": None, "leased_by": None}]
    assert job.runs == 1


async def test_failed_job_stores_its_error_and_runs_again(harness: InboxHarness) -> None:
    job = ControlledJob()
    job.error = RuntimeError("rien ne va")
    runner = await registered(make_runner(harness.database, harness.clock, job, "pod"))

    assert await runner.run_due()

    query = "SELECT last_error, leased_by FROM jobs"
    assert await harness.query(query) == [
        {"last_error": "RuntimeError: rien ne va", "leased_by": None}
    ]
    job.error = None
    harness.clock.advance(hours=1)
    assert await runner.run_due()
    assert await harness.query(query) == [{"last_error": None, "leased_by": None}]


async def test_runner_runs_until_stop_is_set(harness: InboxHarness) -> None:
    job, stop = ControlledJob(), asyncio.Event()
    running = asyncio.create_task(
        make_runner(harness.database, harness.clock, job, "pod").run(stop)
    )
    async with asyncio.timeout(5):
        while not job.runs:  # noqa: ASYNC110  the database has no event
            await asyncio.sleep(0.01)
    stop.set()

    await asyncio.wait_for(running, 5)

    assert job.runs == 1


async def test_job_duration_is_reported_with_its_error_type(harness: InboxHarness) -> None:
    recorder, job = record_telemetry(), ControlledJob()
    runner = await registered(
        make_runner(harness.database, harness.clock, job, "pod", recorder.telemetry)
    )
    await runner.run_due()
    job.error = RuntimeError("rien ne va")
    harness.clock.advance(hours=1)
    await runner.run_due()

    for error in ("", "RuntimeError"):
        labels = f'error_type="{error}",job="tidy",service="community"'
        assert f"preau_job_duration_seconds_count{{{labels}}} 1.0" in recorder.metrics_page
