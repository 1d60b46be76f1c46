"""Ours: the real relay drains a real outbox, which the harness filled beforehand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from shared.kit.bus.kafka import KafkaBus
from shared.kit.core.bus import OutgoingRecord
from shared.kit.relay.relay import Relay
from shared.kit.runtime.garbage_collection import relax_garbage_collector
from shared.kit.runtime.runner import build_host
from tests.benchmarks.peers.protocol import Stopwatch, Task, task


@dataclass
class Counted:
    """The relay's bus; records acknowledged records in the stopwatch."""

    inner: KafkaBus
    watch: Stopwatch
    stop: asyncio.Event

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        await self.inner.send(records)
        if self.watch.passed(len(records)):
            self.stop.set()


async def main(task: Task) -> None:
    environment = dict[str, str](task.options.get("environment", {}))
    host = build_host("community", environment, task.kafka)
    relax_garbage_collector()
    assert isinstance(host.bus, KafkaBus)
    stop = asyncio.Event()
    watch = Stopwatch(task.warm, task.count)
    bus = Counted(host.bus, watch, stop)
    relay = Relay(
        "community",
        task.database,
        bus,  # type: ignore[arg-type]  # a relay only sends
        asyncio.Event(),
        host.telemetry,
    )
    await relay.run(stop)
    watch.report()
    await host.bus.close()


if __name__ == "__main__":
    uvloop.run(main(task()))
