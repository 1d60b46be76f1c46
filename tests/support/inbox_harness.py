"""A consumer group on a real database and a memory bus, with effects that can fail."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from shared.contracts.event import Envelope, Fact, Origin, encode, encode_data
from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.contracts.ids import EventId, MemberId, TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.bus.partitioner import partition_of
from shared.kit.core.bus import IncomingRecord, Partition, Topic
from shared.kit.core.errors import Invalid
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Caller, Delivery, Unit
from shared.kit.database.database import Database, connection
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.dead_letters.decisions import (
    DeadLetterDecision,
    DecisionResult,
    decide_dead_letters,
)
from shared.kit.inbox.dead_letters.queries import DeadLetter, list_dead_letters
from shared.kit.inbox.parked import RetryPolicy
from shared.kit.inbox.report import GroupCounts, count_outcomes
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.retry_limits import RetryLimits
from shared.kit.inbox.thresholds import FailureThreshold
from shared.kit.telemetry.noop import NoTelemetry

GROUP, TOPIC = "probe", MemberSuspended.TOPIC
PARTITIONS = 4
RENNES, LYON = TenantId(UUID(int=0xA)), TenantId(UUID(int=0xB))
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
EFFECTS = sa.text("INSERT INTO effects (tenant_id, key, words) VALUES (:tenant, :key, :words)")


def members_in_partition(partition: int, number: int) -> list[int]:
    """Return the first `number` members whose events are in this partition."""
    return [
        member
        for member in range(1, 1000)
        if partition_of(f"{RENNES}:{member_id(member)}".encode(), PARTITIONS) == partition
    ][:number]


def member_id(number: int) -> MemberId:
    return MemberId(UUID(int=number))


def make_caller(tenant: TenantId = RENNES, member_id: MemberId | None = None) -> Caller:
    return Caller(tenant, member_id, correlation="un essai")


def no_trace(fact: Fact, event_id: EventId, parent: str | None) -> str | None:
    return parent


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class InboxHarness:
    """A group whose effect depends on an event's reason.

    `poison…` fails until `fixed`, `invalid` always fails, `answer` publishes an event; the effect
    inserts every other reason into the table `effects`.
    """

    database: Database
    owner_url: str
    clock: Clock
    bus: MemoryBus = field(default_factory=MemoryBus)
    fixed: bool = False
    bug_message: str = ""
    connection_losses: int = 0
    retry_policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(max_attempts=3))
    failure_threshold: FailureThreshold = field(default_factory=FailureThreshold)
    retry_limits: RetryLimits = field(default_factory=lambda: RetryLimits(max_starts=0))
    applied_reasons: list[str] = field(default_factory=list)
    sequences: Counter[tuple[TenantId, int]] = field(default_factory=Counter)

    def consumer(self) -> BatchConsumer:
        reaction = BoundReaction("note", self._apply, (MemberSuspended,))
        return BatchConsumer(
            GROUP,
            self.database,
            (reaction,),
            self.bus,
            self.clock,
            NoTelemetry(),
            self.retry_policy,
            self.failure_threshold,
            self.retry_limits,
        )

    async def _apply(self, unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        for delivery in deliveries:
            fact = delivery.fact
            assert isinstance(fact, MemberSuspended)
            self.applied_reasons.append(fact.reason)
            await connection(unit).execute(
                EFFECTS, {"tenant": delivery.tenant, "key": delivery.key, "words": fact.reason}
            )
            if self.connection_losses:
                self.connection_losses -= 1
                raise ConnectionError("the database went away")
            if fact.reason.startswith("poison") and not self.fixed:
                raise RuntimeError(
                    self.bug_message or "cannot digest" + fact.reason[len("poison") :]
                )
            if fact.reason == "invalid":
                raise Invalid(field="reason")
            if fact.reason == "answer":
                unit.record(MemberReinstated(member_id=fact.member_id), caused_by=delivery)

    async def query(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Query as the owner, which sees all rows of the frame's tables."""
        owner = await asyncpg.connect(self.owner_url.replace("+asyncpg", ""))
        try:
            tenants = ",".join(str(tenant) for tenant in (RENNES, LYON))
            await owner.execute(f"SET app.tenants = '{tenants}'")
            return [dict(row) for row in await owner.fetch(query, *values)]
        finally:
            await owner.close()

    async def effects(self) -> list[str]:
        return [row["words"] for row in await self.query("SELECT words FROM effects ORDER BY nth")]

    async def outbox(self) -> list[Envelope]:
        rows = await self.query("SELECT value FROM outbox ORDER BY position")
        return [msgspec.json.decode(row["value"], type=Envelope) for row in rows]

    def publish(
        self,
        reason: str,
        member: int = 1,
        tenant: TenantId = RENNES,
        event_id: UUID | None = None,
        **overrides: str,
    ) -> UUID:
        """Append an event to the topic, as another service's relay does; return its id."""
        fact = MemberSuspended(member_id=member_id(member), reason=reason)
        envelope = envelope_of(fact, tenant, event_id or uuid7())
        fields = msgspec.json.decode(encode(envelope)) | {
            "sequence": self.next_sequence(member, tenant)
        }
        fields |= overrides
        self.append(f"{tenant}:{member_id(member)}".encode(), msgspec.json.encode(fields))
        return envelope.id

    def next_sequence(self, member: int, tenant: TenantId = RENNES) -> str:
        """Return the next sequence of a member's key, as an outbox does."""
        self.sequences[tenant, member] += 1
        return f"{self.sequences[tenant, member]:010}"

    def append(
        self,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        self.bus.append(
            Partition(TOPIC, partition_of(key, PARTITIONS)), key, value, headers=headers
        )

    async def fetch_from(self, starts: Mapping[Partition, int]) -> list[IncomingRecord]:
        """Fetch every record from these positions on."""
        return [r for p, begin in starts.items() for r in await self.bus.fetch(p, begin, 10_000)]

    async def consume_all(self, consumer: BatchConsumer | None = None) -> GroupCounts:
        """Consume every record in one batch, then check the counts."""
        group_consumer = consumer or self.consumer()
        starts = await group_consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
        batch = await self.fetch_from(starts)
        if batch:
            await group_consumer.handle(batch)
        return await self.check_counts(group_consumer)

    async def retry_parked(self, consumer: BatchConsumer | None = None) -> GroupCounts:
        """Retry the parked events a quarter of an hour later, then check the counts."""
        self.clock.advance(minutes=15)
        group_consumer = consumer or self.consumer()
        await ParkedEventRetrier(group_consumer).retry_due()
        return await self.check_counts(group_consumer)

    async def list_dead_letters(self, *, all_states: bool = False) -> list[DeadLetter]:
        async with self.database.unit_for(()) as unit:
            return await list_dead_letters(unit.connection, GROUP, all_states=all_states)

    async def decide(self, decision: DeadLetterDecision) -> DecisionResult:
        """Apply a decision as an operator."""
        operator = make_caller(member_id=member_id(9))
        async with self.database.unit(operator) as unit:
            return await decide_dead_letters(
                unit, GROUP, operator, decision, self.consumer().decoders
            )

    async def check_counts(self, consumer: BatchConsumer) -> GroupCounts:
        counts = await count_outcomes(consumer, self.bus)
        parts = (
            counts.applied,
            counts.ignored,
            counts.duplicate,
            counts.parked,
            counts.dead_lettered,
        )
        assert counts.published == sum(parts) + counts.lag, counts
        return counts

    async def make_topics(self) -> None:
        await self.bus.ensure_topics([Topic(TOPIC, PARTITIONS), Topic(f"dead.{GROUP}")])


def envelope_of(fact: Fact, tenant: TenantId, event_id: UUID) -> Envelope:
    key = fact.member_id if isinstance(fact, MemberSuspended) else UUID(int=0)
    return Envelope(
        id=EventId(event_id),
        type=fact.wire_type(),
        source="/preau/identity",
        subject=str(key),
        time=NOON,
        tenant=tenant,
        partitionkey=f"{tenant}:{key}",
        sequence="0000000001",
        recordedtime=NOON,
        correlationid="un essai",
        data=encode_data(fact),
        origin=Origin.LIVE,
    )
