"""Limits concurrent changes with a fair bounded queue, and imports with another one."""

import asyncio
import time
from collections.abc import Callable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.kit.database.overload import LoadMonitor, Overloaded
from shared.kit.web.context import request_claims
from shared.kit.web.fair_semaphore import FairSemaphore
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.route_table import ROUTE_KEY, access_of
from shared.kit.web.shedding import NEEDS_PERMIT_KEY, RejectionResponder

MAX_QUEUED_IMPORTS = 4
"""Imports that wait for the running one; each may keep a body of many megabytes in memory."""
IMPORT_WAIT_SECONDS = 20.0
PAUSE_FACTOR, MAX_PAUSE_SECONDS = 3, 3.0
"""The pause after an import, as a multiple of its duration, and its maximum."""
_MEMBER_ACCESS = frozenset({"member", "suspended_too"})


class ImportLane:
    """Runs one import at a time, and pauses after it if other requests arrived meanwhile.

    With other requests present, imports thus take a quarter of the time; the reactions to what
    they wrote have the rest.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._semaphore, self._monotonic = FairSemaphore(1, MAX_QUEUED_IMPORTS), monotonic
        self._start, self._other_requests = 0.0, 0

    def record_other_request(self) -> None:
        """Count a member's request that is no import; probes and operators do not count."""
        self._other_requests += 1

    async def acquire(self, tenant: object) -> None:
        """Wait for the running import. Raises `Overloaded`."""
        await self._semaphore.acquire(tenant, IMPORT_WAIT_SECONDS)
        self._start, self._other_requests = self._monotonic(), 0

    def release(self) -> None:
        """Let the next import start after the pause."""
        pause = self.pause_seconds()
        if pause:
            asyncio.get_running_loop().call_later(pause, self._semaphore.release)
        else:
            self._semaphore.release()

    def pause_seconds(self) -> float:
        """Return the pause if the running import ended now."""
        if not self._other_requests:
            return 0.0
        return min(PAUSE_FACTOR * (self._monotonic() - self._start), MAX_PAUSE_SECONDS)


class WriteConcurrencyLimit:
    """ASGI middleware inside `BodyGuard`: a semaphore with a bounded queue for changes.

    A change holds a database connection while it runs. The others wait here, for a short time
    and by tenant in rotation. The remaining connections of the pool serve reads, reactions and
    jobs.
    """

    def __init__(
        self, app: ASGIApp, load_monitor: LoadMonitor, rejections: RejectionResponder
    ) -> None:
        limits = load_monitor.limits
        self._app, self._limits, self._rejections = app, limits, rejections
        self._semaphore = FairSemaphore(limits.max_concurrent_writes, limits.max_queue)
        self._imports = ImportLane()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a change once it has a permit; pass any other request on."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        is_import = isinstance(route, IdempotentRoute) and route.cost == "import"
        if route is not None and not is_import and access_of(route) in _MEMBER_ACCESS:
            self._imports.record_other_request()
        if not scope.get(NEEDS_PERMIT_KEY):
            await self._app(scope, receive, send)
            return
        tenant = (await request_claims(Request(scope))).tenant
        try:
            if is_import:
                await self._imports.acquire(tenant)
            else:
                await self._semaphore.acquire(tenant, self._limits.max_wait_seconds)
        except Overloaded as error:
            await self._rejections.respond(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            (self._imports if is_import else self._semaphore).release()
