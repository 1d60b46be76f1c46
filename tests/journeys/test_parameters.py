"""Each parameter of each GET route with each kind of value: never a server error."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from tests.journeys.authorisation_matrix import RouteArguments, create_route_arguments
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
READERS = ("anne", "operator")
SERVER_ERROR = 500
DAYS = ("2026-01-01", "2036-01-01", "1900-01-01", "2999-12-31", "0001-01-01")
HUGE_NUMBER = 2**62


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _yield_cursors() -> Iterator[str]:
    """Yield cursors of the formats that routes write, with numbers outside of any column."""
    moment, some_id = "2026-01-01T00:00:00Z", str(uuid7())
    for number in (0, HUGE_NUMBER, -HUGE_NUMBER, 2**31, -(2**31) - 1):
        yield _cursor(number, "é", some_id)
        yield _cursor(number, moment, some_id)
        yield _cursor(moment, "community.post", number, 0)
        yield _cursor(moment, "community.post", 0, number)
    yield from (_cursor(some_id), _cursor("é"), _cursor(moment, some_id), "", "é")


def _yield_values(name: str, schema: Json, route_arguments: RouteArguments) -> Iterator[str]:
    """Yield values for a parameter: valid values of its type, and hostile values."""
    if name == "cursor":
        yield from _yield_cursors()
    for part in schema.get("anyOf", [schema]):
        yield from map(str, part.get("enum", ()))
        kind = part.get("format") or part.get("type")
        if kind == "uuid":
            yield from (*route_arguments.paths[""].values(), str(uuid7()))
        elif kind == "date":
            yield from DAYS
        elif kind == "integer":
            yield from map(str, (1, 100, 0, -1, HUGE_NUMBER, 10**30))
        elif kind == "boolean":
            yield from ("true", "false")
        elif kind == "string":
            yield from ("é", "community.post/0/1", "a" * 500, "%", "\\", "2026-01-01T00:00:00Z")
    yield "\u202e"


def _list_get_routes(platform: PlatformHarness) -> Iterator[tuple[str, Json]]:
    """Yield the path and the operation of each GET route."""
    for service, running in platform.services.items():
        app = running.service.http
        assert isinstance(app, FastAPI)
        for path, methods in app.openapi()["paths"].items():
            if "x-action" in methods.get("get", {}):
                yield f"/{service}{path}", methods["get"]


def _yield_queries(operation: Json, route_arguments: RouteArguments) -> Iterator[dict[str, str]]:
    """Yield queries in which each parameter has each of its values once."""
    parameters = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    required: dict[str, str] = {}
    samples: dict[str, Any] = {"from": "2026-01-01", "to": "2026-02-01"}
    for parameter in parameters:
        if parameter.get("required"):
            sample = next(_yield_values(parameter["name"], parameter["schema"], route_arguments))
            required[parameter["name"]] = samples.get(parameter["name"], sample)
    yield required
    for parameter in parameters:
        for value in _yield_values(parameter["name"], parameter["schema"], route_arguments):
            yield required | {parameter["name"]: value}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def route_arguments(platform: PlatformHarness) -> RouteArguments:
    return await create_route_arguments(platform)


async def test_no_parameter_value_causes_a_server_error(
    platform: PlatformHarness, route_arguments: RouteArguments
) -> None:
    failures, calls = [], 0
    for template, operation in _list_get_routes(platform):
        path = route_arguments.path(operation["x-action"], template).partition("?")[0]
        for query in _yield_queries(operation, route_arguments):
            calls += 1
            url = f"{path}?{urlencode(query)}"
            for user in READERS:
                response = await platform.request(user, "GET", url)
                if response.status_code >= SERVER_ERROR:
                    failures.append(f"{user} {url}: {response.status_code}")
    assert not failures, "\n".join(failures)
    assert calls > 100


async def test_figures_of_a_structure_are_read_and_long_periods_refused(
    platform: PlatformHarness,
) -> None:
    await platform.open_space("zoe")
    await platform.wait_until_idle()
    path = f"/metrics/v1/kpis?structure_id={await platform.school_id()}&from=2026-01-01"
    figures = await platform.request_ok("anne", "GET", f"{path}&to=2026-02-01")
    assert {row["period"] for row in figures["items"]} == {"2026-01"}
    response = await platform.request("anne", "GET", f"{path}&to=2036-01-01&grain=day")
    assert (response.status_code, response.json()["type"]) == (422, "/metrics/problems/bad_period")
