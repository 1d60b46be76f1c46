"""What operators ask any service: its counts, its dead letters, and what becomes of them."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from shared.kit.bus.port import Bus
from shared.kit.errors import NotFound
from shared.kit.inbox import report
from shared.kit.inbox.consume import BatchConsumer
from shared.kit.inbox.retry import ParkedKeys, Place
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import Model
from shared.kit.web.routes import Routes

FindConsumer = Callable[[], BatchConsumer | None]


class Counts(Model):
    """published = applied + ignored + duplicate + parked + dead_lettered + lag."""

    published: int
    applied: int
    ignored: int
    duplicate: int
    parked: int
    dead_lettered: int
    lag: int
    halted: str | None = None


class Status(Model):
    """The counts of each consumer group of this service, and what waits in its outbox."""

    groups: dict[str, Counts]
    outbox: int


class Letter(Model):
    """An event that was not applied: where it stands, what it is, why it failed."""

    topic: str
    partition: int
    offset: int
    key: str | None
    event_id: str | None
    type: str | None
    state: str
    attempts: int
    next_try: datetime | None
    first_failed: datetime
    cause: str | None
    stack: str | None
    traceparent: str | None
    record: str | None


class Letters(Model):
    """At most 1,000, the oldest first."""

    items: list[Letter]


class Decision(Model):
    """`replay`: try again, with its whole key behind it. `skip`: leave this one out for good."""

    topic: str
    partition: int
    offset: int
    decision: Literal["replay", "skip"]


def operating_routes(find: FindConsumer, bus: Bus, waiting: Callable[[], object]) -> APIRouter:
    """Serve `/v1/operating/…` for the consumer that `find` gives once it is there."""
    routes = Routes("operating")

    @routes.get("/operating/status", action="operate.status", access="operator")
    async def status(_: OperatorDep) -> Status:
        consumer = find()
        groups = {}
        if consumer is not None:
            counts = await report.counts(consumer, bus)
            groups[consumer.group] = Counts(**asdict(counts))
        return Status(groups=groups, outbox=await waiting())  # type: ignore[misc]  # it is awaitable

    @routes.get("/operating/dead-letters", action="operate.dead_letters", access="operator")
    async def dead_letters(_: OperatorDep, *, everything: bool = False) -> Letters:
        consumer = find()
        found = await report.letters(consumer, everything=everything) if consumer else []
        return Letters(items=[Letter(**asdict(letter)) for letter in found])

    @routes.post("/operating/dead-letters", action="operate.decide", access="operator")
    async def decide(_: OperatorDep, __: CallerDep, decision: Decision) -> Decision:
        consumer = find()
        if consumer is None:
            raise NotFound
        state = "parked" if decision.decision == "replay" else "skipped"
        place = Place(decision.topic, decision.partition, decision.offset)
        await ParkedKeys(consumer).decide(place, state)
        return decision

    return routes.router
