"""The Kafka body of `shared.kit.bus.port.Bus`: topics, sending, and looking at the log."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.kit.bus.kafka.reader import KafkaSubscription, incoming
from shared.kit.bus.kafka.sender import Sender
from shared.kit.bus.port import (
    MAX_RECORD,
    Incoming,
    Outgoing,
    Partition,
    Progress,
    Reading,
    Subscription,
    Topic,
)
from shared.kit.errors import NotFound, Transient

_TOPIC_SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "max.message.bytes": str(MAX_RECORD + 1_000_000),
}
_TRIES = 50
_PAUSE = 0.1


class KafkaBus:
    """A bus on the cluster at `bootstrap`. Connects at first use; `close` ends everything."""

    def __init__(self, bootstrap: str, *, client_id: str, replication: int = 1) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._replication = replication
        self._sender = Sender(bootstrap, client_id)
        self._looker: AIOKafkaConsumer | None = None
        self._looking = asyncio.Lock()
        self._readers: list[KafkaSubscription] = []
        self._closed = False

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send all of them; see the port."""
        if self._closed:
            raise Transient(reason="closed")
        await self._sender.send(records)

    async def read(self, reading: Reading) -> Subscription:
        """Join a group; see the port."""
        await self.progress(reading.topics)
        reader = KafkaSubscription(self._bootstrap, self._client_id, reading)
        self._readers.append(reader)
        try:
            await reader.start()
        except KafkaError as error:
            raise Transient(reason=str(error)) from error
        return reader

    async def ensure(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing, and wait until the cluster knows them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, client_id=self._client_id)
        try:
            await admin.start()
            new = [
                NewTopic(t.name, t.partitions, self._replication, topic_configs=_TOPIC_SETTINGS)
                for t in topics
            ]
            answer = await admin.create_topics(new)
            for _, code, *_rest in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)
        except KafkaError as error:
            raise Transient(reason=f"topics: {error}") from error
        finally:
            await admin.close()
        await self._until_known([topic.name for topic in topics])

    async def _until_known(self, names: Sequence[str]) -> None:
        for _ in range(_TRIES):
            try:
                await self.progress(names)
            except (NotFound, Transient):
                await asyncio.sleep(_PAUSE)
            else:
                return
        raise Transient(reason=f"topics not ready: {', '.join(names)}")

    async def progress(self, topics: Sequence[str]) -> Progress:
        """Ask where these topics begin and end."""
        try:
            async with self._looking:
                looker = await self._look()
                # Its public `topics()` does not tell their partitions.
                cluster = await looker._client.fetch_all_metadata()  # noqa: SLF001
                places = []
                for topic in topics:
                    numbers = cluster.partitions_for_topic(topic)
                    if not numbers:
                        raise NotFound(topic=topic)
                    places += [TopicPartition(topic, number) for number in sorted(numbers)]
                begin = await looker.beginning_offsets(places)
                end = await looker.end_offsets(places)
        except KafkaError as error:
            raise Transient(reason=str(error)) from error
        return Progress(
            {Partition(tp.topic, tp.partition): offset for tp, offset in begin.items()},
            {Partition(tp.topic, tp.partition): offset for tp, offset in end.items()},
        )

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[Incoming]:
        """Read a slice of the log, outside of any group."""
        progress = await self.progress([partition.topic])
        if partition not in progress.end:
            raise NotFound(topic=partition.topic, partition=partition.number)
        wanted = min(limit, progress.end[partition] - begin)
        found: list[Incoming] = []
        try:
            async with self._looking:
                looker = await self._look()
                place = TopicPartition(partition.topic, partition.number)
                looker.assign([place])
                looker.seek(place, begin)
                while len(found) < wanted:
                    got = await looker.getmany(place, timeout_ms=500, max_records=limit)
                    found += [incoming(record) for record in got.get(place, ())]
        except KafkaError as error:
            raise Transient(reason=str(error)) from error
        return tuple(found[:limit])

    async def _look(self) -> AIOKafkaConsumer:
        if self._closed:
            raise Transient(reason="closed")
        if self._looker is None:
            looker = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                client_id=f"{self._client_id}-look",
                enable_auto_commit=False,
            )
            try:
                await looker.start()
            except KafkaError:
                await looker.stop()
                raise
            self._looker = looker
        return self._looker

    async def close(self) -> None:
        """Stop all readers, then the producer."""
        self._closed = True
        for reader in self._readers:
            await reader.stop()
        await self._sender.close()
        if self._looker is not None:
            await self._looker.stop()
            self._looker = None
