"""Commits the offsets that the consumer returned, and no others, in the background.

Kafka's offsets are a copy: the consumer's database is authoritative. A failed commit is logged, and
its offsets are part of the next commit.
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

COMMIT_TIMEOUT_SECONDS = 5.0
"""Trap: aiokafka retries a commit without limit."""


class OffsetCommitter:
    """Collects the pending offsets of one subscription and commits them at an interval."""

    def __init__(self, group: str, interval_seconds: float) -> None:
        self._group, self._interval_seconds = group, interval_seconds
        self._pending: dict[TopicPartition, int] = {}
        self._last_commit = 0.0
        self._task: asyncio.Task[None] | None = None

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Set the client that commits."""
        self._consumer = consumer

    def add(self, offsets: Mapping[Partition, int]) -> None:
        """Add next offsets to the pending ones."""
        self._pending.update(
            (to_topic_partition(partition), offset) for partition, offset in offsets.items()
        )

    def seconds_until_due(self) -> float:
        """Return the seconds until the next commit; infinite when no offset is pending."""
        if not self._pending:
            return float("inf")
        return self._last_commit + self._interval_seconds - time.monotonic()

    def commit_if_due(self) -> None:
        """Start a commit in the background if the interval has passed."""
        if self.seconds_until_due() <= 0 and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._commit(), name=f"commit:{self._group}")

    async def flush(self) -> None:
        """Commit the pending offsets now; after an error drop them, and the next owner rereads."""
        if self._task is not None:
            await asyncio.wait((self._task,))
        await self._commit()
        self._pending.clear()

    async def _commit(self) -> None:
        offsets, self._pending = self._pending, {}
        self._last_commit = time.monotonic()
        if not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                # Trap: without arguments it would commit all positions, also of failed batches.
                await self._consumer.commit(offsets)
            hit_failpoint("offsets.committed")
        except (KafkaError, TimeoutError) as error:
            log.info("not committed", group=self._group, error=repr(error))
            self._pending = offsets | self._pending
