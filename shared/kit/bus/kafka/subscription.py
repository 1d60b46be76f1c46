"""A running reader: one FastStream batch subscriber over a consumer that asks `Rules` first.

FastStream polls and calls. Whatever it decides by itself elsewhere (parsing, acknowledging,
swallowing, logging) is taken out of its hands, each for a trap that lost or repeated events;
tests/kit/bus/test_traps_*.py show every one of them.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.partition_controller import PartitionController
from shared.kit.bus.kafka.prefetch import BatchRecords, FetchedRecords
from shared.kit.core.bus import SubscriptionConfig
from shared.kit.telemetry.logs import get_logger

log = get_logger("kafka")

# A member learns of a rebalance with its next heartbeat: the usual three seconds would be lost
# at each deployment.
HEARTBEAT_MS = 300
# A fetch that found nothing comes back after so long; a seek has to wait for it.
FETCH_MAX_WAIT_MS = 200
# Bytes of one answer of the broker: memory is bounded by it, whatever waits there.
FETCH_BYTES = 16_000_000
# Trap: FastStream sleeps this long after a poll that found nothing. How long the poll itself
# waits is decided in `Rules`, which is woken by the first record.
EMPTY_POLL_PAUSE_MS = 3
# Seconds: joining may have to wait for another member's batch; leaving waits for an answer.
JOIN_TIMEOUT_SECONDS = 60.0
LEAVE_TIMEOUT_SECONDS = 10.0


class ControlledConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer whose every poll goes through the rules."""

    def __init__(
        self, poll: Callable[..., Coroutine[Any, Any, FetchedRecords]], **options: Any
    ) -> None:
        # Any: whatever FastStream passes on.
        super().__init__(**options)
        self._poll = poll

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> FetchedRecords:
        """Poll as the rules say; FastStream's own timeout is not used."""
        fetch = partial(super().getmany, *partitions, max_records=max_records)
        return await self._poll(fetch)


async def _parse(records: BatchRecords) -> KafkaMessage:
    # Traps: FastStream's own parser fails on one null header, and the whole batch is lost with
    # it; a foreign `reply_to` header would make it publish an answer.
    return KafkaMessage(
        body=b"", raw_message=records, consumer=FAKE_CONSUMER, correlation_id="-", message_id="-"
    )


async def _decode(message: KafkaMessage) -> BatchRecords:
    # Trap: a decoder that raises on one value loses its 499 neighbours. Values are read later.
    records: BatchRecords = message.raw_message
    return records


class KafkaSubscription:
    """The Kafka body of `shared.kit.core.bus.Subscription`."""

    def __init__(self, cluster: Cluster, client_id: str, reading: SubscriptionConfig) -> None:
        self._cluster = cluster
        self._reading = reading
        self._rules = PartitionController(reading)
        self._broker = _broker(cluster.bootstrap, client_id)
        limit = int(reading.max_poll_interval_seconds * 1000)
        # max_workers is left alone: with more than one, order per key is gone and a stop
        # repeats events.
        self._subscriber = self._broker.subscriber(
            *reading.topics,
            batch=True,
            max_records=reading.max_batch_records,
            batch_timeout_ms=EMPTY_POLL_PAUSE_MS,
            group_id=reading.group,
            # Static membership: a restart resumes at once instead of after the session's timeout.
            group_instance_id=reading.instance_id,
            # Trap: the default acknowledges first (a crash loses the batch), ACK and
            # REJECT_ON_ERROR commit after an exception, NACK_ON_ERROR loops, hot.
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            max_poll_interval_ms=max(limit, 1000),
            rebalance_timeout_ms=max(limit, 10_000),
            session_timeout_ms=int(reading.session_timeout_seconds * 1000),
            heartbeat_interval_ms=HEARTBEAT_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            listener=self._rules,
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        self._subscriber(self._rules.on_batch)
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the group; returns when it has given this reader its partitions."""
        try:
            async with asyncio.timeout(
                JOIN_TIMEOUT_SECONDS + self._reading.max_poll_interval_seconds
            ):
                await self._broker.connect()
                config = self._broker.config.broker_config
                options = config.builder.keywords  # type: ignore[attr-defined]  # it is a partial
                config.builder = partial(self._build, **options)
                await self._broker.start()
        except BaseException:
            await self.stop()
            raise

    def _build(self, **options: Any) -> AIOKafkaConsumer:  # Any: whatever FastStream passes on
        consumer = ControlledConsumer(
            self._rules.poll, **(options | self._cluster.security_options())
        )
        self._rules.attach(consumer)
        return consumer

    async def stop(self) -> None:
        """See the port."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        # A caller that gives up does not leave it half done.
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._rules.drain()
        # Trap: FastStream cancels its loop and goes on without waiting for it, so that a batch
        # may still be rolling back when its partitions are given away.
        tasks = tuple(self._subscriber.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVE_TIMEOUT_SECONDS)
        await self._rules.release()
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_SECONDS):
                await self._broker.stop()
        except TimeoutError:
            log.warning("did not leave in time", group=self._reading.group)

    @property
    def running(self) -> bool:
        """Return whether it was not told to stop."""
        return self._ending is None

    def alive(self) -> bool:
        """See the port."""
        polling = any(not task.done() for task in self._subscriber.tasks)
        return self.running and polling and self._rules.is_polling()

    @property
    def last_poll_age(self) -> float:
        """See the port."""
        return self._rules.last_poll_age


def _broker(bootstrap: str, client_id: str) -> KafkaBroker:
    return KafkaBroker(
        bootstrap.split(","),
        client_id=client_id,
        # Trap: True creates topics although the broker forbids it.
        allow_auto_create_topics=False,
        consumer_only=True,
        # We wait for the batch in hand ourselves, before it commits for the last time.
        graceful_timeout=None,
        # Trap: validation and a log line per message cost 99 % of the speed; its telemetry
        # middleware reverses names and halves the rest. None of them is switched on.
        apply_types=False,
        logger=None,
        middlewares=(),
    )
