"""Routes for operators: event counts, the circuit breaker's state, and resuming a group."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from shared.kit.core.bus import Bus
from shared.kit.inbox import circuit_breaker, report
from shared.kit.inbox.circuit_breaker import CircuitNotOpen, CircuitState
from shared.kit.inbox.report import GroupCounts
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.dead_letters import FindConsumer, dead_letter_routes
from shared.kit.web.routes import Routes

_MAX_ACCEPTED_FAILURES = 1_000_000
_DAY_MINUTES = 24 * 60


class OpenCircuit(ApiModel):
    """The open circuit breaker of a group: since when, causes with counts, and the record."""

    since: datetime
    cause: str
    place: str


class Accepting(ApiModel):
    """Failures that an operator accepted: a number of them, or all until a time."""

    failures: int
    until: datetime | None


class Counts(ApiModel):
    """published = applied + ignored + duplicate + parked + dead_lettered + lag.

    `skipped` is the part of the dead-lettered events that an operator left out; `refused` the part
    that is forged or follows lost records, as its sequence or source shows.
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
    halted: OpenCircuit | None = None
    accepting: Accepting | None = None


class Status(ApiModel):
    """The counts of each consumer group of this service, and the events in its outbox."""

    groups: dict[str, Counts]
    outbox: int


class Resume(ApiModel):
    """Closes the circuit breaker; accepts a number of further failures, or all for some minutes."""

    accept_failures: Annotated[int, Field(ge=0, le=_MAX_ACCEPTED_FAILURES)] = 0
    minutes: Annotated[int | None, Field(ge=1, le=_DAY_MINUTES)] = None


class Resumed(ApiModel):
    """The state of the circuit breaker before it was closed."""

    group: str
    halted: OpenCircuit | None


def operating_routes(find: FindConsumer, bus: Bus, count_outbox: Callable[[], object]) -> APIRouter:
    """Serve `/v1/operating/…` for the consumer that `find` returns once it runs."""
    routes = Routes("operating")

    @routes.get("/operating/status", action="operate.status", access="operator")
    async def status(_: OperatorDep) -> Status:
        consumer = find()
        groups = {}
        if consumer is not None:
            groups[consumer.group] = _to_counts(await report.count_outcomes(consumer, bus))
        return Status(groups=groups, outbox=await count_outbox())  # type: ignore[misc]  # it is awaitable

    @routes.post("/operating/resume", action="operate.resume", access="operator")
    async def resume(_: OperatorDep, caller: CallerDep, wish: Resume) -> Resumed:
        consumer = find()
        if consumer is None:
            raise CircuitNotOpen
        period = timedelta(minutes=wish.minutes) if wish.minutes else None
        async with consumer.database.unit(caller) as unit:
            previous_state = await circuit_breaker.resume(
                unit, consumer.group, caller, wish.accept_failures, period
            )
        return Resumed(group=consumer.group, halted=_to_halted(previous_state))

    dead_letter_routes(routes, find)
    return routes.router


def _to_counts(counts: GroupCounts) -> Counts:
    fields = asdict(counts)
    state = counts.circuit
    del fields["circuit"]
    accepts = state.accept_failures or state.accept_until
    accepting = Accepting(failures=state.accept_failures, until=state.accept_until)
    return Counts(**fields, halted=_to_halted(state), accepting=accepting if accepts else None)


def _to_halted(state: CircuitState) -> OpenCircuit | None:
    if state.since is None:
        return None
    return OpenCircuit(since=state.since, cause=state.cause or "", place=state.position or "")
