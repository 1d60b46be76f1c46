"""Parents and links of every span from a request to the events that follow, on a memory bus."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx
import msgspec
from fastapi import FastAPI
from opentelemetry.trace import SpanKind

from shared.contracts.event import Fact
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, OutgoingRecord, Partition, SubscriptionConfig, Topic
from shared.kit.core.unit_of_work import Delivery
from shared.kit.telemetry.messaging import open_process_span, open_send_span, record_create_span
from shared.kit.telemetry.request_telemetry import RequestTelemetry
from tests.support.recorded_spans import (
    NOON,
    TelemetryRecorder,
    a_delivery,
    attributes_of,
    link_ids,
    parent_ids,
    record_telemetry,
    span_traceparent,
    trace_and_span_ids,
)

POSTED = "community.post.published.v1"
DECIDED = "moderation.decision.taken.v1"


def publishing(community: TelemetryRecorder, outbox: list[OutgoingRecord]) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/posts/{post_id}", status_code=201)
    async def publish(post_id: str, facts: int = 1) -> dict[str, str]:
        telemetry = community.telemetry
        for _ in range(facts):
            trace = record_create_span(
                telemetry, POSTED, "community.post", str(uuid4()), telemetry.current()
            )
            assert trace is not None
            header = (("traceparent", trace.encode()),)
            outbox.append(OutgoingRecord("community.post", b"k", post_id.encode(), header))
        return {"post": post_id}

    app.add_middleware(RequestTelemetry, telemetry=community.telemetry, service="community")
    return app


async def relay(
    community: TelemetryRecorder, bus: MemoryBus, outbox: Sequence[OutgoingRecord]
) -> None:
    topics = Counter(record.topic for record in outbox)
    traces = [dict(record.headers)["traceparent"].decode() for record in outbox]
    with open_send_span(community.telemetry, topics, traces):
        await bus.send(outbox)


@dataclass
class Moderation:
    """A consumer that records a decision for each post, and keeps its trace context."""

    recorder: TelemetryRecorder
    decision_contexts: list[str | None]

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, 0)

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None: ...

    async def on_revoked(self, partitions: Sequence[Partition]) -> None: ...

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        deliveries = [to_delivery(record) for record in batch]
        telemetry = self.recorder.telemetry
        with open_process_span(telemetry, "moderation", deliveries, NOON):
            for delivery in deliveries:
                self.decision_contexts.append(
                    record_create_span(
                        telemetry, DECIDED, "moderation.decision", "d", delivery.traceparent
                    )
                )
        return {record.partition: record.offset + 1 for record in batch}


def to_delivery(record: IncomingRecord) -> Delivery[Fact]:
    header = dict(record.headers)["traceparent"]
    assert header is not None
    return msgspec.structs.replace(
        a_delivery(header.decode()), partition=record.partition, offset=record.offset
    )


async def journey(facts: int) -> tuple[TelemetryRecorder, TelemetryRecorder, list[str | None]]:
    community, moderation = record_telemetry("community"), record_telemetry("moderation")
    outbox: list[OutgoingRecord] = []
    bus, decided = MemoryBus(), list[str | None]()
    await bus.ensure_topics([Topic("community.post")])
    reading = SubscriptionConfig("moderation", ("community.post",), Moderation(moderation, decided))
    transport = httpx.ASGITransport(publishing(community, outbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://préau") as client:
        response = await client.post(f"/v1/posts/été-🌿?facts={facts}")
    assert response.status_code == 201
    await relay(community, bus, outbox)
    await bus.subscribe(reading)
    await bus.wait_until_idle()
    await bus.close()
    return community, moderation, decided


async def test_single_message_is_in_one_trace_with_its_request() -> None:
    community, moderation, decided = await journey(facts=1)

    request = community.span_named("POST /v1/posts/{post_id}")
    create = community.span_named("create community.post")
    send = community.span_named("send community.post")
    process = moderation.span_named("process community.post")
    decision = moderation.span_named("create moderation.decision")

    assert [span.kind for span in (request, create, send, process, decision)] == [
        SpanKind.SERVER,
        SpanKind.PRODUCER,
        SpanKind.CLIENT,
        SpanKind.CONSUMER,
        SpanKind.PRODUCER,
    ]
    assert parent_ids(request) is None
    assert parent_ids(create) == trace_and_span_ids(span_traceparent(request))
    assert parent_ids(send) is None
    assert link_ids(send) == [trace_and_span_ids(span_traceparent(create))]
    assert parent_ids(process) == trace_and_span_ids(span_traceparent(create))
    assert link_ids(process) == [trace_and_span_ids(span_traceparent(create))]
    assert parent_ids(decision) == trace_and_span_ids(span_traceparent(process))
    assert decided == [span_traceparent(decision)]
    traces = {
        trace_and_span_ids(span_traceparent(span))[0]
        for span in (request, create, process, decision)
    }
    assert len(traces) == 1
    assert trace_and_span_ids(span_traceparent(send))[0] not in traces


async def test_batch_has_its_own_trace_and_decisions_keep_theirs() -> None:
    community, moderation, decided = await journey(facts=3)

    creates = [span for span in community.spans if span.name == "create community.post"]
    process = moderation.span_named("process community.post")
    decisions = [span for span in moderation.spans if span.name.startswith("create")]
    assert parent_ids(process) is None
    assert link_ids(process) == [trace_and_span_ids(span_traceparent(span)) for span in creates]
    assert [parent_ids(span) for span in decisions] == link_ids(process)
    assert {tuple(link_ids(span)) for span in decisions} == {
        (trace_and_span_ids(span_traceparent(process)),)
    }
    assert decided == [span_traceparent(span) for span in decisions]
    assert link_ids(community.span_named("send community.post")) == link_ids(process)


async def test_spans_follow_the_semantic_conventions() -> None:
    community, moderation, _ = await journey(facts=1)

    create = attributes_of(community.span_named("create community.post"))
    assert create["messaging.system"] == "kafka"
    assert create["messaging.operation.name"] == create["messaging.operation.type"] == "create"
    assert create["messaging.destination.name"] == "community.post"
    assert create["cloudevents.event_type"] == POSTED
    assert create["cloudevents.event_id"] == create["messaging.message.id"]
    process = attributes_of(moderation.span_named("process community.post"))
    assert process["messaging.consumer.group.name"] == "moderation"
    assert process["messaging.kafka.offset"] == 0
    assert str(process["messaging.destination.partition.id"]).isdigit()
    assert process["messaging.operation.type"] == "process"


async def test_two_services_in_one_process_have_separate_spans() -> None:
    community, moderation, _ = await journey(facts=1)

    assert {span.resource.attributes["service.name"] for span in community.spans} == {
        "preau-community"
    }
    assert {span.resource.attributes["service.name"] for span in moderation.spans} == {
        "preau-moderation"
    }


async def test_concurrent_tasks_keep_their_own_span() -> None:
    recorder = record_telemetry()

    async def work(name: str) -> tuple[str | None, str | None]:
        with recorder.telemetry.span(name, "internal") as span:
            await asyncio.sleep(0)
            return span.traceparent, recorder.telemetry.current()

    traceparents = await asyncio.gather(*(work(f"tâche {number}") for number in range(20)))

    assert all(own == current for own, current in traceparents)
    assert len({own for own, _ in traceparents}) == 20
    assert recorder.telemetry.current() is None
