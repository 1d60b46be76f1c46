"""From a request to the facts that follow from it: every edge of the trace, over a memory bus."""

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
from shared.kit.core.bus import Incoming, Outgoing, Partition, Reading, Topic
from shared.kit.core.unit_of_work import Delivery
from shared.kit.telemetry.messaging import create_span, process_span, send_span
from shared.kit.telemetry.requests import RequestTelemetry
from tests.support.recorded_spans import (
    NOON,
    Kept,
    a_delivery,
    attributes_of,
    context_of,
    ids,
    kept,
    links_of,
    parent_of,
)

POSTED = "community.post.published.v1"
DECIDED = "moderation.decision.taken.v1"


def publishing(community: Kept, outbox: list[Outgoing]) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/posts/{post_id}", status_code=201)
    async def publish(post_id: str, facts: int = 1) -> dict[str, str]:
        telemetry = community.telemetry
        for _ in range(facts):
            trace = create_span(
                telemetry, POSTED, "community.post", str(uuid4()), telemetry.current()
            )
            assert trace is not None
            header = (("traceparent", trace.encode()),)
            outbox.append(Outgoing("community.post", b"k", post_id.encode(), header))
        return {"post": post_id}

    app.add_middleware(RequestTelemetry, telemetry=community.telemetry, service="community")
    return app


async def relay(community: Kept, bus: MemoryBus, outbox: Sequence[Outgoing]) -> None:
    topics = Counter(record.topic for record in outbox)
    traces = [dict(record.headers)["traceparent"].decode() for record in outbox]
    with send_span(community.telemetry, topics, traces):
        await bus.send(outbox)


@dataclass
class Moderation:
    """A consumer that answers each post with a decision, whose trace context it keeps."""

    telling: Kept
    decided: list[str | None]

    async def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, 0)

    async def prepare(self, batch: Sequence[Incoming]) -> None: ...

    async def revoked(self, partitions: Sequence[Partition]) -> None: ...

    async def handle(self, batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        deliveries = [delivered(record) for record in batch]
        telemetry = self.telling.telemetry
        with process_span(telemetry, "moderation", deliveries, NOON):
            for each in deliveries:
                self.decided.append(
                    create_span(telemetry, DECIDED, "moderation.decision", "d", each.traceparent)
                )
        return {record.partition: record.offset + 1 for record in batch}


def delivered(record: Incoming) -> Delivery[Fact]:
    header = dict(record.headers)["traceparent"]
    assert header is not None
    return msgspec.structs.replace(
        a_delivery(header.decode()), partition=record.partition, offset=record.offset
    )


async def journey(facts: int) -> tuple[Kept, Kept, list[str | None]]:
    community, moderation = kept("community"), kept("moderation")
    outbox: list[Outgoing] = []
    bus, decided = MemoryBus(), list[str | None]()
    await bus.ensure([Topic("community.post")])
    reading = Reading("moderation", ("community.post",), Moderation(moderation, decided))
    transport = httpx.ASGITransport(publishing(community, outbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://préau") as client:
        answer = await client.post(f"/v1/posts/été-🌿?facts={facts}")
    assert answer.status_code == 201
    await relay(community, bus, outbox)
    await bus.read(reading)
    await bus.settle()
    await bus.close()
    return community, moderation, decided


async def test_one_message_is_one_trace_from_the_request_to_what_follows_from_it() -> None:
    community, moderation, decided = await journey(facts=1)

    request = community.only("POST /v1/posts/{post_id}")
    create = community.only("create community.post")
    send = community.only("send community.post")
    process = moderation.only("process community.post")
    decision = moderation.only("create moderation.decision")

    assert [span.kind for span in (request, create, send, process, decision)] == [
        SpanKind.SERVER,
        SpanKind.PRODUCER,
        SpanKind.CLIENT,
        SpanKind.CONSUMER,
        SpanKind.PRODUCER,
    ]
    assert parent_of(request) is None
    assert parent_of(create) == ids(context_of(request))
    assert parent_of(send) is None
    assert links_of(send) == [ids(context_of(create))]
    assert parent_of(process) == ids(context_of(create))
    assert links_of(process) == [ids(context_of(create))]
    assert parent_of(decision) == ids(context_of(process))
    assert decided == [context_of(decision)]
    traces = {ids(context_of(span))[0] for span in (request, create, process, decision)}
    assert len(traces) == 1
    assert ids(context_of(send))[0] not in traces


async def test_a_batch_has_a_trace_of_its_own_and_what_follows_stays_in_each_message_s() -> None:
    community, moderation, decided = await journey(facts=3)

    creates = [span for span in community.spans if span.name == "create community.post"]
    process = moderation.only("process community.post")
    decisions = [span for span in moderation.spans if span.name.startswith("create")]
    assert parent_of(process) is None
    assert links_of(process) == [ids(context_of(span)) for span in creates]
    assert [parent_of(span) for span in decisions] == links_of(process)
    assert {tuple(links_of(span)) for span in decisions} == {(ids(context_of(process)),)}
    assert decided == [context_of(span) for span in decisions]
    assert links_of(community.only("send community.post")) == links_of(process)


async def test_the_spans_say_what_the_conventions_ask() -> None:
    community, moderation, _ = await journey(facts=1)

    create = attributes_of(community.only("create community.post"))
    assert create["messaging.system"] == "kafka"
    assert create["messaging.operation.name"] == create["messaging.operation.type"] == "create"
    assert create["messaging.destination.name"] == "community.post"
    assert create["cloudevents.event_type"] == POSTED
    assert create["cloudevents.event_id"] == create["messaging.message.id"]
    process = attributes_of(moderation.only("process community.post"))
    assert process["messaging.consumer.group.name"] == "moderation"
    assert process["messaging.kafka.offset"] == 0
    assert str(process["messaging.destination.partition.id"]).isdigit()
    assert process["messaging.operation.type"] == "process"


async def test_two_services_in_one_process_tell_each_other_s_spans_apart() -> None:
    community, moderation, _ = await journey(facts=1)

    assert {span.resource.attributes["service.name"] for span in community.spans} == {
        "preau-community"
    }
    assert {span.resource.attributes["service.name"] for span in moderation.spans} == {
        "preau-moderation"
    }


async def test_tasks_that_run_at_once_keep_their_own_span() -> None:
    here = kept()

    async def work(name: str) -> tuple[str | None, str | None]:
        with here.telemetry.span(name, "internal") as span:
            await asyncio.sleep(0)
            return span.traceparent, here.telemetry.current()

    found = await asyncio.gather(*(work(f"tâche {number}") for number in range(20)))

    assert all(own == current for own, current in found)
    assert len({own for own, _ in found}) == 20
    assert here.telemetry.current() is None
