"""A consumer group of the memory bus: who reads what, from where on, and one batch at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from shared.kit.core.bus import Incoming, Partition, Reading, Redeliver

_log = logging.getLogger(__name__)

# Seconds until a batch is handed over again whose handler failed without a wish of its own.
PAUSE = 1.0


class Bell:
    """Wakes everybody who waits now; who comes later waits for the next ring."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for a ring, or for so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


class Group:
    """All readers of one name, and what they have committed."""

    def __init__(self, name: str, log: Mapping[Partition, Sequence[Incoming]], bell: Bell) -> None:
        self.name = name
        self.log = log
        self.bell = bell
        self.committed: dict[Partition, int] = {}
        self.members: list[Member] = []
        self._turn = asyncio.Lock()

    async def join(self, reading: Reading) -> "Member":
        """Add a reader; returns when the partitions are shared out anew."""
        member = Member(self, reading)
        async with self._turn:
            await self._gather()
            self.members.append(member)
            self._share_out()
        member.start()
        return member

    async def leave(self, member: "Member") -> None:
        """Take a reader out; the others get its partitions."""
        async with self._turn:
            if member in self.members:
                await self._gather()
                self.members.remove(member)
                self._share_out()

    async def _gather(self) -> None:
        for member in self.members:
            await member.give_back()

    def _share_out(self) -> None:
        shares: dict[Member, list[Partition]] = {member: [] for member in self.members}
        turn = 0
        for partition in self.log:
            able = [each for each in self.members if partition.topic in each.reading.topics]
            if able:
                shares[able[turn % len(able)]].append(partition)
                turn += 1
        for member, share in shares.items():
            member.take(share)
        self.bell.ring()


class Member:
    """One reader: the memory body of `shared.kit.core.bus.Subscription`."""

    def __init__(self, group: Group, reading: Reading) -> None:
        self.reading = reading
        self._group = group
        # Held while a batch is in hand and while partitions change hands, never by both at once.
        self._lock = asyncio.Lock()
        self._unplaced: list[Partition] = []
        self._next: dict[Partition, int] = {}
        self._paused: dict[Partition, float] = {}
        self._ask_after = 0.0
        self._first = 0
        self._busy_since: float | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to poll."""
        self._task = asyncio.create_task(self._run(), name=f"memory:{self.reading.group}")

    async def stop(self) -> None:
        """See the port."""
        self._stopping = True
        self._group.bell.ring()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self.reading.drain)
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._group.leave(self)

    def alive(self) -> bool:
        """See the port."""
        running = self._task is not None and not self._task.done() and not self._stopping
        return running and self.last_poll_age < self.reading.poll_limit

    @property
    def last_poll_age(self) -> float:
        """See the port; an idle reader waits for the next record, which is a poll."""
        return 0.0 if self._busy_since is None else _monotonic() - self._busy_since

    def take(self, partitions: Sequence[Partition]) -> None:
        """Own these from now on; the consumer is asked before anything is read."""
        self._unplaced = list(partitions)
        self._ask_after = 0.0

    async def give_back(self) -> None:
        """Own nothing any more, when the batch in hand is done."""
        async with self._lock:
            lost = [*self._next, *self._unplaced]
            self._next.clear()
            self._unplaced.clear()
            if lost:
                try:
                    await self.reading.consumer.revoked(lost)
                except Exception:  # noqa: BLE001  they are gone, whatever the consumer says
                    _log.exception("%s: the consumer failed at a revocation", self.reading.group)

    def hurry(self) -> None:
        """Forget all pauses."""
        if self._paused or self._ask_after:
            self._paused.clear()
            self._ask_after = 0.0
            self._group.bell.ring()

    def lag(self) -> int:
        """Count what this reader has not answered for."""
        log, committed = self._group.log, self._group.committed
        behind = sum(len(log[each]) - at for each, at in self._next.items())
        return behind + sum(len(log[each]) - committed.get(each, 0) for each in self._unplaced)

    def settled(self) -> bool:
        """Tell whether there is nothing to do."""
        return self._busy_since is None and not self._unplaced and self.lag() == 0

    async def _run(self) -> None:
        while not self._stopping:
            async with self._lock:
                batch = await self._poll()
                if batch:
                    await self._hand_over(batch)
            if batch:
                self._group.bell.ring()
                await asyncio.sleep(0)
            elif not self._stopping:
                await self._group.bell.wait(self._until_next_try())

    async def _poll(self) -> list[Incoming]:
        if self._unplaced and self._ask_after <= _monotonic():
            self._busy_since = _monotonic()
            try:
                await self._place()
            except Exception:  # noqa: BLE001  whatever the consumer raises, it is asked again
                _log.exception("%s: the consumer could not say where to start", self.reading.group)
                self._ask_after = _monotonic() + PAUSE
            finally:
                self._busy_since = None
        return self._next_batch()

    async def _place(self) -> None:
        wanted = await self.reading.consumer.assigned(tuple(self._unplaced))
        for partition in self._unplaced:
            start = wanted.get(partition, self._group.committed.get(partition, 0))
            known = 0 <= start <= len(self._group.log[partition])
            self._next[partition] = start if known else 0
        self._unplaced.clear()
        self._group.bell.ring()

    def _next_batch(self) -> list[Incoming]:
        """Drain one partition after the other, as Kafka does; another one is first each time."""
        now = _monotonic()
        self._paused = {each: until for each, until in self._paused.items() if until > now}
        ready = [each for each in self._next if each not in self._paused]
        batch: list[Incoming] = []
        self._first += 1
        for turn in range(len(ready)):
            partition = ready[(self._first + turn) % len(ready)]
            begin, room = self._next[partition], self.reading.batch - len(batch)
            batch.extend(self._group.log[partition][begin : begin + room])
        return batch

    async def _hand_over(self, batch: list[Incoming]) -> None:
        first: dict[Partition, int] = {}
        for record in batch:
            first.setdefault(record.partition, record.offset)
        self._busy_since = _monotonic()
        try:
            answer = await self.reading.consumer.handle(tuple(batch))
        except Redeliver as wish:
            self._pause(first, wish.pause)
        except Exception:  # noqa: BLE001  the port promises this for any exception
            _log.exception("%s: the consumer failed; once more", self.reading.group)
            self._pause(first, PAUSE)
        else:
            self._accept({each: at for each, at in answer.items() if each in first})
            self._pause(first.keys() - answer.keys(), PAUSE)
        finally:
            self._busy_since = None

    def _accept(self, answer: Mapping[Partition, int]) -> None:
        self._next.update(answer)
        self._group.committed.update(answer)

    def _pause(self, partitions: Mapping[Partition, int] | set[Partition], seconds: float) -> None:
        self._paused.update(dict.fromkeys(partitions, _monotonic() + seconds))

    def _until_next_try(self) -> float | None:
        waits = [until - _monotonic() for each, until in self._paused.items() if each in self._next]
        if self._unplaced:
            waits.append(self._ask_after - _monotonic())
        return max(min(waits), 0.0) if waits else None


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
