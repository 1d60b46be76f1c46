"""Runs the `prepare` stage of prepared reactions on a batch, before its transaction opens.

A batch is prepared in slices, and cut where that takes too long: the remaining records are
delivered again. So a batch of slow events never exceeds the poll interval, and a single event that
takes longer than a slice may fails like any other.
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
"""For a new consumer; doubled after each quick slice, one event after each late one."""
QUICK_SECONDS = 1.0
SLICE_SECONDS = 15.0
"""Timeout of one slice: a quarter of `SubscriptionConfig.max_poll_interval_seconds`."""
MAX_SECONDS = 10.0
"""No slice starts later than this after the first."""

RecordOffset = tuple[Partition, int]
"""The position of a delivery in the log."""


class WrongNumber(Exception):
    """A `prepare` returned more or fewer values than deliveries. Its name is part of causes."""


class TooSlow(Exception):
    """One event could not be prepared within `SLICE_SECONDS`. Its name is part of causes."""


@dataclass
class Preparation:
    """The prepared values by reaction and position, and the errors of failed deliveries."""

    values: dict[tuple[str, RecordOffset], object] = field(default_factory=dict)
    failures: dict[RecordOffset, Exception] = field(default_factory=dict)

    def attach_values(
        self, reaction: BoundPreparedReaction, deliveries: Sequence[Delivery[Fact]]
    ) -> list[PreparedDelivery[Fact, object]]:
        """Return the deliveries with the values that this reaction computed for them."""
        values, name = self.values, reaction.name
        return [PreparedDelivery(d, values[name, record_offset(d)]) for d in deliveries]


def record_offset(delivery: Delivery[Fact]) -> RecordOffset:
    """Return the position of a delivery in the log."""
    return delivery.partition, delivery.offset


class Preparer:
    """Prepares the batches of one consumer.

    The values of a batch are cached until the next one, so that a batch that waits for the database
    is not computed again each time it is delivered.
    """

    def __init__(self) -> None:
        self._cached: Mapping[tuple[str, RecordOffset], object] = {}
        self._slice_events = FIRST_SLICE_EVENTS

    async def prepare(
        self, reactions: Sequence[AnyBoundReaction], records: Sequence[DecodedRecord]
    ) -> tuple[Sequence[DecodedRecord], Preparation]:
        """Prepare these records; return the prepared ones: all, or the first of them."""
        stages = _prepared_reactions(reactions)
        preparation = Preparation()
        if not stages:
            return records, preparation
        types = tuple(fact for stage in stages for fact in stage.on)
        to_prepare = [
            (index, item.delivery)
            for index, item in enumerate(records)
            if isinstance(item, Decoded) and isinstance(item.delivery.fact, types)
        ]
        deadline, finished = time.monotonic() + MAX_SECONDS, 0
        while finished < len(to_prepare):
            if finished and time.monotonic() > deadline:
                records = records[: to_prepare[finished][0]]
                break
            end = finished + self._slice_events
            deliveries = [delivery for _, delivery in to_prepare[finished:end]]
            finished += await self._prepare_in_time(stages, deliveries, preparation)
        self._cached = preparation.values
        return records, preparation

    async def prepare_one(
        self, reactions: Sequence[AnyBoundReaction], delivery: Delivery[Fact]
    ) -> Preparation:
        """Prepare a single delivery with every reaction."""
        preparation = Preparation()
        await self._prepare_in_time(_prepared_reactions(reactions), [delivery], preparation)
        return preparation

    async def _prepare_in_time(
        self,
        stages: Sequence[BoundPreparedReaction],
        deliveries: Sequence[Delivery[Fact]],
        preparation: Preparation,
    ) -> int:
        """Prepare a slice; return how many deliveries are finished.

        After a timeout none is, and each is tried alone next. A single delivery that times out is
        finished: it has failed.
        """
        started_at, timeout = time.monotonic(), asyncio.timeout(SLICE_SECONDS)
        try:
            async with timeout:
                for stage in stages:
                    await self._prepare_slice(stage, deliveries, preparation)
        except TimeoutError:
            if not timeout.expired():
                raise
            self._slice_events = 1
            if len(deliveries) > 1:
                return 0
            error = TooSlow(f"not prepared in {SLICE_SECONDS} s")
            preparation.failures[record_offset(deliveries[0])] = error
        if time.monotonic() - started_at < QUICK_SECONDS:
            self._slice_events = min(self._slice_events * 2, MAX_SLICE_EVENTS)
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
            if key in self._cached:
                preparation.values[key] = self._cached[key]
            elif isinstance(delivery.fact, stage.on):
                missing.append(delivery)
        if missing and not await _try_compute(stage, missing, preparation):
            for delivery in missing:
                await _compute_one(stage, delivery, preparation)


def _prepared_reactions(reactions: Sequence[AnyBoundReaction]) -> list[BoundPreparedReaction]:
    return [reaction for reaction in reactions if isinstance(reaction, BoundPreparedReaction)]


async def _try_compute(
    stage: BoundPreparedReaction, deliveries: Sequence[Delivery[Fact]], preparation: Preparation
) -> bool:
    """Compute the values with one call; False if it failed. Raises transient errors."""
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
