"""How much is still under way, by plain SQL and the broker's own word."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.local.platform import SERVICE_NAMES
from deploy.local.stack import StackAddresses

GROUPS = ("community", "moderation", "notifications", "metrics")
TopicPartitionKey = tuple[str, int]
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_OUTBOX = "SELECT count(*) AS n, COALESCE(min(position), 0) AS oldest FROM outbox"
_POSITIONS = "SELECT topic, partition, next_offset FROM positions WHERE consumer_group = $1"
_PARKED = """
    SELECT count(*) FILTER (WHERE state = 'dead') AS dead,
           count(*) FILTER (WHERE state = 'parked' AND NOT EXISTS (
               SELECT 1 FROM parked AS d WHERE d.consumer_group = p.consumer_group
                 AND d.key = p.key AND d.state = 'dead')) AS due
    FROM parked AS p WHERE consumer_group = $1
"""


@dataclass(frozen=True)
class BacklogSnapshot:
    """What stood where at one moment."""

    outbox: Mapping[str, int]
    oldest_positions: Mapping[str, int]
    """The smallest outbox position of each service; 0 of an empty one."""
    ends: Mapping[TopicPartitionKey, int]
    positions: Mapping[str, Mapping[TopicPartitionKey, int]]
    """Of each group: the next offset to apply."""
    retry_due: Mapping[str, int]
    """Parked events of each group that no dead one holds back: they will be tried again."""
    dead: Mapping[str, int]

    @property
    def lag(self) -> dict[str, int]:
        """Count the records that each group has not yet applied, in the topics it subscribes to."""
        lag = {}
        for group, places in self.positions.items():
            topics = {topic for topic, _ in places}
            ends = {
                partition: end for partition, end in self.ends.items() if partition[0] in topics
            }
            lag[group] = sum(
                max(end - places.get(partition, 0), 0) for partition, end in ends.items()
            )
        return lag

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is under way."""
        return not (
            any(self.outbox.values()) or any(self.retry_due.values()) or any(self.lag.values())
        )

    def covers(self, mark: "BacklogSnapshot") -> bool:
        """Return whether all that was in the log at that mark is applied by now."""
        topics = {g: {t for t, _ in places} for g, places in mark.positions.items()}
        return all(
            self.positions[group].get(partition, 0) >= end
            for group in mark.positions
            for partition, end in mark.ends.items()
            if partition[0] in topics[group]
        )

    def has_progressed(self, mark: "BacklogSnapshot", service: str) -> bool:
        """Return whether all that waited for a service at that mark has moved since."""
        places = mark.positions.get(service, {})
        waiting = {
            partition: n for partition, n in places.items() if mark.ends.get(partition, 0) > n
        }
        now = self.positions.get(service, {})
        sent = (
            mark.oldest_positions[service] == 0
            or self.oldest_positions[service] != mark.oldest_positions[service]
        )
        return sent and all(now.get(partition, 0) > n for partition, n in waiting.items())

    def __str__(self) -> str:
        """Format the state for the log of the run."""
        return (
            f"outbox {dict(self.outbox)}, lag {self.lag}, parked {self.retry_due}, dead {self.dead}"
        )


