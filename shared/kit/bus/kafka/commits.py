"""Committing offsets: what was answered and nothing else, in the background, not too often.

Kafka's offsets are a copy: the truth is in the consumer's own database. A commit that fails is
worth a line in the log, and its offsets go into the next one.
"""

import asyncio
import time
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kit.bus.kafka.conversions import to_topic_partition
from shared.kit.core.bus import Partition
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.telemetry.logs import get_logger

log = get_logger("kafka")

# Seconds that a commit may take. Trap: aiokafka tries again without limit.
COMMIT_TIMEOUT_SECONDS = 5.0


class OffsetCommitter:
    """The offsets that a reader owes to Kafka."""

    def __init__(self, group: str, every: float) -> None:
        self._group, self._every = group, every
        self._owed: dict[TopicPartition, int] = {}
        self._last = 0.0
        self._task: asyncio.Task[None] | None = None

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Learn who commits."""
        self._consumer = consumer

    def add(self, answer: Mapping[Partition, int]) -> None:
        """Owe these."""
        self._owed.update((to_topic_partition(place), offset) for place, offset in answer.items())

    def seconds_until_due(self) -> float:
        """Seconds until the next commit; for ever, when nothing is owed."""
        if not self._owed:
            return float("inf")
        return self._last + self._every - time.monotonic()

    def commit_if_due(self) -> None:
        """Commit if it is time; the reader does not wait for the answer."""
        if self.seconds_until_due() <= 0 and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._commit(), name=f"commit:{self._group}")

    async def flush(self) -> None:
        """Commit everything now, and forget what could not be: somebody else goes on."""
        if self._task is not None:
            await asyncio.wait((self._task,))
        await self._commit()
        self._owed.clear()

    async def _commit(self) -> None:
        offsets, self._owed = self._owed, {}
        self._last = time.monotonic()
        if not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                # Trap: without offsets it would commit all positions, those of failed batches too.
                await self._consumer.commit(offsets)
            hit_failpoint("offsets.committed")
        except (KafkaError, TimeoutError) as error:
            log.info("not committed", group=self._group, error=repr(error))
            self._owed = offsets | self._owed
