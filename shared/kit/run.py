"""Runs one service, or several in one process; `shared.kit.pod` is its command line.

The runner owns lifetimes: it starts databases, relays, consumers and jobs in that order, serves
every service under `/<name>`, and drains in the reverse order on SIGTERM.
"""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module

from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.backlog import Backlog
from shared.kit.bus.kafka import KafkaBus
from shared.kit.bus.port import Bus, Reading, Subscription, Topic
from shared.kit.errors import Transient
from shared.kit.host import Host
from shared.kit.inbox import report
from shared.kit.inbox.consume import BatchConsumer
from shared.kit.inbox.retry import ParkedKeys
from shared.kit.jobs import Jobs
from shared.kit.relay import Relay
from shared.kit.service import Job, Service
from shared.kit.telemetry.logs import logger
from shared.kit.telemetry.otel import OtelTelemetry

log = logger("run")
DRAIN = 30.0
"""Seconds that a batch in hand, and requests in hand, may take at a stop."""
ROLES = ("api", "worker", "relay")
COUNTING = 3.0
"""Seconds that counting may take: other jobs wait for it, and a broker may be away."""
POLL_AGE_EVERY = 5.0
COLLECT = (20_000, 20, 50)
"""Objects made, then young and middle-aged rounds, before Python looks for cycles."""
_KEEP_INBOX = text("SELECT inbox_keep(CAST(:today AS date), 7, 30)")


@dataclass
class Running:
    """One service and its background tasks."""

    service: Service
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    subscription: Subscription | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    started: bool = False


def now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


def build(name: str, host: Host) -> Service:
    """Build one service by its name."""
    built: Service = import_module(f"services.{name}.main").build(host)
    return built


async def ensure_topics(bus: Bus, names: Sequence[str] = tuple(PUBLISHERS)) -> None:
    """Create every topic of the catalogue, and a dead-letter topic per group, where missing."""
    facts = {fact.TOPIC for published in PUBLISHERS.values() for fact in published}
    dead = {f"dead.{name}" for name in names}
    await bus.ensure([Topic(name) for name in sorted(facts | dead)])


async def start(running: Running, host: Host, roles: Sequence[str] = ROLES) -> None:
    """Start what this role runs: the database always, then relay, consumer and jobs."""
    service = running.service
    await service.database.start()
    if "relay" not in roles:
        service.database.announce()
    backlog = Backlog(service.database, host.clock, host.telemetry)
    running.tasks.append(asyncio.create_task(backlog.run(running.stop)))
    if "relay" in roles:
        relay = Relay(
            service.name, service.relay_url, host.bus, service.database.written, host.telemetry
        )
        running.tasks.append(asyncio.create_task(relay.run(running.stop)))
    if "worker" in roles:
        await _start_worker(running, host)
    running.started = True


async def _start_worker(running: Running, host: Host) -> None:
    service, consumer = running.service, running.service.consumer
    jobs = [*service.jobs, _keep_inbox(service, host)]
    if consumer is not None:
        instance = host.environment.get("PREAU_INSTANCE")
        reading = Reading(
            service.name,
            consumer.topics,
            consumer,
            instance=f"{service.name}-{instance}" if instance else None,
        )
        running.subscription = await host.bus.read(reading)
        telling = _tell_poll_age(running, host, consumer.group)
        running.tasks.append(asyncio.create_task(telling))
        jobs += [_retry_parked(consumer), _measure(consumer, host)]
    me = f"{socket.gethostname()}-{os.getpid()}"
    runner = Jobs(service.database, jobs, host.clock, me, host.telemetry)
    running.tasks.append(asyncio.create_task(runner.run(running.stop)))


def _retry_parked(consumer: BatchConsumer) -> Job:
    async def retry() -> None:
        await ParkedKeys(consumer).retry()

    return Job("retry_parked", retry, every=timedelta(seconds=1))


