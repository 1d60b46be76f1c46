"""Start, run and drain services of one process; `shared.kit.runtime` is the command line.

The runner starts databases, relays, jobs and consumers in that order and drains them in the reverse
order on SIGTERM. It waits for a server that is unavailable at the start (ADR 0047).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module

from uuid_utils.compat import uuid7

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.login import check_login
from shared.kit.core.bus import Bus, Subscription, SubscriptionConfig, Topic
from shared.kit.core.clock import utc_now
from shared.kit.core.errors import NotFound
from shared.kit.core.host import Host
from shared.kit.relay.outbox_monitor import OutboxMonitor
from shared.kit.relay.relay import Relay
from shared.kit.runtime.garbage_collection import relax_garbage_collector
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
"""Time for the current batch and the current requests to finish at a stop."""
ROLES = ("api", "worker", "relay")
POLL_AGE_INTERVAL_SECONDS = 5.0


@dataclass
class RunningService:
    """A started service: its background tasks and the state that health checks read."""

    service: Service
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    subscription: Subscription | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    database_ready: bool = False
    """The database is available with the right schema and roles: requests may be served."""
    started: bool = False
    """Everything that the roles need is running."""
    unavailable: dict[str, Unavailable] = field(default_factory=dict)
    """Servers that the start waits for, by the setting that holds their address."""

    def update_availability(self, server: RequiredServer, outage: Unavailable | None) -> None:
        """Record that a server is unavailable, or with None that it is available."""
        self.unavailable.pop(server.setting, None)
        if outage is not None:
            self.unavailable[server.setting] = outage


def build_service(name: str, host: Host) -> Service:
    """Import `services.<name>.main` and build its service."""
    service: Service = import_module(f"services.{name}.main").build(host)
    return service


async def ensure_topics(bus: Bus, names: Sequence[str] = tuple(PUBLISHERS)) -> None:
    """Create the missing topics of these services' events and dead letters.

    A service creates its own topics only: its Kafka user has no right to create others.
    """
    facts = {fact.TOPIC for name in names for fact in PUBLISHERS[name]}
    dead = {f"dead.{name}" for name in names}
    await bus.ensure_topics([Topic(name) for name in sorted(facts | dead)])


@dataclass(frozen=True)
class Broker:
    """The broker that a start waits for; `topics_ready` completes when its topics exist."""

    server: RequiredServer
    topics_ready: Awaitable[None]


async def start_service(
    running: RunningService, host: Host, roles: Sequence[str] = ROLES, broker: Broker | None = None
) -> None:
    """Start the parts of a service for these roles: database, relay, jobs, then consumer.

    Waits for an unavailable database, and for the broker if one is given. Raises `CannotStart`.
    """
    service = running.service
    await wait_until_database_ready(
        service, running.update_availability, check_relay_role="relay" in roles
    )
    running.database_ready = True
    if "relay" not in roles:
        service.database.start_notifier()
    monitor = OutboxMonitor(service.database, host.clock, host.telemetry)
    running.tasks.append(asyncio.create_task(monitor.run(running.stop)))
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
        worker_id = f"{socket.gethostname()}-{os.getpid()}"
        jobs = [*service.jobs, *maintenance_jobs(service, host)]
        runner = JobRunner(service.database, jobs, host.clock, worker_id, host.telemetry)
        running.tasks.append(asyncio.create_task(runner.run(running.stop)))
    # The API role needs no broker: it starts while the broker is unavailable.
    if broker is not None and set(roles) - {"api"}:
        await broker.topics_ready
    if "worker" in roles:
        await _start_consumer(running, host, broker)
    running.started = True


async def _start_consumer(running: RunningService, host: Host, broker: Broker | None) -> None:
    consumer = running.service.consumer
    if consumer is None:
        return
    instance = host.environment.get("PREAU_INSTANCE")
    config = SubscriptionConfig(
        running.service.name,
        consumer.topics,
        consumer,
        instance_id=f"{running.service.name}-{instance}" if instance else None,
    )

    async def subscribe() -> Subscription:
        try:
            return await host.bus.subscribe(config)
        except NotFound:
            # Without the right to create the topic: Transient until its owner has created it.
            await host.bus.ensure_topics([Topic(name) for name in config.topics])
            return await host.bus.subscribe(config)

    if broker is None:
        running.subscription = await subscribe()
    else:
        running.subscription = await wait_until_available(
            broker.server, subscribe, running.update_availability
        )
    reporting = _report_poll_age(running, host, consumer.group)
    running.tasks.append(asyncio.create_task(reporting))


async def _report_poll_age(running: RunningService, host: Host, group: str) -> None:
    """Report the age of this process's last poll, also while the broker is unavailable."""
    while not running.stop.is_set():
        if running.subscription is not None:
            age = running.subscription.last_poll_age
            host.telemetry.gauge("preau.consumer.last_poll.age", age, group=group)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.stop.wait(), POLL_AGE_INTERVAL_SECONDS)


