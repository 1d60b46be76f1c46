"""Database of a service during a replay: a separate schema, and no outbox."""

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
    """Clock that returns the time at which the current records were sent, as for the live group."""

    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time of the records that are applied now."""
        return self.now

    def advance_to(self, batch: Sequence[IncomingRecord]) -> None:
        """Advance to the last record of a batch; never backwards."""
        sent_at = datetime.fromtimestamp(batch[-1].timestamp_ms / 1000, UTC)
        self.now = max(self.now, sent_at)

    @contextmanager
    def advanced_by(self, duration: timedelta) -> Iterator[None]:
        """Advance the clock by this time within the block."""
        self.now += duration
        yield
        self.now -= duration


@dataclass
class ShadowUnit(SqlUnit):
    """Unit of work that counts and drops events: they were published by the live service."""

    dropped: Counter[str] = field(default_factory=Counter)

    def record(
        self, fact: Fact, *, caused_by: EventCause | None = None, at: datetime | None = None
    ) -> EventId:
        """Count an event; it is not published."""
        self.dropped[fact.wire_type()] += 1
        return EventId(self.new_id())

    async def flush(self) -> None:
        """Drop pending events, dead letters too (the parked rows keep them), and audit rows."""
        self.dropped.update(entry.type for entry in self.events)
        self.events.clear()
        self.audit_entries.clear()


class ShadowDatabase(Database):
    """See `Database`; tables are found in `schemas`, the first schema that has the name."""

    def __init__(self, service: str, url: str, schemas: Sequence[str], clock: LogClock) -> None:
        super().__init__(service, url, clock=clock, new_id=uuid7, trace=lambda *_: None)
        self.dropped: Counter[str] = Counter()
        self.tenants: set[TenantId] = set()
        statement = f"SET search_path TO {', '.join(schemas)}"

        def set_search_path(dbapi_connection: Any, _: object) -> None:
            cursor = dbapi_connection.cursor()
            cursor.execute(statement)
            cursor.close()
            dbapi_connection.commit()

        sa.event.listen(self.engine.sync_engine, "connect", set_search_path)

    @asynccontextmanager
    async def unit_for(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        """Open a unit, and remember the tenants whose rows it may write."""
        tenant_list = list(tenants)
        self.tenants.update(tenant_list)
        async with super().unit_for(tenant_list) as unit:
            yield unit

    def _unit_on(self, connected: AsyncConnection) -> SqlUnit:
        now, new_id = self._clock(), self._new_id
        return ShadowUnit(
            self.service, now, new_id, self._trace, connection=connected, dropped=self.dropped
        )
