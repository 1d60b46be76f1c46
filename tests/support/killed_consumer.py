"""A consumer in a separate process, which a test kills during a batch.

Its effect is a line per record in a file, written before it returns, as a database would commit.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import IncomingRecord, Partition, SubscriptionConfig
from tests.support.consumers import RecordingConsumer, next_offsets


async def main(topic: str, instance: str, effect: Path) -> None:
    async def step(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.05)
        with effect.open("ab") as file:
            file.writelines((record.value or b"") + b"\n" for record in batch)
        return next_offsets(batch)

    cluster = Cluster.from_environment("killed", os.environ, os.environ["PREAU_KAFKA"])
    bus = KafkaBus(cluster, client_id="killed")
    consumer = RecordingConsumer(step=step)
    await bus.subscribe(
        SubscriptionConfig(
            topic,
            (topic,),
            consumer,
            instance or None,
            max_batch_records=10,
            session_timeout_seconds=6.0,
        )
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, name, stable, file = sys.argv
    asyncio.run(main(name, stable, Path(file)))
