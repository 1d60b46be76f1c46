"""The checker's state between the runs of one platform, so that a run reads only new records.

Nothing is checked less for it. The book remembers which event stood where and with which content,
and a replay goes on in the shadow that it left: what each holds is what it would hold had the whole
log been read again, and it is compared as a whole each time.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.ids import TenantId
from shared.kit.core.bus import Bus
from shared.kit.tools.replay import schema
from shared.kit.tools.replay.catch_up import Replay
from shared.kit.tools.replay.feed import ReadOrder
from shared.kit.tools.replay.plan import Plan
from shared.kit.tools.replay.rebuild import Rebuilder, ReplayRequest
from shared.kit.tools.replay.schema import ShadowSchema
from shared.kit.tools.replay.shadow import LogClock
from tests.chaos.checker.log_facts import LogFacts

_SURVIVES = "ALTER TABLE {}.inbox_all SET LOGGED"


@dataclass(frozen=True)
class ContinuedReplay(Rebuilder):
    """A replay that continues from its last position: its shadow schema is kept between runs."""

    tenants: set[TenantId] = field(default_factory=set)
    """All whose rows it ever wrote: the comparison is of all of them."""

    async def _create_schema(
        self, engine: AsyncEngine, plan: Plan, request: ReplayRequest
    ) -> ShadowSchema:
        async with engine.connect() as connection:
            room = await schema.find(connection, request.into)
        if room is None:
            room = await super()._create_schema(engine, plan, request)
            async with engine.begin() as connection:
                # A crash of the server empties it otherwise, and what is repeated counts twice.
                await connection.execute(sa.text(_SURVIVES.format(room.schema)))
        return room

    @asynccontextmanager
    async def _open_replay(
        self, plan: Plan, room: ShadowSchema, engine: AsyncEngine, clock: LogClock, order: ReadOrder
    ) -> AsyncIterator[Replay]:
        async with super()._open_replay(plan, room, engine, clock, order) as replay:
            replay.consumer.database.tenants |= self.tenants
            yield replay
            self.tenants.update(replay.consumer.database.tenants)


@dataclass
class CheckerState:
    """The log index, the folded facts and the replays of one platform."""

    log_facts: LogFacts = field(default_factory=LogFacts)
    replays: dict[str, ContinuedReplay] = field(default_factory=dict)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="préau-known-")
    )

    @property
    def book(self) -> Path:
        """Where the checker keeps what it read."""
        return Path(self._folder.name) / "book"

    def replay(self, service: str, owner_url: str, bus: Bus) -> ContinuedReplay:
        """Return the replay of a service: the one that has begun."""
        environment: Mapping[str, str] = {}
        begun = self.replays.get(service)
        tenants = begun.tenants if begun else set()
        now = ContinuedReplay(owner_url, bus, environment, tenants=tenants)
        self.replays[service] = now
        return now

    def close(self) -> None:
        """Delete the state."""
        self._folder.cleanup()
