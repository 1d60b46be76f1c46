"""Runs one service, or several in one process; `shared.kit.runtime` is its command line.

The runner owns lifetimes: it starts databases, relays, jobs and consumers in that order, serves
every service under `/<name>`, and drains in the reverse order on SIGTERM. A server that is away at
the start is waited for (ADR 0047).
"""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module

from uuid_utils.compat import uuid7

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.login import check_login
from shared.kit.core.bus import Bus, Subscription, SubscriptionConfig, Topic
from shared.kit.core.errors import NotFound
from shared.kit.core.host import Host
from shared.kit.relay.outbox_monitor import OutboxMonitor
from shared.kit.relay.relay import Relay
from shared.kit.runtime.jobs import JobRunner
from shared.kit.runtime.maintenance import maintenance_jobs
from shared.kit.runtime.schema_check import wait_until_database_ready
from shared.kit.runtime.service import Service
from shared.kit.runtime.startup import (
    RequiredServer,
    Unavailable,
    parse_kafka_address,
    probe_port,
    wait_until_available,
)
from shared.kit.telemetry.otel import OtelTelemetry

DRAIN_TIMEOUT_SECONDS = 30.0
"""Seconds that a batch in hand, and requests in hand, may take at a stop."""
ROLES = ("api", "worker", "relay")
POLL_AGE_INTERVAL_SECONDS = 5.0
GC_THRESHOLDS = (20_000, 20, 50)
"""Objects made, then young and middle-aged rounds, before Python looks for cycles."""


@dataclass
class RunningService:
    """One service and its background tasks."""

    service: Service
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    subscription: Subscription | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    database_ready: bool = False
    """Its database is there and as it should be: requests may be answered."""
    started: bool = False
    """All that its roles ask for runs."""
    unavailable: dict[str, Unavailable] = field(default_factory=dict)
    """What it waits for before it can go on with its start, by the setting that says where."""

    def update_availability(self, server: RequiredServer, away: Unavailable | None) -> None:
        """Learn that a server is away, or is there."""
        self.unavailable.pop(server.setting, None)
        if away is not None:
            self.unavailable[server.setting] = away


def utc_now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


def build_service(name: str, host: Host) -> Service:
    """Build one service by its name."""
    built: Service = import_module(f"services.{name}.main").build(host)
    return built


async def ensure_topics(bus: Bus, names: Sequence[str] = tuple(PUBLISHERS)) -> None:
    """Create the topics of these services' facts and dead letters, where missing.

    A service creates its own topics only: in Kafka its user has no right to another's.
    """
    facts = {fact.TOPIC for name in names for fact in PUBLISHERS[name]}
    dead = {f"dead.{name}" for name in names}
    await bus.ensure_topics([Topic(name) for name in sorted(facts | dead)])


@dataclass(frozen=True)
class Broker:
    """A broker that may be away at the start, and what sees to the topics once it is there."""

    server: RequiredServer
    topics_ready: Awaitable[None]


async def start_service(
    running: RunningService, host: Host, roles: Sequence[str] = ROLES, broker: Broker | None = None
) -> None:
    """Start what this role runs: the database always, then relay, jobs and consumer.

    Waits for a database that is away, and for the broker if it is given. Raises `CannotStart`.
    """
    service = running.service
    await wait_until_database_ready(
        service, running.update_availability, check_relay_role="relay" in roles
    )
    running.database_ready = True
    if "relay" not in roles:
        service.database.start_notifier()
    backlog = OutboxMonitor(service.database, host.clock, host.telemetry)
    running.tasks.append(asyncio.create_task(backlog.run(running.stop)))
    if "relay" in roles:
        relay = Relay(
            service.name,
            service.relay_url,
            host.bus,
            service.database.outbox_changed,
            host.telemetry,
        )
        running.tasks.append(asyncio.create_task(relay.run(running.stop)))
    if "worker" in roles:
        me = f"{socket.gethostname()}-{os.getpid()}"
        jobs = [*service.jobs, *maintenance_jobs(service, host)]
        runner = JobRunner(service.database, jobs, host.clock, me, host.telemetry)
        running.tasks.append(asyncio.create_task(runner.run(running.stop)))
    # Who only serves the API needs no broker: it starts while there is none.
    if broker is not None and set(roles) - {"api"}:
        await broker.topics_ready
    if "worker" in roles:
        await _start_reading(running, host, broker)
    running.started = True


async def _start_reading(running: RunningService, host: Host, broker: Broker | None) -> None:
    consumer = running.service.consumer
    if consumer is None:
        return
    instance = host.environment.get("PREAU_INSTANCE")
    reading = SubscriptionConfig(
        running.service.name,
        consumer.topics,
        consumer,
        instance_id=f"{running.service.name}-{instance}" if instance else None,
    )

    async def read() -> Subscription:
        try:
            return await host.bus.subscribe(reading)
        except NotFound:
            # Created here where the user may; otherwise Transient until its owner has created it.
            await host.bus.ensure_topics([Topic(name) for name in reading.topics])
            return await host.bus.subscribe(reading)

    if broker is None:
        running.subscription = await read()
    else:
        running.subscription = await wait_until_available(
            broker.server, read, running.update_availability
        )
    telling = _tell_poll_age(running, host, consumer.group)
    running.tasks.append(asyncio.create_task(telling))


