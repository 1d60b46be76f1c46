"""Shedding: what is refused, what never is, and that nobody waits for long."""

import asyncio
import time
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
OLD = LoadLimits().max_outbox_age_seconds + 1
SLOW = 9


class Slow(SampleApp):
    """A house with a route that takes its time."""

    gate: asyncio.Event

    def note_routes(self) -> Routes:
        self.gate = asyncio.Event()
        routes = super().note_routes()

        @routes.post("/slow", action="note.ponder", status_code=201)
        async def ponder() -> ApiModel:
            await self.gate.wait()
            return ApiModel()

        @routes.post("/light/{number}", action="note.dash", batched=True, status_code=201)
        async def dash(number: int) -> ApiModel:
            if number == SLOW:
                await self.gate.wait()
            return ApiModel()

        return routes


@pytest.fixture
def house() -> SampleApp:
    telling = record_telemetry("notes").telemetry
    made = SampleApp(telling, routers=(health_routes({}, {}, {}),))
    made.database.load_monitor.telemetry = telling
    return made


def press(house: SampleApp, **numbers: float) -> None:
    for name, number in numbers.items():
        setattr(house.database.load_monitor, name, number)


def shed(house: SampleApp) -> Mapping[str, float]:
    measures = house.telemetry.metric_store  # type: ignore[attr-defined]  # the kept telemetry's
    found = measures.collect().get("preau.http.shed", ())
    return {each.labels["reason"]: each.value for each in found}


def slow(**limits: Any) -> Slow:
    telling = record_telemetry("notes").telemetry
    return Slow(telling, pressure=LoadMonitor("notes", LoadLimits(**limits), telling))


async def test_an_old_and_long_outbox_refuses_changes_with_a_time_to_come_back(
    house: SampleApp,
) -> None:
    press(house, outbox_age_seconds=OLD, outbox_events=20_000)

    answers = [await house.post(NOTE) for _ in range(40)]

    assert {answer.status_code for answer in answers} == {503}
    said = answers[0].json()
    assert said["type"] == "/notes/problems/overloaded"
    assert said["reason"] == "outbox_age"
    assert said["title"] == "Too much at once"
    assert answers[0].headers["content-type"] == "application/problem+json"
    waits = {int(answer.headers["Retry-After"]) for answer in answers}
    assert min(waits) >= 5
    assert max(waits) <= 15
    assert len(waits) > 3, "they would all come back together"
    assert shed(house) == {"outbox_age": 40}
    assert house.callers == []


async def test_it_is_said_in_french_too(house: SampleApp) -> None:
    press(house, outbox_age_seconds=OLD, outbox_events=20_000)
    async with house.client(language="fr") as client:
        answer = await client.post("/v1/notes", json=NOTE)
    assert answer.json()["title"] == "Trop de demandes à la fois"


@pytest.mark.parametrize(
    "numbers",
    [
        {"outbox_age_seconds": OLD, "outbox_events": 9_999},
        {"outbox_age_seconds": OLD - 2, "outbox_events": 1_000_000},
    ],
)
async def test_an_outbox_that_is_only_old_or_only_long_refuses_nothing(
    house: SampleApp, numbers: dict[str, float]
) -> None:
    press(house, **numbers)
    assert (await house.post(NOTE)).status_code == 201


async def test_a_wait_for_a_connection_that_was_too_long_refuses_changes_for_a_moment(
    house: SampleApp,
) -> None:
    moment = [100.0]
    pressure = house.database.load_monitor
    pressure.monotonic = lambda: moment[0]
    pressure.record_pool_wait(0.9)
    assert (await house.post(NOTE)).status_code == 201

    pressure.record_pool_wait(1.1)
    refused = await house.post(NOTE)
    moment[0] += 1.1
    later = await house.post(NOTE)

    assert (refused.status_code, refused.json()["reason"]) == (503, "connection_wait")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3
    assert later.status_code == 201


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
async def test_what_is_never_refused_under_pressure(
    house: SampleApp, method: str, path: str, body: object, expected: int
) -> None:
    press(house, outbox_age_seconds=OLD, outbox_events=20_000)
    async with house.client() as client:
        answer = await client.request(method, path, json=body)
    assert answer.status_code == expected


async def test_who_gets_no_turn_in_time_is_refused_and_the_queue_has_an_end() -> None:
    house = slow(max_concurrent_writes=1, max_queue=2, max_wait_seconds=0.2)
    first = asyncio.create_task(house.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)
    began = time.monotonic()

    others = await asyncio.gather(*(house.post({}, "/v1/slow") for _ in range(5)))
    took = time.monotonic() - began
    async with house.client() as client:
        read = await client.get("/v1/notes/7")
    house.gate.set()

    assert [answer.status_code for answer in others] == [503] * 5
    assert shed(house) == {"queue_full": 3, "turn_wait": 2}
    assert took < 1
    assert read.status_code == 404, "reads need no turn"
    assert (await first).status_code == 201
    assert (await house.post({}, "/v1/slow")).status_code == 201, "turns come back"


async def test_what_holds_no_connection_takes_no_turn() -> None:
    house = slow(max_concurrent_writes=1, max_queue=0)
    busy = asyncio.create_task(house.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)

    assert (await house.post({}, "/v1/light/1")).status_code == 201
    assert (await house.post({}, "/v1/notes")).status_code == 503

    house.gate.set()
    assert (await busy).status_code == 201


async def test_of_those_that_take_no_turn_only_so_many_come_in() -> None:
    house = slow(max_queue=2)
    held = [asyncio.create_task(house.post({}, f"/v1/light/{SLOW}")) for _ in range(3)]
    await asyncio.sleep(0.05)

    refused = await house.post({}, "/v1/light/1")
    others = await house.post(NOTE)
    house.gate.set()

    assert (refused.status_code, refused.json()["reason"]) == (503, "queue_full")
    assert others.status_code == 201, "their queue is not the others'"
    assert [(await each).status_code for each in held] == [201] * 3
    assert (await house.post({}, "/v1/light/1")).status_code == 201


async def test_a_turn_comes_back_after_a_failure_and_after_a_client_that_left() -> None:
    house = slow(max_concurrent_writes=1, max_queue=0)
    async with house.client() as client:
        assert (await client.delete("/v1/roof")).status_code == 500
    left = asyncio.create_task(house.post({}, "/v1/slow"))
    await asyncio.sleep(0.05)
    left.cancel()
    await asyncio.wait([left])

    assert (await house.post(NOTE)).status_code == 201


async def test_even_reads_have_an_end_but_health_has_none() -> None:
    house = slow(max_concurrent_requests=2)
    held = [asyncio.create_task(house.post({}, "/v1/slow")) for _ in range(2)]
    await asyncio.sleep(0.05)

    async with house.client() as client:
        answers: list[httpx.Response] = [
            await client.get(path) for path in ("/v1/notes/7", "/problems/overloaded")
        ]
    house.gate.set()
    await asyncio.gather(*held)

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].json()["reason"] == "requests_at_once"
