"""Load shedding: which requests are rejected under overload, and how long others wait."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from shared.kit.database.overload import LoadLimits, LoadMonitor
from shared.kit.web.cursors import ApiModel
from shared.kit.web.health import health_routes
from shared.kit.web.routes import Routes
from tests.support.recorded_spans import record_telemetry
from tests.support.sample_app import SampleApp

NOTE = {"text": "Il pleut"}
TOO_OLD_SECONDS = LoadLimits().max_outbox_age_seconds + 1
SLOW_NUMBER = 9


class SlowApp(SampleApp):
    """An application with routes that run until `gate` is set."""

    gate: asyncio.Event

    def note_routes(self) -> Routes:
        self.gate = asyncio.Event()
        routes = super().note_routes()

        @routes.post("/slow", action="note.wait", status_code=201)
        async def write_slowly() -> ApiModel:
            await self.gate.wait()
            return ApiModel()

        @routes.post("/batched/{number}", action="note.batch", batched=True, status_code=201)
        async def write_batched(number: int) -> ApiModel:
            if number == SLOW_NUMBER:
                await self.gate.wait()
            return ApiModel()

        return routes


@pytest.fixture
def app() -> SampleApp:
    telemetry = record_telemetry("notes").telemetry
    app = SampleApp(telemetry, routers=(health_routes({}, {}, {}),))
    app.database.load_monitor.telemetry = telemetry
    return app


def set_load(app: SampleApp, **numbers: float) -> None:
    for name, number in numbers.items():
        setattr(app.database.load_monitor, name, number)


def rejections(app: SampleApp) -> Mapping[str, float]:
    store = app.telemetry.metric_store  # type: ignore[attr-defined]  # the recorded telemetry's
    series = store.collect().get("preau.http.shed", ())
    return {item.labels["reason"]: item.value for item in series}


def slow_app(**limits: Any) -> SlowApp:
    telemetry = record_telemetry("notes").telemetry
    return SlowApp(telemetry, pressure=LoadMonitor("notes", LoadLimits(**limits), telemetry))


async def test_old_and_long_outbox_rejects_changes_with_retry_after(
    app: SampleApp,
) -> None:
    set_load(app, outbox_age_seconds=TOO_OLD_SECONDS, outbox_events=20_000)

    responses = [await app.post(NOTE) for _ in range(40)]

    assert {response.status_code for response in responses} == {503}
    problem = responses[0].json()
    assert problem["type"] == "/notes/problems/overloaded"
    assert problem["reason"] == "outbox_age"
    assert problem["title"] == "Too much at once"
    assert responses[0].headers["content-type"] == "application/problem+json"
    retry_seconds = {int(response.headers["Retry-After"]) for response in responses}
    assert min(retry_seconds) >= 5
    assert max(retry_seconds) <= 15
    assert len(retry_seconds) > 3, "clients would retry at the same moment"
    assert rejections(app) == {"outbox_age": 40}
    assert app.callers == []


async def test_rejection_is_translated(app: SampleApp) -> None:
    set_load(app, outbox_age_seconds=TOO_OLD_SECONDS, outbox_events=20_000)
    async with app.client(language="fr") as client:
        response = await client.post("/v1/notes", json=NOTE)
    assert response.json()["title"] == "Trop de demandes à la fois"


@pytest.mark.parametrize(
    "numbers",
    [
        {"outbox_age_seconds": TOO_OLD_SECONDS, "outbox_events": 9_999},
        {"outbox_age_seconds": TOO_OLD_SECONDS - 2, "outbox_events": 1_000_000},
    ],
)
async def test_outbox_that_is_only_old_or_only_long_rejects_nothing(
    app: SampleApp, numbers: dict[str, float]
) -> None:
    set_load(app, **numbers)
    assert (await app.post(NOTE)).status_code == 201


async def test_long_wait_for_a_connection_rejects_changes_briefly(
    app: SampleApp,
) -> None:
    clock = [100.0]
    monitor = app.database.load_monitor
    monitor.monotonic = lambda: clock[0]
    monitor.record_pool_wait(0.9)
    assert (await app.post(NOTE)).status_code == 201

    monitor.record_pool_wait(1.1)
    rejected = await app.post(NOTE)
    clock[0] += 1.1
    retried = await app.post(NOTE)

    assert (rejected.status_code, rejected.json()["reason"]) == (503, "connection_wait")
    assert 1 <= int(rejected.headers["Retry-After"]) <= 3
    assert retried.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/v1/notes/7", None, 404),
        ("POST", "/v1/sign-in", NOTE, 200),
        ("POST", "/v1/invitations/7", NOTE, 200),
        ("GET", "/health/ready", None, 200),
        ("POST", "/v1/operating/nothing", NOTE, 404),
        ("GET", "/problems/overloaded", None, 200),
        ("GET", "/openapi.json", None, 200),
    ],
)
async def test_request_kinds_that_are_never_rejected_under_overload(
    app: SampleApp, method: str, path: str, body: object, expected: int
) -> None:
    set_load(app, outbox_age_seconds=TOO_OLD_SECONDS, outbox_events=20_000)
    async with app.client() as client:
        response = await client.request(method, path, json=body)
    assert response.status_code == expected


async def test_change_without_a_permit_in_time_is_rejected() -> None:
    app = slow_app(max_concurrent_writes=1, max_queue=2, max_wait_seconds=0.2)
    first_task = asyncio.create_task(app.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)

    later_responses = await asyncio.gather(*(app.post({}, "/v1/slow") for _ in range(5)))
    is_first_running = not first_task.done()
    async with app.client() as client:
        read_response = await client.get("/v1/notes/7")
    app.gate.set()

    assert [response.status_code for response in later_responses] == [503] * 5
    assert rejections(app) == {"queue_full": 3, "turn_wait": 2}
    assert is_first_running, "they are rejected without waiting for the permit"
    assert read_response.status_code == 404, "reads need no permit"
    assert (await first_task).status_code == 201
    assert (await app.post({}, "/v1/slow")).status_code == 201, "permits are released"


async def test_batched_change_needs_no_permit() -> None:
    app = slow_app(max_concurrent_writes=1, max_queue=0)
    running = asyncio.create_task(app.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)

    assert (await app.post({}, "/v1/batched/1")).status_code == 201
    assert (await app.post({}, "/v1/notes")).status_code == 503

    app.gate.set()
    assert (await running).status_code == 201


async def test_concurrent_batched_changes_are_limited() -> None:
    app = slow_app(max_queue=2)
    running = [asyncio.create_task(app.post({}, f"/v1/batched/{SLOW_NUMBER}")) for _ in range(3)]
    await asyncio.sleep(0.05)

    rejected = await app.post({}, "/v1/batched/1")
    unbatched = await app.post(NOTE)
    app.gate.set()

    assert (rejected.status_code, rejected.json()["reason"]) == (503, "queue_full")
    assert unbatched.status_code == 201, "batched changes have a limit of their own"
    assert [(await task).status_code for task in running] == [201] * 3
    assert (await app.post({}, "/v1/batched/1")).status_code == 201


async def test_permit_is_released_after_a_failure_and_a_disconnect() -> None:
    app = slow_app(max_concurrent_writes=1, max_queue=0)
    async with app.client() as client:
        assert (await client.delete("/v1/failing")).status_code == 500
    disconnected = asyncio.create_task(app.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)
    disconnected.cancel()
    await asyncio.wait([disconnected])

    assert (await app.post(NOTE)).status_code == 201


async def test_concurrent_reads_are_limited_and_pages_are_not() -> None:
    app = slow_app(max_concurrent_requests=2)
    running = [asyncio.create_task(app.post({}, "/v1/slow")) for _ in range(2)]
    await asyncio.sleep(0.05)

    async with app.client() as client:
        responses: list[httpx.Response] = [
            await client.get(path) for path in ("/v1/notes/7", "/problems/overloaded")
        ]
    app.gate.set()
    await asyncio.gather(*running)

    assert [response.status_code for response in responses] == [503, 200]
    assert responses[0].json()["reason"] == "requests_at_once"
