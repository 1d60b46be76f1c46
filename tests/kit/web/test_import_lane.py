"""Imports: one at a time, in a lane of their own, with a rest while others are there."""

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
class Busy(RateLimitedApp):
    """A house whose imports last until they are let go."""

    at_work: list[int] = field(default_factory=list)
    most_at_work: int = 0

    def note_routes(self) -> Routes:
        self.gate = asyncio.Event()
        routes = super().note_routes()

        @routes.post("/bring", action="note.bring", cost="import")
        async def bring() -> dict[str, int]:
            self.at_work.append(1)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
            await self.gate.wait()
            self.at_work.pop()
            return {}

        return routes


async def test_imports_work_one_at_a_time_and_take_no_turn_of_others() -> None:
    house = Busy(
        limits=None, pressure=LoadMonitor("notes", LoadLimits(max_concurrent_writes=1, max_queue=0))
    )
    imports = [asyncio.create_task(house.statuses("foreigner", 1, "/v1/bring")) for _ in range(3)]
    await asyncio.sleep(0.05)

    assert await house.statuses("pupil1", 3) == [201, 201, 201]
    assert len(house.at_work) == 1

    house.gate.set()
    assert [await each for each in imports] == [[200]] * 3
    assert house.most_at_work == 1


async def test_imports_that_wait_have_an_end() -> None:
    house = Busy(limits=None)
    imports = [asyncio.create_task(house.statuses("foreigner", 1, "/v1/bring")) for _ in range(9)]
    await asyncio.sleep(0.05)
    refused = [task for task in imports if task.done()]
    house.gate.set()
    await asyncio.gather(*imports)

    assert len(refused) == 9 - 1 - turns.MAX_QUEUED_IMPORTS
    assert {task.result()[0] for task in refused} == {503}


@pytest.mark.parametrize(
    ("others", "took", "rest"), [(0, 0.5, 0.0), (1, 0.5, 1.5), (9, 0.2, 0.6), (1, 60.0, 3.0)]
)
async def test_lane_rests_three_times_as_long_as_an_import_if_others_came(
    others: int, took: float, rest: float
) -> None:
    seconds = [10.0]
    lane = ImportLane(monotonic=lambda: seconds[0])
    lane.record_other_request()
    await lane.acquire("a")
    seconds[0] += took
    for _ in range(others):
        lane.record_other_request()

    assert lane.pause_seconds() == pytest.approx(rest)


async def test_lane_that_rests_serves_the_next_import_afterwards() -> None:
    lane = ImportLane()
    await lane.acquire("a")
    lane.record_other_request()
    await asyncio.sleep(0.05)
    lane.release()
    next_one = asyncio.create_task(lane.acquire("b"))
    await asyncio.sleep(0)

    assert not next_one.done()
    await asyncio.wait_for(next_one, 5)


@pytest.mark.parametrize(
    ("path", "others"),
    [("/v1/notes/{number}", 1), ("/v1/all", 0), ("/v1/sign-in", 0), ("/health/live", 0)],
)
async def test_only_members_make_an_import_rest(path: str, others: int) -> None:
    house = Busy(limits=None, routers=(health_routes({}, {}, {}),))
    (route,) = [each for each in house.app.router.routes if getattr(each, "path", "") == path]
    telemetry = NoTelemetry()
    refusals = RejectionResponder(ProblemResponses(house.app, Messages(), telemetry), telemetry)
    passed: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def nothing(*_: object) -> Any: ...

    middleware = WriteConcurrencyLimit(app, LoadMonitor(), refusals)
    await middleware({"type": "http", ROUTE_KEY: route}, nothing, nothing)

    assert middleware._imports._other_requests == others
    assert len(passed) == 1
