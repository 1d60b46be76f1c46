"""Turns: so many changes at work at a time, the others wait; imports have a lane of their own."""

import asyncio
import time
from collections.abc import Callable

from fastapi.routing import APIRoute
from starlette.requests import Request

from shared.kit.database.overload import Overloaded, Pressure
from shared.kit.web.context import claims
from shared.kit.web.fair_turns import FairTurns
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.route_table import ROUTE, access_of
from shared.kit.web.shedding import TURN, App, Receive, Refusals, Scope, Send

IMPORTS_WAITING = 4
"""Imports that wait for theirs to end: each may hold a body of many megabytes."""
IMPORT_WAIT_SECONDS = 20.0
REST_FACTOR, MAX_REST_SECONDS = 3, 3.0
"""How many times as long as an import took the lane rests after it, and how long at the most."""


_OF_MEMBERS = frozenset({"member", "suspended_too"})


class ImportLane:
    """One import at a time, and after it a rest if other requests came meanwhile.

    So imports take a quarter of the time while anybody else is there; what follows from them in
    the background has the rest.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._turns, self._monotonic = FairTurns(1, IMPORTS_WAITING), monotonic
        self._began, self._others = 0.0, 0

    def note_other(self) -> None:
        """Note that a member came for something else; probes and operators do not count."""
        self._others += 1

    async def take(self, tenant: object) -> None:
        """Take the turn. Raises `Overloaded`."""
        await self._turns.take(tenant, IMPORT_WAIT_SECONDS)
        self._began, self._others = self._monotonic(), 0

    def give(self) -> None:
        """Give the turn back, after the rest."""
        rest = self.rest_seconds()
        if rest:
            asyncio.get_running_loop().call_later(rest, self._turns.give)
        else:
            self._turns.give()

    def rest_seconds(self) -> float:
        """Say how long the lane rests if the import ends now."""
        if not self._others:
            return 0.0
        return min(REST_FACTOR * (self._monotonic() - self._began), MAX_REST_SECONDS)


class Turns:
    """ASGI middleware behind the body, whose sender may be slow: so many changes at a time.

    Those at work have a connection each; a request that waits here waits for one, and not for
    long, and tenants are served in rotation. The rest of the pool is for reads, reactions and jobs.
    """

    def __init__(self, app: App, pressure: Pressure, refusals: Refusals) -> None:
        self._app, self._limits, self._refusals = app, pressure.limits, refusals
        self._turns = FairTurns(pressure.limits.writes, pressure.limits.waiting)
        self._imports = ImportLane()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a turn, if this is a change, and take it."""
        route: APIRoute | None = scope.get(ROUTE)
        imports = isinstance(route, IdempotentRoute) and route.load == "import"
        if route is not None and not imports and access_of(route) in _OF_MEMBERS:
            self._imports.note_other()
        if not scope.get(TURN):
            await self._app(scope, receive, send)
            return
        tenant = (await claims(Request(scope))).tenant
        try:
            if imports:
                await self._imports.take(tenant)
            else:
                await self._turns.take(tenant, self._limits.wait)
        except Overloaded as error:
            await self._refusals.answer(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            (self._imports if imports else self._turns).give()
