"""A running subscription: FastStream's batch subscriber over a consumer that we control.

FastStream connects, joins the group, runs the poll loop and calls the handler. The steps that lost
or repeated events are replaced, each marked with its trap: polling (`ControlledConsumer` calls
`PartitionController.poll`), parsing and decoding (`_parse`, `_decode`), acknowledgement
(`AckPolicy.MANUAL`) and stopping (`_end`). tests/kit/bus/test_traps_*.py show the traps; ADR 5
lists the parts.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.partition_controller import PartitionController
from shared.kit.bus.kafka.prefetch import BatchRecords, FetchedRecords
from shared.kit.core.bus import SubscriptionConfig
from shared.kit.telemetry.logs import get_logger

log = get_logger("kafka")

HEARTBEAT_MS = 300
"""A member learns of a rebalance with its next heartbeat; aiokafka's default of three seconds would
delay each deployment."""
FETCH_MAX_WAIT_MS = 200
"""An empty fetch returns after this time, and a seek has to wait for it."""
FETCH_BYTES = 16_000_000
"""One response of the broker: this bounds our memory, however long the backlog is."""
EMPTY_POLL_PAUSE_MS = 3
"""Trap: FastStream sleeps this long after an empty poll. How long the poll itself waits is decided
in `PartitionController`, and the first record ends that wait."""
JOIN_TIMEOUT_SECONDS = 60.0
"""Joining may have to wait for the batch of another member."""
LEAVE_TIMEOUT_SECONDS = 10.0


class ControlledConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer that passes each poll to a `PartitionController`."""

    def __init__(
        self, poll: Callable[..., Coroutine[Any, Any, FetchedRecords]], **options: Any
    ) -> None:
        # Any: FastStream passes the options on without types.
        super().__init__(**options)
        self._poll = poll

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> FetchedRecords:
        """Poll through the controller, which chooses the timeout; FastStream's is not used."""
        fetch = partial(super().getmany, *partitions, max_records=max_records)
        return await self._poll(fetch)


async def _parse(records: BatchRecords) -> KafkaMessage:
    # Trap: FastStream's own parser fails on one null header, and the whole batch is lost;
    # a foreign `reply_to` header would make it publish a reply.
    return KafkaMessage(
        body=b"", raw_message=records, consumer=FAKE_CONSUMER, correlation_id="-", message_id="-"
    )


async def _decode(message: KafkaMessage) -> BatchRecords:
    # Trap: a decoder that raises on one value loses the other 499 too. We decode later.
    records: BatchRecords = message.raw_message
    return records


class KafkaSubscription:
    """Implements `Subscription` on Kafka."""

    def __init__(self, cluster: Cluster, client_id: str, config: SubscriptionConfig) -> None:
        self._cluster = cluster
        self._config = config
        self._controller = PartitionController(config)
        self._broker = _make_broker(cluster.bootstrap, client_id)
        self._subscriber = _make_subscriber(self._broker, config, self._controller)
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the group; return when it has assigned partitions to this member."""
        try:
            timeout = JOIN_TIMEOUT_SECONDS + self._config.max_poll_interval_seconds
            async with asyncio.timeout(timeout):
                await self._broker.connect()
                self._replace_consumer_builder()
                await self._broker.start()
        except BaseException:
            await self.stop()
            raise

    def _replace_consumer_builder(self) -> None:
        """Make FastStream build a `ControlledConsumer`; it has no public option for that."""
        config = self._broker.config.broker_config
        options = config.builder.keywords  # type: ignore[attr-defined]  # it is a partial
        config.builder = partial(self._build_consumer, **options)

    def _build_consumer(self, **options: Any) -> AIOKafkaConsumer:  # Any: FastStream's options
        security_options = self._cluster.security_options()
        consumer = ControlledConsumer(self._controller.poll, **(options | security_options))
        self._controller.attach(consumer)
        return consumer

    async def stop(self) -> None:
        """See `Subscription.stop`."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        # Shielded: a cancelled caller must not leave the subscription half stopped.
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._controller.drain()
        # Trap: FastStream cancels its loop without waiting for it, so that a batch may still be
        # rolling back when its partitions are assigned to another member.
        tasks = tuple(self._subscriber.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVE_TIMEOUT_SECONDS)
        await self._controller.release()
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_SECONDS):
                await self._broker.stop()
        except TimeoutError:
            log.warning("did not leave in time", group=self._config.group)

    @property
    def running(self) -> bool:
        """True until `stop` is called."""
        return self._ending is None

    def alive(self) -> bool:
        """See `Subscription.alive`."""
        polling = any(not task.done() for task in self._subscriber.tasks)
        return self.running and polling and self._controller.is_polling()

    @property
    def last_poll_age(self) -> float:
        """See `Subscription.last_poll_age`."""
        return self._controller.last_poll_age


def _make_broker(bootstrap: str, client_id: str) -> KafkaBroker:
    return KafkaBroker(
        bootstrap.split(","),
        client_id=client_id,
        # Trap: True creates topics although the broker forbids it.
        allow_auto_create_topics=False,
        consumer_only=True,
        # `KafkaSubscription._end` waits for the batch in progress, before the last commit.
        graceful_timeout=None,
        # Trap: validation and a log line per message cost 99 % of the speed; the telemetry
        # middleware reverses names and halves the rest. None of them is switched on.
        apply_types=False,
        logger=None,
        middlewares=(),
    )


def _make_subscriber(
    broker: KafkaBroker, config: SubscriptionConfig, controller: PartitionController
) -> BatchSubscriber:
    max_poll_interval_ms = int(config.max_poll_interval_seconds * 1000)
    # `max_workers` stays 1: more would break the order per key, and a stop would repeat events.
    subscriber = broker.subscriber(
        *config.topics,
        batch=True,
        max_records=config.max_batch_records,
        batch_timeout_ms=EMPTY_POLL_PAUSE_MS,
        group_id=config.group,
        # Static membership: a restart resumes at once, not after the session timeout.
        group_instance_id=config.instance_id,
        # Trap: the default acknowledges first (a crash loses the batch), ACK and REJECT_ON_ERROR
        # commit after an exception, NACK_ON_ERROR retries without a pause.
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        max_poll_interval_ms=max(max_poll_interval_ms, 1000),
        rebalance_timeout_ms=max(max_poll_interval_ms, 10_000),
        session_timeout_ms=int(config.session_timeout_seconds * 1000),
        heartbeat_interval_ms=HEARTBEAT_MS,
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        fetch_max_bytes=FETCH_BYTES,
        listener=controller,
        parser=_parse,
        decoder=_decode,
        no_reply=True,
    )
    subscriber(controller.on_batch)
    return subscriber
