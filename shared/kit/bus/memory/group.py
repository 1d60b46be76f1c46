"""A consumer group of the memory bus: who reads what, from where on, and one batch at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, SubscriptionConfig

_log = logging.getLogger(__name__)

# Seconds until a batch is handed over again whose handler failed without a wish of its own.
RETRY_SECONDS = 1.0


class Notifier:
    """Wakes everybody who waits now; who comes later waits for the next ring."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify_all(self) -> None:
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

    def __init__(
        self, name: str, log: Mapping[Partition, Sequence[IncomingRecord]], bell: Notifier
    ) -> None:
        self.name = name
        self.log = log
        self.bell = bell
        self.committed: dict[Partition, int] = {}
        self.members: list[Member] = []
        self._turn = asyncio.Lock()

    async def join(self, reading: SubscriptionConfig) -> "Member":
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
            await member.revoke()

    def _share_out(self) -> None:
        shares: dict[Member, list[Partition]] = {member: [] for member in self.members}
        turn = 0
        for partition in self.log:
            able = [each for each in self.members if partition.topic in each.config.topics]
            if able:
                shares[able[turn % len(able)]].append(partition)
                turn += 1
        for member, share in shares.items():
            member.assign(share)
        self.bell.notify_all()


class Member:
    """One reader: the memory body of `shared.kit.core.bus.Subscription`."""

    def __init__(self, group: Group, reading: SubscriptionConfig) -> None:
        self.config = reading
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
        self._task = asyncio.create_task(self._run(), name=f"memory:{self.config.group}")

    async def stop(self) -> None:
        """See the port."""
        self._stopping = True
        self._group.bell.notify_all()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self.config.drain_timeout_seconds)
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._group.leave(self)

    def alive(self) -> bool:
        """See the port."""
        running = self._task is not None and not self._task.done() and not self._stopping
        return running and self.last_poll_age < self.config.max_poll_interval_seconds

    @property
    def last_poll_age(self) -> float:
        """See the port; an idle reader waits for the next record, which is a poll."""
        return 0.0 if self._busy_since is None else _monotonic() - self._busy_since

    def assign(self, partitions: Sequence[Partition]) -> None:
        """Own these from now on; the consumer is asked before anything is read."""
        self._unplaced = list(partitions)
        self._ask_after = 0.0

    async def revoke(self) -> None:
        """Own nothing any more, when the batch in hand is done."""
        async with self._lock:
            lost = [*self._next, *self._unplaced]
            self._next.clear()
            self._unplaced.clear()
            if lost:
                try:
                    await self.config.consumer.on_revoked(lost)
                except Exception:  # noqa: BLE001  they are gone, whatever the consumer says
                    _log.exception("%s: the consumer failed at a revocation", self.config.group)

    def cancel_pauses(self) -> None:
        """Forget all pauses."""
        if self._paused or self._ask_after:
            self._paused.clear()
            self._ask_after = 0.0
            self._group.bell.notify_all()

    def lag(self) -> int:
        """Count what this reader has not answered for."""
        log, committed = self._group.log, self._group.committed
        behind = sum(len(log[each]) - at for each, at in self._next.items())
        return behind + sum(len(log[each]) - committed.get(each, 0) for each in self._unplaced)

    def is_idle(self) -> bool:
        """Return whether there is nothing to do."""
        return self._busy_since is None and not self._unplaced and self.lag() == 0

    async def _run(self) -> None:
        while not self._stopping:
            async with self._lock:
                batch = await self._poll()
                if batch:
                    await self._hand_over(batch)
            if batch:
                self._group.bell.notify_all()
                await asyncio.sleep(0)
            elif not self._stopping:
                await self._group.bell.wait(self._until_next_try())

    async def _poll(self) -> list[IncomingRecord]:
        if self._unplaced and self._ask_after <= _monotonic():
            self._busy_since = _monotonic()
            try:
                await self._place()
            except Exception:  # noqa: BLE001  whatever the consumer raises, it is asked again
                _log.exception("%s: the consumer could not say where to start", self.config.group)
                self._ask_after = _monotonic() + RETRY_SECONDS
            finally:
                self._busy_since = None
        return self._next_batch()

    async def _place(self) -> None:
        wanted = await self.config.consumer.on_assigned(tuple(self._unplaced))
        for partition in self._unplaced:
            start = wanted.get(partition, self._group.committed.get(partition, 0))
            known = 0 <= start <= len(self._group.log[partition])
            self._next[partition] = start if known else 0
        self._unplaced.clear()
        self._group.bell.notify_all()

    def _next_batch(self) -> list[IncomingRecord]:
        """Drain one partition after the other, as Kafka does; another one is first each time."""
        now = _monotonic()
        self._paused = {each: until for each, until in self._paused.items() if until > now}
        ready = [each for each in self._next if each not in self._paused]
        batch: list[IncomingRecord] = []
        self._first += 1
        for turn in range(len(ready)):
            partition = ready[(self._first + turn) % len(ready)]
            begin, room = self._next[partition], self.config.max_batch_records - len(batch)
            batch.extend(self._group.log[partition][begin : begin + room])
        return batch

    async def _hand_over(self, batch: list[IncomingRecord]) -> None:
        first: dict[Partition, int] = {}
        for record in batch:
            first.setdefault(record.partition, record.offset)
        self._busy_since = _monotonic()
        try:
            answer = await self.config.consumer.handle(tuple(batch))
        except Redeliver as wish:
            self._pause(first, wish.pause_seconds)
        except Exception:  # noqa: BLE001  the port promises this for any exception
            _log.exception("%s: the consumer failed; once more", self.config.group)
            self._pause(first, RETRY_SECONDS)
        else:
            self._accept({each: at for each, at in answer.items() if each in first})
            self._pause(first.keys() - answer.keys(), RETRY_SECONDS)
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