async def _tell_poll_age(running: RunningService, host: Host, group: str) -> None:
    """Tell it of this very process, and above all while the broker is away."""
    while not running.stop.is_set():
        if running.subscription is not None:
            age = running.subscription.last_poll_age
            host.telemetry.gauge("preau.consumer.last_poll.age", age, group=group)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.stop.wait(), POLL_AGE_INTERVAL_SECONDS)


async def stop_service(running: RunningService) -> None:
    """Drain: finish the batch in hand, commit, send what stands in the outbox, close."""
    running.started = False
    if running.subscription is not None:
        await running.subscription.stop()
    running.stop.set()
    if running.tasks:
        _, late = await asyncio.wait(running.tasks, timeout=DRAIN_TIMEOUT_SECONDS)
        for task in late:
            task.cancel()
        for task in running.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    for resource in running.service.resources:
        await resource.close()
    await running.service.database.stop()


def failed_tasks(running: RunningService) -> str | None:
    """Return why a background task ended before it was told to; None when all go on."""
    for task in running.tasks:
        if task.done() and not running.stop.is_set():
            error = None if task.cancelled() else task.exception()
            return f"a task ended: {error or 'cancelled'}"
    return None


def build_host(name: str, environment: Mapping[str, str], kafka: str) -> Host:
    """Return one service its world: a bus of its own, the clock, ids, telemetry."""
    prefix = f"{name.upper()}_"
    sample = environment.get(f"{prefix}TRACE_SAMPLE", environment.get("PREAU_TRACE_SAMPLE", "0.1"))
    telemetry = OtelTelemetry(name, sample_ratio=float(sample), environment=environment)
    cluster = Cluster.from_environment(name, environment, kafka)
    bus = KafkaBus(cluster, client_id=f"preau-{name}", replication=_replication(environment))
    return Host(bus, utc_now, uuid7, telemetry, environment)


def _replication(environment: Mapping[str, str]) -> int:
    return int(environment.get("PREAU_KAFKA_REPLICATION", "1"))


def relax_garbage_collector() -> None:
    """Let Python look for cycles seldom: what a service is made of stays for ever, events are none.

    With its defaults the collector walks over a whole service again and again while a batch is
    decoded: half of the time that the process has (tests/benchmarks, case `effect`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@dataclass(frozen=True)
class ServiceGroup:
    """Services that are put together; nothing is connected yet."""

    services: list[RunningService]
    hosts: Mapping[str, Host]
    kafka: RequiredServer
    clusters: Mapping[str, Cluster]

    async def start(self, roles: Sequence[str] = ROLES) -> None:
        """Start them all, waiting for what is away; one that cannot start ends the others' wait.

        Raises `CannotStart`. May be cancelled at any moment.
        """
        topics = asyncio.create_task(self._see_to_topics(roles))
        broker = Broker(self.kafka, topics)
        starts = [
            start_service(e, self.hosts[e.service.name], roles, broker) for e in self.services
        ]
        tasks = [topics, *map(asyncio.create_task, starts)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        relax_garbage_collector()

    async def _see_to_topics(self, roles: Sequence[str]) -> None:
        if not set(roles) - {"api"}:
            return
        names = [each.service.name for each in self.services]

        async def ensure() -> None:
            await probe_port(self.kafka)
            for name in names:
                await check_login(self.clusters[name])
                await ensure_topics(self.hosts[name].bus, [name])

        def tell(server: RequiredServer, away: Unavailable | None) -> None:
            for each in self.services:
                each.update_availability(server, away)

        await wait_until_available(self.kafka, ensure, tell)


@asynccontextmanager
async def build_services(
    names: Sequence[str], environment: Mapping[str, str], kafka: str
) -> AsyncIterator[ServiceGroup]:
    """Put these services together; drain them all at once when left."""
    server = parse_kafka_address(kafka)
    clusters = {name: Cluster.from_environment(name, environment, kafka) for name in names}
    hosts = {name: build_host(name, environment, kafka) for name in names}
    everything = [RunningService(build_service(name, hosts[name])) for name in names]
    try:
        yield ServiceGroup(everything, hosts, server, clusters)
    finally:
        await asyncio.gather(*(stop_service(each) for each in everything))
        for host in hosts.values():
            await host.bus.close()
            if isinstance(host.telemetry, OtelTelemetry):
                host.telemetry.shutdown()


@asynccontextmanager
async def run_services(
    names: Sequence[str], environment: Mapping[str, str], kafka: str, roles: Sequence[str] = ROLES
) -> AsyncIterator[list[RunningService]]:
    """Run these services until left, once all of them are started."""
    async with build_services(names, environment, kafka) as parts:
        await parts.start(roles)
        yield parts.services
