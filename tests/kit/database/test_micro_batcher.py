"""MicroBatcher: how calls form batches, how a failed batch is retried, rejected calls."""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shared.kit.database.batched.micro_batcher import MAX_BATCH_ITEMS, BatchPolicy, MicroBatcher


class Rejected(Exception):
    pass


@dataclass
class DoublingService:
    """Doubles numbers; fails for those in `bad`; the first batch waits for `may_finish`."""

    bad: frozenset[int] = frozenset()
    batches: list[list[int]] = field(default_factory=list)
    may_finish: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_batch(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        if len(self.batches) == 1:
            await self.may_finish.wait()
        if self.bad.intersection(numbers):
            raise ZeroDivisionError(str(numbers))
        return [2 * number for number in numbers]


def make_batcher(
    service: DoublingService,
    *,
    max_queue: int = 1000,
    max_wait_seconds: float = 5,
    retry_singly: bool = True,
) -> MicroBatcher[int, int]:
    """A batcher in which numbers from 10 on conflict with equal numbers."""
    policy: BatchPolicy[int] = BatchPolicy(
        retry_singly=lambda _: retry_singly,
        to_caller_error=lambda error: error,
        rejection=Rejected,
        max_queue=max_queue,
        max_wait_seconds=max_wait_seconds,
        conflict_key=lambda number: None if number < 10 else number,
    )
    return MicroBatcher(service.run_batch, policy)


async def switch_tasks(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_idle_batcher_runs_at_once_and_busy_batcher_batches_arrivals() -> None:
    service = DoublingService()
    batcher = make_batcher(service)
    first = asyncio.create_task(batcher.submit(1))
    await switch_tasks(3)
    arrivals = [asyncio.create_task(batcher.submit(number)) for number in (2, 3, 4)]
    await switch_tasks(3)
    assert service.batches == [[1]]
    service.may_finish.set()

    assert await asyncio.gather(first, *arrivals) == [2, 4, 6, 8]
    assert service.batches == [[1], [2, 3, 4]]
    assert await batcher.submit(5) == 10


async def test_a_conflict_key_is_once_in_a_batch_and_keeps_its_order() -> None:
    service = DoublingService()
    batcher = make_batcher(service)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 20, 20, 2, 20)]
    service.may_finish.set()

    assert await asyncio.gather(*tasks) == [2, 40, 40, 4, 40]
    assert service.batches == [[1, 20, 2], [20], [20]]


async def test_a_batch_has_at_most_its_maximum_of_items() -> None:
    service = DoublingService()
    batcher = make_batcher(service)
    service.may_finish.set()
    await asyncio.gather(*(batcher.submit(1) for _ in range(MAX_BATCH_ITEMS + 1)))
    assert [len(batch) for batch in service.batches] == [MAX_BATCH_ITEMS, 1]


async def test_a_failed_batch_is_retried_one_by_one() -> None:
    service = DoublingService(bad=frozenset({3}))
    batcher = make_batcher(service)
    service.may_finish.set()
    outcomes = await asyncio.gather(*(batcher.submit(n) for n in (1, 3, 5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, ZeroDivisionError, int]
    assert service.batches == [[1, 3, 5], [1], [3], [5]]


async def test_an_error_without_single_retry_fails_the_whole_batch() -> None:
    service = DoublingService(bad=frozenset({3}))
    batcher = make_batcher(service, retry_singly=False)
    service.may_finish.set()
    outcomes = await asyncio.gather(*(batcher.submit(n) for n in (1, 3, 5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
    assert len(service.batches) == 1


async def test_calls_above_max_queue_or_max_wait_are_rejected() -> None:
    service = DoublingService()
    batcher = make_batcher(service, max_queue=2, max_wait_seconds=0.05)
    first = asyncio.create_task(batcher.submit(1))
    await switch_tasks(3)
    queued = [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
    await switch_tasks(3)
    with pytest.raises(Rejected, match="queue_full"):
        await batcher.submit(4)
    await asyncio.sleep(0.1)
    service.may_finish.set()

    assert await first == 2
    for task in queued:
        with pytest.raises(Rejected, match="turn_wait"):
            await task
    assert service.batches == [[1]]


async def test_a_cancelled_call_is_not_run() -> None:
    service = DoublingService()
    batcher = make_batcher(service)
    first = asyncio.create_task(batcher.submit(1))
    await switch_tasks(3)
    cancelled = asyncio.create_task(batcher.submit(2))
    remaining = asyncio.create_task(batcher.submit(3))
    await switch_tasks(3)
    cancelled.cancel()
    first.cancel()
    await switch_tasks(3)
    service.may_finish.set()

    assert await remaining == 6
    assert service.batches == [[1], [3]]


class RequestState:
    """An object that only the frame of a request refers to."""


async def test_a_rejected_or_failed_call_is_freed_without_the_garbage_collector() -> None:
    service = DoublingService(bad=frozenset({2}))
    batcher = make_batcher(service, max_wait_seconds=0.05)
    references: list[weakref.ref[RequestState]] = []

    async def request(number: int) -> None:
        state = RequestState()
        references.append(weakref.ref(state))
        with pytest.raises((Rejected, ZeroDivisionError)):
            await batcher.submit(number)

    gc.disable()
    try:
        first = asyncio.create_task(batcher.submit(1))
        await switch_tasks(3)
        late = [asyncio.create_task(request(3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        service.may_finish.set()
        await first
        await asyncio.gather(*late)
        await asyncio.gather(request(2), request(2), batcher.submit(1))
        await asyncio.gather(request(2))
        await switch_tasks(3)
        assert [reference for reference in references if reference() is not None] == []
    finally:
        gc.enable()
