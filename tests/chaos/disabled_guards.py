"""Guards of the event delivery that can be switched off in a pod: the suite must notice each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.bus.kafka.partition_controller import PartitionController
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.database import outbox
from shared.kit.database import transaction as transactions
from shared.kit.database.database import Database, SqlUnit
from shared.kit.inbox import ledger, parked
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.relay import relay
from shared.kit.relay.queue_cursor import READ_OWN_SHARDS

MUTANT_VARIABLE = "FAULTS_MUTANT"
"""The variable that names the guard; a real pod does not read it."""

# Any below: the replaced functions' own parameters and results.


def no_inbox() -> None:
    """Every event is new, also the second time."""
    really = ledger.claim_events

    async def claim(
        connection: AsyncConnection, group: str, ids: Sequence[UUID]
    ) -> tuple[set[UUID], bool]:
        _, troubled = await really(connection, group, ids)
        return set(ids), troubled

    ledger.claim_events = claim


def no_distinct_in_a_batch() -> None:
    """An event that occurs twice in one batch is applied twice."""
    really = ledger.claim_events

    class Sticky(set[UUID]):
        def discard(self, element: object, /) -> None:
            """Stay."""

    async def claim(
        connection: AsyncConnection, group: str, ids: Sequence[UUID]
    ) -> tuple[set[UUID], bool]:
        fresh, troubled = await really(connection, group, ids)
        return Sticky(ids if fresh is None else fresh), troubled

    ledger.claim_events = claim


def no_fence() -> None:
    """A batch moves the positions from wherever they are, as a zombie would like."""
    guarded = ledger._MOVE_POSITIONS.text
    ledger._MOVE_POSITIONS.text = guarded.replace("AND p.next_offset = m.expected", "")
    assert ledger._MOVE_POSITIONS.text != guarded


def offsets_before_database() -> None:
    """Offsets are committed when a batch is delivered, and reading resumes from Kafka's offsets."""
    hand_over, assigned = PartitionController._deliver, BatchConsumer.on_assigned

    async def early(
        self: PartitionController, batch: Any, first: Any, last: Mapping[Any, int]
    ) -> None:
        self._committer.add({partition: offset + 1 for partition, offset in last.items()})
        await self._committer._commit()
        await hand_over(self, batch, first, last)

    async def kafka_knows(self: BatchConsumer, partitions: Sequence[Any]) -> Mapping[Any, int]:
        await assigned(self, partitions)
        return {}

    replace_methods(PartitionController, _deliver=early)
    replace_methods(BatchConsumer, on_assigned=kafka_knows)


def relay_deletes_first() -> None:
    """The relay deletes a batch and then sends it."""

    async def send_batch(self: Any, connection: Any, owned: Sequence[int]) -> bool:
        rows = await connection.fetch(
            READ_OWN_SHARDS, 0, list(owned), self.max_batch_events, relay.MAX_BATCH_BYTES
        )
        if rows:
            hit_failpoint("relay.read")
            await connection.execute(relay._DELETE, [row["position"] for row in rows])
            hit_failpoint("relay.deleted")
            await self.bus.send([relay._to_record(row) for row in rows])
            hit_failpoint("relay.sent")
        return bool(rows)

    replace_methods(relay.Relay, _send_batch=send_batch)


def relay_without_shards() -> None:
    """Relays compete for rows instead of owning shards."""
    some = """
        SELECT position, topic, key, value, traceparent
        FROM (SELECT * FROM outbox ORDER BY position LIMIT 200) AS oldest
        WHERE pg_try_advisory_xact_lock(77, position::int) LIMIT 20
    """

    async def own(self: Any, connection: Any, owned: list[int]) -> list[int]:
        return list(range(outbox.SHARDS))

    async def send_batch(self: Any, connection: Any, owned: Sequence[int]) -> bool:
        async with connection.transaction():
            rows = await connection.fetch(some)
            if rows:
                hit_failpoint("relay.read")
                await self.bus.send([relay._to_record(row) for row in rows])
                hit_failpoint("relay.sent")
                await connection.execute(relay._DELETE, [row["position"] for row in rows])
        return bool(rows)

    replace_methods(relay.Relay, _acquire_shards=own, _send_batch=send_batch)


