"""Fair turns: rotation by tenant, shares of the queue, and that no turn is lost."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.database.overload import Overloaded
from shared.kit.web.fair_semaphore import FairSemaphore

PATIENT = 60.0


class Queue:
    """Requests that wait for turns; `served` lists them in the order of their turns."""

    def __init__(self, turns: int, most_waiting: int) -> None:
        self.turns = FairSemaphore(turns, most_waiting)
        self.served: list[str] = []
        self.refused: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *names: str) -> None:
        """Let requests come one after the other; the first letter of a name is its tenant."""
        for name in names:
            self.tasks.append(asyncio.create_task(self._wait(name)))
            await _settled()

    async def _wait(self, name: str) -> None:
        try:
            await self.turns.acquire(name[0], PATIENT)
        except Overloaded:
            self.refused.append(name)
        else:
            self.served.append(name)

    async def finish(self, number: int = 1) -> None:
        """Let so many requests that work be done."""
        for _ in range(number):
            self.turns.release()
            await _settled()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_requests_are_served_by_tenant_in_rotation() -> None:
    queue = Queue(1, 100)
    await queue.ask("b0", "b1", "b2", "b3", "b4", "a1", "a2", "c1")

    await queue.finish(7)

    assert queue.served == ["b0", "b1", "a1", "c1", "b2", "a2", "b3", "b4"]


async def test_request_of_another_tenant_waits_for_one_turn_behind_a_flood() -> None:
    queue = Queue(1, 200)
    await queue.ask("b0", *(f"b{n}" for n in range(1, 150)), "a1")

    await queue.finish(2)

    assert "a1" in queue.served
    await queue.end()


async def test_one_tenant_fills_the_queue_only_while_no_other_waits() -> None:
    queue = Queue(1, 4)
    await queue.ask("b0", "b1", "b2", "b3", "b4", "b5")
    assert queue.refused == ["b5"]

    await queue.ask("a1", "a2", "a3")

    assert queue.refused == ["b5", "b4", "b3", "a3"]
    await queue.finish(4)
    assert queue.served == ["b0", "b1", "a1", "b2", "a2"]


async def test_full_queue_is_shared_among_all_that_wait() -> None:
    queue = Queue(1, 6)
    await queue.ask("x", *(f"b{n}" for n in range(6)))
    for _ in range(6):
        await queue.ask("a", "c")

    sizes = {tenant: len(waiting) for tenant, waiting in queue.turns._queues.items()}

    assert sizes == {"b": 2, "a": 2, "c": 2}
    await queue.end()


async def test_free_turn_is_taken_at_once_and_no_more_than_there_are() -> None:
    queue = Queue(2, 0)
    await queue.ask("a1", "b1", "c1")

    assert (queue.served, queue.refused) == (["a1", "b1"], ["c1"])
    await queue.finish()
    await queue.ask("c2")
    assert queue.served[-1] == "c2"


async def test_request_that_waited_in_vain_leaves_the_queue() -> None:
    turns = FairSemaphore(1, 10)
    await turns.acquire("a", PATIENT)
    with pytest.raises(Overloaded, match="turn_wait"):
        await turns.acquire("b", 0.01)

    assert turns.queue_length == 0
    turns.release()
    await turns.acquire("c", 0.01)


async def test_turn_given_to_a_request_that_is_cancelled_goes_to_the_next() -> None:
    queue = Queue(1, 10)
    await queue.ask("a1", "b1", "c1")
    queue.turns.release()
    queue.tasks[1].cancel()
    await _settled()

    assert queue.served == ["a1", "c1"]
    queue.turns.release()
    await queue.ask("d1")
    assert queue.served[-1] == "d1"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), turns=st.integers(1, 4), most=st.integers(0, 8))
async def test_no_history_loses_or_makes_a_turn(seed: int, turns: int, most: int) -> None:
    dice, queue, working = random.Random(seed), Queue(turns, most), 0
    for number in range(60):
        act = dice.random()
        if act < 0.6:
            await queue.ask(f"{dice.choice('abc')}{number}")
        elif act < 0.8 and queue.tasks:
            dice.choice(queue.tasks).cancel()
            await _settled()
        elif len(queue.served) > working:
            working += 1
            await queue.finish()
        assert len(queue.served) - working <= turns
        assert queue.turns.queue_length <= most
        if queue.turns.queue_length:
            assert len(queue.served) - working == turns
    counted = Counter(queue.served)
    assert not counted or max(counted.values()) == 1
    await queue.end()
    await queue.finish(len(queue.served) - working)
    assert queue.turns._free_permits == turns
