"""The public and inner applications before and after the start of a service."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from shared.kit.runtime.http_server import inner_application, public_application
from shared.kit.runtime.runner import RunningService
from shared.kit.runtime.service import Service
from shared.kit.runtime.startup import Unavailable, parse_database_address, parse_kafka_address

KAFKA = parse_kafka_address("kafka.example:9092")
POSTGRES = parse_database_address("postgresql://a:b@db.example/x", "COMMUNITY_DATABASE_URL")


async def serve_text(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await PlainTextResponse("une réponse")(scope, receive, send)


@pytest.fixture
def running() -> RunningService:
    # No test here uses the database.
    return RunningService(Service("community", serve_text, None, "", None))  # type: ignore[arg-type]


async def get(running: RunningService, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(public_application([running]))
    async with httpx.AsyncClient(transport=transport, base_url="http://préau.test") as client:
        return await client.get(path)


async def health(running: RunningService) -> tuple[int, int, int]:
    return (
        (await get(running, "/health/startup")).status_code,
        (await get(running, "/health/live")).status_code,
        (await get(running, "/health/ready")).status_code,
    )


async def test_service_answers_503_until_its_database_is_ready(
    running: RunningService,
) -> None:
    rejected = await get(running, "/community/v1/posts")
    running.database_ready = True
    served = await get(running, "/community/v1/posts")

    assert (rejected.status_code, rejected.json()["type"]) == (503, "/community/problems/try_again")
    assert int(rejected.headers["retry-after"]) > 0
    assert rejected.headers["x-content-type-options"] == "nosniff"
    assert (served.status_code, served.text) == (200, "une réponse")


async def test_health_reports_startup_and_readiness_failures_at_first(
    running: RunningService,
) -> None:
    assert await health(running) == (503, 200, 503)


async def test_waiting_service_is_live_and_names_servers_without_addresses(
    running: RunningService,
) -> None:
    since = time.monotonic() - 75
    running.update_availability(POSTGRES, Unavailable(POSTGRES, since, "connection refused"))
    running.update_availability(KAFKA, Unavailable(KAFKA, since, "no answer"))

    transport = httpx.ASGITransport(inner_application([running]))
    async with httpx.AsyncClient(transport=transport, base_url="http://inner.test") as client:
        check_text = (await client.get("/health/ready")).json()["checks"]["community"]

    assert await health(running) == (200, 200, 503)
    assert check_text == "waits for PostgreSQL, away for 75 s; waits for Kafka, away for 75 s"


async def test_available_server_is_removed_and_health_is_ready(running: RunningService) -> None:
    running.update_availability(KAFKA, Unavailable(KAFKA, time.monotonic(), "no answer"))
    running.update_availability(KAFKA, None)
    running.started = True

    assert running.unavailable == {}
    assert await health(running) == (200, 200, 200)
