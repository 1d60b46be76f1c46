"""The relay: sends what stands in the outbox, one owner per shard, and only then deletes it.

Read a batch, send it, wait for every acknowledgement, delete it: no transaction is open while
sending. A relay that dies in between makes duplicates, which the inboxes absorb, never gaps. While
the broker is away, it keeps its shards and tries again.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from shared.contracts.event import CONTENT_TYPE
from shared.kit.core.adaptive_pause import AdaptivePause
from shared.kit.core.bus import Bus, OutgoingRecord
from shared.kit.core.errors import Transient
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.host import Telemetry
from shared.kit.database.notifier import OUTBOX_CHANNEL
from shared.kit.database.outbox import SHARDS
from shared.kit.relay.queue_cursor import READ_ALL_SHARDS, READ_OWN_SHARDS, QueueCursor
from shared.kit.telemetry.logs import get_logger
from shared.kit.telemetry.messaging import open_send_span

MAX_BATCH_EVENTS = 500
POLL_INTERVAL_SECONDS = 0.25
"""Seconds: the net under the wake-up, should it not be heard."""
MAX_BATCH_BYTES = 16_000_000
"""What the values of a batch may weigh together, unless it is one: each may be 10 MB."""
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 2.0
"""Seconds until the next try when something is away: twice as long each time."""
STATEMENT_TIMEOUT_SECONDS = 30.0
"""Seconds that the database may take for an answer."""
_LOCK_CLASS = 7_241_002
SESSION_SETTINGS: Mapping[str, str] = {
    # Trap: the locks live as long as the session, and a frozen relay's, or one on a node that is
    # gone, would live on. Cut off while it waits for the broker, a relay just connects again; if
    # another took over meanwhile, both send in the same order: repetitions, never a gap.
    "idle_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "2",
    # A queue is read in its order, whatever the planner last heard of its size.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}
_DELETE = "DELETE FROM outbox WHERE position = ANY($1::bigint[])"
# Trap: a statement on a connection whose server died a moment ago is an InternalClientError.
_LOST = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
log = get_logger("relay")


@dataclass
class Relay:
    """Sends one service's outbox. `written` wakes it at once; the poll is the net."""

    service: str
    url: str
    bus: Bus
    outbox_changed: asyncio.Event
    telemetry: Telemetry
    max_batch_events: int = MAX_BATCH_EVENTS
    session_settings: Mapping[str, str] = field(default_factory=lambda: SESSION_SETTINGS)
    _floor: QueueCursor = field(default_factory=QueueCursor, init=False)
    _pace: AdaptivePause = field(default_factory=AdaptivePause, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop` is set, then send what is left if the bus still answers."""
        pause = MIN_RETRY_SECONDS
        while not stop.is_set():
            try:
                connection = await asyncpg.connect(
                    dsn=_plain(self.url),
                    timeout=10,
                    command_timeout=STATEMENT_TIMEOUT_SECONDS,
                    server_settings=dict(self.session_settings),
                )
            except _LOST as error:
                log.warning("no database", service=self.service, error=str(error))
            else:
                pause = MIN_RETRY_SECONDS
                await self._run_on(connection, stop)
            await _wait(stop, pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)

    async def _run_on(self, connection: Any, stop: asyncio.Event) -> None:
        self._floor = QueueCursor()
        owned: list[int] = []
        pause = MIN_RETRY_SECONDS
        try:
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self.outbox_changed.set())
            while not stop.is_set():
                if len(owned) < SHARDS:
                    owned = await self._own(connection, owned)
                self.outbox_changed.clear()
                try:
                    with self._pace.measure():
                        more = await self._send_batch(connection, owned)
                except Transient as error:
                    log.warning("no broker", service=self.service, error=str(error))
                    await _wait(stop, pause)
                    pause = min(pause * 2, MAX_RETRY_SECONDS)
                    continue
                pause = MIN_RETRY_SECONDS
                if not more:
                    await self._pace.sleep()
                    await self._idle(stop)
            while await self._send_batch(connection, owned) or self.outbox_changed.is_set():
                self.outbox_changed.clear()
        except (Transient, *_LOST) as error:
            log.warning("will try again", service=self.service, error=str(error))
        finally:
            with contextlib.suppress(*_LOST):
                await connection.close(timeout=2)

    async def _own(self, connection: Any, owned: list[int]) -> list[int]:
        """Take the shards that nobody owns; the lock lives as long as the connection."""
        for shard in set(range(SHARDS)) - set(owned):
            query = "SELECT pg_try_advisory_lock($1, $2)"
            if await connection.fetchval(query, _LOCK_CLASS, shard):
                owned.append(shard)
                # What stands below was another's until now.
                self._floor = QueueCursor()
        return owned

    async def _send_batch(self, connection: Any, owned: Sequence[int]) -> bool:
        """Send the oldest; tell whether that was as much as a batch holds."""
        read = READ_ALL_SHARDS if len(owned) == SHARDS else READ_OWN_SHARDS
        rows = await connection.fetch(
            read, self._floor.position, list(owned), self.max_batch_events, MAX_BATCH_BYTES
        )
        await self._floor.advance(connection, [row["position"] for row in rows])
        if not rows:
            return False
        hit_failpoint("relay.read")
        topics = Counter(row["topic"] for row in rows)
        with open_send_span(self.telemetry, topics, [row["traceparent"] for row in rows]):
            await self.bus.send([_record(row) for row in rows])
        hit_failpoint("relay.sent")
        await connection.execute(_DELETE, [row["position"] for row in rows])
        hit_failpoint("relay.deleted")
        return (
            len(rows) == self.max_batch_events
            or sum(len(row["value"]) for row in rows) >= MAX_BATCH_BYTES
        )

    async def _idle(self, stop: asyncio.Event) -> None:
        waits = [
            asyncio.ensure_future(self.outbox_changed.wait()),
            asyncio.ensure_future(stop.wait()),
        ]
        await asyncio.wait(
            waits, timeout=POLL_INTERVAL_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _record(row: Any) -> OutgoingRecord:
    headers = [("content-type", CONTENT_TYPE.encode())]
    if row["traceparent"]:
        headers.append(("traceparent", row["traceparent"].encode()))
    return OutgoingRecord(row["topic"], row["key"].encode(), row["value"], tuple(headers))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
