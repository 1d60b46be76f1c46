"""An event with three versions, which the catalogue does not need yet, and a service for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import asyncpg
import msgspec

from shared.contracts import example_data
from shared.contracts.event import Envelope, Fact
from shared.contracts.ids import MemberId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import Bus, IncomingRecord, OutgoingRecord, Partition, Topic
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Clock, Delivery, Unit
from shared.kit.database.database import Database, connection
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.parked import RetryPolicy
from shared.kit.inbox.report import GroupCounts, count_outcomes
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source
from tests.support.inbox_harness import EFFECTS, RENNES, make_caller, member_id
from tests.support.mini_service import InMemoryLog

GROUP, TOPIC, DEAD = "community", "community.rehearsal", "dead.community"
PARTITIONS = 2


class LineSaidV1(Fact, frozen=True, kw_only=True):
    """A member said a line; version 1, as one text."""

    WIRE: ClassVar = "community.line.said"
    TOPIC: ClassVar = TOPIC
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    text: str

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=example_data.ZOE, text="Bonjour à tous ☀️")


class LineSaid(Fact, frozen=True, kw_only=True):
    """A member said a line; version 2, as words."""

    WIRE: ClassVar = LineSaidV1.WIRE
    VERSION: ClassVar = 2
    TOPIC: ClassVar = TOPIC
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"
    PREVIOUS: ClassVar = LineSaidV1
    DUAL_PUBLISH: ClassVar = True

    member_id: MemberId
    words: tuple[str, ...]

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=example_data.ZOE, words=("Bonjour", "à", "tous", "☀️"))

    def downcast(self) -> LineSaidV1:
        return LineSaidV1(member_id=self.member_id, text=" ".join(self.words))

    @classmethod
    def upcast(cls, old: LineSaidV1) -> Self:
        return cls(member_id=old.member_id, words=tuple(old.text.split()))


class LineSaidV3(Fact, frozen=True, kw_only=True):
    """A member said a line; version 3, with its loudness."""

    WIRE: ClassVar = LineSaidV1.WIRE
    VERSION: ClassVar = 3
    TOPIC: ClassVar = TOPIC
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"
    PREVIOUS: ClassVar = LineSaid
    DUAL_PUBLISH: ClassVar = True

    member_id: MemberId
    words: tuple[str, ...]
    loud: bool

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=example_data.ZOE, words=("Bonjour", "!"), loud=True)

    def downcast(self) -> LineSaid:
        return LineSaid(member_id=self.member_id, words=self.words)

    @classmethod
    def upcast(cls, old: LineSaid) -> Self:
        return cls(member_id=old.member_id, words=old.words, loud="!" in old.words)


def line_said(line: str, member: int = 1) -> LineSaid:
    return LineSaid(member_id=member_id(member), words=tuple(line.split()))


def line_said_v1(line: str, member: int = 1) -> LineSaidV1:
    """The same event as an old build published it, without version 2."""
    return LineSaidV1(member_id=member_id(member), text=line)


async def record_effect(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
    """Insert the line, with `|` between the words of version 2; `poison` fails."""
    for delivery in deliveries:
        fact = delivery.fact
        line = fact.text if isinstance(fact, LineSaidV1) else "|".join(words_of(fact))
        row = {"tenant": delivery.tenant, "key": delivery.key, "words": line}
        await connection(unit).execute(EFFECTS, row)
        if line.startswith("poison"):
            raise RuntimeError("cannot digest")


def words_of(fact: Fact) -> tuple[str, ...]:
    assert isinstance(fact, LineSaid | LineSaidV3)
    return fact.words


@dataclass
class VersionedService:
    """A service that consumes its events: outbox, log, inbox and reconciliation."""

    database: Database
    owner_url: str
    app_url: str
    clock: Clock
    bus: Bus = field(default_factory=MemoryBus)

    async def create_topics(self) -> None:
        await self.bus.ensure_topics([Topic(TOPIC, PARTITIONS), Topic(DEAD, 1)])

    async def record_facts(self, *facts: Fact) -> None:
        """Record facts, and send the events in the outbox."""
        async with self.database.unit(make_caller()) as unit:
            for fact in facts:
                unit.record(fact)
        await self.relay()

    async def relay(self) -> None:
        query = "DELETE FROM outbox RETURNING position, topic, key, value"
        for row in sorted(await self.query(query), key=lambda row: row["position"]):
            await self.bus.send([OutgoingRecord(row["topic"], row["key"].encode(), row["value"])])

    def consumer(self, *declared: type[Fact], attempts: int = 3) -> BatchConsumer:
        reactions = (BoundReaction("record_effect", record_effect, declared),)
        retry = RetryPolicy(max_attempts=attempts)
        return BatchConsumer(
            GROUP, self.database, reactions, self.bus, self.clock, NoTelemetry(), retry
        )

    async def consume(self, *declared: type[Fact], max_records: int = 10_000) -> GroupCounts:
        """Consume as a build that declares these versions, `max_records` of each partition."""
        consumer = self.consumer(*declared)
        starts = await consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
        batch = [r for p, at in starts.items() for r in await self.bus.fetch(p, at, max_records)]
        if batch:
            await consumer.handle(batch)
        await self.relay()
        return await count_outcomes(consumer, self.bus)

    async def log(self) -> list[IncomingRecord]:
        partitions = [Partition(TOPIC, number) for number in range(PARTITIONS)]
        return [r for partition in partitions for r in await self.bus.fetch(partition, 0, 10_000)]

    async def events(self) -> list[Envelope]:
        events = [msgspec.json.decode(r.value or b"", type=Envelope) for r in await self.log()]
        return sorted(events, key=lambda event: (event.partitionkey, event.sequence))

    async def append(self, event: Envelope, **overrides: object) -> None:
        """Send an event again, as its relay would."""
        fields: Mapping[str, object] = msgspec.structs.asdict(event) | overrides
        value = msgspec.json.encode({k: v for k, v in fields.items() if v is not None})
        await self.bus.send([OutgoingRecord(TOPIC, event.partitionkey.encode(), value)])

    async def effects(self) -> list[str]:
        return [row["words"] for row in await self.query("SELECT words FROM effects ORDER BY nth")]

    async def query(self, query: str, *values: object) -> list[Any]:
        owner = await asyncpg.connect(self.owner_url.replace("+asyncpg", ""))
        try:
            await owner.execute(f"SET app.tenants = '{RENNES}'")
            rows: list[Any] = await owner.fetch(query, *values)
            return rows
        finally:
            await owner.close()

    async def check(self, *declared: type[Fact]) -> list[str]:
        """Return the violations that the reconciliation finds."""
        return [
            f"{violation.invariant} {violation.text}"
            for violation in (await self.report(*declared)).wrong
        ]

    async def report(self, *declared: type[Fact]) -> Report:
        assert isinstance(self.bus, MemoryBus)
        wire_types = frozenset(fact.wire_type() for fact in declared)
        source = Source(
            GROUP, self.owner_url, wire_types, (TOPIC,), (TOPIC, DEAD), app_url=self.app_url
        )
        return await Checker(InMemoryLog(self.bus), [source]).check()
