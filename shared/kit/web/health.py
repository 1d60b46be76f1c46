"""Health pages: started, live, ready.

Liveness checks nothing outside the process, so that an outage elsewhere restarts no pod.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from shared.kit.telemetry.logs import get_logger

log = get_logger("health")
CHECK_TIMEOUT_SECONDS = 2.0
"""Maximum duration of a check; shorter than the usual timeout of a probe."""
HealthCheck = Callable[[], Awaitable[str | None]]
"""Returns None when healthy, otherwise the reason."""
HealthDetail = Callable[[], Awaitable[str]]
"""Returns a fact for operators about a healthy service."""


def health_routes(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Mapping[str, HealthCheck],
    details: Mapping[str, HealthDetail] = MappingProxyType({}),
) -> APIRouter:
    """Serve `/health/startup`, `/health/live` and `/health/ready`: 200, or 503 with the reasons.

    `details` are shown on the page of `ready` and do not change its status.
    """
    return _add_pages(started, live, _build_page(ready, details), _build_page)


def plain_health_routes(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Mapping[str, HealthCheck],
) -> APIRouter:
    """Serve the same pages on the public port: the status only, without reasons."""
    return _add_pages(started, live, _build_plain_page(ready), _build_plain_page)


Page = Callable[[], Awaitable[Response]]


def _add_pages(
    started: Mapping[str, HealthCheck],
    live: Mapping[str, HealthCheck],
    ready: Page,
    build_page: Callable[[Mapping[str, HealthCheck]], Page],
) -> APIRouter:
    routes = APIRouter()
    pages = {"startup": build_page(started), "live": build_page(live), "ready": ready}
    for name, page in pages.items():
        routes.add_api_route(f"/health/{name}", page, include_in_schema=False)
    return routes


def _build_page(
    checks: Mapping[str, HealthCheck], details: Mapping[str, HealthDetail] = MappingProxyType({})
) -> Page:
    async def page() -> Response:
        reasons = {name: await _run_check(name, check) for name, check in checks.items()}
        states = {name: reason or "ok" for name, reason in reasons.items()}
        document: dict[str, object] = {"checks": states}
        if details:
            document["details"] = {name: await detail() for name, detail in details.items()}
        return _health_response(document, healthy=not any(reasons.values()))

    return page


def _build_plain_page(checks: Mapping[str, HealthCheck]) -> Page:
    async def page() -> Response:
        reasons = [await _run_check(name, check) for name, check in checks.items()]
        return _health_response({}, healthy=not any(reasons))

    return page


def _health_response(document: Mapping[str, object], *, healthy: bool) -> Response:
    status = {"status": "ok" if healthy else "not ok"}
    return JSONResponse({**status, **document}, 200 if healthy else 503)


async def _run_check(name: str, check: HealthCheck) -> str | None:
    """Return a check's reason; an error or a timeout of the check is a reason too."""
    try:
        return await asyncio.wait_for(check(), CHECK_TIMEOUT_SECONDS)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_SECONDS:.0f} s"
    except Exception as error:  # its text may contain an address: log only
        log.exception("health check failed", check=name)
        return type(error).__name__