async def _tell_poll_age(running: Running, host: Host, group: str) -> None:
    """Tell it of this very process, and above all while the broker is away."""
    while not running.stop.is_set():
        if running.subscription is not None:
            age = running.subscription.last_poll_age
            host.telemetry.gauge("preau.consumer.last_poll.age", age, group=group)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.stop.wait(), POLL_AGE_EVERY)


def _measure(consumer: BatchConsumer, host: Host) -> Job:
    async def measure() -> None:
        try:
            async with asyncio.timeout(COUNTING):
                found = await report.counts(consumer, host.bus)
        except (Transient, TimeoutError) as error:
            log.warning("cannot count", group=consumer.group, error=repr(error))
            return
        told: dict[str, float] = {
            "preau.consumer.lag": found.lag,
            "preau.parked.depth": found.parked,
            "preau.dead_letter.depth": found.dead_lettered - found.skipped,
            "preau.consumer.halted": found.halt.since is not None,
        }
        for name, value in told.items():
            host.telemetry.gauge(name, value, group=consumer.group)

    return Job("measure", measure, every=timedelta(seconds=5))


def _keep_inbox(service: Service, host: Host) -> Job:
    async def keep_inbox() -> None:
        await service.database.rows(_KEEP_INBOX, today=host.clock().date())

    return Job("keep_inbox", keep_inbox, every=timedelta(hours=6))


async def stop(running: Running) -> None:
    """Drain: finish the batch in hand, commit, send what stands in the outbox, close."""
    running.started = False
    if running.subscription is not None:
        await running.subscription.stop()
    running.stop.set()
    if running.tasks:
        _, late = await asyncio.wait(running.tasks, timeout=DRAIN)
        for task in late:
            task.cancel()
        for task in running.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await running.service.database.stop()


def failed_tasks(running: Running) -> str | None:
    """Say why a background task ended before it was told to; None when all go on."""
    for task in running.tasks:
        if task.done() and not running.stop.is_set():
            error = None if task.cancelled() else task.exception()
            return f"a task ended: {error or 'cancelled'}"
    return None


def host_of(name: str, environment: Mapping[str, str], kafka: str) -> Host:
    """Give one service its world: a bus of its own, the clock, ids, telemetry."""
    prefix = f"{name.upper()}_"
    sample = environment.get(f"{prefix}TRACE_SAMPLE", environment.get("PREAU_TRACE_SAMPLE", "0.1"))
    telemetry = OtelTelemetry(name, sample=float(sample), environment=environment)
    bus = KafkaBus(kafka, client_id=f"preau-{name}", replication=_replication(environment))
    return Host(bus, now, uuid7, telemetry, environment)


def _replication(environment: Mapping[str, str]) -> int:
    return int(environment.get("PREAU_KAFKA_REPLICATION", "1"))


def spare_collector() -> None:
    """Let Python look for cycles seldom: what a service is made of stays for ever, events are none.

    With its defaults the collector walks over a whole service again and again while a batch is
    decoded: half of the time that the process has (tests/benchmarks, case `effect`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


@asynccontextmanager
async def running(
    names: Sequence[str], environment: Mapping[str, str], kafka: str, roles: Sequence[str] = ROLES
) -> AsyncIterator[list[Running]]:
    """Run these services until left; then drain them all at once."""
    hosts = {name: host_of(name, environment, kafka) for name in names}
    everything = [Running(build(name, hosts[name])) for name in names]
    try:
        if set(roles) - {"api"}:
            # Who only serves the API needs no broker: it starts while there is none.
            await ensure_topics(hosts[names[0]].bus)
        await asyncio.gather(*(start(e, hosts[e.service.name], roles) for e in everything))
        spare_collector()
        yield everything
    finally:
        await asyncio.gather(*(stop(each) for each in everything))
        for host in hosts.values():
            await host.bus.close()
            if isinstance(host.telemetry, OtelTelemetry):
                host.telemetry.shutdown()
