"""One service's reactions on a real database, with events as its consumer delivers them."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import sqlalchemy as sa
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from shared.contracts.catalogue import owner_of
from shared.contracts.event import Envelope, Fact, Origin, encode, encode_data, partition_key
from shared.contracts.ids import EventId, TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import Partition
from shared.kit.core.clock import utc_now
from shared.kit.core.host import Host
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.runtime.runner import build_service, ensure_topics
from shared.kit.runtime.service import Service
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.databases import open_service_database


class OutcomeCounter(NoTelemetry):
    """Counts the outcomes of consumed records."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.outcome":
            self.counts[labels["outcome"]] += int(amount)


@dataclass
class ReactionHarness:
    """A service without its web application, relay and jobs."""

    service: Service
    bus: MemoryBus
    outcomes: OutcomeCounter
    tenant: TenantId = field(default_factory=lambda: TenantId(uuid7()))
    transaction_seconds: list[float] = field(default_factory=list)
    sequences: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        began: dict[int, float] = {}
        engine = self.service.database.engine.sync_engine

        def check_out(_: object, record: object, __: object) -> None:
            began[id(record)] = time.thread_time()

        def check_in(_: object, record: object) -> None:
            self.transaction_seconds.append(time.thread_time() - began.pop(id(record)))

        sa.event.listen(engine, "checkout", check_out)
        sa.event.listen(engine, "checkin", check_in)

    def publish(self, fact: Fact, origin: Origin = Origin.LIVE) -> None:
        """Publish an event on its topic."""
        key = partition_key(self.tenant, fact)
        self.sequences[fact.TOPIC, key] += 1
        moment = datetime.now(UTC)
        envelope = Envelope(
            id=EventId(uuid7()),
            type=fact.wire_type(),
            source=f"/preau/{owner_of(type(fact))}",
            subject="worst",
            time=moment,
            tenant=self.tenant,
            partitionkey=key,
            sequence=f"{self.sequences[fact.TOPIC, key]:010}",
            recordedtime=moment,
            correlationid="worst",
            data=encode_data(fact),
            origin=origin,
        )
        self.bus.append(Partition(fact.TOPIC, 0), key.encode(), encode(envelope))

    async def react(
        self, *facts: Fact, origin: Origin = Origin.LIVE, reader: BatchConsumer | None = None
    ) -> Counter[str]:
        """Publish events and consume them all; return the number of each outcome."""
        reader = reader or self.service.consumer
        assert reader is not None
        self.outcomes.counts.clear()
        for fact in facts:
            self.publish(fact, origin)
        places = [Partition(topic, 0) for topic in sorted({fact.TOPIC for fact in facts})]
        starts = await reader.on_assigned(places)
        for partition, start in starts.items():
            position = start
            while batch := tuple(await self.bus.fetch(partition, position, 1000)):
                position = (await reader.handle(batch))[partition]
        return +self.outcomes.counts


@asynccontextmanager
async def open_reaction_harness(
    name: str, addresses: StackAddresses, environment: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[ReactionHarness]:
    """Build a service on its own database, and close all its resources at exit."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings = {
        "PREAU_JWKS_URL": "http://identity.invalid/",
        "IDENTITY_SIGNING_KEY": pem,
        "MODERATION_SEAL_KEY": Fernet.generate_key().decode(),
        f"{name.upper()}_DATABASE_URL": addresses.database_url(name, "app"),
        f"{name.upper()}_RELAY_URL": addresses.database_url(name, "relay"),
        **dict(environment),
    }
    bus, outcomes = MemoryBus(), OutcomeCounter()
    await ensure_topics(bus)
    async with open_service_database(name, addresses):
        await _delete_positions(addresses.database_url(name, "owner"))
        service = build_service(name, Host(bus, utc_now, uuid7, outcomes, settings))
        try:
            yield ReactionHarness(service, bus, outcomes)
        finally:
            for resource in service.resources:
                await resource.close()
            await service.database.stop()
            await bus.close()


async def _delete_positions(owner_url: str) -> None:
    """Delete stored positions: the new in-memory bus starts at offset 0."""
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        await owner.execute("TRUNCATE positions, parked, halts")
    finally:
        await owner.close()
