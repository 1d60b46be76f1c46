"""Turns: so many changes at work at a time, the others wait; imports have a lane of their own."""

import asyncio
import time
from collections.abc import Callable

from fastapi.routing import APIRoute
from starlette.requests import Request

from shared.kit.database.overload import LoadMonitor, Overloaded
from shared.kit.web.context import request_claims
from shared.kit.web.fair_semaphore import FairSemaphore
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.route_table import ROUTE_KEY, access_of
from shared.kit.web.shedding import NEEDS_PERMIT_KEY, App, Receive, RejectionResponder, Scope, Send

MAX_QUEUED_IMPORTS = 4
"""Imports that wait for theirs to end: each may hold a body of many megabytes."""
IMPORT_WAIT_SECONDS = 20.0
PAUSE_FACTOR, MAX_PAUSE_SECONDS = 3, 3.0
"""How many times as long as an import took the lane rests after it, and how long at the most."""


_OF_MEMBERS = frozenset({"member", "suspended_too"})


class ImportLane:
    """One import at a time, and after it a rest if other requests came meanwhile.

    So imports take a quarter of the time while anybody else is there; what follows from them in
    the background has the rest.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._turns, self._monotonic = FairSemaphore(1, MAX_QUEUED_IMPORTS), monotonic
        self._began, self._others = 0.0, 0

    def record_other_request(self) -> None:
        """Note that a member came for something else; probes and operators do not count."""
        self._others += 1

    async def acquire(self, tenant: object) -> None:
        """Take the turn. Raises `Overloaded`."""
        await self._turns.acquire(tenant, IMPORT_WAIT_SECONDS)
        self._began, self._others = self._monotonic(), 0

    def release(self) -> None:
        """Return the turn back, after the rest."""
        rest = self.pause_seconds()
        if rest:
            asyncio.get_running_loop().call_later(rest, self._turns.release)
        else:
            self._turns.release()

    def pause_seconds(self) -> float:
        """Return how long the lane rests if the import ends now."""
        if not self._others:
            return 0.0
        return min(PAUSE_FACTOR * (self._monotonic() - self._began), MAX_PAUSE_SECONDS)


class WriteConcurrencyLimit:
    """ASGI middleware behind the body, whose sender may be slow: so many changes at a time.

    Those at work have a connection each; a request that waits here waits for one, and not for
    long, and tenants are served in rotation. The rest of the pool is for reads, reactions and jobs.
    """

    def __init__(self, app: App, pressure: LoadMonitor, refusals: RejectionResponder) -> None:
        self._app, self._limits, self._refusals = app, pressure.limits, refusals
        self._turns = FairSemaphore(
            pressure.limits.max_concurrent_writes, pressure.limits.max_queue
        )
        self._imports = ImportLane()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a turn, if this is a change, and take it."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        imports = isinstance(route, IdempotentRoute) and route.load == "import"
        if route is not None and not imports and access_of(route) in _OF_MEMBERS:
            self._imports.record_other_request()
        if not scope.get(NEEDS_PERMIT_KEY):
            await self._app(scope, receive, send)
            return
        tenant = (await request_claims(Request(scope))).tenant
        try:
            if imports:
                await self._imports.acquire(tenant)
            else:
                await self._turns.acquire(tenant, self._limits.max_wait_seconds)
        except Overloaded as error:
            await self._refusals.respond(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            (self._imports if imports else self._turns).release()
