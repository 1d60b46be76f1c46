"""Imports: one at a time, in a separate queue, with a pause while others send requests."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.kit.database.overload import LoadLimits, LoadMonitor
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.web import write_concurrency as turns
from shared.kit.web.health import health_routes
from shared.kit.web.messages import Messages
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import ROUTE_KEY
from shared.kit.web.routes import Routes
from shared.kit.web.shedding import RejectionResponder
from shared.kit.web.write_concurrency import ImportLane, WriteConcurrencyLimit
from tests.support.rate_limited_app import RateLimitedApp


@dataclass
class ImportApp(RateLimitedApp):
    """An application whose imports run until `gate` is set."""

    running: list[int] = field(default_factory=list)
    max_running: int = 0

    def note_routes(self) -> Routes:
        self.gate = asyncio.Event()
        routes = super().note_routes()

        @routes.post("/import", action="note.import_chunk", cost="import")
        async def import_chunk() -> dict[str, int]:
            self.running.append(1)
            self.max_running = max(self.max_running, len(self.running))
            await self.gate.wait()
            self.running.pop()
            return {}

        return routes


async def test_imports_run_one_at_a_time_and_need_no_permit() -> None:
    app = ImportApp(
        limits=None, pressure=LoadMonitor("notes", LoadLimits(max_concurrent_writes=1, max_queue=0))
    )
    imports = [asyncio.create_task(app.statuses("foreigner", 1, "/v1/import")) for _ in range(3)]
    await asyncio.sleep(0.05)

    assert await app.statuses("pupil1", 3) == [201, 201, 201]
    assert len(app.running) == 1

    app.gate.set()
    assert [await task for task in imports] == [[200]] * 3
    assert app.max_running == 1


async def test_waiting_imports_are_limited() -> None:
    app = ImportApp(limits=None)
    imports = [asyncio.create_task(app.statuses("foreigner", 1, "/v1/import")) for _ in range(9)]
    await asyncio.sleep(0.05)
    rejected = [task for task in imports if task.done()]
    app.gate.set()
    await asyncio.gather(*imports)

    assert len(rejected) == 9 - 1 - turns.MAX_QUEUED_IMPORTS
    assert {task.result()[0] for task in rejected} == {503}


@pytest.mark.parametrize(
    ("other_requests", "seconds", "pause"),
    [(0, 0.5, 0.0), (1, 0.5, 1.5), (9, 0.2, 0.6), (1, 60.0, 3.0)],
)
async def test_pause_is_three_times_the_import_if_other_requests_came(
    other_requests: int, seconds: float, pause: float
) -> None:
    clock = [10.0]
    lane = ImportLane(monotonic=lambda: clock[0])
    lane.record_other_request()
    await lane.acquire("a")
    clock[0] += seconds
    for _ in range(other_requests):
        lane.record_other_request()

    assert lane.pause_seconds() == pytest.approx(pause)


async def test_next_import_runs_after_the_pause() -> None:
    lane = ImportLane()
    await lane.acquire("a")
    lane.record_other_request()
    await asyncio.sleep(0.05)
    lane.release()
    next_import = asyncio.create_task(lane.acquire("b"))
    await asyncio.sleep(0)

    assert not next_import.done()
    await asyncio.wait_for(next_import, 5)


@pytest.mark.parametrize(
    ("path", "other_requests"),
    [("/v1/notes/{number}", 1), ("/v1/all", 0), ("/v1/sign-in", 0), ("/health/live", 0)],
)
async def test_only_members_requests_cause_a_pause(path: str, other_requests: int) -> None:
    app = ImportApp(limits=None, routers=(health_routes({}, {}, {}),))
    (route,) = [item for item in app.app.router.routes if getattr(item, "path", "") == path]
    telemetry = NoTelemetry()
    rejections = RejectionResponder(ProblemResponses(app.app, Messages(), telemetry), telemetry)
    scopes: list[object] = []

    async def inner_app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    async def nothing(*_: object) -> Any: ...

    middleware = WriteConcurrencyLimit(inner_app, LoadMonitor(), rejections)
    await middleware({"type": "http", ROUTE_KEY: route}, nothing, nothing)

    assert middleware._imports._other_requests == other_requests
    assert len(scopes) == 1
