"""Pauses the partitions whose batch opened the circuit breaker, until it closes or time is up."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.kit.core.bus import Partition
from shared.kit.database.database import Database
from shared.kit.inbox import circuit_breaker


class PartitionBackoff:
    """The paused partitions of one consumer.

    An attempt costs a savepoint per event; checking the circuit breaker costs one statement.
    """

    def __init__(self) -> None:
        self._paused_until: dict[Partition, datetime] = {}

    def start(self, partitions: Iterable[Partition], now: datetime) -> None:
        """Pause these partitions: their batch was tried and failed."""
        until = now + timedelta(seconds=circuit_breaker.RETRY_INTERVAL_SECONDS)
        self._paused_until |= dict.fromkeys(partitions, until)

    def clear(self, partitions: Iterable[Partition]) -> None:
        """End the pause of these partitions: another consumer owns them now."""
        for partition in partitions:
            self._paused_until.pop(partition, None)

    async def paused(
        self, partitions: Iterable[Partition], database: Database, group: str, now: datetime
    ) -> set[Partition]:
        """Return which of these partitions are paused; no query unless there are any."""
        paused = {p for p in partitions if now < self._paused_until.get(p, now)}
        if not paused:
            return paused
        async with database.unit_for(()) as unit:
            state = await circuit_breaker.get_state(unit.connection, group)
            if state.since is not None:
                return paused
        self._paused_until.clear()
        return set()
