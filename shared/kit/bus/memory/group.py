"""A consumer group of the memory bus: assigns partitions, delivers one batch at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, SubscriptionConfig

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""After a failed batch whose handler did not name its own pause."""


class Notifier:
    """Wakes every task that is waiting; later waiters wait for the next notification."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify_all(self) -> None:
        """Wake every waiting task."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for a notification, at most this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


class Group:
    """All members of one group name, and the group's committed offsets."""

    def __init__(
        self,
        name: str,
        log: Mapping[Partition, Sequence[IncomingRecord]],
        notifier: Notifier,
    ) -> None:
        self.name = name
        self.log = log
        self.notifier = notifier
        self.committed: dict[Partition, int] = {}
        self.members: list[Member] = []
        self._rebalance_lock = asyncio.Lock()

    async def join(self, config: SubscriptionConfig) -> "Member":
        """Add a member; return when the partitions are assigned again."""
        member = Member(self, config)
        async with self._rebalance_lock:
            await self._revoke_all()
            self.members.append(member)
            self._assign_all()
        member.start()
        return member

    async def leave(self, member: "Member") -> None:
        """Remove a member; its partitions are assigned to the remaining members."""
        async with self._rebalance_lock:
            if member in self.members:
                await self._revoke_all()
                self.members.remove(member)
                self._assign_all()

    async def _revoke_all(self) -> None:
        for member in self.members:
            await member.revoke()

    def _assign_all(self) -> None:
        shares: dict[Member, list[Partition]] = {member: [] for member in self.members}
        turn = 0
        for partition in self.log:
            subscribed = [m for m in self.members if partition.topic in m.config.topics]
            if subscribed:
                shares[subscribed[turn % len(subscribed)]].append(partition)
                turn += 1
        for member, share in shares.items():
            member.assign(share)
        self.notifier.notify_all()


