"""Fair semaphore: rotation by tenant, shares of the queue, and that no permit is lost."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.database.overload import Overloaded
from shared.kit.web.fair_semaphore import FairSemaphore

MAX_WAIT_SECONDS = 60.0


class Queue:
    """Waiting requests; `served` lists their names in the order of their permits."""

    def __init__(self, permits: int, max_queue: int) -> None:
        self.semaphore = FairSemaphore(permits, max_queue)
        self.served: list[str] = []
        self.rejected: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def send(self, *names: str) -> None:
        """Send requests one after the other; the first character of a name is its tenant."""
        for name in names:
            self.tasks.append(asyncio.create_task(self._wait(name)))
            await _run_other_tasks()

    async def _wait(self, name: str) -> None:
        try:
            await self.semaphore.acquire(name[0], MAX_WAIT_SECONDS)
        except Overloaded:
            self.rejected.append(name)
        else:
            self.served.append(name)

    async def finish(self, number: int = 1) -> None:
        """End this number of running requests."""
        for _ in range(number):
            self.semaphore.release()
            await _run_other_tasks()

    async def cancel_all(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _run_other_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_requests_are_served_by_tenant_in_rotation() -> None:
    queue = Queue(1, 100)
    await queue.send("b0", "b1", "b2", "b3", "b4", "a1", "a2", "c1")

    await queue.finish(7)

    assert queue.served == ["b0", "b1", "a1", "c1", "b2", "a2", "b3", "b4"]


async def test_request_of_another_tenant_waits_for_one_permit_only() -> None:
    queue = Queue(1, 200)
    await queue.send("b0", *(f"b{n}" for n in range(1, 150)), "a1")

    await queue.finish(2)

    assert "a1" in queue.served
    await queue.cancel_all()


async def test_one_tenant_fills_the_queue_only_while_no_other_waits() -> None:
    queue = Queue(1, 4)
    await queue.send("b0", "b1", "b2", "b3", "b4", "b5")
    assert queue.rejected == ["b5"]

    await queue.send("a1", "a2", "a3")

    assert queue.rejected == ["b5", "b4", "b3", "a3"]
    await queue.finish(4)
    assert queue.served == ["b0", "b1", "a1", "b2", "a2"]


async def test_full_queue_is_shared_among_waiting_tenants() -> None:
    queue = Queue(1, 6)
    await queue.send("x", *(f"b{n}" for n in range(6)))
    for _ in range(6):
        await queue.send("a", "c")

    sizes = {tenant: len(waiting) for tenant, waiting in queue.semaphore._queues.items()}

    assert sizes == {"b": 2, "a": 2, "c": 2}
    await queue.cancel_all()


async def test_free_permit_is_given_at_once_up_to_their_number() -> None:
    queue = Queue(2, 0)
    await queue.send("a1", "b1", "c1")

    assert (queue.served, queue.rejected) == (["a1", "b1"], ["c1"])
    await queue.finish()
    await queue.send("c2")
    assert queue.served[-1] == "c2"


async def test_request_that_timed_out_leaves_the_queue() -> None:
    semaphore = FairSemaphore(1, 10)
    await semaphore.acquire("a", MAX_WAIT_SECONDS)
    with pytest.raises(Overloaded, match="turn_wait"):
        await semaphore.acquire("b", 0.01)

    assert semaphore.queue_length == 0
    semaphore.release()
    await semaphore.acquire("c", 0.01)


async def test_permit_of_a_cancelled_request_goes_to_the_next() -> None:
    queue = Queue(1, 10)
    await queue.send("a1", "b1", "c1")
    queue.semaphore.release()
    queue.tasks[1].cancel()
    await _run_other_tasks()

    assert queue.served == ["a1", "c1"]
    queue.semaphore.release()
    await queue.send("d1")
    assert queue.served[-1] == "d1"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), permits=st.integers(1, 4), max_queue=st.integers(0, 8))
async def test_no_history_loses_or_creates_a_permit(
    seed: int, permits: int, max_queue: int
) -> None:
    dice, queue, working = random.Random(seed), Queue(permits, max_queue), 0
    for number in range(60):
        draw = dice.random()
        if draw < 0.6:
            await queue.send(f"{dice.choice('abc')}{number}")
        elif draw < 0.8 and queue.tasks:
            dice.choice(queue.tasks).cancel()
            await _run_other_tasks()
        elif len(queue.served) > working:
            working += 1
            await queue.finish()
        assert len(queue.served) - working <= permits
        assert queue.semaphore.queue_length <= max_queue
        if queue.semaphore.queue_length:
            assert len(queue.served) - working == permits
    counted = Counter(queue.served)
    assert not counted or max(counted.values()) == 1
    await queue.cancel_all()
    await queue.finish(len(queue.served) - working)
    assert queue.semaphore._free_permits == permits
