"""The relay: sends the events of the outbox to the broker, then deletes them.

One relay at a time owns a shard. It reads a batch, sends it, waits for every acknowledgement, and
deletes it; no transaction is open while it sends. A relay that fails before the delete causes
duplicates, which the consumers' inboxes drop, but no gap. While the broker is unavailable, it keeps
its shards and retries.
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
MAX_BATCH_BYTES = 16_000_000
"""Bytes of all values of a batch; a single larger event is a batch of its own."""
POLL_INTERVAL_SECONDS = 0.25
"""Interval at which the outbox is read even when no NOTIFY arrives."""
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 2.0
"""Exponential backoff while the database or the broker is unavailable."""
STATEMENT_TIMEOUT_SECONDS = 30.0
_CONNECT_TIMEOUT_SECONDS = 10
_CLOSE_TIMEOUT_SECONDS = 2
_LOCK_CLASS = 7_241_002
SESSION_SETTINGS: Mapping[str, str] = {
    # Trap: advisory locks last as long as the session, so a frozen relay, or one on a lost node,
    # would keep its shards. A relay that is disconnected while it waits for the broker connects
    # again. If another relay took its shards meanwhile, both send in the same order: duplicates,
    # but no gap.
    "idle_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "2",
    # Read in index order, whatever the planner's last statistics say of the table's size.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}
_DELETE = "DELETE FROM outbox WHERE position = ANY($1::bigint[])"
# Trap: asyncpg raises InternalClientError for a statement on a connection whose server has just
# died.
_DATABASE_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
log = get_logger("relay")


@dataclass
class Relay:
    """Sends the events of a service; connects with its relay role. `outbox_changed` wakes it."""

    service: str
    url: str
    bus: Bus
    outbox_changed: asyncio.Event
    telemetry: Telemetry
    max_batch_events: int = MAX_BATCH_EVENTS
    session_settings: Mapping[str, str] = field(default_factory=lambda: SESSION_SETTINGS)
    _cursor: QueueCursor = field(default_factory=QueueCursor, init=False)
    _pause: AdaptivePause = field(default_factory=AdaptivePause, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Send events until `stop` is set, then the rest of the outbox if the bus is available."""
        retry_seconds = MIN_RETRY_SECONDS
        while not stop.is_set():
            try:
                connection = await asyncpg.connect(
                    dsn=_asyncpg_url(self.url),
                    timeout=_CONNECT_TIMEOUT_SECONDS,
                    command_timeout=STATEMENT_TIMEOUT_SECONDS,
                    server_settings=dict(self.session_settings),
                )
            except _DATABASE_ERRORS as error:
                log.warning("no database", service=self.service, error=str(error))
            else:
                retry_seconds = MIN_RETRY_SECONDS
                await self._run_on(connection, stop)
            await _sleep_until_stop(stop, retry_seconds)
            retry_seconds = min(retry_seconds * 2, MAX_RETRY_SECONDS)

    async def _run_on(self, connection: Any, stop: asyncio.Event) -> None:
        self._cursor = QueueCursor()
        owned_shards: list[int] = []
        retry_seconds = MIN_RETRY_SECONDS
        try:
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self.outbox_changed.set())
            while not stop.is_set():
                if len(owned_shards) < SHARDS:
                    owned_shards = await self._acquire_shards(connection, owned_shards)
                self.outbox_changed.clear()
                try:
                    with self._pause.measure():
                        is_full = await self._send_batch(connection, owned_shards)
                except Transient as error:
                    log.warning("no broker", service=self.service, error=str(error))
                    await _sleep_until_stop(stop, retry_seconds)
                    retry_seconds = min(retry_seconds * 2, MAX_RETRY_SECONDS)
                    continue
                retry_seconds = MIN_RETRY_SECONDS
                if not is_full:
                    await self._pause.sleep()
                    await self._wait_for_events(stop)
            while await self._send_batch(connection, owned_shards) or self.outbox_changed.is_set():
                self.outbox_changed.clear()
        except (Transient, *_DATABASE_ERRORS) as error:
            log.warning("will try again", service=self.service, error=str(error))
        finally:
            with contextlib.suppress(*_DATABASE_ERRORS):
                await connection.close(timeout=_CLOSE_TIMEOUT_SECONDS)

    async def _acquire_shards(self, connection: Any, owned_shards: list[int]) -> list[int]:
        """Take the advisory locks of free shards; they are held as long as the connection."""
        for shard in set(range(SHARDS)) - set(owned_shards):
            query = "SELECT pg_try_advisory_lock($1, $2)"
            if await connection.fetchval(query, _LOCK_CLASS, shard):
                owned_shards.append(shard)
                # Rows of the new shard may be below the cursor.
                self._cursor = QueueCursor()
        return owned_shards

    async def _send_batch(self, connection: Any, owned_shards: Sequence[int]) -> bool:
        """Send and delete the oldest events; return whether the batch was full."""
        query = READ_ALL_SHARDS if len(owned_shards) == SHARDS else READ_OWN_SHARDS
        rows = await connection.fetch(
            query,
            self._cursor.position,
            list(owned_shards),
            self.max_batch_events,
            MAX_BATCH_BYTES,
        )
        await self._cursor.advance(connection, [row["position"] for row in rows])
        if not rows:
            return False
        hit_failpoint("relay.read")
        topics = Counter(row["topic"] for row in rows)
        with open_send_span(self.telemetry, topics, [row["traceparent"] for row in rows]):
            await self.bus.send([_to_record(row) for row in rows])
        hit_failpoint("relay.sent")
        await connection.execute(_DELETE, [row["position"] for row in rows])
        hit_failpoint("relay.deleted")
        batch_bytes = sum(len(row["value"]) for row in rows)
        return len(rows) == self.max_batch_events or batch_bytes >= MAX_BATCH_BYTES

    async def _wait_for_events(self, stop: asyncio.Event) -> None:
        waits = [
            asyncio.ensure_future(self.outbox_changed.wait()),
            asyncio.ensure_future(stop.wait()),
        ]
        await asyncio.wait(
            waits, timeout=POLL_INTERVAL_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()


def _asyncpg_url(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _to_record(row: Any) -> OutgoingRecord:
    headers = [("content-type", CONTENT_TYPE.encode())]
    if row["traceparent"]:
        headers.append(("traceparent", row["traceparent"].encode()))
    return OutgoingRecord(row["topic"], row["key"].encode(), row["value"], tuple(headers))


async def _sleep_until_stop(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