@dataclass
class BacklogMonitor:
    """Looks again and again; one connection to each database, one consumer without a group."""

    addresses: StackAddresses
    _databases: dict[str, Any] = field(default_factory=dict)
    _reader: AIOKafkaConsumer | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the database connections and the consumer."""
        await self._close_connections()

    async def snapshot(self) -> BacklogSnapshot | None:
        """Look once; None while a server does not answer."""
        async with self._lock:
            try:
                async with asyncio.timeout(10):
                    return await self._read_snapshot()
            except CONNECTION_ERRORS:
                await self._close_connections()
                return None

    async def _read_snapshot(self) -> BacklogSnapshot:
        databases = {name: await self._database(name) for name in SERVICE_NAMES}
        waiting = {name: await db.fetchrow(_OUTBOX) for name, db in databases.items()}
        ends = await self._ends()
        positions, retry_due, dead = {}, {}, {}
        for group in GROUPS:
            rows = await databases[group].fetch(_POSITIONS, group)
            positions[group] = {(r["topic"], r["partition"]): r["next_offset"] for r in rows}
            parked = await databases[group].fetchrow(_PARKED, group)
            retry_due[group], dead[group] = parked["due"], parked["dead"]
        return BacklogSnapshot(
            {name: row["n"] for name, row in waiting.items()},
            {name: row["oldest"] for name, row in waiting.items()},
            ends,
            positions,
            retry_due,
            dead,
        )

    async def _database(self, name: str) -> Any:
        connection = self._databases.get(name)
        if connection is None or connection.is_closed():
            url = self.addresses.database_url(name, "owner").replace("+asyncpg", "")
            connection = self._databases[name] = await asyncpg.connect(url, timeout=5)
        return connection

    async def _ends(self) -> dict[TopicPartitionKey, int]:
        if self._reader is None:
            self._reader = AIOKafkaConsumer(
                **self.addresses.cluster().client_options(), enable_auto_commit=False, group_id=None
            )
            await self._reader.start()
        # The public `topics` asks for nothing new once it knows them: topics are never added here.
        client = self._reader._client
        cluster = await client.fetch_all_metadata()
        partitions = [
            TopicPartition(topic, number)
            for topic in cluster.topics(exclude_internal_topics=True)
            for number in cluster.partitions_for_topic(topic) or ()
        ]
        ends = await self._reader.end_offsets(partitions)
        return {(partition.topic, partition.partition): end for partition, end in ends.items()}

    async def _close_connections(self) -> None:
        databases, self._databases = self._databases, {}
        for database in databases.values():
            database.terminate()
        reader, self._reader = self._reader, None
        if reader is not None:
            try:
                async with asyncio.timeout(5):
                    await reader.stop()
            except CONNECTION_ERRORS:
                return

    async def wait_until_idle(self, seconds: float) -> BacklogSnapshot | None:
        """Wait until nothing is under way, twice in a row; None when it takes too long."""
        deadline, idle_snapshots = time.monotonic() + seconds, 0
        previous: BacklogSnapshot | None = None
        while time.monotonic() < deadline:
            snapshot = await self.snapshot()
            log_unchanged = (
                snapshot is not None and previous is not None and snapshot.ends == previous.ends
            )
            idle_snapshots = (
                idle_snapshots + 1
                if snapshot is not None and snapshot.is_idle and log_unchanged
                else 0
            )
            previous = snapshot
            if idle_snapshots >= 2:
                return snapshot
            await asyncio.sleep(0.3)
        return None

    async def seconds_until_applied(self, seconds: float) -> float | None:
        """Seconds until all that is in the log now is applied everywhere; None: not in time."""
        return await self._until(lambda now, mark: now.covers(mark), seconds)

    async def seconds_until_progress(self, service: str, seconds: float) -> float | None:
        """Seconds until all that waits for a service now has moved; None: not in time."""
        return await self._until(lambda now, mark: now.has_progressed(mark, service), seconds)

    async def _until(
        self, reached: Callable[[BacklogSnapshot, BacklogSnapshot], bool], seconds: float
    ) -> float | None:
        began = time.monotonic()
        mark: BacklogSnapshot | None = None
        while time.monotonic() - began < seconds:
            snapshot = await self.snapshot()
            if mark is None:
                mark = snapshot
            elif snapshot is not None and reached(snapshot, mark):
                return time.monotonic() - began
            await asyncio.sleep(0.3)
        return None


def count_events(look: BacklogSnapshot) -> int:
    """Count the records of all topics of facts."""
    counted: Counter[str] = Counter()
    for (topic, _), end in look.ends.items():
        counted[topic] += end
    return sum(n for topic, n in counted.items() if not topic.startswith(("dead.", "__")))
