"""Health: started, alive, ready. Alive asks nobody outside: an outage restarts no pod."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from shared.kit.telemetry.logs import get_logger

log = get_logger("health")
CHECK_TIMEOUT_SECONDS = 2.0
"""Seconds that a check may take: a probe gives up soon after."""
HealthCheck = Callable[[], Awaitable[str | None]]
"""Gives None when well, else why not."""
HealthDetail = Callable[[], Awaitable[str]]
"""Gives what an operator should know of a service that is well."""


def health_routes(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Mapping[str, HealthCheck],
    details: Mapping[str, HealthDetail] = MappingProxyType({}),
) -> APIRouter:
    """Serve `/health/startup`, `/health/live` and `/health/ready`: 200, or 503 and why.

    `details` stand on the page of `ready`, and never make it 503.
    """
    return _pages(started, live, _page(ready, details), _page)


def plain_health_routes(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Mapping[str, HealthCheck],
) -> APIRouter:
    """Serve the same pages for the public port: whether all is well, and not one word more."""
    return _pages(started, live, _plain_page(ready), _plain_page)


Page = Callable[[], Awaitable[Response]]


def _pages(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Page,
    page: Callable[[Mapping[str, HealthCheck]], Page],
) -> APIRouter:
    routes = APIRouter()
    for name, answer in (("startup", page(started)), ("live", page(live)), ("ready", ready)):
        routes.add_api_route(f"/health/{name}", answer, include_in_schema=False)
    return routes


def _page(
    checks: Mapping[str, HealthCheck], details: Mapping[str, HealthDetail] = MappingProxyType({})
) -> Page:
    async def page() -> Response:
        reasons = {name: await _look(name, check) for name, check in checks.items()}
        states = {name: reason or "ok" for name, reason in reasons.items()}
        document: dict[str, object] = {"checks": states}
        if details:
            document["details"] = {name: await tell() for name, tell in details.items()}
        return _answer(document, well=not any(reasons.values()))

    return page


def _plain_page(checks: Mapping[str, HealthCheck]) -> Page:
    async def page() -> Response:
        reasons = [await _look(name, check) for name, check in checks.items()]
        return _answer({}, well=not any(reasons))

    return page


def _answer(document: Mapping[str, object], *, well: bool) -> Response:
    status = {"status": "ok" if well else "not ok"}
    return JSONResponse({**status, **document}, 200 if well else 503)


async def _look(name: str, check: HealthCheck) -> str | None:
    """Ask one check; one that fails or hangs is not well either."""
    try:
        return await asyncio.wait_for(check(), CHECK_TIMEOUT_SECONDS)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS:.0f} s"
    except Exception as error:  # its text may hold an address: that goes to the log only
        log.exception("health check failed", check=name)
        return type(error).__name__
