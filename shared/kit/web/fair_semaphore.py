"""A semaphore with a bounded queue that serves waiting requests by tenant in rotation."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

from shared.kit.database.overload import overload_error


class FairSemaphore:
    """Gives out `permits`; at most `max_queue` requests wait for one.

    A released permit goes to the tenant that was served longest ago, and there to the request that
    waited longest. While the queue is full, a request of a tenant below its share replaces the
    newest request of the tenant that has most: one tenant can fill the queue only while no other
    tenant waits.
    """

    def __init__(self, permits: int, max_queue: int) -> None:
        self._free_permits, self._max_queue = permits, max_queue
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def queue_length(self) -> int:
        """Return the number of waiting requests."""
        return sum(map(len, self._queues.values()))

    async def acquire(self, tenant: Hashable, max_wait_seconds: float) -> None:
        """Take a permit, waiting for it if needed.

        Raises `Overloaded` with reason `queue_full` or `turn_wait`.
        """
        if self._free_permits:
            self._free_permits -= 1
            return
        if self.queue_length >= self._max_queue and not self._evict_for(tenant):
            raise overload_error("queue_full")
        permit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(tenant, deque()).append(permit)
        try:
            async with asyncio.timeout(max_wait_seconds):
                await permit
        except TimeoutError as error:
            if not _is_granted(permit):
                self._remove(tenant, permit)
                raise overload_error("turn_wait") from error
        except asyncio.CancelledError:
            if _is_granted(permit):
                self.release()
            else:
                self._remove(tenant, permit)
            raise

    def release(self) -> None:
        """Give the permit to the next request in rotation, or free it."""
        while self._queues:
            tenant, queue = next(iter(self._queues.items()))
            permit = queue.popleft()
            self._queues.move_to_end(tenant)
            if not queue:
                del self._queues[tenant]
            if not permit.done():
                permit.set_result(None)
                return
        self._free_permits += 1

    def _evict_for(self, tenant: Hashable) -> bool:
        """Reject the newest request of the largest tenant, if this tenant has fewer requests."""
        if not self._queues:
            return False
        own_length = len(self._queues.get(tenant, ()))
        largest = max(self._queues, key=lambda name: len(self._queues[name]))
        if len(self._queues[largest]) <= own_length + 1:
            return False
        permit = self._queues[largest].pop()
        if not permit.done():
            permit.set_exception(overload_error("queue_full"))
        return True

    def _remove(self, tenant: Hashable, permit: asyncio.Future[None]) -> None:
        queue = self._queues.get(tenant)
        if queue is not None and permit in queue:
            queue.remove(permit)
            if not queue:
                del self._queues[tenant]


def _is_granted(permit: asyncio.Future[None]) -> bool:
    return permit.done() and not permit.cancelled() and permit.exception() is None
