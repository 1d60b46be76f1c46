"""Work of many done together: who goes with whom, and whose failure is whose."""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shared.kit.database.batched.micro_batcher import MAX_BATCH_ITEMS, BatchPolicy, MicroBatcher


class Refused(Exception):
    pass


@dataclass
class Desk:
    """Doubles numbers; fails for those in `bad`; waits for `go` before each group but the first."""

    bad: frozenset[int] = frozenset()
    groups: list[list[int]] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        if len(self.groups) == 1:
            await self.go.wait()
        if self.bad.intersection(numbers):
            raise ZeroDivisionError(str(numbers))
        return [2 * number for number in numbers]


def gather(
    desk: Desk, *, waiting: int = 1000, wait: float = 5, divides: bool = True
) -> MicroBatcher[int, int]:
    rules: BatchPolicy[int] = BatchPolicy(
        retry_singly=lambda _: divides,
        to_caller_error=lambda error: error,
        rejection=Refused,
        max_queue=waiting,
        max_wait_seconds=wait,
        conflict_key=lambda number: None if number < 10 else number,
    )
    return MicroBatcher(desk.work, rules)


async def some(tasks: int) -> None:
    for _ in range(tasks):
        await asyncio.sleep(0)


async def test_who_is_alone_goes_at_once_and_who_comes_meanwhile_goes_together() -> None:
    desk = Desk()
    at = gather(desk)
    first = asyncio.create_task(at.submit(1))
    await some(3)
    others = [asyncio.create_task(at.submit(number)) for number in (2, 3, 4)]
    await some(3)
    assert desk.groups == [[1]]
    desk.go.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert desk.groups == [[1], [2, 3, 4]]
    assert await at.submit(5) == 10


async def test_one_key_goes_once_in_a_group_and_in_order() -> None:
    desk = Desk()
    at = gather(desk)
    tasks = [asyncio.create_task(at.submit(number)) for number in (1, 20, 20, 2, 20)]
    desk.go.set()

    assert await asyncio.gather(*tasks) == [2, 40, 40, 4, 40]
    assert desk.groups == [[1, 20, 2], [20], [20]]


async def test_a_group_has_an_end() -> None:
    desk = Desk()
    at = gather(desk)
    desk.go.set()
    await asyncio.gather(*(at.submit(1) for _ in range(MAX_BATCH_ITEMS + 1)))
    assert [len(group) for group in desk.groups] == [MAX_BATCH_ITEMS, 1]


async def test_a_failure_is_that_ones_alone() -> None:
    desk = Desk(bad=frozenset({3}))
    at = gather(desk)
    desk.go.set()
    found = await asyncio.gather(*(at.submit(n) for n in (1, 3, 5)), return_exceptions=True)
    assert [type(each) for each in found] == [int, ZeroDivisionError, int]
    assert desk.groups == [[1, 3, 5], [1], [3], [5]]


async def test_what_no_single_one_can_be_the_reason_of_is_not_tried_again() -> None:
    desk = Desk(bad=frozenset({3}))
    at = gather(desk, divides=False)
    desk.go.set()
    found = await asyncio.gather(*(at.submit(n) for n in (1, 3, 5)), return_exceptions=True)
    assert [type(each) for each in found] == [ZeroDivisionError] * 3
    assert len(desk.groups) == 1


async def test_who_is_too_many_or_waits_too_long_is_told_so() -> None:
    desk = Desk()
    at = gather(desk, waiting=2, wait=0.05)
    first = asyncio.create_task(at.submit(1))
    await some(3)
    late = [asyncio.create_task(at.submit(number)) for number in (2, 3)]
    await some(3)
    with pytest.raises(Refused, match="queue_full"):
        await at.submit(4)
    await asyncio.sleep(0.1)
    desk.go.set()

    assert await first == 2
    for task in late:
        with pytest.raises(Refused, match="turn_wait"):
            await task
    assert desk.groups == [[1]]


async def test_who_has_left_is_not_served() -> None:
    desk = Desk()
    at = gather(desk)
    first = asyncio.create_task(at.submit(1))
    await some(3)
    left = asyncio.create_task(at.submit(2))
    stays = asyncio.create_task(at.submit(3))
    await some(3)
    left.cancel()
    first.cancel()
    await some(3)
    desk.go.set()

    assert await stays == 6
    assert desk.groups == [[1], [3]]


class Made:
    """What a request is made of: it hangs on whoever asks."""


async def test_what_a_refused_or_failed_one_held_is_free_at_once_without_a_collector() -> None:
    desk = Desk(bad=frozenset({2}))
    at = gather(desk, wait=0.05)
    alive: list[weakref.ref[Made]] = []

    async def asks(number: int) -> None:
        made = Made()
        alive.append(weakref.ref(made))
        with pytest.raises((Refused, ZeroDivisionError)):
            await at.submit(number)

    gc.disable()
    try:
        first = asyncio.create_task(at.submit(1))
        await some(3)
        late = [asyncio.create_task(asks(3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        desk.go.set()
        await first
        await asyncio.gather(*late)
        await asyncio.gather(asks(2), asks(2), at.submit(1))
        await asyncio.gather(asks(2))
        await some(3)
        assert [each for each in alive if each() is not None] == []
    finally:
        gc.enable()
