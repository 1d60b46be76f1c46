"""Jobs: each is due by the clock, and leased by one process at a time."""

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


class Work:
    """A job that counts its runs and can be held up or fail."""

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


def runner(
    database: Database, clock: Clock, work: Work, me: str, telemetry: Telemetry | None = None
) -> JobRunner:
    return JobRunner(database, [Job("tidy", work, HOUR)], clock, me, telemetry or NoTelemetry())


async def known(jobs: JobRunner) -> JobRunner:
    await jobs._know()
    return jobs


async def test_of_many_processes_one_runs_what_is_due(probe: InboxHarness) -> None:
    work = Work()
    jobs = [await known(runner(probe.database, probe.clock, work, f"pod-{n}")) for n in range(5)]

    ran = await asyncio.gather(*(each.run_due() for each in jobs))

    assert sum(ran) == work.runs == 1
    assert not any([await each.run_due() for each in jobs])
    probe.clock.advance(hours=1)
    assert await jobs[3].run_due()
    assert work.runs == 2


async def test_a_job_that_runs_is_not_begun_by_another(probe: InboxHarness) -> None:
    work = Work()
    work.gate.clear()
    first = await known(runner(probe.database, probe.clock, work, "first"))
    second = runner(probe.database, probe.clock, work, "second")
    begun = asyncio.create_task(first.run_due())
    async with asyncio.timeout(5):
        while not work.runs:  # noqa: ASYNC110  it waits for a database
            await asyncio.sleep(0.01)

    assert not await second.run_due()
    work.gate.set()
    assert await begun


async def test_a_lease_outlives_a_crash_by_a_minute_and_no_more(probe: InboxHarness) -> None:
    work = Work()
    work.gate.clear()
    dead = asyncio.create_task(
        (await known(runner(probe.database, probe.clock, work, "dead"))).run_due()
    )
    async with asyncio.timeout(5):
        while not work.runs:  # noqa: ASYNC110  it waits for a database
            await asyncio.sleep(0.01)
    dead.cancel()
    await asyncio.wait([dead])
    work.gate.set()
    heir = runner(probe.database, probe.clock, work, "heir")

    assert not await heir.run_due()
    probe.clock.advance(seconds=LEASE_DURATION.total_seconds() + 1)
    assert await heir.run_due()


async def test_the_lease_of_a_long_job_is_renewed(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "LEASE_RENEWAL_INTERVAL_SECONDS", 0.02)
    work = Work()
    work.gate.clear()
    first = await known(runner(probe.database, probe.clock, work, "first"))
    second = runner(probe.database, probe.clock, work, "second")
    begun = asyncio.create_task(first.run_due())
    query = "SELECT leased_until, leased_by FROM jobs"
    for _ in range(3):
        probe.clock.advance(seconds=LEASE_DURATION.total_seconds() - 1)
        until = probe.clock() + LEASE_DURATION
        async with asyncio.timeout(10):
            expected = [{"leased_until": until, "leased_by": "first"}]
            while expected != await probe.query(query):  # noqa: ASYNC110  its own task renews
                await asyncio.sleep(0.01)
        assert not await second.run_due()
    work.gate.set()

    assert await begun
    assert await probe.query(query) == [{"leased_until": None, "leased_by": None}]
    assert work.runs == 1


async def test_a_job_that_fails_says_so_and_comes_again(probe: InboxHarness) -> None:
    work = Work()
    work.error = RuntimeError("rien ne va")
    jobs = await known(runner(probe.database, probe.clock, work, "pod"))

    assert await jobs.run_due()

    query = "SELECT last_error, leased_by FROM jobs"
    assert await probe.query(query) == [
        {"last_error": "RuntimeError: rien ne va", "leased_by": None}
    ]
    work.error = None
    probe.clock.advance(hours=1)
    assert await jobs.run_due()
    assert await probe.query(query) == [{"last_error": None, "leased_by": None}]


async def test_it_runs_until_told_to_stop(probe: InboxHarness) -> None:
    work, stop = Work(), asyncio.Event()
    running = asyncio.create_task(runner(probe.database, probe.clock, work, "pod").run(stop))
    async with asyncio.timeout(5):
        while not work.runs:  # noqa: ASYNC110  it waits for a database
            await asyncio.sleep(0.01)
    stop.set()

    await asyncio.wait_for(running, 5)

    assert work.runs == 1


async def test_how_long_it_ran_is_told_and_how_it_failed(probe: InboxHarness) -> None:
    telling, work = record_telemetry(), Work()
    jobs = await known(runner(probe.database, probe.clock, work, "pod", telling.telemetry))
    await jobs.run_due()
    work.error = RuntimeError("rien ne va")
    probe.clock.advance(hours=1)
    await jobs.run_due()

    for error in ("", "RuntimeError"):
        labels = f'error_type="{error}",job="tidy",service="community"'
        assert f"preau_job_duration_seconds_count{{{labels}}} 1.0" in telling.metrics_page
