"""A FastStream application that reads `community.post`: `python -m examples.subscriber.app`.

It uses the contracts of Préau (`shared.contracts`) and nothing else of it.
"""

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware
from faststream.security import SASLScram256
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from examples.subscriber.store import PostStore
from shared.contracts.catalogue import EVENTS, decoder_of
from shared.contracts.community import PostPublished
from shared.contracts.event import Envelope, decode_envelope

log = logging.getLogger("subscriber")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Settings:
    """What the application reads from its environment."""

    kafka: str
    user: str
    password: str
    topic: str
    database: Path

    @classmethod
    def read(cls) -> "Settings":
        """Read KAFKA, KAFKA_USER, KAFKA_PASSWORD, KAFKA_TOPIC and DATABASE."""
        return cls(
            kafka=os.environ.get("KAFKA", "127.0.0.1:19092"),
            user=os.environ.get("KAFKA_USER", "my-system"),
            password=os.environ["KAFKA_PASSWORD"],
            topic=os.environ.get("KAFKA_TOPIC", "community.post"),
            database=Path(os.environ.get("DATABASE", "posts.sqlite3")),
        )


def apply_record(store: PostStore, value: bytes) -> str:
    """Apply one record and return what became of it; a database error is raised.

    An event of an unknown type or version is ignored: types are added over time. A record that is
    no event is logged and skipped, because it will not become one when it is read again.
    """
    try:
        envelope = decode_envelope(value)
        fact_type = EVENTS.get(envelope.type)
        if fact_type is not PostPublished:
            return f"ignored {envelope.type}"
        post = decoder_of(PostPublished).decode(envelope.data)
    except UNREADABLE as error:
        log.warning("skipped a record that is no event: %s", error)
        return "skipped"
    assert isinstance(post, PostPublished)  # noqa: S101  narrows the type for the checker
    return _apply_post(store, envelope, post)


def _apply_post(store: PostStore, envelope: Envelope, post: PostPublished) -> str:
    is_new = store.add_post(envelope.id, post, envelope.time.isoformat())
    return f"{'applied' if is_new else 'duplicate'} {envelope.id}"


def build_app(settings: Settings) -> FastStream:
    """Build the application: one subscriber in the consumer group of its user."""
    store = PostStore.open(settings.database)
    broker = KafkaBroker(
        settings.kafka,
        security=SASLScram256(settings.user, settings.password),
        # The user may read; by default FastStream tries to create the topic.
        allow_auto_create_topics=False,
        logger=log,
        # Reads `traceparent` from each record's headers, so the span of an event here is a child of
        # the span of the request that caused it. Give the provider an exporter to see it.
        middlewares=[KafkaTelemetryMiddleware(tracer_provider=TracerProvider())],
    )

    @broker.subscriber(
        settings.topic,
        group_id=settings.user,
        auto_offset_reset="earliest",
        # An error (a locked database, say) is not acknowledged: the record is read again.
        ack_policy=AckPolicy.NACK_ON_ERROR,
        # CloudEvents have a content type that FastStream does not decode: take the bytes.
        decoder=_undecoded,
    )
    async def on_record(message: KafkaMessage) -> None:
        outcome = await asyncio.to_thread(apply_record, store, message.body)
        trace_id = trace.get_current_span().get_span_context().trace_id
        print(f"{outcome} trace={trace_id:032x}", flush=True)

    return FastStream(broker)


async def _undecoded(message: KafkaMessage) -> bytes:
    return message.body


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(build_app(Settings.read()).run())
