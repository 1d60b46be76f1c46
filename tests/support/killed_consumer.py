"""A reader in a process of its own, made to be killed in the middle of a batch.

Its effect is a line per record in a file, written before it answers, as a database would commit.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import Incoming, Partition, Reading
from tests.support.consumers import Recorder, following


async def main(topic: str, instance: str, effect: Path) -> None:
    async def step(batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.05)
        with effect.open("ab") as file:
            file.writelines((record.value or b"") + b"\n" for record in batch)
        return following(batch)

    cluster = Cluster.of("killed", os.environ, os.environ["PREAU_KAFKA"])
    bus = KafkaBus(cluster, client_id="killed")
    reader = Recorder(step=step)
    await bus.read(
        Reading(topic, (topic,), reader, instance or None, batch=10, session_timeout=6.0)
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, name, stable, file = sys.argv
    asyncio.run(main(name, stable, Path(file)))
