"""A stopped group over a bus: its partition waits, the metric says so, and it goes on."""

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
class Gauges(NoTelemetry):
    told: dict[str, float] = field(default_factory=dict)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        assert labels == {"group": GROUP}
        self.told[name] = value


async def test_lag_grows_during_open_circuit_and_shrinks_after_resume(
    probe: InboxHarness,
) -> None:
    for number in range(60):
        probe.publish("poison", member=number)
    reader = probe.consumer()
    reading = await probe.bus.subscribe(SubscriptionConfig(GROUP, (TOPIC,), reader))
    async with asyncio.timeout(20):
        while (await probe.check_counts(reader)).halt.since is None:  # noqa: ASYNC110  another's row
            await asyncio.sleep(0.02)
    for number in range(60, 70):
        probe.publish("poison", member=number)

    assert (await probe.check_counts(reader)).lag == 70
    who = make_caller(member_id=member_id(9))
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, failures=100)
    await probe.bus.wait_until_idle(20)
    await reading.stop()

    found = await probe.check_counts(reader)
    assert (found.lag, found.parked, found.halt.accept_failures) == (0, 70, 30)


async def test_halted_metric_is_one_while_circuit_is_open(probe: InboxHarness) -> None:
    gauges, reader = Gauges(), probe.consumer()
    host = Host(probe.bus, probe.clock, probe.database._new_id, gauges, {})
    job = consumer_metrics_job(reader, host)
    for who in range(30):
        probe.publish("poison", member=who)
    with pytest.raises(Exception, match="stopped: "):
        await probe.consume_all(reader)

    await job.run()
    assert gauges.told["preau.consumer.halted"] == 1
    assert gauges.told["preau.consumer.lag"] == 30
    probe.fixed = True
    probe.clock.advance(seconds=RETRY_INTERVAL_SECONDS)
    await probe.consume_all(reader)
    await job.run()
    assert gauges.told["preau.consumer.halted"] == 0
