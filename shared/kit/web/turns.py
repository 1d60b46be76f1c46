"""Turns: so many changes at work at a time, the others wait for a short while."""

import asyncio

from shared.kit.pressure import Overloaded, Pressure, overloaded
from shared.kit.web.shedding import TURN, App, Receive, Refusals, Scope, Send


class Turns:
    """ASGI middleware behind the body, whose sender may be slow: so many changes at a time.

    Those at work have a connection each; who waits here waits for one, and not for long. The rest
    of the pool is for reads, reactions and jobs.
    """

    def __init__(self, app: App, pressure: Pressure, refusals: Refusals) -> None:
        self._app, self._limits, self._refusals = app, pressure.limits, refusals
        self._turns = asyncio.Semaphore(pressure.limits.writes)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a turn, if this is a change, and take it."""
        if not scope.get(TURN):
            await self._app(scope, receive, send)
            return
        try:
            await self._take()
        except Overloaded as error:
            await self._refusals.answer(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._turns.release()

    async def _take(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        if self._waiting >= self._limits.waiting:
            raise overloaded("queue_full")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.wait):
                await self._turns.acquire()
        except TimeoutError as error:
            raise overloaded("turn_wait") from error
        finally:
            self._waiting -= 1
