"""The runner while the broker is unavailable, and its poll age metric."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import pytest
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import LogBounds
from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.host import Host
from shared.kit.database.migrations import migrate
from shared.kit.runtime import maintenance, runner
from tests.support.inbox_harness import InboxHarness
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
UNREACHABLE = "127.0.0.1:1"


async def test_api_role_starts_without_a_broker(
    postgres_addresses: StackAddresses,
) -> None:
    await migrate("community", postgres_addresses.database_url("community", "owner"))
    environment = {
        "COMMUNITY_DATABASE_URL": postgres_addresses.database_url("community", "app"),
        "COMMUNITY_RELAY_URL": postgres_addresses.database_url("community", "relay"),
        "PREAU_JWKS_URL": "http://127.0.0.1:1/",
    }
    async with asyncio.timeout(20):
        async with runner.run_services(["community"], environment, UNREACHABLE, ["api"]) as (
            community,
        ):
            assert community.started
            assert community.subscription is None
            assert runner.failed_tasks(community) is None


class UnavailableBus(MemoryBus):
    """A broker that fails at once with an error, or never answers."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        if self.error is not None:
            raise self.error
        await asyncio.sleep(60)
        raise AssertionError("the job must time out first")


@pytest.mark.parametrize(
    "error", [Transient(internal_reason="refused"), NotFound(topic="community.post"), None]
)
async def test_metrics_job_times_out_without_failing(
    harness: InboxHarness,
    error: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(maintenance, "COUNT_TIMEOUT_SECONDS", 0.05)
    host = Host(UnavailableBus(error), harness.clock, uuid7, record_telemetry().telemetry, {})

    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(maintenance.consumer_metrics_job(harness.consumer(), host).run(), 5)

    assert [record.message for record in caplog.records] == ["cannot count"]


async def test_each_process_reports_the_age_of_its_last_poll(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StalledSubscription:
        last_poll_age = 12.0

        async def stop(self) -> None: ...

        def alive(self) -> bool:
            return True

    monkeypatch.setattr(runner, "POLL_AGE_INTERVAL_SECONDS", 0.01)
    recorder = record_telemetry()
    host = Host(MemoryBus(), harness.clock, uuid7, recorder.telemetry, {})
    running = runner.RunningService(service=None, subscription=StalledSubscription())  # type: ignore[arg-type]  # not used
    task = asyncio.create_task(runner._report_poll_age(running, host, "probe"))
    await asyncio.sleep(0.05)
    running.stop.set()
    await asyncio.wait_for(task, 2)

    line = 'preau_consumer_last_poll_age_seconds{group="probe",service="community"} 12.0'
    assert line in recorder.metrics_page
