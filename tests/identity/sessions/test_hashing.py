"""Hashing: a bounded queue, low-priority threads, the same work for unknown members."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator

import pytest

from services.identity.sessions.store.hasher import LANES, MEMORY_KIB, PASSES, Argon2Hasher
from services.identity.sessions.store.hashing_pool import NICENESS, HashingPool, spare_cores
from shared.kit.database.overload import Overloaded

PASSWORD = "Un long mot de passe 🗝"


@pytest.fixture
async def hasher() -> AsyncIterator[Argon2Hasher]:
    argon2_hasher = Argon2Hasher()
    yield argon2_hasher
    await argon2_hasher.close()


async def test_right_password_matches_and_others_do_not(hasher: Argon2Hasher) -> None:
    password_hash = await hasher.hash(PASSWORD)

    assert await hasher.matches(password_hash, PASSWORD)
    assert not await hasher.matches(password_hash, "raté")
    assert not await hasher.matches(None, "nobody has this password")
    assert f"m={MEMORY_KIB},t={PASSES},p={LANES}" in password_hash


async def test_unknown_member_costs_same_processor_time_as_known() -> None:
    hasher = Argon2Hasher()
    password_hash = await hasher.hash(PASSWORD)

    def cost(stored_hash: str | None) -> float:
        began = time.thread_time()
        for _ in range(10):
            hasher._matches(stored_hash, "raté")
        return time.thread_time() - began

    unknown_cost, known_cost = cost(None), cost(password_hash)

    assert 0.5 < unknown_cost / known_cost < 2
    await hasher.close()


async def test_full_hashing_queue_refuses_further_passwords() -> None:
    pool, gate, started = HashingPool(1, max_waiting=2), threading.Event(), []

    def work() -> None:
        started.append(1)
        gate.wait(30)

    tasks = [asyncio.create_task(pool.run(work)) for _ in range(50)]
    await asyncio.sleep(0)
    refused_tasks = [task for task in tasks if task.done() and task.exception()]
    await asyncio.sleep(0)
    refused_tasks = [task for task in tasks if task.done()]
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert len(refused_tasks) == 47
    for task in refused_tasks:
        error = task.exception()
        assert isinstance(error, Overloaded)
        assert 1 <= int(str(error.facts["retry_after"])) <= 3
    assert len(started) == 3
    assert await pool.run(lambda: 7) == 7, "places come back"
    await pool.close()


async def test_work_is_not_run_after_max_wait() -> None:
    pool, runs = HashingPool(1, max_wait=-1.0), []

    with pytest.raises(Overloaded):
        await pool.run(lambda: runs.append(1))

    assert not runs
    await pool.close()


async def test_hashing_threads_are_bounded_and_low_priority() -> None:
    pool, threads = HashingPool(2), set()

    def record_thread() -> None:
        thread = threading.get_native_id()
        threads.add((thread, os.getpriority(os.PRIO_PROCESS, thread)))
        time.sleep(0.001)

    await asyncio.gather(*(pool.run(record_thread) for _ in range(60)))

    assert len(threads) <= 2
    assert {priority for _, priority in threads} == {os.getpriority(os.PRIO_PROCESS, 0) + NICENESS}
    assert 1 <= spare_cores() <= max(1, (os.cpu_count() or 1) - 1)
    await pool.close()