async def stop_service(running: RunningService) -> None:
    """Drain a service: finish and commit the current batch, send the outbox, close."""
    running.started = False
    if running.subscription is not None:
        await running.subscription.stop()
    running.stop.set()
    if running.tasks:
        _, unfinished = await asyncio.wait(running.tasks, timeout=DRAIN_TIMEOUT_SECONDS)
        for task in unfinished:
            task.cancel()
        for task in running.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    for resource in running.service.resources:
        await resource.close()
    await running.service.database.stop()


def failed_tasks(running: RunningService) -> str | None:
    """Return why a background task ended before the stop; None when all are running."""
    for task in running.tasks:
        if task.done() and not running.stop.is_set():
            error = None if task.cancelled() else task.exception()
            return f"a task ended: {error or 'cancelled'}"
    return None


def build_host(name: str, environment: Mapping[str, str], kafka: str) -> Host:
    """Build the dependencies of one service: its own bus and telemetry, the clock, ids."""
    prefix = f"{name.upper()}_"
    default_ratio = environment.get("PREAU_TRACE_SAMPLE", "0.1")
    ratio = environment.get(f"{prefix}TRACE_SAMPLE", default_ratio)
    telemetry = OtelTelemetry(name, sample_ratio=float(ratio), environment=environment)
    cluster = Cluster.from_environment(name, environment, kafka)
    bus = KafkaBus(cluster, client_id=f"preau-{name}", replication=_replication(environment))
    return Host(bus, utc_now, uuid7, telemetry, environment)


def _replication(environment: Mapping[str, str]) -> int:
    return int(environment.get("PREAU_KAFKA_REPLICATION", "1"))


@dataclass(frozen=True)
class ServiceGroup:
    """The services of one process, built but not connected yet."""

    services: list[RunningService]
    hosts: Mapping[str, Host]
    kafka: RequiredServer
    clusters: Mapping[str, Cluster]

    async def start(self, roles: Sequence[str] = ROLES) -> None:
        """Start all services concurrently, waiting for unavailable servers.

        If one service cannot start, the starts of the others are cancelled. May be cancelled at
        any moment. Raises `CannotStart`.
        """
        topics = asyncio.create_task(self._create_topics(roles))
        broker = Broker(self.kafka, topics)
        starts = [
            start_service(running, self.hosts[running.service.name], roles, broker)
            for running in self.services
        ]
        tasks = [topics, *map(asyncio.create_task, starts)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        relax_garbage_collector()

    async def _create_topics(self, roles: Sequence[str]) -> None:
        if not set(roles) - {"api"}:
            return
        names = [running.service.name for running in self.services]

        async def create_topics() -> None:
            await probe_port(self.kafka)
            for name in names:
                await check_login(self.clusters[name])
                await ensure_topics(self.hosts[name].bus, [name])

        def update_all(server: RequiredServer, outage: Unavailable | None) -> None:
            for running in self.services:
                running.update_availability(server, outage)

        await wait_until_available(self.kafka, create_topics, update_all)


@asynccontextmanager
async def build_services(
    names: Sequence[str], environment: Mapping[str, str], kafka: str
) -> AsyncIterator[ServiceGroup]:
    """Build these services; leaving the context drains all of them concurrently."""
    server = parse_kafka_address(kafka)
    clusters = {name: Cluster.from_environment(name, environment, kafka) for name in names}
    hosts = {name: build_host(name, environment, kafka) for name in names}
    services = [RunningService(build_service(name, hosts[name])) for name in names]
    try:
        yield ServiceGroup(services, hosts, server, clusters)
    finally:
        await asyncio.gather(*(stop_service(running) for running in services))
        for host in hosts.values():
            await host.bus.close()
            if isinstance(host.telemetry, OtelTelemetry):
                host.telemetry.shutdown()


@asynccontextmanager
async def run_services(
    names: Sequence[str], environment: Mapping[str, str], kafka: str, roles: Sequence[str] = ROLES
) -> AsyncIterator[list[RunningService]]:
    """Run these services inside the context; entering waits until all are started."""
    async with build_services(names, environment, kafka) as group:
        await group.start(roles)
        yield group.services
