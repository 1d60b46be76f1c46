"""Health: started, alive, ready. Alive asks nobody outside: an outage restarts no pod."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from shared.kit.telemetry.logs import logger

log = logger("health")
PATIENCE = 2.0
"""Seconds that a check may take: a probe gives up soon after."""
Check = Callable[[], Awaitable[str | None]]
"""Gives None when well, else why not."""
Detail = Callable[[], Awaitable[str]]
"""Gives what an operator should know of a service that is well."""


def health_routes(
    started: Mapping[str, Check],
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    details: Mapping[str, Detail] = MappingProxyType({}),
) -> APIRouter:
    """Serve `/health/startup`, `/health/live` and `/health/ready`: 200, or 503 and why.

    `details` stand on the page of `ready`, and never make it 503.
    """
    routes = APIRouter()
    for name, checks in (("startup", started), ("live", live), ("ready", ready)):
        page = _page(checks, details if name == "ready" else {})
        routes.add_api_route(f"/health/{name}", page, include_in_schema=False)
    return routes


def _page(
    checks: Mapping[str, Check], details: Mapping[str, Detail]
) -> Callable[[], Awaitable[Response]]:
    async def page() -> Response:
        found = {name: await _look(name, check) for name, check in checks.items()}
        well = not any(found.values())
        states = {name: why or "ok" for name, why in found.items()}
        status = 200 if well else 503
        document: dict[str, object] = {"status": "ok" if well else "not ok", "checks": states}
        if details:
            document["details"] = {name: await tell() for name, tell in details.items()}
        return JSONResponse(document, status)

    return page


async def _look(name: str, check: Check) -> str | None:
    """Ask one check; one that fails or hangs is not well either."""
    try:
        return await asyncio.wait_for(check(), PATIENCE)
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s"
    except Exception as error:  # its text may hold an address: that goes to the log only
        log.exception("health check failed", check=name)
        return type(error).__name__
