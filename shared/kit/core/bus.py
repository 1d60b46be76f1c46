"""What a bus promises, in prose; `kafka` and `memory` are its two bodies.

A bus knows records, topics, partitions and offsets. It knows nothing of events, tenants or
databases: what a record means is read by `shared.kit.inbox`. What is made for each record is a
msgspec Struct, not a dataclass: an eighth of the time to make, a third to hash; and, since none
of them can hold itself, of no concern to the garbage collector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from msgspec import Struct

# Key, value and headers of one record together, in bytes: a dead letter holds a whole record of
# a foreign producer (Kafka's usual limit is 1 MB), written as text, and its stack.
MAX_RECORD_BYTES = 10_000_000
MAX_BATCH_RECORDS = 1_000
"""Records handed over at once, at most; with an ordinary effect, 20 ms of work."""


class Partition(Struct, frozen=True, gc=False):
    """One partition of one topic."""

    topic: str
    number: int


class OutgoingRecord(Struct, frozen=True, gc=False):
    """A record to be sent. Records of one key reach one partition, in the order they are sent."""

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
    """A record as it was received, undecoded.

    `key`, `value` and any header's value may be None: a foreign producer can send that, and the
    record still has to be accounted for.
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
    """Raised by a batch handler: nothing of this batch was applied, hand it over again later.

    `pause` is in seconds; the partitions of the batch wait that long, others go on. A partition
    that changes its reader meanwhile is handed over by the new one without waiting.
    """

    def __init__(self, pause_seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


class Consumer(Protocol):
    """The reader's side: what the bus calls."""

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return where to start reading each of these partitions (an absolute offset).

        A partition left out of the answer starts at the group's committed offset, else at the
        beginning. So does an offset that the log does not hold (any more): at the beginning.
        Awaited before the first record of any of them is handed over; when it raises, it is asked
        again after a second, and nothing is handed over until it has answered.
        """

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        """Get a batch ready for `handle`: decode it. Does no I/O and changes nothing.

        Awaits now and then, so that the batch in hand goes on meanwhile.

        Called before the same tuple is handed over, perhaps while the one before it is in hand;
        perhaps it never is, or is handed over without this.
        """

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        """Learn that these partitions belong to someone else from now on.

        Never called while `handle` runs: the bus waits for the batch in hand.
        """

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        """Apply a batch, and say the next offset to read of each partition in it.

        The batch holds at most `TextAnalysis.max_batch_records` records, in offset order within
        each partition.
        Where the answer is not the last offset + 1, the bus seeks there; a partition missing from
        it is handed over again after a second. What it answers is committed, sooner or later;
        nothing else ever is. Raising `Redeliver` (or anything else: then after one second) makes
        the bus seek every partition of the batch back to its first offset.
        """


@dataclass(frozen=True, slots=True)
class SubscriptionConfig:
    """How a consumer group reads its topics; all times are in seconds.

    `instance` is a stable name of this process among the group's: a restart under the same name
    resumes at once. `poll_limit` is how long one batch may take before the group takes the
    partitions away and `alive` says no. `drain` is how long `stop` waits for the batch in hand.
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
    """Where a topic's log begins and ends, per partition: next offsets, as the broker says."""

    begin: Mapping[Partition, int] = field(default_factory=dict)
    end: Mapping[Partition, int] = field(default_factory=dict)


class Subscription(Protocol):
    """A running reader."""

    async def stop(self) -> None:
        """Finish the batch in hand, commit what was answered, leave the group. Idempotent.

        With an `instance`, its place is kept for `session_timeout`: a restart under the same name
        resumes at once, and no rebalance happens in between.
        A batch that takes longer than `TextAnalysis.drain_timeout_seconds` is cancelled; it was
        not answered, so the next reader gets it again.
        """

    def alive(self) -> bool:
        """Return whether the reader polled within its poll limit (a liveness probe reads this).

        An idle or paused reader polls and is alive, and so is one whose broker is away: what it
        does not do then shows in `last_poll_age`. A stopped one is not.
        """

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last poll that did not fail."""


class Bus(Protocol):
    """Sends and reads records. All methods may block on the network, none retries for ever."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Send all of them and return when every one is acknowledged by all in-sync replicas.

        Raises `Transient` when not: then some may have been sent, none is known
        to be, and order per key still holds when the same list is sent again before anything else
        of its keys (repetitions of it may come late, and all in order). Raises `Invalid`,
        with nothing sent, when a record is larger than `MAX_RECORD_BYTES`: it never can be.
        Two calls at once that hold the same key have no order between them.
        """

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """Join a group and begin to hand over batches, one at a time.

        Returns when the group has given this reader its partitions (perhaps none). A topic that
        does not exist makes this fail with `NotFound`; it is never created by reading.
        """

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing. Existing ones are left as they are."""

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """Ask the broker where these topics begin and end. A missing one: `NotFound`.

        With `since`, a partition begins at its first record that was sent at or after that moment,
        and at its end when there is none.
        """

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Read up to `limit` records from `begin` on, outside of any group.

        What the log no longer holds is left out: the first record may lie behind `begin`.
        """

    async def close(self) -> None:
        """Stop everything that this bus started."""
