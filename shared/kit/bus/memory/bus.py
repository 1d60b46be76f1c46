"""A bus inside one process, for tests: the promises of `port`, without a broker.

It does what a test can see of Kafka: partitions by key, groups that share them and rebalance
(eagerly: everybody gives everything back), committed offsets, redelivery after a pause. It keeps
no disk, so nothing survives it, and a batch that never ends blocks its group's rebalance for ever.
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
    """The memory body of `shared.kit.core.bus.Bus`. `now` gives the records' time, in seconds."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._topics: dict[str, int] = {}
        self._log: dict[Partition, list[IncomingRecord]] = {}
        self._groups: dict[str, Group] = {}
        self._bell = Notifier()
        self._closed = False

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Append all of them, or none."""
        for record in records:
            if self._closed or record.topic not in self._topics:
                raise Transient(reason="closed" if self._closed else f"no topic {record.topic}")
            if record.size > MAX_RECORD_BYTES:
                raise Invalid(topic=record.topic, bytes=record.size)
        for record in records:
            number = partition_of(record.key, self._topics[record.topic])
            self.append(
                Partition(record.topic, number), record.key, record.value, headers=record.headers
            )
        # Whoever awaits an answer of a network lets others run meanwhile; so must this.
        await asyncio.sleep(0)

    def append(
        self,
        partition: Partition,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Append what `send` cannot: a record of a foreign producer, with holes in it."""
        log = self._log[partition]
        stamp = int(self._now() * 1000)
        log.append(IncomingRecord(partition, len(log), key, value, tuple(headers), stamp))
        self._bell.notify_all()

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """Join the group; returns when it has been rebalanced."""
        if self._closed:
            raise Transient(reason="closed")
        self._require(config.topics)
        group = self._groups.setdefault(config.group, Group(config.group, self._log, self._bell))
        return await group.join(config)

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing."""
        for topic in topics:
            if topic.name not in self._topics:
                self._topics[topic.name] = topic.partitions
                for number in range(topic.partitions):
                    self._log[Partition(topic.name, number)] = []

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """Return where these topics begin (always at 0: nothing is ever thrown away) and end."""
        self._require(topics)
        stamp = 0 if since is None else since.timestamp() * 1000
        asked = {place: log for place, log in self._log.items() if place.topic in topics}
        begin = {
            place: next((r.offset for r in log if r.timestamp_ms >= stamp), len(log))
            for place, log in asked.items()
        }
        return LogBounds(begin, {place: len(log) for place, log in asked.items()})

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Read up to `limit` records from `begin` on."""
        if partition not in self._log:
            raise NotFound(topic=partition.topic, partition=partition.number)
        return tuple(self._log[partition][begin : begin + limit])

    async def close(self) -> None:
        """Stop all readers; what is asked afterwards fails."""
        self._closed = True
        for group in self._groups.values():
            for member in tuple(group.members):
                await member.stop()

    async def wait_until_idle(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109  it is a test's patience
        """Wait until every group has answered for every record; pauses are cut short meanwhile.

        Only the bus is meant: an event that waits in an outbox is unknown here. Raises
        `TimeoutError` with the lag of each group.
        """
        try:
            async with asyncio.timeout(timeout):
                while busy := [member for member in self._members() if not member.is_idle()]:
                    for member in busy:
                        member.cancel_pauses()
                    await self._bell.wait()
        except TimeoutError as error:
            raise TimeoutError(f"not settled: {self.lag()}") from error

    def lag(self) -> Mapping[str, int]:
        """Count the records that each group has not answered for, over what its readers hold."""
        return {
            name: sum(member.lag() for member in group.members)
            for name, group in self._groups.items()
        }

    def committed_offsets(self, group: str) -> Mapping[Partition, int]:
        """Return what a group has committed: next offsets."""
        return dict(self._groups[group].committed) if group in self._groups else {}

    def _members(self) -> list[Member]:
        return [member for group in self._groups.values() for member in group.members]

    def _require(self, topics: Sequence[str]) -> None:
        for name in topics:
            if name not in self._topics:
                raise NotFound(topic=name)
