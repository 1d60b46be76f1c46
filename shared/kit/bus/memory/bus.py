"""Implements `shared.kit.core.bus.Bus` inside one process, for tests, without a broker.

It has the behaviour of Kafka that a test can observe: partitions by key, groups that share them and
rebalance (eagerly: every member first gives all its partitions back), committed offsets, and
redelivery after a pause. It stores nothing on disk, and a batch that never ends blocks its group's
rebalance without limit.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from shared.kit.bus.memory.group import Group, Member, Notifier
from shared.kit.bus.partitioner import partition_of
from shared.kit.core.bus import (
    MAX_RECORD_BYTES,
    IncomingRecord,
    LogBounds,
    OutgoingRecord,
    Partition,
    Subscription,
    SubscriptionConfig,
    Topic,
)
from shared.kit.core.errors import Invalid, NotFound, Transient


class MemoryBus:
    """A bus in memory; see `Bus`. `now` returns the timestamp of new records, in seconds."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._topics: dict[str, int] = {}
        self._log: dict[Partition, list[IncomingRecord]] = {}
        self._groups: dict[str, Group] = {}
        self._notifier = Notifier()
        self._closed = False

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Append the records; none of them if one is rejected. See `Bus.send`."""
        for record in records:
            if self._closed or record.topic not in self._topics:
                raise Transient(
                    internal_reason="closed" if self._closed else f"no topic {record.topic}"
                )
            if record.size > MAX_RECORD_BYTES:
                raise Invalid(topic=record.topic, bytes=record.size)
        for record in records:
            number = partition_of(record.key, self._topics[record.topic])
            self.append(
                Partition(record.topic, number), record.key, record.value, headers=record.headers
            )
        # A send over the network lets other tasks run; tests must see the same interleaving.
        await asyncio.sleep(0)

    def append(
        self,
        partition: Partition,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Append a record of a foreign producer, which `send` cannot: any part may be None."""
        log = self._log[partition]
        timestamp_ms = int(self._now() * 1000)
        log.append(IncomingRecord(partition, len(log), key, value, tuple(headers), timestamp_ms))
        self._notifier.notify_all()

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """Join the group; return when it has been rebalanced."""
        if self._closed:
            raise Transient(internal_reason="closed")
        self._require_topics(config.topics)
        group = self._groups.setdefault(
            config.group, Group(config.group, self._log, self._notifier)
        )
        return await group.join(config)

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """See `Bus.ensure_topics`."""
        for topic in topics:
            if topic.name not in self._topics:
                self._topics[topic.name] = topic.partitions
                for number in range(topic.partitions):
                    self._log[Partition(topic.name, number)] = []

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """See `Bus.get_log_bounds`; a log always begins at offset 0, as nothing is deleted."""
        self._require_topics(topics)
        since_ms = 0 if since is None else since.timestamp() * 1000
        logs = {partition: log for partition, log in self._log.items() if partition.topic in topics}
        begin = {
            partition: next((r.offset for r in log if r.timestamp_ms >= since_ms), len(log))
            for partition, log in logs.items()
        }
        return LogBounds(begin, {partition: len(log) for partition, log in logs.items()})

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """See `Bus.fetch`."""
        if partition not in self._log:
            raise NotFound(topic=partition.topic, partition=partition.number)
        return tuple(self._log[partition][begin : begin + limit])

    async def close(self) -> None:
        """Stop the members; later calls of `send` and `subscribe` raise `Transient`."""
        self._closed = True
        for group in self._groups.values():
            for member in tuple(group.members):
                await member.stop()

    async def wait_until_idle(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109  for tests
        """Wait until every group has committed every record; pauses are cancelled meanwhile.

        Events that are still in an outbox are not on the bus, and are not waited for. Raises
        `TimeoutError` with the lag of each group after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while busy := [member for member in self._members() if not member.is_idle()]:
                    for member in busy:
                        member.cancel_pauses()
                    await self._notifier.wait()
        except TimeoutError as error:
            raise TimeoutError(f"not settled: {self.lag()}") from error

    def lag(self) -> Mapping[str, int]:
        """Count the records that each group has not committed, in its assigned partitions."""
        return {
            name: sum(member.lag() for member in group.members)
            for name, group in self._groups.items()
        }

    def committed_offsets(self, group: str) -> Mapping[Partition, int]:
        """Return the next offsets that a group has committed."""
        return dict(self._groups[group].committed) if group in self._groups else {}

    def _members(self) -> list[Member]:
        return [member for group in self._groups.values() for member in group.members]

    def _require_topics(self, topics: Sequence[str]) -> None:
        for name in topics:
            if name not in self._topics:
                raise NotFound(topic=name)
