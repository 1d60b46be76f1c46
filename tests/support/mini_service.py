"""The smallest service: it consumes its own events, in a real database and a memory bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from shared.contracts.community import MembershipJoined, SpaceOpened
from shared.contracts.event import Fact, Person
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, LogBounds, OutgoingRecord, Partition, Topic
from shared.kit.core.errors import Invalid
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Clock, Delivery, Unit
from shared.kit.database.database import Database, connection
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.parked import RetryPolicy
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.declarations import ConsistencyCheck, EventReference
from shared.kit.tools.reconcile.log import Log
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source
from tests.support.inbox_harness import EFFECTS, RENNES, make_caller, member_id

GROUP, TOPIC, DEAD_LETTER_TOPIC = "community", "community.space", "dead.community"
PARTITIONS = 4
SPACE = SpaceId(UUID(int=0x5FACE))


def space_id(number: int) -> SpaceId:
    return SpaceId(UUID(int=0x5FACE00 + number))


@dataclass
class InMemoryLog:
    """The memory bus as the checker's log; `committed_offsets` is set by the test."""

    __test__ = False
    bus: MemoryBus
    committed_offsets: dict[Partition, int] = field(default_factory=dict)
    fetched: int = 0

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        return await self.bus.get_log_bounds(topics)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        records = await self.bus.fetch(partition, begin, limit)
        self.fetched += len(records)
        return records

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        return self.committed_offsets


@dataclass
class MiniService:
    """Publishes, relays and consumes events; tests can damage its state between the steps."""

    database: Database
    owner_url: str
    app_url: str
    clock: Clock
    bus: MemoryBus = field(default_factory=MemoryBus)
    consistency_checks: tuple[ConsistencyCheck, ...] = ()
    event_references: tuple[EventReference, ...] = ()

    async def open(self) -> None:
        await self.bus.ensure_topics([Topic(TOPIC, PARTITIONS), Topic(DEAD_LETTER_TOPIC, 1)])

    async def publish(
        self, text: str = "oui", key: SpaceId = SPACE, tenant: TenantId = RENNES, times: int = 1
    ) -> None:
        """Record events; they are in the outbox afterwards."""
        async with self.database.unit(make_caller(tenant)) as unit:
            for _ in range(times):
                unit.record(membership_joined(text, key))

    async def publish_ignored(self, key: SpaceId = SPACE) -> None:
        """Record an event to which the group does not react."""
        example = SpaceOpened.example()
        async with self.database.unit(make_caller(RENNES)) as unit:
            unit.record(msgspec.structs.replace(example, space_id=key))

    async def relay(self) -> None:
        """Publish the events in the outbox, and delete them."""
        query = "DELETE FROM outbox RETURNING position, topic, key, value"
        rows = sorted(await self.sql(query), key=lambda row: row["position"])
        for row in rows:
            await self.bus.send([OutgoingRecord(row["topic"], row["key"].encode(), row["value"])])

    async def consume(self) -> None:
        """Apply all records of the log."""
        consumer = self.consumer()
        starts = await consumer.on_assigned(
            [Partition(TOPIC, number) for number in range(PARTITIONS)]
        )
        batch = [
            record
            for partition, begin in starts.items()
            for record in await self.bus.fetch(partition, begin, 10_000)
        ]
        if batch:
            await consumer.handle(batch)

    async def publish_and_consume(self, text: str = "oui", **options: Any) -> None:
        """Publish, relay and consume events, then relay events that reactions recorded."""
        await self.publish(text, **options)
        await self.relay()
        await self.consume()
        await self.relay()

    def consumer(self) -> BatchConsumer:
        reaction = BoundReaction("note", record_role, (MembershipJoined,))
        return BatchConsumer(
            GROUP,
            self.database,
            (reaction,),
            self.bus,
            self.clock,
            NoTelemetry(),
            RetryPolicy(max_attempts=3),
        )

    async def sql(self, query: str, *values: object) -> list[Any]:
        """Run a query as the owner, who sees the rows of RENNES."""
        connection_as_owner = await asyncpg.connect(self.owner_url.replace("+asyncpg", ""))
        try:
            await connection_as_owner.execute(f"SET app.tenants = '{RENNES}'")
            rows: list[Any] = await connection_as_owner.fetch(query, *values)
            return rows
        finally:
            await connection_as_owner.close()

    def put_record(
        self, event: Mapping[str, object], key: str | None = None, **options: int
    ) -> None:
        """Append an event to its key's partition, or to `partition`."""
        value = msgspec.json.encode(event)
        record_key = str(event["partitionkey"]) if key is None else key
        number = options.get("partition", self.partition_of_key(str(event["partitionkey"])))
        self.bus.append(Partition(TOPIC, number), record_key.encode(), value)

    def partition_of_key(self, key: str) -> int:
        """Return the partition that has this key."""
        for partition, records in self.bus._log.items():
            if partition.topic == TOPIC and any(record.key == key.encode() for record in records):
                return partition.number
        raise LookupError(key)

    def events(self) -> list[dict[str, Any]]:
        """Return all events of the topic, decoded."""
        return [
            msgspec.json.decode(record.value or b"null")
            for partition, records in self.bus._log.items()
            if partition.topic == TOPIC
            for record in records
        ]

    def source(self) -> Source:
        return Source(
            service=GROUP,
            url=self.owner_url,
            consumed_types=frozenset({MembershipJoined.wire_type()}),
            consumed_topics=(TOPIC,),
            published_topics=(TOPIC, DEAD_LETTER_TOPIC),
            consistency_checks=self.consistency_checks,
            event_references=self.event_references,
            app_url=self.app_url,
        )

    async def check(self, log: Log | None = None, **options: Any) -> Report:
        wait = options.pop("wait", None)
        checker = Checker(log or InMemoryLog(self.bus), [self.source()], **options)
        return await checker.check(wait)


def membership_joined(role: str, key: SpaceId) -> Fact:
    person = Person(member_id=member_id(1))
    return MembershipJoined(space_id=key, member=person, role=role)


async def record_role(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
    """Store each event's role; some roles raise errors."""
    for delivery in deliveries:
        fact = delivery.fact
        assert isinstance(fact, MembershipJoined)
        await connection(unit).execute(
            EFFECTS, {"tenant": delivery.tenant, "key": delivery.key, "words": fact.role}
        )
        if fact.role == "poison":
            raise RuntimeError("cannot digest")
        if fact.role == "invalid":
            raise Invalid(field="role")


def with_fields(event: Mapping[str, Any], **fields: object) -> dict[str, Any]:
    return {**event, **fields}


def next_event(event: Mapping[str, Any], steps: int = 1) -> dict[str, Any]:
    """Return the event this many sequences later, with a new id."""
    sequence = int(event["sequence"]) + steps
    return with_fields(event, id=str(uuid7()), sequence=f"{sequence:010d}")


def violation_texts(report: Report) -> list[str]:
    """Return the violations as lines."""
    return [f"{violation.invariant} {violation.text}" for violation in report.wrong]
