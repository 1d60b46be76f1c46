"""Failing effects, restarted consumers, and a database that is not available.

A cancelled attempt simulates the end of the process: its transaction is rolled back, and another
consumer starts from the tables.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from shared.contracts.event import Fact
from shared.contracts.identity import MemberSuspended
from shared.contracts.ids import TenantId
from shared.kit.core.bus import Partition, Redeliver
from shared.kit.core.errors import Transient
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import Database, SqlUnit, connection
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.report import GroupCounts
from shared.kit.inbox.retry_limits import RetryLimits
from tests.support.inbox_harness import PARTITIONS, TOPIC, InboxHarness, members_in_partition

HOLD_SECONDS = 0.2
RETRY_LIMITS = RetryLimits(max_attempts=3, max_starts=2, max_hold_seconds=HOLD_SECONDS)


@dataclass
class FailingEffect:
    """An effect that counts its attempts, and calls `fail` for the reason `trouble`."""

    harness: InboxHarness
    fail: Callable[[Unit], object]
    attempts: Counter[str] = field(default_factory=Counter)
    fixed: bool = False

    def make_consumer(self) -> BatchConsumer:
        """Create the consumer of a newly started process."""
        consumer = self.harness.consumer()
        consumer.retry_limits = RETRY_LIMITS
        consumer.reactions = [BoundReaction("trouble", self._apply, (MemberSuspended,))]
        return consumer

    async def _apply(self, unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.fact, MemberSuspended)
            reason = delivery.fact.reason
            self.attempts[reason] += 1
            if reason == "trouble" and not self.fixed:
                self.fail(unit)
                await connection(unit).exec_driver_sql("SELECT 1")

    async def consume(self, consumer: BatchConsumer, rounds: int = 40) -> GroupCounts:
        """Deliver the records until none is left, as the bus does, at most `rounds` times."""
        starts = dict(await consumer.on_assigned(all_partitions()))
        for _ in range(rounds):
            batch = await self.harness.fetch_from(starts)
            if not batch:
                break
            with suppress(Redeliver):
                starts |= await consumer.handle(batch)
        return await self.harness.check_counts(consumer)


def raise_connection_error(_: Unit) -> None:
    raise ConnectionError("reset by peer")


def exceed_hold_time(_: Unit) -> None:
    until = time.thread_time() + 2 * HOLD_SECONDS
    while time.thread_time() < until:
        sum(range(1000))
    raise ConnectionError("the server did not wait")


def cancel_process(_: Unit) -> None:
    raise asyncio.CancelledError


class UnavailableDatabase:
    """A database that is not available until `available` is set."""

    def __init__(self, real: Database) -> None:
        self._real, self.available = real, False

    @asynccontextmanager
    async def unit_for(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        if not self.available:
            raise Transient(internal_reason="ConnectionRefusedError")
        async with self._real.unit_for(tenants) as unit:
            yield unit

    async def execute_once(self, *_: object, **__: object) -> None:
        raise Transient(internal_reason="ConnectionRefusedError")

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def publish_in_one_partition(harness: InboxHarness, words: Iterable[str]) -> None:
    """Publish one event of each of several members, all in one partition."""
    reasons = list(words)
    for reason, member in zip(reasons, members_in_partition(0, len(reasons)), strict=True):
        harness.publish(reason, member=member)


def all_partitions() -> list[Partition]:
    return [Partition(TOPIC, number) for number in range(PARTITIONS)]


async def park_all(harness: InboxHarness, failing_effect: FailingEffect) -> None:
    """Park every event with one failed attempt, and advance the clock."""

    async def fail(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        raise RuntimeError("a bug")

    consumer = failing_effect.make_consumer()
    consumer.reactions = [BoundReaction("fail", fail, (MemberSuspended,))]
    await failing_effect.consume(consumer)
    harness.clock.advance(minutes=15)
