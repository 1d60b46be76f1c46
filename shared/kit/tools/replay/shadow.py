"""The database as a service sees it during a replay: a schema of its own, and no outbox."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from shared.contracts.event import Fact
from shared.contracts.ids import EventId, TenantId
from shared.kit.core.bus import IncomingRecord
from shared.kit.core.unit_of_work import EventCause
from shared.kit.database.database import Database, SqlUnit


@dataclass
class LogClock:
    """Tells the time at which the facts in hand were sent, as it was for the live reader."""

    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return that time."""
        return self.now

    def advance_to(self, batch: Sequence[IncomingRecord]) -> None:
        """Go on to the last record of a batch; never back."""
        told = datetime.fromtimestamp(batch[-1].timestamp_ms / 1000, UTC)
        self.now = max(self.now, told)

    @contextmanager
    def advanced_by(self, by: timedelta) -> Iterator[None]:
        """Pretend that so much time has gone by."""
        self.now += by
        yield
        self.now -= by


@dataclass
class ShadowUnit(SqlUnit):
    """A unit whose facts are counted and dropped: they were told long ago."""

    dropped: Counter[str] = field(default_factory=Counter)

    def record(
        self, fact: Fact, *, caused_by: EventCause | None = None, at: datetime | None = None
    ) -> EventId:
        """Count a fact."""
        self.dropped[fact.wire_type()] += 1
        return EventId(self.new_id())

    async def flush(self) -> None:
        """Drop what would go out, dead letters too; the parked rows tell of them."""
        self.dropped.update(entry.type for entry in self.events)
        self.events.clear()
        self.audit_entries.clear()


class ShadowDatabase(Database):
    """See `Database`; all it reads and writes is in `schemas`, the first that has the name."""

    def __init__(self, service: str, url: str, schemas: Sequence[str], clock: LogClock) -> None:
        super().__init__(service, url, clock=clock, new_id=uuid7, trace=lambda *_: None)
        self.dropped: Counter[str] = Counter()
        self.tenants: set[TenantId] = set()
        path = f"SET search_path TO {', '.join(schemas)}"

        def enter(opened: Any, _: object) -> None:
            cursor = opened.cursor()
            cursor.execute(path)
            cursor.close()
            opened.commit()

        sa.event.listen(self.engine.sync_engine, "connect", enter)

    @asynccontextmanager
    async def unit_for(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        """Open a unit, and remember whose rows it may write."""
        seen = list(tenants)
        self.tenants.update(seen)
        async with super().unit_for(seen) as unit:
            yield unit

    def _unit_on(self, connected: AsyncConnection) -> SqlUnit:
        now, new_id = self._clock(), self._new_id
        return ShadowUnit(
            self.service, now, new_id, self._trace, connection=connected, dropped=self.dropped
        )
