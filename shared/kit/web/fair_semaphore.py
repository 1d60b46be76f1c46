"""Turns for work that many tenants want at once: who waits is served by tenant in rotation."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

from shared.kit.database.overload import overload_error


class FairSemaphore:
    """Lets `turns` requests work at once, and `most_waiting` wait.

    A turn that becomes free goes to the tenant that was served longest ago, and there to the
    request that waited longest. While the queue is full a tenant that has less than its share of
    it takes the place of the newest request of the tenant that has most: one tenant may fill the
    queue only while no other waits.
    """

    def __init__(self, turns: int, most_waiting: int) -> None:
        self._free, self._most_waiting = turns, most_waiting
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def queue_length(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._queues.values()))

    async def acquire(self, tenant: Hashable, seconds: float) -> None:
        """Take a turn, waiting so long for it. Raises `Overloaded`: queue_full, turn_wait."""
        if self._free:
            self._free -= 1
            return
        if self.queue_length >= self._most_waiting and not self._make_room(tenant):
            raise overload_error("queue_full")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(tenant, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError as error:
            if not _is_given(turn):
                self._leave(tenant, turn)
                raise overload_error("turn_wait") from error
        except asyncio.CancelledError:
            if _is_given(turn):
                self.release()
            else:
                self._leave(tenant, turn)
            raise

    def release(self) -> None:
        """Return a turn back: the next request in rotation has it."""
        while self._queues:
            tenant, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            self._queues.move_to_end(tenant)
            if not queue:
                del self._queues[tenant]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, tenant: Hashable) -> bool:
        """Refuse the newest request of the tenant that has most, if this one has less than it."""
        if not self._queues:
            return False
        mine = len(self._queues.get(tenant, ()))
        largest = max(self._queues, key=lambda each: len(self._queues[each]))
        if len(self._queues[largest]) <= mine + 1:
            return False
        turn = self._queues[largest].pop()
        if not turn.done():
            turn.set_exception(overload_error("queue_full"))
        return True

    def _leave(self, tenant: Hashable, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(tenant)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[tenant]


def _is_given(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None