def heads_without_lock() -> None:
    """The next sequence is computed from a plain read, without the lock on the head."""
    guarded = outbox._WRITE.text
    unguarded = guarded.replace(
        "SELECT topic, key, count(*) FROM rows GROUP BY topic, key ORDER BY topic, key",
        """
        SELECT r.topic, r.key, count(*) + COALESCE(max(h.sequence), 0)
        FROM rows AS r LEFT JOIN heads AS h ON h.topic = r.topic AND h.key = r.key
        GROUP BY r.topic, r.key ORDER BY r.topic, r.key
        """,
    ).replace("h.sequence + excluded.sequence", "excluded.sequence")
    assert unguarded.count("COALESCE") == 1
    assert "h.sequence + excluded" not in unguarded
    outbox._WRITE.text = unguarded


def outbox_outside() -> None:
    """Facts are written in a separate transaction, which commits even if the change does not."""
    inside = outbox.write

    async def outside(
        connection: AsyncConnection, entries: Sequence[outbox.PendingEvent], **options: Any
    ) -> None:
        if entries:
            async with connection.engine.begin() as other:
                await inside(other, entries, **options)

    vars(outbox)["write"] = outside


def no_rewind() -> None:
    """A batch that failed is left behind, and the next one comes."""

    def again(self: PartitionController, first: Mapping[Any, int], pause: float) -> None:
        """Do not seek back."""

    replace_methods(PartitionController, _redeliver=again)


def no_parked_key_check() -> None:
    """Later events of a key overtake the one that is parked."""
    really = parked.find_blocked_keys

    async def keys_waiting(
        connection: AsyncConnection, group: str, keys: Collection[str]
    ) -> tuple[set[str], bool]:
        _, halted = await really(connection, group, keys)
        return set(), halted

    parked.find_blocked_keys = keys_waiting


def no_savepoint() -> None:
    """What a failed event wrote stays with the rest of its batch."""

    @asynccontextmanager
    async def same(self: Database, unit: SqlUnit) -> Any:
        yield unit

    replace_methods(Database, savepoint=same)


def no_rebalance_lock() -> None:
    """Partitions are taken away in the middle of a batch, whose answer then owes their offsets."""

    async def revoked(self: PartitionController, _: set[Any]) -> None:
        self._rebalancing = True
        await self._release_partitions()

    replace_methods(PartitionController, on_partitions_revoked=revoked)


def no_tenants() -> None:
    """A transaction does not say which tenants it is for."""
    vars(transactions)["begin_with_tenants"] = lambda _: "BEGIN"


def replace_methods(cls: type, **methods: Callable[..., Any]) -> None:
    """Replace methods of a class."""
    for name, method in methods.items():
        assert hasattr(cls, name), name
        setattr(cls, name, method)


KILL, SIGTERM, ZOMBIE = "kill at a step", "SIGTERM", "zombie"
BUG, LONG_BUG, FLOOD = "handler bug", "long handler bug", "flood"
DUPLICATES, POSTGRES, SCALING = "duplicates", "PostgreSQL crash", "scaling"
_LISTED: Sequence[tuple[Callable[[], None], tuple[str, ...]]] = (
    (no_inbox, (DUPLICATES, FLOOD)),
    (no_distinct_in_a_batch, (FLOOD,)),
    (no_fence, (FLOOD, ZOMBIE, ZOMBIE)),
    (offsets_before_database, (FLOOD, KILL, POSTGRES, BUG)),
    (relay_deletes_first, (FLOOD, KILL, KILL, "broker restart")),
    (relay_without_shards, (FLOOD, FLOOD)),
    (heads_without_lock, (FLOOD,)),
    (outbox_outside, (POSTGRES, KILL, KILL)),
    (no_rewind, (FLOOD, POSTGRES, BUG)),
    (no_parked_key_check, (LONG_BUG, FLOOD, LONG_BUG, FLOOD)),
    (no_savepoint, (FLOOD, BUG, BUG)),
    (no_rebalance_lock, (FLOOD, SCALING, SCALING)),
    (no_tenants, (FLOOD,)),
)
MUTANTS = {function.__name__.replace("_", "-"): function for function, _ in _LISTED}
FAULTS_OF_MUTANT = {function.__name__.replace("_", "-"): faults for function, faults in _LISTED}
"""The faults that each guard is for: a mutant meets them beside those that its seed draws."""


def switch_off(name: str) -> None:
    """Switch off one guard in this process."""
    MUTANTS[name]()
