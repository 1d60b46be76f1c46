"""What prepared reactions compute of a batch, before its transaction opens.

A batch is prepared in slices, and cut where preparing it takes too long: the rest of it is handed
over again. So a batch of slow events never takes longer than a reader may be silent, and one event
that takes longer fails like any other.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.event import Fact
from shared.kit.core.bus import Partition
from shared.kit.core.reactions import AnyBoundReaction, BoundPreparedReaction
from shared.kit.core.unit_of_work import Delivery, PreparedDelivery
from shared.kit.database.database import is_transient
from shared.kit.inbox.decode import Decoded, DecodedRecord

MAX_SLICE_EVENTS = 32
FIRST_SLICE_EVENTS = 8
"""Of a new reader; doubled after each slice that was quick, one after each that was late."""
QUICK_SECONDS = 1.0
SLICE_SECONDS = 15.0
"""What one slice may take: a quarter of `bus.port.Reading.poll_limit`."""
MAX_SECONDS = 10.0
"""No slice is begun later than this after the first."""

RecordOffset = tuple[Partition, int]
"""The place of a delivery in the log."""


class WrongNumber(Exception):
    """A `prepare` gave more or fewer values than it was handed deliveries."""


class TooSlow(Exception):
    """One event could not be prepared in the time of a slice."""


@dataclass
class Preparation:
    """What was computed of some deliveries, by reaction and place; or why it could not be."""

    values: dict[tuple[str, RecordOffset], object] = field(default_factory=dict)
    failures: dict[RecordOffset, Exception] = field(default_factory=dict)

    def attach_values(
        self, reaction: BoundPreparedReaction, deliveries: Sequence[Delivery[Fact]]
    ) -> list[PreparedDelivery[Fact, object]]:
        """Return deliveries with the values that this reaction computed of them."""
        values, name = self.values, reaction.name
        return [PreparedDelivery(each, values[name, record_offset(each)]) for each in deliveries]


def record_offset(delivery: Delivery[Fact]) -> RecordOffset:
    """Return where in the log a delivery stands."""
    return delivery.partition, delivery.offset


class Preparer:
    """Prepares the batches of one reader.

    What it computed of a batch is kept until the next one, so that a batch that must wait for the
    database is not computed again each time that it is handed over.
    """

    def __init__(self) -> None:
        self._kept: Mapping[tuple[str, RecordOffset], object] = {}
        self._size = FIRST_SLICE_EVENTS

    async def prepare(
        self, reactions: Sequence[AnyBoundReaction], reads: Sequence[DecodedRecord]
    ) -> tuple[Sequence[DecodedRecord], Preparation]:
        """Prepare these records; give those that are prepared, all or the first of them."""
        stages = [each for each in reactions if isinstance(each, BoundPreparedReaction)]
        preparation = Preparation()
        if not stages:
            return reads, preparation
        types = tuple(fact for stage in stages for fact in stage.on)
        wanted = [
            (index, item.delivery)
            for index, item in enumerate(reads)
            if isinstance(item, Decoded) and isinstance(item.delivery.fact, types)
        ]
        until, done = time.monotonic() + MAX_SECONDS, 0
        while done < len(wanted):
            if done and time.monotonic() > until:
                reads = reads[: wanted[done][0]]
                break
            deliveries = [delivery for _, delivery in wanted[done : done + self._size]]
            done += await self._prepare_in_time(stages, deliveries, preparation)
        self._kept = preparation.values
        return reads, preparation

    async def prepare_one(
        self, reactions: Sequence[AnyBoundReaction], delivery: Delivery[Fact]
    ) -> Preparation:
        """Prepare one delivery by all reactions."""
        stages = [each for each in reactions if isinstance(each, BoundPreparedReaction)]
        preparation = Preparation()
        await self._prepare_in_time(stages, [delivery], preparation)
        return preparation

    async def _prepare_in_time(
        self,
        stages: Sequence[BoundPreparedReaction],
        deliveries: Sequence[Delivery[Fact]],
        preparation: Preparation,
    ) -> int:
        """Prepare a slice; say how many are done: none if it was late, they are tried alone then.

        One that is late alone has failed.
        """
        began, limit = time.monotonic(), asyncio.timeout(SLICE_SECONDS)
        try:
            async with limit:
                for stage in stages:
                    await self._prepare_slice(stage, deliveries, preparation)
        except TimeoutError:
            if not limit.expired():
                raise
            self._size = 1
            if len(deliveries) > 1:
                return 0
            error = TooSlow(f"not prepared in {SLICE_SECONDS} s")
            preparation.failures[record_offset(deliveries[0])] = error
        if time.monotonic() - began < QUICK_SECONDS:
            self._size = min(self._size * 2, MAX_SLICE_EVENTS)
        return len(deliveries)

    async def _prepare_slice(
        self,
        stage: BoundPreparedReaction,
        deliveries: Sequence[Delivery[Fact]],
        preparation: Preparation,
    ) -> None:
        missing = []
        for delivery in deliveries:
            key = stage.name, record_offset(delivery)
            if key in self._kept:
                preparation.values[key] = self._kept[key]
            elif isinstance(delivery.fact, stage.on):
                missing.append(delivery)
        if missing and not await _computed(stage, missing, preparation):
            for delivery in missing:
                await _compute_one(stage, delivery, preparation)


async def _computed(
    stage: BoundPreparedReaction, deliveries: Sequence[Delivery[Fact]], preparation: Preparation
) -> bool:
    """Compute them all at once; False when one of them failed. Raises what is transient."""
    try:
        await _compute(stage, deliveries, preparation)
    except Exception as error:
        if is_transient(error):
            raise
        return False
    return True


async def _compute_one(
    stage: BoundPreparedReaction, delivery: Delivery[Fact], preparation: Preparation
) -> None:
    try:
        await _compute(stage, [delivery], preparation)
    except Exception as error:
        if is_transient(error):
            raise
        preparation.failures[record_offset(delivery)] = error


async def _compute(
    stage: BoundPreparedReaction, deliveries: Sequence[Delivery[Fact]], preparation: Preparation
) -> None:
    values = await stage.prepare(deliveries)
    if len(values) != len(deliveries):
        raise WrongNumber(f"{stage.name}: {len(values)} values of {len(deliveries)} deliveries")
    for delivery, value in zip(deliveries, values, strict=True):
        preparation.values[stage.name, record_offset(delivery)] = value
