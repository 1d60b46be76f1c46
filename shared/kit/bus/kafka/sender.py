"""Sending: acknowledged by all in-sync replicas, idempotent, in order per key."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.kit.bus.port import MAX_RECORD, Outgoing
from shared.kit.errors import Invalid, Transient

_LINGER_MS = 1


def size_of(record: Outgoing) -> int:
    """Count what `MAX_RECORD` limits."""
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key) + len(record.value) + headers


class Sender:
    """One producer, started at first use and replaced after a failure that it may not survive."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._producer: AIOKafkaProducer | None = None
        self._known: frozenset[str] = frozenset()
        self._starting = asyncio.Lock()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """See `shared.kit.bus.port.Bus.send`."""
        for record in records:
            if size_of(record) > MAX_RECORD:
                raise Invalid(topic=record.topic, bytes=size_of(record))
        try:
            producer = await self._started()
            await self._require(producer, {record.topic for record in records})
            waits = [
                await producer.send(r.topic, r.value, key=r.key, headers=list(r.headers))
                for r in records
            ]
            for answer in await asyncio.gather(*waits, return_exceptions=True):
                if isinstance(answer, BaseException):
                    raise answer
        except (KafkaError, OSError) as error:
            await self._discard()
            raise Transient(reason=f"{type(error).__name__}: {error}") from error

    async def _require(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        # A producer asked for an unknown topic waits 40 s for it to appear.
        if topics <= self._known:
            return
        cluster = await producer.client.fetch_all_metadata()
        self._known = frozenset(cluster.topics())
        missing = sorted(topics - self._known)
        if missing:
            raise Transient(reason=f"no topic {', '.join(missing)}")

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                # Trap: the defaults are acks=1 and no idempotence.
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    compression_type="lz4",
                    linger_ms=_LINGER_MS,
                    max_request_size=MAX_RECORD + 1_000_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _discard(self) -> None:
        async with self._starting:
            producer, self._producer = self._producer, None
        if producer is not None:
            # Its last batches may hang as long as the broker is away: not our caller's wait.
            self._ending = asyncio.ensure_future(producer.stop())

    async def close(self) -> None:
        """Send what is buffered, then end."""
        async with self._starting:
            producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
