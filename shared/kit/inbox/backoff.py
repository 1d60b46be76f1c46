"""The partitions whose batch stopped the group: tried again seldom, or once the halt is lifted."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.kit.core.bus import Partition
from shared.kit.database.database import Database
from shared.kit.inbox import circuit_breaker as halts


class PartitionBackoff:
    """What a reader of a stopped group does not try yet.

    Trying costs a savepoint for each event; to ask whether the halt is lifted, one statement.
    """

    def __init__(self) -> None:
        self._until: dict[Partition, datetime] = {}

    def start(self, places: Iterable[Partition], now: datetime) -> None:
        """Wait with these: their batch was tried."""
        self._until |= dict.fromkeys(places, now + timedelta(seconds=halts.RETRY_INTERVAL_SECONDS))

    def clear(self, places: Iterable[Partition]) -> None:
        """Wait no more with these: somebody else has them now."""
        for place in places:
            self._until.pop(place, None)

    async def paused(
        self, places: Iterable[Partition], database: Database, group: str, now: datetime
    ) -> set[Partition]:
        """Say with which of these to wait still; asks nobody unless there is any."""
        held = {place for place in places if now < self._until.get(place, now)}
        if not held:
            return held
        async with database.unit_for(()) as unit:
            if (await halts.get_state(unit.connection, group)).since is not None:
                return held
        self._until.clear()
        return set()
