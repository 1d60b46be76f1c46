"""Reading: one FastStream batch subscriber per group, with our own offsets, seeks and pauses.

FastStream polls and calls; whatever it decides by itself elsewhere (parsing, acknowledging,
swallowing) is taken out of its hands, each for a trap that lost or repeated events.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared.kit.bus.port import Incoming, Partition, Reading, Redeliver
from shared.kit.telemetry.logs import logger

log = logger("kafka")
POLL_MS = 3
"""Trap: an empty poll waits this long, and FastStream sleeps as long again."""
RETRY = 1.0
HEARTBEAT_MS = 300
"""A member learns of a rebalance with its heartbeat: three seconds would be its delay."""
Records = tuple[ConsumerRecord, ...]


def incoming(record: ConsumerRecord) -> Incoming:
    """Take a record as it is."""
    place = Partition(record.topic, record.partition)
    headers = tuple((name, value) for name, value in record.headers)
    return Incoming(place, record.offset, record.key, record.value, headers, record.timestamp)


def _kafka(place: Partition) -> TopicPartition:
    return TopicPartition(place.topic, place.number)


def _ours(places: Iterable[TopicPartition]) -> list[Partition]:
    return sorted((Partition(p.topic, p.partition) for p in places), key=_place)


def _place(place: Partition) -> tuple[str, int]:
    return place.topic, place.number


async def _parse(message: Any) -> KafkaAckableMessage:  # Any: FastStream hands records or a tuple
    # Trap: FastStream's own parser fails on one null header, and the whole batch with it.
    return KafkaAckableMessage(body=b"", raw_message=message, consumer=None)


async def _decode(message: KafkaAckableMessage) -> Any:  # Any: the records themselves
    # Trap: a decoder that raises on one value loses its 499 neighbours; meaning is read later.
    return message.raw_message


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A running reader of one group: `shared.kit.bus.port.Subscription`."""

    def __init__(self, bootstrap: str, client_id: str, reading: Reading) -> None:
        self._reading = reading
        self._broker = KafkaBroker(
            bootstrap,
            client_id=f"{client_id}-{reading.group}",
            allow_auto_create_topics=False,
            consumer_only=True,
            graceful_timeout=0.1,
            apply_types=False,
            logger=None,
        )
        # Trap: the default acknowledges first, and every other policy commits after an exception
        # or loops for ever; MANUAL swallows what a handler raises, so ours never raises.
        self._subscriber = self._broker.subscriber(
            *reading.topics,
            batch=True,
            group_id=reading.group,
            group_instance_id=reading.instance,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            batch_timeout_ms=POLL_MS,
            max_records=reading.batch,
            max_poll_interval_ms=max(int(reading.poll_limit * 1000), 1000),
            rebalance_timeout_ms=max(int(reading.poll_limit * 1000), 10_000),
            session_timeout_ms=int(reading.session_timeout * 1000),
            heartbeat_interval_ms=HEARTBEAT_MS,
            listener=self,
            parser=_parse,
            decoder=_decode,
        )
        self._subscriber(self._on_batch)
        # Trap: aiokafka revokes at once. Handler and rebalance take turns.
        self._turn = asyncio.Lock()
        self._assigned = asyncio.Event()
        self._held: set[Partition] = set()
        self._generation = 0
        self._polled_generation = 0
        self._answered: dict[Partition, int] = {}
        self._paused: dict[Partition, float] = {}
        self._last_poll = time.monotonic()
        self._stopping = False
        self._committer: asyncio.Task[None] | None = None

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self._subscriber.consumer
        if consumer is None:
            msg = "the reader is not started"
            raise RuntimeError(msg)
        return consumer

    async def start(self) -> None:
        """Join the group; returns when it has given this reader its partitions."""
        await self._broker.start()
        consumer = self._consumer
        self._getmany = consumer.getmany
        consumer.getmany = self._poll
        self._committer = asyncio.create_task(self._commit_regularly())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._assigned.wait(), self._reading.session_timeout * 3)

    async def _poll(self, *places: TopicPartition, **options: Any) -> Any:  # Any: aiokafka's own
        self._last_poll = time.monotonic()
        self._resume_due()
        self._polled_generation = self._generation
        return await self._getmany(*places, **options)

    def _resume_due(self) -> None:
        now = time.monotonic()
        for place in [place for place, until in self._paused.items() if until <= now]:
            del self._paused[place]
            if place in self._held:
                self._consumer.resume(_kafka(place))

    async def _on_batch(self, records: Records) -> None:
        """Hand a batch over. Never raises: FastStream would swallow it and lose the batch."""
        async with self._turn:
            if self._stopping or self._polled_generation != self._generation:
                return  # Polled before a rebalance: whoever owns it now starts where we say.
            batch = [incoming(record) for record in records]
            first: dict[Partition, int] = {}
            last: dict[Partition, int] = {}
            for record in batch:
                first.setdefault(record.partition, record.offset)
                last[record.partition] = record.offset
            await self._hand_over(batch, first, last)

    async def _hand_over(
        self,
        batch: Sequence[Incoming],
        first: Mapping[Partition, int],
        last: Mapping[Partition, int],
    ) -> None:
        try:
            answer = await self._reading.consumer.handle(batch)
        except Redeliver as wish:
            log.info("batch comes again", group=self._reading.group, reason=str(wish))
            self._again(first, wish.pause)
        except Exception:
            log.exception("batch failed", group=self._reading.group)
            self._again(first, RETRY)
        else:
            self._answered.update(answer)
            for place, offset in answer.items():
                if place in last and offset != last[place] + 1:
                    self._seek(place, offset)
            self._again({p: o for p, o in first.items() if p not in answer}, RETRY)

    def _again(self, first: Mapping[Partition, int], pause: float) -> None:
        """Trap: the next commit would skip a failed batch; go back to its beginning, and wait."""
        for place, offset in first.items():
            self._seek(place, offset)
            if place in self._held:
                self._paused[place] = time.monotonic() + pause
                self._consumer.pause(_kafka(place))

    def _seek(self, place: Partition, offset: int) -> None:
        # Seeking what was taken away meanwhile is no failure: its new owner starts by itself.
        with contextlib.suppress(IllegalStateError):
            self._consumer.seek(_kafka(place), offset)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batch in hand, commit what was answered, and let go."""
        async with self._turn:
            self._generation += 1
            if revoked:
                await self._commit()
                self._held.difference_update(_ours(revoked))
                await self._reading.consumer.revoked(_ours(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start where the consumer says; pause again what was paused (a rebalance forgets it)."""
        async with self._turn:
            self._generation += 1
            places = _ours(assigned)
            for place, offset in (await self._starts(places)).items():
                self._seek(place, offset)
            self._held.update(places)
            self._paused = {p: until for p, until in self._paused.items() if p in self._held}
            for place in self._paused:
                self._consumer.pause(_kafka(place))
            self._assigned.set()

    async def _starts(self, places: Sequence[Partition]) -> Mapping[Partition, int]:
        while places and not self._stopping:
            try:
                return await self._reading.consumer.assigned(places)
            except Exception:
                log.exception("no start yet", group=self._reading.group)
                await asyncio.sleep(RETRY)
        return {}

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._reading.commit_every)
            async with self._turn:
                await self._commit()

    async def _commit(self) -> None:
        """Commit what was answered and nothing else: a commit without offsets commits all."""
        answered, self._answered = self._answered, {}
        offsets = {_kafka(p): offset for p, offset in answered.items() if p in self._held}
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except (KafkaError, IllegalStateError) as error:
            # Our own positions hold the truth; this copy is only for those who look at the group.
            log.info("not committed", group=self._reading.group, error=str(error))

    async def stop(self) -> None:
        """Finish the batch in hand, commit, leave the group."""
        if self._stopping:
            return
        self._stopping = True
        try:
            async with asyncio.timeout(self._reading.drain):
                await self._turn.acquire()
        except TimeoutError:
            log.warning("batch cancelled", group=self._reading.group)
        else:
            self._turn.release()
        if self._committer is not None:
            self._committer.cancel()
        if self._subscriber.consumer is not None:
            await self._commit()
        await self._broker.stop()
        if self._held:
            held, self._held = sorted(self._held, key=_place), set()
            await self._reading.consumer.revoked(held)

    def alive(self) -> bool:
        """Tell whether it polled within its limit."""
        return not self._stopping and self.last_poll_age < self._reading.poll_limit

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last poll."""
        return time.monotonic() - self._last_poll
