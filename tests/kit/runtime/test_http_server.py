"""What a process answers before all of it runs: health always, its services not before they may."""

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


async def _answer(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await PlainTextResponse("une réponse")(scope, receive, send)


@pytest.fixture
def running() -> RunningService:
    # Of a database nothing is asked here.
    return RunningService(Service("community", _answer, None, "", None))  # type: ignore[arg-type]


async def ask(running: RunningService, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(public_application([running]))
    async with httpx.AsyncClient(transport=transport, base_url="http://préau.test") as client:
        return await client.get(path)


async def health(running: RunningService) -> tuple[int, int, int]:
    return (
        (await ask(running, "/health/startup")).status_code,
        (await ask(running, "/health/live")).status_code,
        (await ask(running, "/health/ready")).status_code,
    )


async def test_nothing_is_served_from_a_database_that_was_not_looked_at(
    running: RunningService,
) -> None:
    refused = await ask(running, "/community/v1/posts")
    running.database_ready = True
    served = await ask(running, "/community/v1/posts")

    assert (refused.status_code, refused.json()["type"]) == (503, "/community/problems/try_again")
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert (served.status_code, served.text) == (200, "une réponse")


async def test_at_first_nobody_knows_whether_it_will_start(running: RunningService) -> None:
    assert await health(running) == (503, 200, 503)


async def test_who_waits_is_up_and_alive_and_says_for_what_without_addresses(
    running: RunningService,
) -> None:
    since = time.monotonic() - 75
    running.update_availability(POSTGRES, Unavailable(POSTGRES, since, "connection refused"))
    running.update_availability(KAFKA, Unavailable(KAFKA, since, "no answer"))

    transport = httpx.ASGITransport(inner_application([running]))
    async with httpx.AsyncClient(transport=transport, base_url="http://inner.test") as client:
        said = (await client.get("/health/ready")).json()["checks"]["community"]

    assert await health(running) == (200, 200, 503)
    assert said == "waits for PostgreSQL, away for 75 s; waits for Kafka, away for 75 s"


async def test_what_is_there_is_waited_for_no_longer(running: RunningService) -> None:
    running.update_availability(KAFKA, Unavailable(KAFKA, time.monotonic(), "no answer"))
    running.update_availability(KAFKA, None)
    running.started = True

    assert running.unavailable == {}
    assert await health(running) == (200, 200, 200)