class Member:
    """One member of a group; implements `Subscription`."""

    def __init__(self, group: Group, config: SubscriptionConfig) -> None:
        self.config = config
        self._group = group
        # Held while a batch is processed, and while partitions are revoked.
        self._lock = asyncio.Lock()
        self._awaiting_start_offset: list[Partition] = []
        self._next: dict[Partition, int] = {}
        self._paused_until: dict[Partition, float] = {}
        self._seek_not_before = 0.0
        self._rotation = 0
        self._busy_since: float | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the poll loop."""
        self._task = asyncio.create_task(self._run(), name=f"memory:{self.config.group}")

    async def stop(self) -> None:
        """See `Subscription.stop`."""
        self._stopping = True
        self._group.notifier.notify_all()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self.config.drain_timeout_seconds)
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._group.leave(self)

    def alive(self) -> bool:
        """See `Subscription.alive`."""
        running = self._task is not None and not self._task.done() and not self._stopping
        return running and self.last_poll_age < self.config.max_poll_interval_seconds

    @property
    def last_poll_age(self) -> float:
        """See `Subscription.last_poll_age`; waiting for a record counts as a poll."""
        return 0.0 if self._busy_since is None else _monotonic() - self._busy_since

    def assign(self, partitions: Sequence[Partition]) -> None:
        """Own these partitions; their start offsets are requested before anything is read."""
        self._awaiting_start_offset = list(partitions)
        self._seek_not_before = 0.0

    async def revoke(self) -> None:
        """Release the partitions after the batch in progress."""
        async with self._lock:
            lost = [*self._next, *self._awaiting_start_offset]
            self._next.clear()
            self._awaiting_start_offset.clear()
            if lost:
                try:
                    await self.config.consumer.on_revoked(lost)
                except Exception:  # noqa: BLE001  they are revoked even if the consumer fails
                    _log.exception("%s: the consumer failed at a revocation", self.config.group)

    def cancel_pauses(self) -> None:
        """Deliver paused partitions and retry start offsets without waiting."""
        if self._paused_until or self._seek_not_before:
            self._paused_until.clear()
            self._seek_not_before = 0.0
            self._group.notifier.notify_all()

    def lag(self) -> int:
        """Count the records in the assigned partitions that are not committed."""
        log, committed = self._group.log, self._group.committed
        unread = sum(len(log[partition]) - at for partition, at in self._next.items())
        return unread + sum(len(log[p]) - committed.get(p, 0) for p in self._awaiting_start_offset)

    def is_idle(self) -> bool:
        """Return whether there is nothing to deliver."""
        return self._busy_since is None and not self._awaiting_start_offset and self.lag() == 0

    async def _run(self) -> None:
        while not self._stopping:
            async with self._lock:
                batch = await self._poll()
                if batch:
                    await self._deliver(batch)
            if batch:
                self._group.notifier.notify_all()
                await asyncio.sleep(0)
            elif not self._stopping:
                await self._group.notifier.wait(self._seconds_until_due())

    async def _poll(self) -> list[IncomingRecord]:
        if self._awaiting_start_offset and self._seek_not_before <= _monotonic():
            self._busy_since = _monotonic()
            try:
                await self._seek_assigned()
            except Exception:  # noqa: BLE001  any error of the consumer is retried
                _log.exception("%s: the consumer could not say where to start", self.config.group)
                self._seek_not_before = _monotonic() + RETRY_SECONDS
            finally:
                self._busy_since = None
        return self._next_batch()

    async def _seek_assigned(self) -> None:
        starts = await self.config.consumer.on_assigned(tuple(self._awaiting_start_offset))
        for partition in self._awaiting_start_offset:
            start = starts.get(partition, self._group.committed.get(partition, 0))
            in_log = 0 <= start <= len(self._group.log[partition])
            self._next[partition] = start if in_log else 0
        self._awaiting_start_offset.clear()
        self._group.notifier.notify_all()

    def _next_batch(self) -> list[IncomingRecord]:
        """Read partition after partition until the batch is full; the first one rotates."""
        now = _monotonic()
        self._paused_until = {p: until for p, until in self._paused_until.items() if until > now}
        ready = [partition for partition in self._next if partition not in self._paused_until]
        batch: list[IncomingRecord] = []
        self._rotation += 1
        for turn in range(len(ready)):
            partition = ready[(self._rotation + turn) % len(ready)]
            begin, free = self._next[partition], self.config.max_batch_records - len(batch)
            batch.extend(self._group.log[partition][begin : begin + free])
        return batch

    async def _deliver(self, batch: list[IncomingRecord]) -> None:
        first: dict[Partition, int] = {}
        for record in batch:
            first.setdefault(record.partition, record.offset)
        self._busy_since = _monotonic()
        try:
            offsets = await self.config.consumer.handle(tuple(batch))
        except Redeliver as error:
            self._pause(first, error.pause_seconds)
        except Exception:  # noqa: BLE001  `Consumer.handle` promises this for any exception
            _log.exception("%s: the consumer failed; once more", self.config.group)
            self._pause(first, RETRY_SECONDS)
        else:
            self._commit({p: offset for p, offset in offsets.items() if p in first})
            self._pause(first.keys() - offsets.keys(), RETRY_SECONDS)
        finally:
            self._busy_since = None

    def _commit(self, offsets: Mapping[Partition, int]) -> None:
        self._next.update(offsets)
        self._group.committed.update(offsets)

    def _pause(self, partitions: Mapping[Partition, int] | set[Partition], seconds: float) -> None:
        self._paused_until.update(dict.fromkeys(partitions, _monotonic() + seconds))

    def _seconds_until_due(self) -> float | None:
        waits = [until - _monotonic() for p, until in self._paused_until.items() if p in self._next]
        if self._awaiting_start_offset:
            waits.append(self._seek_not_before - _monotonic())
        return max(min(waits), 0.0) if waits else None


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
