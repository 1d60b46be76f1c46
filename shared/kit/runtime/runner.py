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
from shared.kit.core.bus import Bus, Reading, Subscription, Topic
from shared.kit.core.errors import NotFound
from shared.kit.core.host import Host
from shared.kit.relay.monitor import Backlog
from shared.kit.relay.relay import Relay
from shared.kit.runtime.jobs import Jobs
from shared.kit.runtime.maintenance import upkeep
from shared.kit.runtime.schema_check import until_fit
from shared.kit.runtime.service import Service
from shared.kit.runtime.startup import Away, Server, kafka_at, knock, until_there
from shared.kit.telemetry.otel import OtelTelemetry

DRAIN = 30.0
"""Seconds that a batch in hand, and requests in hand, may take at a stop."""
ROLES = ("api", "worker", "relay")
POLL_AGE_EVERY = 5.0
COLLECT = (20_000, 20, 50)
"""Objects made, then young and middle-aged rounds, before Python looks for cycles."""


@dataclass
class Running:
    """One service and its background tasks."""

    service: Service
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    subscription: Subscription | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    fit: bool = False
    """Its database is there and as it should be: requests may be answered."""
    started: bool = False
    """All that its roles ask for runs."""
    away: dict[str, Away] = field(default_factory=dict)
    """What it waits for before it can go on with its start, by the setting that says where."""

    def tell(self, server: Server, away: Away | None) -> None:
        """Learn that a server is away, or is there."""
        self.away.pop(server.setting, None)
        if away is not None:
            self.away[server.setting] = away


def now() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


def build(name: str, host: Host) -> Service:
    """Build one service by its name."""
    built: Service = import_module(f"services.{name}.main").build(host)
    return built


async def ensure_topics(bus: Bus, names: Sequence[str] = tuple(PUBLISHERS)) -> None:
    """Create the topics of these services' facts and dead letters, where missing.

    A service creates its own topics only: in Kafka its user has no right to another's.
    """
    facts = {fact.TOPIC for name in names for fact in PUBLISHERS[name]}
    dead = {f"dead.{name}" for name in names}
    await bus.ensure([Topic(name) for name in sorted(facts | dead)])


@dataclass(frozen=True)
class Broker:
    """A broker that may be away at the start, and what sees to the topics once it is there."""

    server: Server
    topics: Awaitable[None]


async def start(
    running: Running, host: Host, roles: Sequence[str] = ROLES, broker: Broker | None = None
) -> None:
    """Start what this role runs: the database always, then relay, jobs and consumer.

    Waits for a database that is away, and for the broker if it is given. Raises `CannotStart`.
    """
    service = running.service
    await until_fit(service, running.tell, relays="relay" in roles)
    running.fit = True
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
        me = f"{socket.gethostname()}-{os.getpid()}"
        jobs = [*service.jobs, *upkeep(service, host)]
        runner = Jobs(service.database, jobs, host.clock, me, host.telemetry)
        running.tasks.append(asyncio.create_task(runner.run(running.stop)))
    # Who only serves the API needs no broker: it starts while there is none.
    if broker is not None and set(roles) - {"api"}:
        await broker.topics
    if "worker" in roles:
        await _start_reading(running, host, broker)
    running.started = True


async def _start_reading(running: Running, host: Host, broker: Broker | None) -> None:
    consumer = running.service.consumer
    if consumer is None:
        return
    instance = host.environment.get("PREAU_INSTANCE")
    reading = Reading(
        running.service.name,
        consumer.topics,
        consumer,
        instance=f"{running.service.name}-{instance}" if instance else None,
    )

    async def read() -> Subscription:
        try:
            return await host.bus.read(reading)
        except NotFound:
            # Created here where the user may; otherwise Transient until its owner has created it.
            await host.bus.ensure([Topic(name) for name in reading.topics])
            return await host.bus.read(reading)

    if broker is None:
        running.subscription = await read()
    else:
        running.subscription = await until_there(broker.server, read, running.tell)
    telling = _tell_poll_age(running, host, consumer.group)
    running.tasks.append(asyncio.create_task(telling))


async def _tell_poll_age(running: Running, host: Host, group: str) -> None:
    """Tell it of this very process, and above all while the broker is away."""
    while not running.stop.is_set():
        if running.subscription is not None:
            age = running.subscription.last_poll_age
            host.telemetry.gauge("preau.consumer.last_poll.age", age, group=group)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.stop.wait(), POLL_AGE_EVERY)


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
    for resource in running.service.resources:
        await resource.close()
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
    cluster = Cluster.of(name, environment, kafka)
    bus = KafkaBus(cluster, client_id=f"preau-{name}", replication=_replication(environment))
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


@dataclass(frozen=True)
class Built:
    """Services that are put together; nothing is connected yet."""

    services: list[Running]
    hosts: Mapping[str, Host]
    kafka: Server
    clusters: Mapping[str, Cluster]

    async def start(self, roles: Sequence[str] = ROLES) -> None:
        """Start them all, waiting for what is away; one that cannot start ends the others' wait.

        Raises `CannotStart`. May be cancelled at any moment.
        """
        topics = asyncio.create_task(self._see_to_topics(roles))
        broker = Broker(self.kafka, topics)
        starts = [start(e, self.hosts[e.service.name], roles, broker) for e in self.services]
        tasks = [topics, *map(asyncio.create_task, starts)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        spare_collector()

    async def _see_to_topics(self, roles: Sequence[str]) -> None:
        if not set(roles) - {"api"}:
            return
        names = [each.service.name for each in self.services]

        async def ensure() -> None:
            await knock(self.kafka)
            for name in names:
                await check_login(self.clusters[name])
                await ensure_topics(self.hosts[name].bus, [name])

        def tell(server: Server, away: Away | None) -> None:
            for each in self.services:
                each.tell(server, away)

        await until_there(self.kafka, ensure, tell)


@asynccontextmanager
async def built(
    names: Sequence[str], environment: Mapping[str, str], kafka: str
) -> AsyncIterator[Built]:
    """Put these services together; drain them all at once when left."""
    server = kafka_at(kafka)
    clusters = {name: Cluster.of(name, environment, kafka) for name in names}
    hosts = {name: host_of(name, environment, kafka) for name in names}
    everything = [Running(build(name, hosts[name])) for name in names]
    try:
        yield Built(everything, hosts, server, clusters)
    finally:
        await asyncio.gather(*(stop(each) for each in everything))
        for host in hosts.values():
            await host.bus.close()
            if isinstance(host.telemetry, OtelTelemetry):
                host.telemetry.shutdown()


@asynccontextmanager
async def running(
    names: Sequence[str], environment: Mapping[str, str], kafka: str, roles: Sequence[str] = ROLES
) -> AsyncIterator[list[Running]]:
    """Run these services until left, once all of them are started."""
    async with built(names, environment, kafka) as parts:
        await parts.start(roles)
        yield parts.services
