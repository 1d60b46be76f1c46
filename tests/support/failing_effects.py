"""Effects that are in trouble, readers that start again, and a database that is away.

An attempt "ends the process" by being cancelled: its transaction is rolled back, and another reader
begins with nothing but the tables.
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
from shared.kit.inbox.report import Counts
from shared.kit.inbox.retry_limits import Patience
from tests.support.inbox_harness import PARTITIONS, TOPIC, Probe, placed

HOLD_SECONDS = 0.2
PATIENCE = Patience(attempts=3, starts=2, hold_seconds=HOLD_SECONDS)


@dataclass
class Trouble:
    """What the effect does with words that are in trouble; the rest it only counts."""

    probe: Probe
    do: Callable[[Unit], object]
    tried: Counter[str] = field(default_factory=Counter)
    mended: bool = False

    def reader(self) -> BatchConsumer:
        """Begin as a process that was started just now."""
        reader = self.probe.consumer()
        reader.patience = PATIENCE
        reader.reactions = [BoundReaction("trouble", self._react, (MemberSuspended,))]
        return reader

    async def _react(self, unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.fact, MemberSuspended)
            reason = delivery.fact.reason
            self.tried[reason] += 1
            if reason == "trouble" and not self.mended:
                self.do(unit)
                await connection(unit).exec_driver_sql("SELECT 1")

    async def read(self, reader: BatchConsumer, rounds: int = 40) -> Counts:
        """Hand over what is there until nothing is left, as the bus does; rounds are bounded."""
        starts = dict(await reader.assigned(places()))
        for _ in range(rounds):
            batch = await self.probe.waiting(starts)
            if not batch:
                break
            with suppress(Redeliver):
                starts |= await reader.handle(batch)
        return await self.probe.ledger(reader)


def lose(_: Unit) -> None:
    raise ConnectionError("reset by peer")


def burn(_: Unit) -> None:
    until = time.thread_time() + 2 * HOLD_SECONDS
    while time.thread_time() < until:
        sum(range(1000))
    raise ConnectionError("the server did not wait")


def end(_: Unit) -> None:
    raise asyncio.CancelledError


class AwayDatabase:
    """A database that cannot be reached until it is back."""

    def __init__(self, real: Database) -> None:
        self._real, self.back = real, False

    @asynccontextmanager
    async def batch(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        if not self.back:
            raise Transient(because="ConnectionRefusedError")
        async with self._real.batch(tenants) as unit:
            yield unit

    async def rows(self, *_: object, **__: object) -> None:
        raise Transient(because="ConnectionRefusedError")

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def publish(probe: Probe, words: Iterable[str]) -> None:
    """Put one fact of each of several members into one partition."""
    listed = list(words)
    for reason, who in zip(listed, placed(0, len(listed)), strict=True):
        probe.publish(reason, who=who)


def places() -> list[Partition]:
    return [Partition(TOPIC, number) for number in range(PARTITIONS)]


async def park_all(probe: Probe, trouble: Trouble) -> None:
    """Let everything fail once by a bug, and forget that it was tried."""

    async def fail(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        raise RuntimeError("a bug")

    reader = trouble.reader()
    reader.reactions = [BoundReaction("fail", fail, (MemberSuspended,))]
    await trouble.read(reader)
    probe.clock.forward(minutes=15)
