"""One trace from the request through outbox and log to the effects of the event."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
INSULT = "Tu es vraiment un connard, dégage."


def _named(spans: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def _belongs_to(span: ReadableSpan, trace_id: int) -> bool:
    return span.context is not None and span.context.trace_id == trace_id


async def test_one_trace_covers_insult_from_request_to_hiding(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik")
    question = await platform.publish_post("malik", space, "Qui vient ?", "question")
    await platform.wait_until_idle()
    platform.spans.clear()
    response = await platform.request(
        "malik", "POST", f"/community/v1/contents/{question}/comments", {"body": INSULT}
    )
    trace_id = int(response.headers["x-trace-id"], 16)
    await platform.wait_until_idle()
    spans = [s for s in platform.spans.get_finished_spans() if _belongs_to(s, trace_id)]
    (request,) = [s for s in spans if s.kind is SpanKind.SERVER]
    assert request.name == "POST /community/v1/contents/{content_id}/comments"
    created_names = {s.name for s in spans if s.kind is SpanKind.PRODUCER}
    assert created_names == {"create community.post", "create moderation.case"}
    (comment,) = [s for s in _named(spans, "create community.post") if s.parent == request.context]
    assert comment.attributes is not None
    assert comment.attributes["cloudevents.event_type"] == "community.comment.published.v1"
    processed = [s for s in spans if s.kind is SpanKind.CONSUMER]
    groups = {str((s.attributes or {})["messaging.consumer.group.name"]) for s in processed}
    assert groups >= {"moderation", "community"}
    hiding_spans = [
        s
        for s in _named(spans, "create community.post")
        if (s.attributes or {})["cloudevents.event_type"] == "community.comment.hidden.v1"
    ]
    assert len(hiding_spans) == 1, "the event of the hiding is in the trace of the request"


async def test_relay_starts_own_trace_with_links_to_records(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    platform.spans.clear()
    await platform.publish_post("zoe", space, "Bonjour à tous 👋")
    await platform.wait_until_idle()
    spans = list(platform.spans.get_finished_spans())
    (created_span,) = [
        s
        for s in _named(spans, "create community.post")
        if (s.attributes or {})["cloudevents.event_type"] == "community.post.published.v1"
    ]
    send_spans = [s for s in spans if s.kind is SpanKind.CLIENT and s.name.startswith("send")]
    linked_spans = [
        s
        for s in send_spans
        if any(link.context.span_id == created_span.context.span_id for link in s.links)
    ]
    assert len(linked_spans) == 1
    assert linked_spans[0].context.trace_id != created_span.context.trace_id
