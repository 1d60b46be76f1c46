"""What telling costs, in µs; printed with `pytest -s`, not asserted: it is the machine's word."""

import asyncio
import io
import time
from collections.abc import Callable

import pytest

from shared.kit.telemetry.logs import configure_logging, get_logger
from shared.kit.telemetry.messaging import open_process_span, open_send_span, record_create_span
from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.telemetry.request_telemetry import Message, RequestTelemetry, Scope, Send
from tests.support.recorded_spans import NOON, a_delivery, a_traceparent

BATCH = 500
HEADERS = [(b"host", b"x"), (b"accept", b"*/*"), (b"user-agent", b"x")]


def cost(work: Callable[[], object], *, times: int, per: int = 1) -> float:
    """The best of five runs, in µs."""
    runs = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(times):
            work()
        runs.append((time.perf_counter() - began) / times / per * 1e6)
    return min(runs)


def told(what: str, micro: float) -> None:
    print(f"{what:58} {micro:7.2f} µs")


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_message(share: float) -> None:
    telemetry = OtelTelemetry("community", sample_ratio=share)
    recorded = int(BATCH * share)
    traces = [a_traceparent(sampled=number < recorded) for number in range(BATCH)]
    deliveries = [a_delivery(trace) for trace in traces]

    def process() -> None:
        with open_process_span(telemetry, "moderation", deliveries, NOON):
            pass

    def send() -> None:
        with open_send_span(telemetry, {"community.post": BATCH}, traces):
            pass

    told(f"process, a message of 500, {share:.0%} recorded", cost(process, times=20, per=BATCH))
    told(f"send, a message of 500, {share:.0%} recorded", cost(send, times=20, per=BATCH))


def test_a_fact() -> None:
    telemetry = OtelTelemetry("community")
    for sampled in (False, True):
        trace = a_traceparent(sampled=sampled)

        def create(above: str = trace) -> None:
            record_create_span(
                telemetry, "community.post.published.v1", "community.post", "id", above
            )

        told(f"create, {'recorded' if sampled else 'unrecorded'}", cost(create, times=2000))


def test_a_value_and_a_line() -> None:
    telemetry = OtelTelemetry("community")
    told("count", cost(lambda: telemetry.count("preau.consumer.outcome", group="m"), times=5000))
    told("observe", cost(lambda: telemetry.observe("preau.job.duration", 1.2), times=5000))
    configure_logging("info", "json", io.StringIO())
    log = get_logger("cost")
    told("a log line", cost(lambda: log.info("sent", topic="community.post", n=3), times=500))
    told("a log line below the level", cost(lambda: log.debug("sent", n=3), times=5000))


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_request(share: float) -> None:
    telemetry = OtelTelemetry("community", sample_ratio=share)

    async def app(_scope: Scope, _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {}

    async def swallow(_: Message) -> None: ...

    wrapped = RequestTelemetry(app, telemetry, "community")

    async def ask(target: Callable[..., object], times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            scope = {"type": "http", "method": "GET", "path": "/v1/posts", "headers": HEADERS}
            await target(scope, receive, swallow)  # type: ignore[misc]
        return (time.perf_counter() - began) / times * 1e6

    async def both() -> float:
        with_it = min([await ask(wrapped, 2000) for _ in range(5)])
        return with_it - min([await ask(app, 2000) for _ in range(5)])

    told(f"a request, {share:.0%} recorded", asyncio.run(both()))
