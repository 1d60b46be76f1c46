"""What operators ask any service: its counts, whether it is stopped, and to go on."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from shared.kit.core.bus import Bus
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox import report
from shared.kit.inbox.circuit_breaker import CircuitNotOpen, CircuitState
from shared.kit.inbox.report import GroupCounts as Counted
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.dead_letters import FindConsumer, dead_letter_routes
from shared.kit.web.routes import Routes

_MOST = 1_000_000
_DAY = 24 * 60


class Halted(ApiModel):
    """The group is stopped: since when, why (causes by count), and at which record."""

    since: datetime
    cause: str
    place: str


class Accepting(ApiModel):
    """What an operator accepted: so many failures more, or all until then."""

    failures: int
    until: datetime | None


class Counts(ApiModel):
    """published = applied + ignored + duplicate + parked + dead_lettered + lag.

    `skipped` is the part of the dead-lettered that was left out for good; `refused` the part that
    is forged, or follows lost records, as its sequence or source shows.
    """

    published: int
    applied: int
    ignored: int
    duplicate: int
    parked: int
    dead_lettered: int
    lag: int
    skipped: int
    refused: int = 0
    halted: Halted | None = None
    accepting: Accepting | None = None


class Status(ApiModel):
    """The counts of each consumer group of this service, and what waits in its outbox."""

    groups: dict[str, Counts]
    outbox: int


class Resume(ApiModel):
    """Let it go on, judged anew; so many further failures, or all for so many minutes, may fail."""

    accept_failures: Annotated[int, Field(ge=0, le=_MOST)] = 0
    minutes: Annotated[int | None, Field(ge=1, le=_DAY)] = None


class Resumed(ApiModel):
    """How it stood before."""

    group: str
    halted: Halted | None


def operating_routes(find: FindConsumer, bus: Bus, count_outbox: Callable[[], object]) -> APIRouter:
    """Serve `/v1/operating/…` for the consumer that `find` gives once it is there."""
    routes = Routes("operating")

    @routes.get("/operating/status", action="operate.status", access="operator")
    async def status(_: OperatorDep) -> Status:
        consumer = find()
        groups = {}
        if consumer is not None:
            groups[consumer.group] = _counts(await report.count_outcomes(consumer, bus))
        return Status(groups=groups, outbox=await count_outbox())  # type: ignore[misc]  # it is awaitable

    @routes.post("/operating/resume", action="operate.resume", access="operator")
    async def resume(_: OperatorDep, caller: CallerDep, wish: Resume) -> Resumed:
        consumer = find()
        if consumer is None:
            raise CircuitNotOpen
        period = timedelta(minutes=wish.minutes) if wish.minutes else None
        async with consumer.database.unit(caller) as unit:
            before = await halts.resume(unit, consumer.group, caller, wish.accept_failures, period)
        return Resumed(group=consumer.group, halted=_halted(before))

    dead_letter_routes(routes, find)
    return routes.router


def _counts(found: Counted) -> Counts:
    said = asdict(found)
    halt = found.halt
    del said["halt"]
    accepts = halt.accept_failures or halt.accept_until
    accepting = Accepting(failures=halt.accept_failures, until=halt.accept_until)
    return Counts(**said, halted=_halted(halt), accepting=accepting if accepts else None)


def _halted(halt: CircuitState) -> Halted | None:
    if halt.since is None:
        return None
    return Halted(since=halt.since, cause=halt.cause or "", place=halt.place or "")
