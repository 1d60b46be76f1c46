"""The port of the message bus: records, topics, partitions and offsets.

The implementations are `shared.kit.bus.kafka` and `shared.kit.bus.memory`. A bus does not decode
records: events and tenants are the concern of `shared.kit.inbox`. Types of which one object is
created per record are msgspec Structs, not dataclasses: creating one takes an eighth of the time,
hashing it a third, and with `gc=False` the garbage collector does not track it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from msgspec import Struct

MAX_RECORD_BYTES = 10_000_000
"""Key, value and headers of one record. A dead letter contains, as text, a whole record of a
foreign producer (1 MB is Kafka's usual limit) and a stack trace."""
MAX_BATCH_RECORDS = 1_000
"""About 20 ms of work with an ordinary effect."""


class Partition(Struct, frozen=True, gc=False):
    """One partition of one topic."""

    topic: str
    number: int


class OutgoingRecord(Struct, frozen=True, gc=False):
    """A record to send. Records of one key go to one partition, in the order they are sent."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes, as `MAX_RECORD_BYTES` counts them."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key) + len(self.value) + headers


class IncomingRecord(Struct, frozen=True, gc=False):
    """A record as it was received, not decoded.

    `key`, `value` and any header's value may be None: a foreign producer can send that, and the
    record must still be counted.
    """

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its number of partitions."""

    name: str
    partitions: int = 8


class Redeliver(Exception):
    """Raised by a batch handler: nothing of this batch was applied, deliver it again later.

    The partitions of the batch are paused for `pause_seconds`, other partitions are not. When a
    partition is assigned to another consumer meanwhile, that consumer does not wait.
    """

    def __init__(self, pause_seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


class Consumer(Protocol):
    """The callbacks that the bus calls for one member of a consumer group."""

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the offset at which to start reading each of these partitions.

        A partition missing from the result starts at the group's committed offset, else at the
        beginning. An offset that the log does not contain (any more) means the beginning.
        The bus awaits this before it delivers the first record of any of them. When it raises, the
        bus calls it again after a second, and delivers nothing until it succeeds.
        """

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        """Decode a batch ahead of `handle`. No I/O, no changes.

        Yields to the event loop regularly, so that the batch in progress continues meanwhile.

        The bus may call this with the tuple that it passes to `handle` next, also while the batch
        before it is in progress. `handle` may never follow, or be called without this.
        """

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        """Forget these partitions: another consumer owns them from now on.

        Never called while `handle` runs: the bus waits for the batch in progress.
        """

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        """Apply a batch and return the next offset to read of each partition in it.

        The batch contains at most `SubscriptionConfig.max_batch_records` records, in offset order
        within each partition. When a returned offset is not the last offset + 1, the bus seeks to
        it. A partition missing from the result is delivered again after a second. Returned offsets
        are committed sooner or later; no other offset ever is. When this raises `Redeliver` (or
        any other exception: then after one second), the bus seeks every partition of the batch
        back to its first offset.
        """


@dataclass(frozen=True, slots=True)
class SubscriptionConfig:
    """How a consumer group reads its topics.

    `instance_id` is a stable name of this process within the group (static membership): a restart
    under the same name resumes at once. `max_poll_interval_seconds` limits the duration of one
    batch: beyond it, the group reassigns the partitions and `alive` returns False.
    `drain_timeout_seconds` limits how long `stop` waits for the batch in progress.
    """

    group: str
    topics: tuple[str, ...]
    consumer: Consumer
    instance_id: str | None = None
    max_batch_records: int = MAX_BATCH_RECORDS
    commit_interval_seconds: float = 0.2
    session_timeout_seconds: float = 10.0
    max_poll_interval_seconds: float = 60.0
    drain_timeout_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class LogBounds:
    """The first offset and the next offset of each partition, as the broker reports them."""

    begin: Mapping[Partition, int] = field(default_factory=dict)
    end: Mapping[Partition, int] = field(default_factory=dict)


class Subscription(Protocol):
    """A running member of a consumer group."""

    async def stop(self) -> None:
        """Finish the batch in progress, commit the returned offsets, leave the group. Idempotent.

        With an `instance_id`, the group keeps its membership for `session_timeout_seconds`: a
        restart under the same name resumes at once, without a rebalance in between.
        A batch that takes longer than `drain_timeout_seconds` is cancelled; it returned no
        offsets, so the next consumer gets it again.
        """

    def alive(self) -> bool:
        """Return whether the last poll is recent enough (read by the liveness probe).

        An idle or paused subscription polls and is alive, and so is one whose broker is down; only
        `last_poll_age` shows that. A stopped one is not alive.
        """

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last successful poll."""


class LogReader(Protocol):
    """Reads the log of topics outside of any consumer group. Both methods block on the network."""

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """Fetch the first and next offsets of these topics. Raises `NotFound` for a missing topic.

        With `since`, a partition begins at its first record sent at or after that moment, and at
        its end when there is none.
        """

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Read up to `limit` records from offset `begin` on, outside of any group.

        Deleted records are left out: the first record may have a higher offset than `begin`.
        """


class Bus(LogReader, Protocol):
    """Sends and reads records. All methods may block on the network; none retries without limit."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Send the records; return when all in-sync replicas have acknowledged every one.

        Raises `Transient` when not: then some may have been sent, none is known
        to be, and the order per key is still correct if the caller sends the same list again
        before any other record of its keys (duplicates may appear late, and all in order). Raises
        `Invalid`, with nothing sent, when a record is larger than `MAX_RECORD_BYTES`.
        Two concurrent calls with the same key have no order between them.
        """

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """Join a group and start to deliver batches, one at a time.

        Returns when the group has assigned partitions to this member (perhaps none). Raises
        `NotFound` for a missing topic; subscribing never creates one.
        """

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing. Existing topics are not changed."""

    async def close(self) -> None:
        """Stop everything that this bus started."""
