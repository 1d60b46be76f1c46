"""The smallest platform that there can be: one service that hears itself, on a real database."""

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
from shared.kit.tools.reconcile.agreement import ConsistencyCheck, EventReference
from shared.kit.tools.reconcile.check import Checker
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
    """The memory bus as a log; `committed` says what the test wants."""

    __test__ = False
    bus: MemoryBus
    committed_offsets: dict[Partition, int] = field(default_factory=dict)
    fetched: int = 0

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        return await self.bus.get_log_bounds(topics)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        found = await self.bus.fetch(partition, begin, limit)
        self.fetched += len(found)
        return found

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        return self.committed_offsets


@dataclass
class MiniService:
    """Publishes, relays, reads, and can be broken at every place."""

    database: Database
    owner_url: str
    app_url: str
    clock: Clock
    bus: MemoryBus = field(default_factory=MemoryBus)
    agreements: tuple[ConsistencyCheck, ...] = ()
    events_named: tuple[EventReference, ...] = ()

    async def open(self) -> None:
        await self.bus.ensure_topics([Topic(TOPIC, PARTITIONS), Topic(DEAD_LETTER_TOPIC, 1)])

    async def publish(
        self, text: str = "oui", key: SpaceId = SPACE, tenant: TenantId = RENNES, times: int = 1
    ) -> None:
        """Record facts; they stand in the outbox then."""
        async with self.database.unit(make_caller(tenant)) as unit:
            for _ in range(times):
                unit.record(membership_joined(text, key))

    async def publish_ignored(self, key: SpaceId = SPACE) -> None:
        """Record a fact that the group does not care for."""
        example = SpaceOpened.example()
        async with self.database.unit(make_caller(RENNES)) as unit:
            unit.record(msgspec.structs.replace(example, space_id=key))

    async def relay(self) -> None:
        """Send what stands in the outbox, and delete it."""
        query = "DELETE FROM outbox RETURNING position, topic, key, value"
        rows = sorted(await self.sql(query), key=lambda row: row["position"])
        for row in rows:
            await self.bus.send([OutgoingRecord(row["topic"], row["key"].encode(), row["value"])])

    async def consume(self) -> None:
        """Apply all there is."""
        reader = self.consumer()
        starts = await reader.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
        batch = [r for p, begin in starts.items() for r in await self.bus.fetch(p, begin, 10_000)]
        if batch:
            await reader.handle(batch)

    async def publish_and_consume(self, text: str = "oui", **more: Any) -> None:
        """All of it: publish, relay, read, and relay what reading left."""
        await self.publish(text, **more)
        await self.relay()
        await self.consume()
        await self.relay()

    def consumer(self) -> BatchConsumer:
        note = BoundReaction("note", record_role, (MembershipJoined,))
        return BatchConsumer(
            GROUP,
            self.database,
            (note,),
            self.bus,
            self.clock,
            NoTelemetry(),
            RetryPolicy(max_attempts=3),
        )

    async def sql(self, query: str, *values: object) -> list[Any]:
        """Do something as the owner, who sees RENNES."""
        owner = await asyncpg.connect(self.owner_url.replace("+asyncpg", ""))
        try:
            await owner.execute(f"SET app.tenants = '{RENNES}'")
            found: list[Any] = await owner.fetch(query, *values)
            return found
        finally:
            await owner.close()

    def put_record(self, event: Mapping[str, object], key: str | None = None, **at: int) -> None:
        """Write an event on the topic as it is, into its key's partition or another one."""
        value = msgspec.json.encode(event)
        name = str(event["partitionkey"]) if key is None else key
        place = at.get("partition", self.partition_of_key(str(event["partitionkey"])))
        self.bus.append(Partition(TOPIC, place), name.encode(), value)

    def partition_of_key(self, key: str) -> int:
        """Where the log has this key."""
        for place, records in self.bus._log.items():
            if place.topic == TOPIC and any(r.key == key.encode() for r in records):
                return place.number
        raise LookupError(key)

    def events(self) -> list[dict[str, Any]]:
        """All that the topic holds, decoded."""
        return [
            msgspec.json.decode(record.value or b"null")
            for place, records in self.bus._log.items()
            if place.topic == TOPIC
            for record in records
        ]

    def source(self) -> Source:
        return Source(
            service=GROUP,
            url=self.owner_url,
            consumed_types=frozenset({MembershipJoined.wire_type()}),
            consumed_topics=(TOPIC,),
            published_topics=(TOPIC, DEAD_LETTER_TOPIC),
            consistency_checks=self.agreements,
            event_references=self.events_named,
            app_url=self.app_url,
        )

    async def check(self, log: Log | None = None, **options: Any) -> Report:
        wait = options.pop("wait", None)
        checker = Checker(log or InMemoryLog(self.bus), [self.source()], **options)
        return await checker.check(wait)


def membership_joined(words: str, key: SpaceId) -> Fact:
    who = Person(member_id=member_id(1))
    return MembershipJoined(space_id=key, member=who, role=words)


async def record_role(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
    """Write down each fact's words; some cannot be digested."""
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
    """The event that would come so many steps after this one, with an id of its own."""
    sequence = int(event["sequence"]) + steps
    return with_fields(event, id=str(uuid7()), sequence=f"{sequence:010d}")


def violation_texts(report: Report) -> list[str]:
    """The violations as one reads them."""
    return [f"{each.invariant} {each.text}" for each in report.wrong]
