"""An open circuit breaker on a bus: paused partition, metric, and resume."""

import asyncio
from dataclasses import dataclass, field

import pytest

from shared.kit.core.bus import SubscriptionConfig
from shared.kit.core.host import Host
from shared.kit.inbox.circuit_breaker import RETRY_INTERVAL_SECONDS, resume
from shared.kit.runtime.maintenance import consumer_metrics_job
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.inbox_harness import GROUP, TOPIC, InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@dataclass
class GaugeTelemetry(NoTelemetry):
    values: dict[str, float] = field(default_factory=dict)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        assert labels == {"group": GROUP}
        self.values[name] = value


async def test_lag_grows_during_open_circuit_and_shrinks_after_resume(
    harness: InboxHarness,
) -> None:
    for number in range(60):
        harness.publish("poison", member=number)
    consumer = harness.consumer()
    reading = await harness.bus.subscribe(SubscriptionConfig(GROUP, (TOPIC,), consumer))
    async with asyncio.timeout(20):
        while (await harness.check_counts(consumer)).circuit.since is None:  # noqa: ASYNC110  another's row
            await asyncio.sleep(0.02)
    for number in range(60, 70):
        harness.publish("poison", member=number)

    assert (await harness.check_counts(consumer)).lag == 70
    operator = make_caller(member_id=member_id(9))
    async with harness.database.unit(operator) as unit:
        await resume(unit, GROUP, operator, failures=100)
    await harness.bus.wait_until_idle(20)
    await reading.stop()

    counts = await harness.check_counts(consumer)
    assert (counts.lag, counts.parked, counts.circuit.accept_failures) == (0, 70, 30)


async def test_halted_metric_is_one_while_circuit_is_open(harness: InboxHarness) -> None:
    gauges, consumer = GaugeTelemetry(), harness.consumer()
    host = Host(harness.bus, harness.clock, harness.database._new_id, gauges, {})
    job = consumer_metrics_job(consumer, host)
    for member in range(30):
        harness.publish("poison", member=member)
    with pytest.raises(Exception, match="stopped: "):
        await harness.consume_all(consumer)

    await job.run()
    assert gauges.values["preau.consumer.halted"] == 1
    assert gauges.values["preau.consumer.lag"] == 30
    harness.fixed = True
    harness.clock.advance(seconds=RETRY_INTERVAL_SECONDS)
    await harness.consume_all(consumer)
    await job.run()
    assert gauges.values["preau.consumer.halted"] == 0
